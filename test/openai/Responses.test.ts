/** OpenAI's Responses API: the contract of all providers, its dialects, and what is particular to it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { LanguageModel, Prompt, ResponseIdTracker } from "effect/ai"
import type { Response } from "effect/ai"
import { OpenAi } from "miniagents/openai"
import * as Loopback from "../llm/Loopback.ts"
import * as Dialects from "../llm/Dialect.contract.ts"
import * as Contract from "../llm/Wire.contract.ts"
import {
  event,
  about,
  created,
  item,
  reasoning,
  message,
  call,
  completed,
  incomplete,
  say,
  whole
} from "./Responses.wire.ts"

const model = (server: Loopback.Loopback, config: Partial<OpenAi.ResponsesConfig> = {}) =>
  Layer.provide(
    OpenAi.model("test-model", { ...config, api: "responses" }),
    OpenAi.layer({ baseUrl: `${server.url}/v1` })
  )
const layer: Contract.Provider["layer"] = (options) =>
  Layer.provide(OpenAi.model("test-model", { api: "responses" }), OpenAi.layer(options))

Contract.suite({
  name: "openai",
  path: "/v1",
  layer,
  say,
  nothing: [
    event("response.output_text.delta", { output_index: 0, delta: "" }),
    event("response.in_progress", about()),
    event("response.of_tomorrow")
  ],
  alive: [": keep-alive\n\n", "event: keepalive\ndata: {}\n\n"],
  error: (message, name = null as never) => ({ error: { message, type: name, code: null, param: null } }),
  errorEvent: (message, code) => event("error", { code, message, param: null }),
  variables: "API_KEY ADMIN_KEY BASE_URL ORG_ID PROJECT_ID WEBHOOK_SECRET".split(" ").map((name) => `OPENAI_${name}`),
  keyOf: ({ authorization }) => authorization,
  errors: [
    ["server_error", "InternalProviderError", true],
    ["rate_limit_exceeded", "RateLimitError", true],
    ["insufficient_quota", "QuotaExhaustedError", false]
  ],
  schemaOf: (body) => (body as { text: { format: { schema: unknown } } }).text.format.schema
})

const oslo = { call: "weather", with: { city: "Oslo" } }
const osloJson = '{"city":"Oslo"}'
const search = { type: "web_search_call", id: "ws_1", action: { type: "search", query: "rain" } }
const program = { type: "code_interpreter_call", id: "ci_1", code: "1", outputs: [{ type: "logs", logs: "1" }] }

const Habits = Schema.Struct({ streams: Schema.Boolean, pieces: Schema.Boolean, begins: Schema.Boolean })

Dialects.suite({
  name: "openai",
  path: "/v1",
  layer,
  numbered: [created(), ...call(0, "call_0", "weather", [osloJson]), completed()],
  habits: Habits,
  speak: ({ calls, reasoning: thoughts, text }, { begins, pieces }) => {
    const say = [
      ...(thoughts.length > 0 ? [(index: number) => reasoning(index, thoughts)] : []),
      ...(text.length > 0 ? [(index: number) => message(index, text)] : []),
      ...calls.map((city) => (index: number) => {
        const said = call(index, `call_${index}`, "weather", [JSON.stringify({ city })])
        return said.slice(begins ? 0 : 2).filter((_, i) => pieces || !begins || i !== 1)
      })
    ]
    return [created(), ...say.flatMap((make, index) => make(index)), completed()]
  },
  table: [
    {
      name: "a whole response in the place of a stream",
      says: [
        JSON.stringify({
          id: "1",
          object: "response",
          model: "m",
          output: [
            { type: "reasoning", id: "rs", summary: [{ type: "summary_text", text: "hm" }] },
            { type: "message", id: "msg", content: [{ type: "output_text", text: "Hello" }] },
            { type: "function_call", id: "fc", call_id: "a", name: "weather", arguments: osloJson }
          ],
          usage: { input_tokens: 3, output_tokens: 2, output_tokens_details: { reasoning_tokens: 1 } }
        })
      ],
      contentType: "application/json",
      heard: [{ reasoning: "hm" }, { text: "Hello" }, oslo, { finish: "tool-calls" }],
      usage: { total: 3, output: 2, thought: 1 }
    },
    {
      name: "an error of the whole response",
      says: [created(), event("response.failed", about({ error: { code: "rate_limit_exceeded", message: "WORDS" } }))],
      heard: [{ error: "RateLimitError", saying: "WORDS" }]
    },
    {
      name: "parts of a summary",
      says: [
        created(),
        item("added", 0, { type: "reasoning", id: "rs" }),
        event("response.reasoning_summary_text.delta", { output_index: 0, summary_index: 0, delta: "a" }),
        event("response.reasoning_summary_part.added", { output_index: 0, summary_index: 1 }),
        event("response.reasoning_summary_text.delta", { output_index: 0, summary_index: 1, delta: "b" }),
        completed()
      ],
      heard: [{ reasoning: "a\n\nb" }, { finish: "stop" }]
    },
    {
      name: "a call that the token limit cut is said to be cut",
      says: [created(), ...call(0, "a", "weather", ['{"ci']), incomplete("max_output_tokens")],
      heard: [{ error: "InvalidOutputError", saying: "token limit" }]
    }
  ],
  back: []
})

describe("OpenAi's Responses", () => {
  const inputs = ({ received }: Loopback.Loopback) =>
    received.map(({ body }) => (body as { readonly input: ReadonlyArray<unknown> }).input)

  it.effect("sends the prompt as the API wants it, and every parameter as it is", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
      const prompt = Prompt.make([
        { role: "system", content: "Be brief" },
        {
          role: "user",
          content: [
            { type: "text", text: "And this?" },
            { type: "file", mediaType: "image/png", data: new Uint8Array([1, 2]) },
            { type: "file", mediaType: "application/pdf", fileName: "a.pdf", data: "AQI=" }
          ]
        },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "of another provider" },
            { type: "text", text: "One moment" },
            { type: "tool-call", id: "1", name: "weather", params: { city: "Rome" } }
          ]
        },
        {
          role: "tool",
          content: [{ type: "tool-result", id: "1", name: "weather", isFailure: false, result: { degrees: 20 } }]
        }
      ])
      yield* LanguageModel.generateText({ prompt }).pipe(
        OpenAi.withConfig({ temperature: 1 }),
        Effect.provide(model(server, { store: false, reasoning: { effort: "low" }, temperature: 0 }))
      )
      assert.strictEqual(server.received[0]?.url, "/v1/responses")
      assert.deepStrictEqual(server.received[0]?.body, {
        model: "test-model",
        store: false,
        reasoning: { effort: "low" },
        include: ["reasoning.encrypted_content"],
        temperature: 1,
        stream: true,
        input: [
          { role: "system", content: "Be brief" },
          {
            role: "user",
            content: [
              { type: "input_text", text: "And this?" },
              { type: "input_image", image_url: "data:image/png;base64,AQI=", detail: "auto" },
              { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,AQI=" }
            ]
          },
          { role: "assistant", content: "One moment" },
          { type: "function_call", call_id: "1", name: "weather", arguments: '{"city":"Rome"}' },
          { type: "function_call_output", call_id: "1", output: '{"degrees":20}' }
        ]
      })
    })
  )

  it.effect("sends back what the server has said, to it alone: thoughts, searches of its own, and their order", () =>
    Effect.gen(function* () {
      const said = [
        created(),
        ...reasoning(0, ["hm"], { encrypted_content: "E" }),
        item("done", 1, search),
        ...message(2, ["Hello"]),
        item("done", 3, program),
        completed()
      ]
      const server = yield* Loopback.serve(Loopback.stream(said))
      const { content } = yield* Effect.provide(LanguageModel.generateText({ prompt: "Hi" }), model(server))
      const prompt = Prompt.concat(Prompt.make("Hi"), Prompt.fromResponseParts(content))
      yield* Effect.provide(LanguageModel.generateText({ prompt }), model(server))
      const other = yield* Loopback.serve(Loopback.stream(said))
      yield* Effect.provide(LanguageModel.generateText({ prompt }), model(other))
      assert.deepStrictEqual(inputs(server)[1]?.slice(1), [
        { type: "reasoning", id: "rs_0", summary: [{ type: "summary_text", text: "hm" }], encrypted_content: "E" },
        search,
        {
          type: "message",
          role: "assistant",
          status: "completed",
          id: "msg_2",
          content: [{ type: "output_text", text: "Hello", annotations: [] }]
        },
        program
      ])
      assert.deepStrictEqual(inputs(other)[0]?.slice(1), [{ role: "assistant", content: "Hello" }])
    })
  )

  it.effect("asks for what is new alone, where responses are kept and somebody follows them", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
      const first = Prompt.make("one")
      yield* Effect.gen(function* () {
        const response = yield* LanguageModel.generateText({ prompt: first })
        const said = Prompt.fromResponseParts(response.content)
        yield* LanguageModel.generateText({ prompt: Prompt.concat(Prompt.concat(first, said), "two") })
      }).pipe(
        Effect.provide(model(server, { store: true })),
        Effect.provideServiceEffect(ResponseIdTracker.ResponseIdTracker, ResponseIdTracker.make)
      )
      assert.deepStrictEqual(Loopback.bodyField(server, "store", 1), true)
      assert.deepStrictEqual(Loopback.bodyField(server, "previous_response_id", 1), "response-1")
      assert.deepStrictEqual(inputs(server)[1], [{ role: "user", content: [{ type: "input_text", text: "two" }] }])
    })
  )

  it.effect("sends tools with their schemas, and the choice among them", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
      yield* LanguageModel.generateText({
        prompt: "Hi",
        toolkit: Contract.toolkit,
        toolChoice: { tool: "clock" },
        disableToolCallResolution: true
      }).pipe(
        Effect.provide([
          Contract.toolkit.toLayer({ weather: () => Effect.succeed(""), clock: () => Effect.succeed("") }),
          model(server, { tools: [{ type: "web_search" }] })
        ])
      )
      const body = server.received[0]?.body as { tools: ReadonlyArray<{ type: string }>; tool_choice: unknown }
      assert.deepStrictEqual(
        body.tools.map(({ type }) => type),
        ["web_search", "function", "function"]
      )
      assert.deepStrictEqual(body.tool_choice, { type: "function", name: "clock" })
    })
  )

  describe("in the background", () => {
    const background = { background: true }
    const said = [created(background), ...message(0, ["a", "b", "c"]), completed(background)]
    const numberOf = (event: string | undefined) => /"sequence_number":(\d+)/.exec(event ?? "")?.[1]

    it.effect.each(["cut", "end"] as const)("goes on behind the last event where its connection was lost (%s)", (how) =>
      Effect.gen(function* () {
        // each connection gives two events more
        const server = yield* Loopback.serve((response, request, count) => {
          const from = (count - 1) * 2
          const all = said.slice(from, from + 2)
          Loopback.stream(all, from + 2 >= said.length ? "end" : how)(response, request, count)
        })
        const ask = LanguageModel.generateText({ prompt: "Hi" })
        const fiber = yield* Effect.forkChild(Effect.provide(ask, model(server, background)))
        yield* server.asked
        yield* Contract.pass(fiber, "1 second")
        const { content, text } = yield* Fiber.join(fiber)
        assert.strictEqual(text, "abc")
        assert.strictEqual((content[0] as Response.ResponseMetadataPart).id, "response-1")
        assert.deepStrictEqual(
          server.received.map(({ method, url }) => `${method} ${url}`),
          [
            "POST /v1/responses",
            ...[1, 3, 5].map((at) => `GET /v1/responses/response-1?stream=true&starting_after=${numberOf(said[at])}`)
          ]
        )
      })
    )

    it.effect("is given up when the server is gone for good, with the tokens so far", () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve((response, request, count) =>
          count === 1
            ? Loopback.stream(said.slice(0, 3), "cut")(response, request, count)
            : void response.socket?.destroy()
        )
        const ask = Contract.collect(LanguageModel.streamText({ prompt: "Hi" }))
        const fiber = yield* Effect.forkChild(Effect.provide(ask, model(server, background)))
        yield* server.asked
        yield* Contract.pass(fiber, "10 seconds")
        const { error, tokens } = yield* Fiber.join(fiber)
        assert.deepStrictEqual(tokens, ["a"])
        assert.strictEqual(error?.reason._tag, "NetworkError")
        assert.strictEqual(server.received.length, 6)
      })
    )
  })
})
