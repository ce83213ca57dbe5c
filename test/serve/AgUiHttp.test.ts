import {
  buildResumeArray,
  HttpAgent,
  type HttpAgentFetchFn,
  type Interrupt,
  type Message as AgUiMessage
} from "@ag-ui/client"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, Message, MessagePromise } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { Runs } from "miniagents/runs"
import { AgUi } from "miniagents/serve"
import { ScriptedModel } from "miniagents/testing"
import { deleter, manager, researcher } from "./Assistant.ts"
import { blocks, cutting, post, serve } from "./Server.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.String }) {}

const echo = Agent.make("Echo", { parameters: { mark: Schema.optionalKey(Schema.String) } }, (ctx) =>
  ctx.reply([ctx.messages, ctx.parameters.mark ?? "."])
)
const silent = Agent.make("Silent", (ctx) => Effect.andThen(ctx.reply("here"), Effect.never))
const failing = Agent.make("Failing", (ctx) => Effect.andThen(ctx.reply("well"), new Refused({ by: "Ann" })))
const broken = Agent.make("Broken", () => Effect.die(new Error("postgres://me:secret@db")))
const long = Agent.make(
  "Long",
  Effect.fnUntraced(function* (ctx) {
    for (let i = 0; i < 50; i++) {
      const words = Stream.rechunk(Stream.fromIterable([`part ${i} `, "😀"]), 1)
      yield* ctx.reply(yield* MessagePromise.fromStream(Stream.tap(words, () => Effect.yieldNow)))
      yield* ctx.reply(Message.data({ i }))
    }
  })
)
const painter = LlmAgent.make("Painter", {
  model: ScriptedModel.layer([
    ScriptedModel.when(
      ScriptedModel.always(ScriptedModel.turn(ScriptedModel.toolCall("paint", { color: "red" }, "paint-1"))),
      ({ text }) => !text.includes("painted")
    ),
    ScriptedModel.always(ScriptedModel.turn(ScriptedModel.text("It is red")))
  ])
})

const routes = Layer.mergeAll(
  AgUi.layer("/echo", echo, { parameters: ["mark"] }),
  AgUi.layer("/plain", echo, { accepts: [Message.User, Message.System] }),
  AgUi.layer("/silent", silent),
  AgUi.layer("/bound", silent, { resumable: false }),
  AgUi.layer("/failing", failing),
  AgUi.layer("/broken", broken),
  AgUi.layer("/long", long),
  AgUi.layer("/painter", painter, { tools: true }),
  AgUi.layer("/researcher", researcher),
  AgUi.layer("/deleter", deleter),
  AgUi.layer("/manager", manager)
)

const from = <A>(promise: () => Promise<A>) => Effect.promise(promise)

/** The client of AG-UI, with a person's first message. */
const clientOf = (url: string, threadId = "thread-1", fetch?: HttpAgentFetchFn) =>
  new HttpAgent({
    url,
    threadId,
    initialMessages: [{ id: "u1", role: "user", content: "go" }],
    ...(fetch === undefined ? {} : { fetch })
  })

/** Runs a client, and gives the error that its server or its network had. */
const run = (agent: HttpAgent, parameters: Parameters<HttpAgent["runAgent"]>[0] = {}) =>
  from(async () => {
    let error: string | undefined
    let interrupts: ReadonlyArray<Interrupt> = []
    await agent
      .runAgent(parameters, {
        onRunErrorEvent: ({ event }) => void (error = event.message),
        onRunFailed: (failed) => void (error ??= failed.error.message),
        onRunFinishedEvent: ({ event }) => {
          interrupts = event.outcome?.type === "interrupt" ? event.outcome.interrupts : []
        }
      })
      .catch((thrown: unknown) => (error ??= String(thrown)))
    return { error, interrupts }
  })

/** What a client has, in short. */
const shown = (messages: ReadonlyArray<AgUiMessage>) =>
  messages.flatMap((message) => {
    const inside = message.subagentRunId === undefined ? "" : " inside"
    const calls = message.role === "assistant" ? (message.toolCalls ?? []).map(({ id }) => `call ${id}${inside}`) : []
    const content = "content" in message && typeof message.content === "string" ? message.content : ""
    return content === "" ? calls : [`${message.role} ${content}${inside}`, ...calls]
  })

const user = (content: string) => ({ id: "u1", role: "user", content })

describe("AgUi over HTTP", () => {
  it.live("a client has the thoughts, the tools and the agents inside, and sends them back with the next turn", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const agent = clientOf(`${url}/researcher`)
      const first = yield* run(agent)
      assert.isUndefined(first.error)
      const turn = [
        "reasoning let me see",
        "assistant One moment. ",
        "call call-1",
        "tool page one",
        "assistant page one inside"
      ]
      assert.deepStrictEqual(shown(agent.messages), ["user go", ...turn, "assistant It is page one"])
      agent.addMessage({ id: "u2", role: "user", content: "And now?" })
      assert.isUndefined((yield* run(agent)).error)
      assert.strictEqual(agent.messages.filter(({ role }) => role === "tool").length, 2)
      assert.include(shown(agent.messages), "call call-1_2")
    })
  )

  it.live("a file that a page sends is a part of what was said, and comes back to the page as an activity", () =>
    Effect.gen(function* () {
      const got: Array<ReadonlyArray<Message.Message>> = []
      const mirror = Agent.make(
        "Mirror",
        Effect.fnUntraced(function* (ctx) {
          const messages = yield* ctx.messages.messages
          got.push(messages)
          yield* ctx.reply([
            "Look:",
            messages.at(-1)!,
            Message.file("https://example.org/a.pdf", { fileName: "a.pdf" })
          ])
        })
      )
      const { url } = yield* serve(AgUi.layer("/mirror", mirror))
      const agent = clientOf(`${url}/mirror`)
      agent.setMessages([
        {
          id: "u1",
          role: "user",
          content: [
            { type: "text", text: "What is this?" },
            { type: "image", source: { type: "data", mimeType: "image/png", value: "aGk=" } },
            { type: "audio", source: { type: "url", value: "https://example.org/a.mp3" } }
          ]
        }
      ])
      assert.isUndefined((yield* run(agent)).error)
      const sent = [
        Message.image("data:image/png;base64,aGk="),
        Message.file("https://example.org/a.mp3", { mediaType: "audio/*" })
      ]
      assert.deepStrictEqual(got[0].map(String), [String(Message.user(["What is this?", ...sent]))])
      const shown = agent.messages.flatMap((message) => (message.role === "activity" ? [message.content] : []))
      assert.deepStrictEqual(shown, [
        { mediaType: "image/png", url: "data:image/png;base64,aGk=" },
        { mediaType: "audio/*", url: "https://example.org/a.mp3" },
        { mediaType: "application/pdf", url: "https://example.org/a.pdf", fileName: "a.pdf" }
      ])
      agent.addMessage({
        id: "u3",
        role: "user",
        content: [{ type: "document", source: { type: "file", value: "file-1" } }]
      })
      assert.include((yield* run(agent)).error, "by its `https` address")
    })
  )

  for (const approved of [true, false]) {
    it.live(
      `a call that needs approval interrupts the run, which goes on when it was ${approved ? "given" : "denied"}`,
      () =>
        Effect.gen(function* () {
          const { context, url } = yield* serve(routes)
          const agent = clientOf(`${url}/deleter`)
          let { error, interrupts } = yield* run(agent)
          for (const path of ["a", "b"]) {
            assert.isUndefined(error)
            assert.strictEqual(interrupts.length, 1)
            assert.strictEqual(interrupts[0]?.toolCallId, `delete-${path}`)
            const answers = Object.fromEntries(
              interrupts.map(({ id }) => [
                id,
                { status: "resolved", payload: { approved, reason: "not today" } } as const
              ])
            )
            const resume = buildResumeArray([...interrupts], answers)
            ;({ error, interrupts } = yield* run(agent, { resume }))
          }
          assert.isUndefined(error)
          const results = agent.messages.flatMap((message) =>
            message.role === "tool" ? [String(message.content)] : []
          )
          assert.strictEqual(results.length, 2)
          assert.include(results[1], approved ? "b is gone" : "not today")
          assert.strictEqual(shown(agent.messages).at(-1), "assistant done")
          assert.strictEqual(shown(agent.messages).length, 6)
          assert.strictEqual((yield* Effect.provideContext(Runs.list, context)).length, 1)
        })
    )
  }

  it.live("an agent inside of a call is suspended while it waits for approval, and goes on", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const agent = clientOf(`${url}/manager`)
      const { interrupts } = yield* run(agent)
      assert.isDefined(interrupts[0]?.subagentRunId)
      const resume = [{ interruptId: interrupts[0]!.id, status: "resolved", payload: { approved: true } }] as const
      assert.isUndefined((yield* run(agent, { resume: [...resume] })).error)
      assert.deepStrictEqual(shown(agent.messages), [
        "user go",
        "call call-1",
        "tool done",
        "call delete-c inside",
        "tool c is gone inside",
        "assistant done inside",
        "assistant all clean"
      ])
    })
  )

  it.live("a tool of the page is called there, and its result comes with the next run", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const agent = clientOf(`${url}/painter`)
      const tools = [{ name: "paint", description: "Paints the page", parameters: { type: "object", properties: {} } }]
      assert.isUndefined((yield* run(agent, { tools })).error)
      assert.deepStrictEqual(shown(agent.messages), ["user go", "call paint-1"])
      agent.addMessage({ id: "r1", role: "tool", toolCallId: "paint-1", content: "painted" })
      assert.isUndefined((yield* run(agent, { tools })).error)
      assert.strictEqual(shown(agent.messages).at(-1), "assistant It is red")
    })
  )

  it.live(
    "a client that was cut off after any event has the same when it has run again, and nothing twice",
    () =>
      Effect.gen(function* () {
        const { url } = yield* serve(routes)
        const whole = clientOf(`${url}/long`)
        assert.isUndefined((yield* run(whole, { runId: "r" })).error)
        const all = yield* from(async () => told(await fetch(`${url}/long/thread-1/stream`)))
        assert.isAbove(all.length, 190)
        // all of them read one run while it goes on
        const [threadId, runId] = ["cut", "r"]
        const cutAfter = async (most: number) => {
          const sent = await fetch(`${url}/long`, bodyOf({ threadId, runId, messages: [user("go")] }))
          const had = await told(sent, most)
          const messages = [user("go"), { id: "r-m0", role: "assistant", content: "part" }]
          const again = await told(await fetch(`${url}/long`, bodyOf({ threadId, runId, messages })))
          assert.strictEqual(JSON.parse(again[1]!.slice(6)).type, "MESSAGES_SNAPSHOT")
          const rest = joined([again[0]!, ...again.slice(2)])
          assert.isTrue(rest.startsWith(joined(had).slice(0, -2)), `cut after ${most}`)
          assert.strictEqual(rest.replaceAll(threadId, "thread-1"), joined(all))
        }
        yield* from(() => Promise.all(all.map((_, i) => cutAfter(i + 1))))
        const again = (path: string, threadId: string, most: number) =>
          Effect.gen(function* () {
            const agent = clientOf(`${url}${path}`, threadId, cutting(most, "end"))
            yield* run(agent, { runId: "r" })
            assert.isUndefined((yield* run(agent, { runId: "r" })).error)
            return agent.messages
          })
        for (const most of [2, 50, 120]) {
          assert.deepStrictEqual(yield* again("/long", `client-${most}`, most), whole.messages, `cut after ${most}`)
        }
        const inside = clientOf(`${url}/researcher`, "inside-0")
        assert.isUndefined((yield* run(inside, { runId: "r" })).error)
        for (let most = 2; most < 22; most++) {
          const messages = yield* again("/researcher", `inside-${most}`, most)
          assert.deepStrictEqual(messages, inside.messages, `cut after ${most}`)
        }
      }),
    60_000
  )

  it.live("leaving is not stopping, unless the server says so; and a thread that nobody started has no run", () =>
    Effect.gen(function* () {
      const { context, url } = yield* serve(routes)
      const start = async (path: string, threadId: string) => {
        const response = await post(`${url}${path}`, { threadId, runId: "r", messages: [user("go")] })
        for await (const block of blocks(response)) if (block.includes("CONTENT")) break
      }
      yield* from(() => start("/silent", "kept"))
      yield* from(() => start("/bound", "left"))
      const status = (thread: string) =>
        Effect.map(
          Effect.provideContext(Runs.list, context),
          (all) => all.find(({ id }) => id.startsWith(`${thread}/`))?.status
        )
      while ((yield* status("left")) === "running") yield* Effect.yieldNow
      assert.strictEqual(yield* status("left"), "interrupted")
      assert.strictEqual(yield* status("kept"), "running")
      assert.strictEqual((yield* from(() => post(`${url}/silent/kept/stop`, {}))).status, 204)
      assert.strictEqual(yield* status("kept"), "interrupted")
      const events = yield* from(async () => told(await fetch(`${url}/silent/kept/stream`)))
      assert.include(events.at(-1), '"outcome":{"type":"cancelled"}')
      assert.strictEqual((yield* from(() => fetch(`${url}/silent/nobody/stream`))).status, 204)
      assert.strictEqual((yield* from(() => fetch(`${url}/echo/kept/stream`))).status, 204)
    })
  )

  it.live("a failure is told with its text, a defect without", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const failed = clientOf(`${url}/failing`)
      assert.strictEqual((yield* run(failed)).error, 'Refused: by: "Ann"')
      assert.deepStrictEqual(shown(failed.messages), ["user go", "assistant well"])
      assert.match(String((yield* run(clientOf(`${url}/broken`))).error), /^internal error \([\w-]+\)$/)
    })
  )

  it.live("what the server lets a client set, it sets", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const agent = clientOf(`${url}/echo`)
      assert.isUndefined((yield* run(agent, { forwardedProps: { parameters: { mark: "!" } } })).error)
      assert.deepStrictEqual(shown(agent.messages), ["user go", "assistant go", "assistant !"])
    })
  )

  const run1 = { threadId: "t", runId: "r", messages: [] }
  it.live.each<readonly [string, string, unknown, number, string]>([
    ["no JSON", "/echo", "{", 400, "no JSON"],
    ["a run without a thread", "/echo", { runId: "r", messages: [] }, 400, "`threadId`"],
    ["a run without a name", "/echo", { threadId: "t", messages: [] }, 400, "`runId`"],
    ["a name that is no text", "/echo", { ...run1, threadId: "\ud800" }, 400, "`threadId`"],
    ["no messages", "/echo", { threadId: "t", runId: "r" }, 400, "`messages`"],
    ["a message that is none", "/echo", { ...run1, messages: [7] }, 400, "`messages[0]`"],
    ["a role that there is not", "/echo", { ...run1, messages: [{ role: "root" }] }, 400, "`role`"],
    ["an instruction", "/echo", { ...run1, messages: [{ role: "developer", content: "x" }] }, 400, "`System`"],
    ["a picture", "/echo", { ...run1, messages: [{ role: "user", content: [{ type: "image" }] }] }, 400, "`text`"],
    [
      "a result of no call",
      "/echo",
      { ...run1, messages: [{ role: "tool", toolCallId: "1", content: "x" }] },
      400,
      "not made"
    ],
    ["a tool of the page", "/echo", { ...run1, tools: [{ name: "x" }] }, 400, "`tools`"],
    ["a parameter of the wrong type", "/echo", { ...run1, forwardedProps: { parameters: { mark: 7 } } }, 400, "`mark`"],
    ["a parameter to keep", "/plain", { ...run1, forwardedProps: { parameters: { mark: "!" } } }, 400, "`mark`"],
    [
      "an answer that is none",
      "/echo",
      { ...run1, resume: [{ interruptId: "1", status: "resolved" }] },
      400,
      "payload"
    ],
    ["an answer to nobody", "/echo", { ...run1, resume: [{ interruptId: "1", status: "cancelled" }] }, 409, "no longer"]
  ])("%s is refused before anything runs", ([_, path, body, status, sentence]) =>
    Effect.gen(function* () {
      const { context, url } = yield* serve(routes)
      const response = yield* from(() => post(`${url}${path}`, body))
      const { error } = (yield* from(() => response.json())) as { error: { code: string; message: string } }
      assert.strictEqual(response.status, status)
      assert.include(error.message, sentence)
      assert.deepStrictEqual(yield* Effect.provideContext(Runs.list, context), [])
    })
  )
})

const bodyOf = (body: unknown) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body)
})

/** The events of a response, up to so many: then its reader leaves. */
const told = async (response: Response, most = Infinity): Promise<ReadonlyArray<string>> => {
  const events: Array<string> = []
  for await (const block of blocks(response)) {
    if (!block.startsWith(":") && events.push(block) === most) break
  }
  return events
}

/** All events as one text, whatever the pieces that texts came in. */
const joined = (events: ReadonlyArray<string>): string =>
  events.join("\n").replaceAll(/"\}\ndata: \{"type":"TEXT_MESSAGE_CONTENT","messageId":"r-m\d+","delta":"/g, "")
