/** The tools that Anthropic runs itself are calls and results like any other, and go back as the blocks they were. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { Message, MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { LlmAgent, LlmMessage } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import * as Loopback from "../llm/Loopback.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"
import * as ResponsesWire from "../openai/Responses.wire.ts"
import { block, finish, start, stop, whole } from "./Anthropic.wire.ts"

const model = (server: Loopback.Loopback) =>
  Layer.provide(Anthropic.model("claude"), Anthropic.layer({ baseUrl: server.url }))

const codec = Schema.Array(Message.codec(LlmMessage.classes))
/** Messages as they are read again from where they were kept. */
const kept = (messages: ReadonlyArray<Message.Message>): ReadonlyArray<Message.Message> =>
  Schema.decodeSync(codec)(JSON.parse(JSON.stringify(Schema.encodeUnknownSync(codec)(messages))) as never)

const turnsOf = (server: Loopback.Loopback, request: number) =>
  Loopback.bodyField(server, "messages", request) as ReadonlyArray<{ readonly content: unknown }>

interface Row {
  readonly name: string
  /** The block that calls the tool, whose input comes in pieces. */
  readonly use: { readonly id: string; readonly input: object; readonly [field: string]: unknown }
  readonly result: { readonly tool_use_id: string; readonly content: unknown; readonly [field: string]: unknown }
  readonly call: string
  readonly isFailure?: boolean
}

const rows: ReadonlyArray<Row> = [
  {
    name: "a search in the web",
    use: { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "rain" } },
    result: {
      type: "web_search_tool_result",
      tool_use_id: "srvtoolu_1",
      content: [{ type: "web_search_result", url: "https://example.org", title: "Rain", encrypted_content: "E==" }],
      caller: { type: "direct" }
    },
    call: 'web_search({"query":"rain"})'
  },
  {
    name: "a search that failed",
    use: { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "rain" } },
    result: {
      type: "web_search_tool_result",
      tool_use_id: "srvtoolu_1",
      content: { type: "web_search_tool_result_error", error_code: "max_uses_exceeded" }
    },
    call: 'web_search({"query":"rain"})',
    isFailure: true
  },
  {
    name: "a program",
    use: {
      type: "server_tool_use",
      id: "srvtoolu_1",
      caller: { type: "direct" },
      name: "code_execution",
      input: { code: "print(1)" }
    },
    result: {
      type: "code_execution_tool_result",
      tool_use_id: "srvtoolu_1",
      content: { type: "code_execution_result", stdout: "1\n", stderr: "", return_code: 0, content: [] }
    },
    call: 'code_execution({"code":"print(1)"})'
  },
  {
    name: "a tool of a remote server that failed",
    use: { type: "mcp_tool_use", id: "mcptoolu_1", name: "roll", server_name: "dice", input: { n: 2 } },
    result: {
      type: "mcp_tool_result",
      tool_use_id: "mcptoolu_1",
      is_error: true,
      content: [{ type: "text", text: "no dice" }]
    },
    call: 'roll({"n":2})',
    isFailure: true
  }
]

/** The events of a block whose input comes in two pieces. */
const using = (index: number, use: Row["use"]) => {
  const json = JSON.stringify(use.input)
  const pieces = [json.slice(0, 4), json.slice(4)]
  return block(
    index,
    { ...use, input: {} },
    ...pieces.map((partial_json) => ({ type: "input_json_delta", partial_json }))
  )
}

describe("a tool that Anthropic runs", () => {
  it.effect.each(rows)(
    "is a call and its result, and goes back byte for byte: $name",
    ({ call, isFailure = false, result, use }) =>
      Effect.gen(function* () {
        const text = block(2, { type: "text", text: "" }, { type: "text_delta", text: "It rains" })
        const said = [start(), ...using(0, use), ...block(1, result), ...text, finish("end_turn"), stop]
        const server = yield* Loopback.serve((response, request, count) =>
          Loopback.stream(count === 1 ? said : whole({ text: ["a"] }))(response, request, count)
        )
        const agent = LlmAgent.make("A", { model: model(server) })
        const replies = yield* agent.trigger("Rain?")
        const messages = yield* replies.messages
        assert.deepStrictEqual(
          messages.map(({ _tag }) => _tag),
          ["ToolCall", "ToolResult", "Assistant"]
        )
        assert.strictEqual(String(messages[0]), call)
        const about = { id: use.id, providerExecuted: true, agent: "A", step: 1 }
        assert.deepInclude({ ...messages[0] } as object, about)
        assert.deepInclude({ ...messages[1] } as object, { ...about, result: result.content, isFailure })
        // what it has done is shown, and not said
        assert.strictEqual(yield* replies.text, "It rains")
        const history = [Message.user("Rain?"), ...kept(messages), Message.user("Sure?")]
        yield* (yield* agent.trigger(history)).messages
        const answer = { type: "text", text: "It rains" }
        assert.strictEqual(JSON.stringify(turnsOf(server, 1)[1]?.content), JSON.stringify([use, result, answer]))
        // nobody else knows of it
        const other = yield* Loopback.serve((response, request, count) =>
          Loopback.stream(
            String(request.url).endsWith("/responses")
              ? ResponsesWire.whole({ text: ["a"] })
              : OpenAiWire.whole({ text: ["a"] })
          )(response, request, count)
        )
        const openai = OpenAi.layer({ baseUrl: other.url })
        for (const api of ["chat", "responses"] as const) {
          const connected = Layer.provide(api === "chat" ? OpenAi.model("m") : OpenAi.model("m", { api }), openai)
          yield* (yield* LlmAgent.make("B", { model: connected }).trigger(history)).messages
        }
        assert.notInclude(JSON.stringify(other.received.map(({ body }) => body)), use.id)
      }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("goes on after a pause, in which the result comes with the next response", () =>
    Effect.gen(function* () {
      const [{ result, use }] = rows as readonly [Row]
      const server = yield* Loopback.serve((response, request, count) =>
        Loopback.stream(
          count === 1
            ? [start(), ...using(0, use), finish("pause_turn"), stop]
            : [start(), ...block(0, result), ...block(1, { type: "text", text: "It rains" }), finish("end_turn"), stop]
        )(response, request, count)
      )
      const agent = LlmAgent.make("A", { model: model(server) })
      const messages = yield* (yield* agent.trigger("Rain?")).messages
      assert.deepStrictEqual(
        messages.map((message) => [message._tag, (message as LlmMessage.ToolCall).step]),
        [
          ["ToolCall", 1],
          ["Assistant", 1], // what the first response has used
          ["ToolResult", 2],
          ["Assistant", 2]
        ]
      )
      assert.deepStrictEqual(LlmMessage.pair(messages).resultOf, new Map([[0, 2]]))
      assert.deepStrictEqual(withoutMarks(turnsOf(server, 1).at(-1)?.content), [use])
      yield* (yield* agent.trigger([Message.user("Rain?"), ...kept(messages), Message.user("Sure?")])).messages
      const answer = { type: "text", text: "It rains" }
      assert.deepStrictEqual(turnsOf(server, 2)[1]?.content, [use, result, answer])
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("that was cut off is left out once the user has spoken, as the API refuses a call without its result", () =>
    Effect.gen(function* () {
      const [{ use }] = rows as readonly [Row]
      const server = yield* Loopback.serve((response, request, count) =>
        Loopback.stream(
          count === 1
            ? [start(), ...block(0, { type: "text", text: "Let me see" }), ...using(1, use), finish("max_tokens"), stop]
            : whole({ text: ["a"] })
        )(response, request, count)
      )
      const agent = LlmAgent.make("A", { model: model(server) })
      const messages = yield* (yield* agent.trigger("Rain?")).messages
      yield* (yield* agent.trigger([Message.user("Rain?"), ...messages, Message.user("Well?")])).messages
      assert.deepStrictEqual(turnsOf(server, 1)[1]?.content, [{ type: "text", text: "Let me see" }])
    }).pipe(Effect.provide(MiniAgents.layer()))
  )
})

describe("a call of a tool of one's own", () => {
  it.effect("goes back with who made it, where that was a program that Anthropic ran", () =>
    Effect.gen(function* () {
      const use = { type: "tool_use", id: "toolu_1", name: "dice", input: { n: 2 }, caller: { type: "code_execution" } }
      const server = yield* Loopback.serve((response, request, count) =>
        Loopback.stream(count === 1 ? [start(), ...using(0, use), finish("tool_use"), stop] : whole({ text: ["a"] }))(
          response,
          request,
          count
        )
      )
      const dice = Tool.make("dice", { parameters: Schema.Struct({ n: Schema.Finite }), success: Schema.String })
      const toolkit = Toolkit.make(dice)
      const agent = LlmAgent.make("A", { toolkit, model: model(server) })
      yield* Effect.flatMap(agent.trigger("Roll"), ({ messages }) => messages).pipe(
        Effect.provide(toolkit.toLayer({ dice: () => Effect.succeed("7") }))
      )
      assert.deepStrictEqual(withoutMarks(turnsOf(server, 1)[1]?.content), [use])
    }).pipe(Effect.provide(MiniAgents.layer()))
  )
})

const withoutMarks = (blocks: unknown): unknown =>
  (blocks as ReadonlyArray<Record<string, unknown>>).map(({ cache_control: _, ...block }) => block)
