import { fileURLToPath } from "node:url"
import process from "node:process"
import { StdioClientTransport as ModernStdioTransport } from "@modelcontextprotocol/client/stdio"
import { StdioClientTransport as StdioTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as McpClient from "effect/ai/McpClient"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { Agent, Message, MessagePromise, MiniAgents } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { Runs } from "miniagents/runs"
import { Mcp } from "miniagents/serve"
import { ScriptedModel } from "miniagents/testing"
import { serve } from "./Server.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.String }) {}

const talker = Agent.make(
  "Story Teller",
  { description: "Tells a story" },
  Effect.fnUntraced(function* (ctx) {
    const tokens = Stream.rechunk(Stream.fromIterable(["Once ", "upon ", "a ", "time"]), 1)
    yield* ctx.reply([
      ctx.messages,
      yield* MessagePromise.fromStream(Stream.tap(tokens, () => Effect.yieldNow)),
      Message.data({ done: true })
    ])
  })
)
const counter = Agent.make("Counter", { parameters: { to: Schema.Int } }, (ctx) =>
  ctx.reply(Message.data({ counted: ctx.parameters.to }))
)
const failing = Agent.make(
  "Failing",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply("as far as it goes")
    return yield* new Refused({ by: "Ann" })
  })
)
const broken = Agent.make("Broken", () => Effect.die(new Error("postgres://me:secret@db")))

const deleteFile = Tool.make("DeleteFile", {
  parameters: Schema.Struct({ name: Schema.String }),
  success: Schema.String,
  needsApproval: true
})
const deleted: Array<string> = []
const kit = Toolkit.make(deleteFile)
const kitLive = kit.toLayer({ DeleteFile: ({ name }) => Effect.sync(() => `deleted ${deleted.push(name)}`) })
/** Deletes two files, and says what came of it. */
const cleaner = (name: string) =>
  LlmAgent.make(name, {
    toolkit: Effect.provide(kit, kitLive),
    model: ScriptedModel.layer([
      ScriptedModel.turn(
        ScriptedModel.text("Let me see."),
        ScriptedModel.toolCall("DeleteFile", { name: `${name}.1` }),
        ScriptedModel.toolCall("DeleteFile", { name: `${name}.2` })
      ),
      ScriptedModel.turn(ScriptedModel.text("Done."))
    ])
  })

const from = <A>(promise: () => Promise<A>) => Effect.promise(promise)

type Answer = { readonly action: "accept" | "decline"; readonly content?: Record<string, string | boolean> }
interface Asking {
  readonly answer?: (message: string) => Answer
}

/** Both official clients, each with the age of the protocol that it speaks. */
const clients = {
  "2025-11-25": (url: string, { answer }: Asking = {}) =>
    Effect.acquireRelease(
      from(async () => {
        const client = new Client({ name: "test", version: "1" }, { capabilities: answer ? { elicitation: {} } : {} })
        if (answer) client.setRequestHandler(ElicitRequestSchema, ({ params }) => answer(params.message))
        const transport = new StreamableHTTPClientTransport(new URL(url))
        await client.connect(transport as never)
        const callWith = client.callTool.bind(client)
        // the same methods, but for one that takes a schema first
        const callTool: ModernClient["callTool"] = (params, options) =>
          callWith(params, undefined, options as never) as never
        return Object.assign(client as unknown as ModernClient, { callTool })
      }),
      (client) => from(() => client.close())
    ),
  "2026-07-28": (url: string, { answer }: Asking = {}) =>
    Effect.acquireRelease(
      from(async () => {
        const client = new ModernClient(
          { name: "test", version: "1" },
          { capabilities: answer ? { elicitation: { form: {} } } : {}, versionNegotiation: { mode: "auto" } }
        )
        if (answer) client.setRequestHandler("elicitation/create", ({ params }) => answer(params.message))
        await client.connect(new ModernTransport(new URL(url)))
        return client
      }),
      (client) => from(() => client.close())
    )
} as const

describe.each(["2025-11-25", "2026-07-28"] as const)("Mcp %s", (version) => {
  const connect = clients[version]

  it.live("lists agents as tools, with their parameters or a message", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(Mcp.layer("/mcp", [talker, counter], { name: "stories" }))
      const client = yield* connect(`${url}/mcp`)
      assert.strictEqual(client.getServerVersion()?.name, "stories")
      const { tools } = yield* from(() => client.listTools())
      assert.deepStrictEqual(
        tools.map(({ description, inputSchema, name }) => [name, description, inputSchema.required]),
        [
          ["Story_Teller", "Tells a story", ["message"]],
          ["Counter", "Calls Counter", ["to"]]
        ]
      )
    })
  )

  it.live("gives what an agent says, and tells it as progress while it is said", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(Mcp.layer("/mcp", [talker, counter]))
      const client = yield* connect(`${url}/mcp`)
      const said: Array<string> = []
      let last = 0
      const result = yield* from(() =>
        client.callTool(
          { name: "Story_Teller", arguments: { message: "Begin!" } },
          {
            onprogress: ({ message = "", progress }) => {
              assert.isAbove(progress, last)
              last = progress
              said.push(message)
            }
          }
        )
      )
      const [content] = result.content as ReadonlyArray<{ readonly text: string }>
      assert.strictEqual(content?.text, `Begin!\n\nOnce upon a time\n\n${Message.data({ done: true })}`)
      assert.strictEqual(said.join(""), content?.text)
      assert.isAbove(said.length, 1)
      const counted = yield* from(() => client.callTool({ name: "Counter", arguments: { to: 3 } }))
      assert.deepStrictEqual(counted.structuredContent, { counted: 3 })
    })
  )

  it.live("says what went wrong, but not what a defect holds", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(Mcp.layer("/mcp", [failing, broken, counter]))
      const client = yield* connect(`${url}/mcp`)
      const call = (name: string, args: Record<string, unknown>) =>
        from(async () => {
          const { content, isError } = await client.callTool({ name, arguments: args })
          return [isError, (content as ReadonlyArray<{ readonly text: string }>)[0]?.text] as const
        })
      assert.deepStrictEqual(yield* call("Failing", { message: "x" }), [
        true,
        'as far as it goes\n\nRefused: by: "Ann"'
      ])
      const [isError, text] = yield* call("Broken", { message: "x" })
      assert.isTrue(isError)
      assert.match(text ?? "", /^InternalError: internal error \([\w-]+\)$/)
      assert.deepStrictEqual(yield* call("Counter", { to: "three" }), [
        true,
        'The arguments do not fit: `to` got `"three"`: Expected number'
      ])
    })
  )

  it.live("an agent that thinks for long shows that it is there", () =>
    Effect.gen(function* () {
      const pondering = Agent.make("Pondering", (ctx) => Effect.andThen(Effect.sleep(100), ctx.reply("42")))
      const { url } = yield* serve(Mcp.layer("/mcp", [pondering]), { guard: { heartbeat: 5 } })
      const client = yield* connect(`${url}/mcp`)
      const { content } = yield* from(() => client.callTool({ name: "Pondering", arguments: { message: "x" } }))
      assert.deepStrictEqual(content, [{ type: "text", text: "42" }])
    })
  )

  it.live("a client that cancels interrupts the run", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      const patient = Agent.make("Patient", (ctx) =>
        Effect.gen(function* () {
          yield* ctx.reply("I wait")
          yield* Deferred.succeed(started, undefined)
          return yield* Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined))
        })
      )
      const { url } = yield* serve(Mcp.layer("/mcp", [patient]))
      const client = yield* connect(`${url}/mcp`)
      const call = yield* Effect.forkChild(
        Effect.tryPromise((signal) => client.callTool({ name: "Patient", arguments: { message: "x" } }, { signal }))
      )
      yield* Deferred.await(started)
      yield* Fiber.interrupt(call)
      yield* Deferred.await(ended)
    })
  )

  it.live("asks the client's user where a tool needs approval", () =>
    Effect.gen(function* () {
      deleted.length = 0
      const { url } = yield* serve(Mcp.layer("/mcp", [cleaner("one"), cleaner("two"), cleaner("three")]))
      const asked: Array<string> = []
      const client = yield* connect(`${url}/mcp`, {
        answer: (message) => {
          asked.push(message)
          return message.includes("one") || message.includes(".2")
            ? { action: "accept", content: { approve: true } }
            : { action: "decline" }
        }
      })
      const call = (name: string) => from(() => client.callTool({ name, arguments: { message: "clean" } }))
      const { content } = yield* call("one")
      assert.deepStrictEqual(content, [{ type: "text", text: "Let me see.\n\nDone." }])
      assert.sameMembers(deleted, ["one.1", "one.2"])
      yield* call("two")
      assert.sameMembers(deleted, ["one.1", "one.2", "two.2"])
      assert.sameMembers(
        asked,
        ["one.1", "one.2", "two.1", "two.2"].map(
          (name) => `${name.slice(0, 3)} wants to call DeleteFile({"name":"${name}"})`
        )
      )
      // who cannot be asked has not approved
      const other = yield* connect(`${url}/mcp`)
      yield* from(() => other.callTool({ name: "three", arguments: { message: "clean" } }))
      assert.lengthOf(deleted, 3)
    })
  )
})

describe("Mcp tasks", () => {
  const tasks = "io.modelcontextprotocol/tasks"
  type Json = Record<string, unknown>

  const ask = (url: string, method: string, params: Json) =>
    from(async () => {
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          "mcp-protocol-version": "2026-07-28",
          "mcp-method": method,
          "mcp-name": String(params.taskId ?? params.name)
        },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method,
          params: {
            ...params,
            _meta: {
              "io.modelcontextprotocol/protocolVersion": "2026-07-28",
              "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} }, extensions: { [tasks]: {} } }
            }
          }
        })
      })
      const { error, result } = (await response.json()) as { readonly error?: Json; readonly result?: Json }
      return { ...error, ...result } as Json
    })

  it.live("is a run that waits for answers, also when its client has gone, and then ends", () =>
    Effect.gen(function* () {
      deleted.length = 0
      const routes = Mcp.layer("/mcp", [cleaner("Cleaner")], { tasks: { Cleaner: "offered" } })
      const { context, url } = yield* serve(routes)
      const created = yield* ask(`${url}/mcp`, "tools/call", { name: "Cleaner", arguments: { message: "clean" } })
      const taskId = String(created.taskId)
      assert.deepInclude(created, { resultType: "task", status: "working", ttlMs: 300_000 })
      const waiting = yield* Effect.repeat(ask(`${url}/mcp`, "tasks/get", { taskId }), {
        until: ({ inputRequests = {} }) => Object.keys(inputRequests as Json).length === 2
      })
      const names = Object.keys(waiting.inputRequests as Json)
      // whoever else may signal the run can answer too
      const { waiting: signals } = yield* Effect.provideContext(Runs.get(taskId), context)
      assert.sameMembers([...signals], names)
      const yes = { action: "accept", content: { approve: true } }
      yield* ask(`${url}/mcp`, "tasks/update", { taskId, inputResponses: { [names[0]!]: yes, nonsense: yes } })
      const half = yield* ask(`${url}/mcp`, "tasks/get", { taskId })
      assert.deepStrictEqual(Object.keys(half.inputRequests as Json), [names[1]])
      yield* Effect.provideContext(Runs.signal(taskId, names[1]!, { approved: true }), context)
      const ended = yield* Effect.repeat(ask(`${url}/mcp`, "tasks/get", { taskId }), {
        until: ({ status }) => status === "completed"
      })
      assert.deepInclude(ended.result as Json, { content: [{ type: "text", text: "Let me see.\n\nDone." }] })
      assert.lengthOf(deleted, 2)
      assert.deepInclude(yield* ask(`${url}/mcp`, "tasks/cancel", { taskId }), { resultType: "complete" })
      assert.deepInclude(yield* ask(`${url}/mcp`, "tasks/get", { taskId: "other" }), { code: -32602 })
    })
  )

  it.live("ends when nobody asks about it for long, and not before", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<void>()
      const patient = Agent.make("Patient", () =>
        Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined))
      )
      const { url } = yield* serve(Mcp.layer("/mcp", [patient], { tasks: { Patient: "required" }, linger: 20 }))
      const { taskId } = yield* ask(`${url}/mcp`, "tools/call", { name: "Patient", arguments: { message: "x" } })
      yield* Deferred.await(ended)
      assert.strictEqual((yield* ask(`${url}/mcp`, "tasks/get", { taskId })).status, "cancelled")
    })
  )
})

const connected = <T>(client: { connect: (transport: T) => Promise<void>; close: () => Promise<void> }, transport: T) =>
  Effect.as(
    Effect.acquireRelease(
      from(() => client.connect(transport)),
      () => from(() => client.close())
    ),
    client as unknown as ModernClient
  )

describe("Mcp.layerStdio", () => {
  it.live.each(["2025-11-25", "2026-07-28"] as const)(
    "serves a host that starts the program: %s",
    (version) =>
      Effect.gen(function* () {
        const program = fileURLToPath(new URL("Mcp.child.ts", import.meta.url))
        const command = {
          command: process.execPath,
          args: ["--conditions=miniagents-source", "--no-warnings", program]
        }
        const client =
          version === "2025-11-25"
            ? yield* connected(new Client({ name: "test", version: "1" }), new StdioTransport(command))
            : yield* connected(
                new ModernClient({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } }),
                new ModernStdioTransport(command)
              )
        const { content } = yield* from(() => client.callTool({ name: "Echo", arguments: { message: "hello" } }))
        assert.deepStrictEqual(content, [{ type: "text", text: "hello" }])
      }),
    60_000
  )
})

describe("MCP tools as a toolkit", () => {
  it.live("an agent on a model uses the tools of any MCP server, agents among them", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(Mcp.layer("/mcp", [talker, counter]))
      const connection = McpClient.layerHttp({
        name: "test",
        version: "1",
        url: `${url}/mcp`,
        protocol: McpProtocol.v2026_07_28
      })
      const context = yield* Layer.build(Layer.provide(connection, FetchHttpClient.layer))
      const client = Context.get(context, McpClient.McpClient)
      const toolkit = yield* McpClient.toolkit(client, "remote__")
      const user = LlmAgent.make("User", {
        toolkit,
        model: ScriptedModel.layer([
          ScriptedModel.turn(ScriptedModel.toolCall("remote__Story_Teller", { message: "Begin!" })),
          ScriptedModel.turn(ScriptedModel.text("What a story"))
        ])
      })
      const messages = yield* Effect.flatMap(user.trigger("Tell me"), (replies) => replies.messages)
      assert.include(String(messages[1]), "Once upon a time")
      assert.strictEqual(String(messages.at(-1)), "What a story")
    }).pipe(Effect.provide(MiniAgents.layer()))
  )
})
