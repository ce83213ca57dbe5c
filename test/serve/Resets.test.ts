/** What a run takes back because it had to begin anew: what the client of every protocol has in the end. */
import { HttpAgent } from "@ag-ui/client"
import { Role, StreamResponse, Task } from "@a2a-js/sdk"
import { ClientFactory } from "@a2a-js/sdk/client"
import { assert, describe, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import OpenAI from "openai"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { Agent, Message, type MessageSequence, MiniAgents, type Transcript } from "miniagents"
import { Runs } from "miniagents/runs"
import { A2a, AgUi, AiSdk, Mcp, Native, OpenAiApi, RemoteAgent } from "miniagents/serve"
import { artifactsOf, type Update } from "./A2aClient.ts"
import { Chat } from "./Chat.ts"
import { serve } from "./Server.ts"

const open = (at: number): Transcript.Event => ({ _tag: "open", at, known: { _tag: "Assistant" } })
const text = (at: number, to: number, text: string): Transcript.Event => ({ _tag: "text", at, to, text })
const message = (at: number, content: string): Transcript.Event => ({
  _tag: "message",
  at,
  message: { _tag: "Assistant" },
  hashKey: Message.assistant(content).hashKey
})
const said = (at: number, content: string) => [open(at), text(at, content.length, content), message(at, content)]
const reset = (at: number, to: number): Transcript.Event => ({ _tag: "reset", at, to })

/** What is told before, and from a reset on; and the messages that there are in the end. */
const cases: ReadonlyArray<
  readonly [title: string, told: ReadonlyArray<Transcript.Event>, texts: ReadonlyArray<string>]
> = [
  [
    "the end of a text",
    [...said(0, "one"), open(1), text(1, 9, "two of wh"), reset(1, 4), text(1, 10, "of use"), message(1, "two of use")],
    ["one", "two of use"]
  ],
  ["all of a text", [...said(0, "one"), open(1), text(1, 3, "two"), reset(1, 0), ...said(1, "zwei")], ["one", "zwei"]],
  [
    "whole messages, which come again",
    [
      ...said(0, "one"),
      ...said(1, "two"),
      open(2),
      text(2, 1, "t"),
      reset(1, 0),
      ...said(1, "two"),
      ...said(2, "drei")
    ],
    ["one", "two", "drei"]
  ],
  [
    "everything",
    [...said(0, "one"), open(1), text(1, 3, "two"), reset(0, 0), ...said(0, "one"), ...said(1, "zwei")],
    ["one", "zwei"]
  ],
  [
    "a text again and again",
    [
      open(0),
      text(0, 3, "abc"),
      reset(0, 1),
      text(0, 3, "xy"),
      reset(0, 0),
      open(0),
      text(0, 3, "end"),
      message(0, "end")
    ],
    ["end"]
  ]
]

/** Runs that were kept by a process that began anew: who reads one live is told of it, and who comes later not. */
const runsOf = (told: ReadonlyArray<Transcript.Event>, texts: ReadonlyArray<string>) => {
  const infos = new Map<string, Runs.Info>()
  const replies = Effect.die("nobody needs them") as Effect.Effect<MessageSequence.MessageSequence<unknown>>
  const end: Transcript.Event = { _tag: "end" }
  const again = [...texts.flatMap((content, at) => said(at, content)), end]
  const service: Runs.Service = {
    start: ({ agent, options: { id = "run" } }) =>
      Effect.gen(function* () {
        const info = { id, agent: agent.name, status: "running", startedAt: 0, waiting: [], waits: [] } as const
        if (!infos.has(id)) infos.set(id, info)
        return { id, replies }
      }),
    get: (id) => {
      const info = infos.get(id)
      return info ? Effect.succeed(info) : Effect.fail(new Runs.RunsError({ reason: { _tag: "NotFound", id } }))
    },
    list: Effect.sync(() => [...infos.values()]),
    read: (id) =>
      Stream.unwrap(
        Effect.map(Effect.orDie(service.get(id)), (info) => {
          if (info.status !== "running") return Stream.fromIterable(again)
          const ended = Effect.sync(() => void infos.set(id, { ...info, status: "succeeded", endedAt: 0 }))
          return Stream.rechunk(Stream.fromIterable([...told, end]), 1).pipe(
            Stream.tap(() => Effect.yieldNow),
            Stream.ensuring(ended)
          )
        })
      ),
    interrupt: () => Effect.void,
    signal: () => Effect.void
  }
  return Layer.succeed(Runs.Runs, service)
}

const agent = Agent.make("Agent", (ctx) => ctx.reply([]))
const routes = Layer.mergeAll(
  Native.layer("/native", agent),
  AiSdk.layer("/ai", agent),
  AgUi.layer("/ag-ui", agent),
  OpenAiApi.layer({ agent }),
  A2a.layer("/a2a", agent),
  Mcp.layer("/mcp", [agent])
)

type Read = (url: string) => Effect.Effect<unknown, unknown, MiniAgents.MiniAgents>
const from =
  (read: (url: string) => Promise<unknown>): Read =>
  (url) =>
    Effect.promise(() => read(url))
const openAi = (url: string) => new OpenAI({ apiKey: "none", baseURL: `${url}/v1`, maxRetries: 0 })
const failed = async (read: () => Promise<unknown>) => {
  const error = await read().then(
    () => undefined,
    (error: unknown) => error
  )
  assert.deepInclude({ ...(error as object) }, { code: "Reset" })
}
const drain = async (all: AsyncIterable<unknown>) => {
  for await (const _ of all) continue
}

/** What each client has in the end, as the texts of the messages or as one text. */
const clients: ReadonlyArray<readonly [name: string, read: Read, join?: string]> = [
  [
    "RemoteAgent",
    (url) =>
      Effect.gen(function* () {
        const remote = RemoteAgent.make("Agent", { url: `${url}/native` })
        const messages = yield* (yield* remote.trigger("x")).messages
        return messages.map(String)
      }).pipe(Effect.provide(FetchHttpClient.layer))
  ],
  [
    "useChat of the AI SDK",
    from(async (url) => {
      const chat = new Chat(`${url}/ai`)
      await chat.sendMessage({ text: "x" })
      return chat.messages[1].parts.flatMap((part) => (part.type === "text" ? [part.text] : []))
    })
  ],
  [
    "a client of AG-UI, which runs the run again",
    from(async (url) => {
      const initialMessages = [{ id: "u1", role: "user", content: "x" } as const]
      const client = new HttpAgent({ url: `${url}/ag-ui`, threadId: "t", initialMessages })
      const run = async () => {
        let code: string | undefined
        await client.runAgent({ runId: "r" }, { onRunErrorEvent: ({ event }) => void (code = event.code) })
        return code
      }
      assert.strictEqual(await run(), "Reset")
      assert.isUndefined(await run())
      return client.messages.slice(1).map(({ content }) => content)
    })
  ],
  [
    "chat completions",
    from(async (url) => {
      const messages = [{ role: "user", content: "x" } as const]
      await failed(async () =>
        drain(await openAi(url).chat.completions.create({ model: "agent", messages, stream: true }))
      )
      return (await openAi(url).chat.completions.create({ model: "agent", messages })).choices[0].message.content
    }),
    "\n\n"
  ],
  [
    "responses, one of which is read again",
    from(async (url) => {
      let id = ""
      await failed(async () => {
        const events = await openAi(url).responses.create({ model: "agent", input: "x", stream: true })
        for await (const event of events) if (event.type === "response.created") id = event.response.id
      })
      const { output } = await openAi(url).responses.retrieve(id)
      return output.flatMap((item) =>
        item.type === "message" ? item.content.map((part) => (part.type === "output_text" ? part.text : "")) : []
      )
    })
  ],
  [
    "a client of A2A, and the task afterwards",
    from(async (url) => {
      const client = await new ClientFactory().createFromUrl(url, "/a2a/.well-known/agent-card.json")
      const updates: Array<Update> = []
      const content = { $case: "text", value: "x" } as const
      const parts = [{ content, metadata: undefined, filename: "", mediaType: "" }]
      const rest = { contextId: "", taskId: "", metadata: undefined, extensions: [], referenceTaskIds: [] }
      const message = { messageId: "m", role: Role.ROLE_USER, parts, ...rest }
      const request = { message, configuration: undefined, metadata: undefined, tenant: "" }
      for await (const event of client.sendMessageStream(request)) {
        updates.push(StreamResponse.toJSON(event) as unknown as Update)
      }
      const [first] = updates
      const id = "task" in first ? first.task.id : ""
      const task = Task.toJSON(await client.getTask({ id, tenant: "" })) as never
      const told = artifactsOf(updates).filter((text) => text !== "") // an artifact can only be emptied
      assert.deepStrictEqual(told, artifactsOf([{ task }]))
      return told
    })
  ],
  [
    "a client of MCP",
    from(async (url) => {
      const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } })
      await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)))
      const call = { name: "Agent", arguments: { message: "x" } }
      const { content } = await client.callTool(call, { onprogress: () => {} })
      await client.close()
      return (content as ReadonlyArray<{ readonly text: string }>).map(({ text }) => text)[0]
    }),
    "\n\n"
  ]
]

describe("what a run takes back", () => {
  it.live.each(clients)("is not what %s has in the end, and nothing is doubled", ([_, read, join]) =>
    Effect.gen(function* () {
      for (const [title, told, texts] of cases) {
        const { url } = yield* serve(routes.pipe(Layer.provide(runsOf(told, texts))))
        const found = yield* Effect.provide(read(url), MiniAgents.layer())
        assert.deepStrictEqual(found, join === undefined ? texts : texts.join(join), title)
      }
    })
  )
})
