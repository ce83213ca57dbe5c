/** The tools that OpenAI runs itself are calls and results like any other, and go back as the items they were. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Prompt, Tool, Toolkit } from "effect/ai"
import { Message, MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { Approval, LlmAgent, LlmMessage } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as Loopback from "../llm/Loopback.ts"
import { completed, created, item, message, whole } from "./Responses.wire.ts"

const model = (server: Loopback.Loopback, config: Partial<OpenAi.ResponsesConfig> = {}) =>
  Layer.provide(OpenAi.model("gpt-5.2", { ...config, api: "responses" }), OpenAi.layer({ baseUrl: `${server.url}/v1` }))

const codec = Schema.Array(Message.codec(LlmMessage.classes))
/** Messages as they are read again from where they were kept. */
const kept = (messages: ReadonlyArray<Message.Message>): ReadonlyArray<Message.Message> =>
  Schema.decodeSync(codec)(JSON.parse(JSON.stringify(Schema.encodeUnknownSync(codec)(messages))) as never)

const inputOf = (server: Loopback.Loopback, request: number) =>
  (server.received[request]?.body as { readonly input: ReadonlyArray<unknown> } | undefined)?.input

interface Row {
  readonly name: string
  readonly item: { readonly [field: string]: unknown }
  readonly call: string
  readonly result: unknown
  readonly isFailure?: boolean
}

const rows: ReadonlyArray<Row> = [
  {
    name: "a search in the web",
    item: { type: "web_search_call", id: "ws_1", action: { type: "search", query: "rain" } },
    call: 'web_search({"type":"search","query":"rain"})',
    result: "completed"
  },
  {
    name: "a search in files, with what it found",
    item: {
      type: "file_search_call",
      id: "fs_1",
      queries: ["rain"],
      results: [{ file_id: "f", text: "wet", score: 1 }]
    },
    call: 'file_search({"queries":["rain"]})',
    result: [{ file_id: "f", text: "wet", score: 1 }]
  },
  {
    name: "a search in files, without it",
    item: { type: "file_search_call", id: "fs_1", queries: ["rain"] },
    call: 'file_search({"queries":["rain"]})',
    result: "completed"
  },
  {
    name: "a program",
    item: {
      type: "code_interpreter_call",
      id: "ci_1",
      code: "print(1)",
      container_id: "c",
      outputs: [{ type: "logs", logs: "1" }]
    },
    call: 'code_interpreter({"code":"print(1)","container_id":"c"})',
    result: [{ type: "logs", logs: "1" }]
  },
  {
    name: "a tool of a remote server",
    item: { type: "mcp_call", id: "mcp_1", name: "roll", server_label: "dice", arguments: '{"n":2}', output: "7" },
    call: 'roll({"n":2})',
    result: "7"
  },
  {
    name: "a tool of a remote server that failed",
    item: {
      type: "mcp_call",
      id: "mcp_1",
      name: "roll",
      server_label: "dice",
      arguments: "{}",
      error: { type: "mcp_tool_execution_error", content: "no dice" }
    },
    call: "roll({})",
    result: { type: "mcp_tool_execution_error", content: "no dice" },
    isFailure: true
  }
]

describe("a tool that OpenAI runs", () => {
  it.effect.each(rows)(
    "is a call and its result, and goes back as it was: $name",
    ({ call, isFailure, item: it, result }) =>
      Effect.gen(function* () {
        const said = [
          created(),
          item("added", 0, { type: it.type, id: it.id, status: "in_progress" }),
          item("done", 0, { ...it, status: "completed" }),
          ...message(1, ["It rains"]),
          completed()
        ]
        const server = yield* Loopback.serve(Loopback.stream(said))
        const agent = LlmAgent.make("A", { model: model(server, { tools: [{ type: "web_search" }] }) })
        const replies = yield* agent.trigger("Rain?")
        const messages = yield* replies.messages
        assert.deepStrictEqual(
          messages.map(({ _tag }) => _tag),
          ["ToolCall", "ToolResult", "Assistant"]
        )
        assert.strictEqual(String(messages[0]), call)
        const about = { id: it.id, providerExecuted: true, agent: "A", step: 1 }
        assert.deepInclude({ ...messages[0] } as object, about)
        assert.deepInclude({ ...messages[1] } as object, { ...about, result, isFailure: isFailure === true })
        // what it has done is shown, and not said
        assert.strictEqual(yield* replies.text, "It rains")
        const history = [Message.user("Rain?"), ...kept(messages), Message.user("Sure?")]
        yield* (yield* agent.trigger(history)).messages
        assert.deepStrictEqual(inputOf(server, 1)?.slice(1, 2), [it])
        assert.strictEqual(inputOf(server, 1)?.length, 4)
        // nobody else knows of it
        const other = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
        yield* (yield* LlmAgent.make("B", { model: model(other) }).trigger(history)).messages
        assert.notInclude(JSON.stringify(inputOf(other, 0)), String(it.id))
        const claude = yield* Loopback.serve(Loopback.stream(AnthropicWire.whole({ text: ["a"] })))
        const connected = Layer.provide(Anthropic.model("claude"), Anthropic.layer({ baseUrl: claude.url }))
        yield* (yield* LlmAgent.make("C", { model: connected }).trigger(history)).messages
        assert.notInclude(JSON.stringify(claude.received[0]?.body), String(it.id))
      }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("is in its place between what the model said, which has the usage at the end", () =>
    Effect.gen(function* () {
      const said = [
        created(),
        ...message(0, ["Let me see"]),
        item("done", 1, rows[0]!.item),
        ...message(2, ["Yes"]),
        completed()
      ]
      const server = yield* Loopback.serve(Loopback.stream(said))
      const messages = yield* (yield* LlmAgent.make("A", { model: model(server) }).trigger("Rain?")).messages
      assert.deepStrictEqual(
        messages.map(String).filter((_, i) => i !== 2),
        ["Let me see", rows[0]!.call, "Yes"]
      )
      assert.deepInclude({ ...messages[3] } as object, { finishReason: "stop" })
      assert.notProperty(messages[0], "finishReason")
    }).pipe(Effect.provide(MiniAgents.layer()))
  )
})

describe("a remote server whose calls need approval", () => {
  const request = {
    type: "mcp_approval_request",
    id: "mcpr_1",
    name: "roll",
    server_label: "dice",
    arguments: '{"n":2}'
  }

  it.effect.each<readonly [string, Approval.Decision, object]>([
    ["approved", Approval.approved, { approve: true }],
    ["denied", Approval.denied("not today"), { approve: false, reason: "not today" }],
    ["edited", Approval.edited({ n: 1 }), { approve: false, reason: "its parameters are not the right ones" }]
  ])("is told what was decided, and the agent goes on: %s", ([, decision, expected]) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve((response, _request, count) =>
        Loopback.stream(count === 1 ? [created(), item("done", 0, request), completed()] : whole({ text: ["Done"] }))(
          response,
          _request,
          count
        )
      )
      const asked: Array<string> = []
      const approve: Approval.Approve = ({ call, part, trace }) =>
        Effect.sync(() => {
          asked.push(`${trace.join()} ${call} ${part.toolCallId}`)
          return decision
        })
      const agent = LlmAgent.make("A", { model: model(server) })
      const replies = yield* Effect.flatMap(agent.trigger("Roll"), ({ messages }) => messages).pipe(
        Approval.withApproval(approve)
      )
      assert.deepStrictEqual(asked, ['A roll({"n":2}) mcpr_1'])
      assert.deepStrictEqual(
        replies.map(({ _tag }) => _tag),
        ["ToolCall", "ToolResult", "Assistant"]
      )
      const answer = { type: "mcp_approval_response", approval_request_id: "mcpr_1", ...expected }
      assert.deepStrictEqual(inputOf(server, 1)?.slice(1), [request, answer])
    }).pipe(Effect.provide(MiniAgents.layer()))
  )
})

describe("a computer that a model uses", () => {
  const Computer = Tool.make("computer", {
    parameters: Schema.Struct({
      type: Schema.String,
      pending_safety_checks: Schema.optionalKey(Schema.Array(Schema.Struct({ id: Schema.String })))
    }),
    success: Schema.String,
    failure: Schema.String,
    failureMode: "return",
    toModelOutput: () => [Prompt.filePart({ mediaType: "image/png", data: new Uint8Array([1, 2]) })]
  })
  const kit = Toolkit.make(Computer)
  const click = {
    type: "computer_call",
    id: "cu_1",
    call_id: "call_1",
    action: { type: "screenshot" },
    pending_safety_checks: [{ id: "check" }]
  }

  it.effect("is a tool of the agent by this name, whose picture is what the model sees", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve((response, request, count) =>
        Loopback.stream(
          count === 1
            ? [created(), item("done", 0, { ...click, status: "completed" }), completed()]
            : whole({ text: ["Done"] })
        )(response, request, count)
      )
      const config = { tools: [{ type: "computer" as const }] }
      const agent = LlmAgent.make("A", { toolkit: kit, model: model(server, config) })
      const replies = yield* (yield* agent.trigger("Look")).messages
      assert.deepStrictEqual(
        replies.map(({ _tag }) => _tag),
        ["ToolCall", "ToolResult", "Assistant"]
      )
      assert.deepStrictEqual(Loopback.bodyField(server, "tools"), config.tools)
      assert.deepStrictEqual(inputOf(server, 1)?.slice(1), [
        click,
        {
          type: "computer_call_output",
          call_id: "call_1",
          output: { type: "computer_screenshot", image_url: "data:image/png;base64,AQI=" },
          acknowledged_safety_checks: [{ id: "check" }]
        }
      ])
    }).pipe(Effect.provide([MiniAgents.layer(), kit.toLayer({ computer: () => Effect.succeed("a screen") })]))
  )

  it.effect("that gives no picture is an error that says so", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream([created(), item("done", 0, click), completed()]))
      const agent = LlmAgent.make("A", { toolkit: kit, model: model(server) })
      const error = yield* Effect.flip((yield* agent.trigger("Look")).messages)
      assert.include(String(error), "has to give a picture of the screen")
    }).pipe(Effect.provide([MiniAgents.layer(), kit.toLayer({ computer: () => Effect.fail("it is off") })]))
  )
})
