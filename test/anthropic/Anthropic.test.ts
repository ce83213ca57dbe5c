/** Anthropic: the contract of all providers, and what is particular to this one. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Redacted } from "effect"
import { LanguageModel, Model, Prompt } from "effect/ai"
import { Anthropic } from "miniagents/anthropic"
import { block, event, finish, say, start, stop, whole } from "./Anthropic.wire.ts"
import * as Loopback from "../llm/Loopback.ts"
import * as Contract from "../llm/Wire.contract.ts"

Contract.suite({
  name: "anthropic",
  path: "",
  layer: (options) => Layer.provide(Anthropic.model("test-model"), Anthropic.layer(options)),
  say,
  nothing: [
    event("content_block_delta", { index: 0, delta: { type: "text_delta", text: "" } }),
    event("content_block_delta", { index: 0, delta: { type: "citations_gone" } }),
    event("an_event_of_tomorrow")
  ],
  alive: [": keep-alive\n\n", event("ping")],
  error: (message, type) => ({ type: "error", error: { type, message } }),
  errorEvent: (message, type) => event("error", { error: { type, message } }),
  variables: "API_KEY AUTH_TOKEN BASE_URL PROFILE WEBHOOK_SIGNING_KEY".split(" ").map((name) => `ANTHROPIC_${name}`),
  keyOf: ({ authorization }) => authorization,
  errors: [
    ["api_error", "InternalProviderError", true],
    ["overloaded_error", "InternalProviderError", true],
    ["unheard_of", "InternalProviderError", true],
    ["timeout_error", "InternalProviderError", true],
    ["rate_limit_error", "RateLimitError", true],
    ["billing_error", "QuotaExhaustedError", false],
    ["invalid_request_error", "InvalidRequestError", false],
    ["authentication_error", "AuthenticationError", false],
    ["permission_error", "AuthenticationError", false],
    ["not_found_error", "InvalidRequestError", false]
  ],
  schemaOf: (body) => (body as { output_config: { format: { schema: unknown } } }).output_config.format.schema
})

const model = (server: Loopback.Loopback, config?: Anthropic.Config) =>
  Layer.provide(Anthropic.model("claude", config), Anthropic.layer({ baseUrl: server.url }))

describe("Anthropic", () => {
  it.effect("sends the prompt as the API wants it, and every parameter as it is", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
      const cached = { anthropic: { cache_control: { type: "ephemeral" } } }
      const prompt = Prompt.make([
        { role: "system", content: "Be brief", options: cached },
        { role: "user", content: "Hi" },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "hm", options: { anthropic: { signature: "s" } } },
            { type: "reasoning", text: "", options: { anthropic: { redactedData: "r" } } },
            { type: "reasoning", text: "of another provider" },
            { type: "text", text: "" },
            { type: "text", text: "One moment" },
            { type: "tool-call", id: "1", name: "weather", params: { city: "Rome" } },
            { type: "tool-call", id: "2", name: "photo", params: {} }
          ]
        },
        {
          role: "tool",
          content: [
            { type: "tool-result", id: "1", name: "weather", isFailure: true, result: { reason: "unknown" } },
            {
              type: "tool-result",
              id: "2",
              name: "photo",
              isFailure: false,
              result: "",
              modelOutput: [
                { type: "text", text: "here" },
                { type: "file", mediaType: "image/png", data: "AQI=" }
              ]
            }
          ]
        },
        { role: "assistant", content: [{ type: "reasoning", text: "of another provider" }] },
        { role: "assistant", content: [{ type: "reasoning", text: "hm", options: { anthropic: { signature: "s" } } }] },
        {
          role: "user",
          content: [
            { type: "text", text: "And this?" },
            { type: "file", mediaType: "image/png", data: new URL("https://example.org/a.png") },
            { type: "file", mediaType: "application/pdf", fileName: "a.pdf", data: new Uint8Array([1, 2]) }
          ],
          options: cached
        },
        { role: "system", content: "Be kind" },
        { role: "assistant", content: "Once upon " }
      ])
      yield* LanguageModel.generateText({ prompt }).pipe(
        Anthropic.withConfig({ service_tier: "auto" }),
        Effect.provide(model(server, { system: "Speak Latin", service_tier: "standard_only" }))
      )
      assert.strictEqual(server.received[0]?.url, "/v1/messages")
      const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AQI=" } }
      const cache_control = { type: "ephemeral" }
      assert.deepStrictEqual(server.received[0]?.body, {
        model: "claude",
        max_tokens: 4096,
        service_tier: "auto",
        stream: true,
        system: [
          { type: "text", text: "Speak Latin" },
          { type: "text", text: "Be brief", cache_control }
        ],
        messages: [
          { role: "user", content: [{ type: "text", text: "Hi" }] },
          {
            role: "assistant",
            content: [
              { type: "thinking", thinking: "hm", signature: "s" },
              { type: "redacted_thinking", data: "r" },
              { type: "text", text: "One moment" },
              { type: "tool_use", id: "1", name: "weather", input: { city: "Rome" } },
              { type: "tool_use", id: "2", name: "photo", input: {} }
            ]
          },
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: "1", content: '{"reason":"unknown"}', is_error: true },
              {
                type: "tool_result",
                tool_use_id: "2",
                content: [{ type: "text", text: "here" }, image],
                is_error: false
              },
              { type: "text", text: "And this?" },
              { type: "image", source: { type: "url", url: "https://example.org/a.png" } },
              {
                type: "document",
                source: { type: "base64", media_type: "application/pdf", data: "AQI=" },
                title: "a.pdf",
                cache_control
              },
              { type: "text", text: "<system-reminder>\nBe kind\n</system-reminder>" }
            ]
          },
          { role: "assistant", content: [{ type: "text", text: "Once upon" }] }
        ]
      })
    })
  )

  it.effect(
    "begins with the user, whoever speaks first, as the API wants at least one turn, and one of the user's",
    () =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
        const prompts: ReadonlyArray<Prompt.RawInput> = [
          [{ role: "assistant", content: "Welcome" }],
          [{ role: "system", content: "Be brief" }]
        ]
        for (const prompt of prompts) yield* Effect.provide(LanguageModel.generateText({ prompt }), model(server))
        const begin = { role: "user", content: [{ type: "text", text: "/start" }] }
        assert.deepStrictEqual(
          server.received.map(({ body }) => (body as { readonly messages: unknown }).messages),
          [[begin, { role: "assistant", content: [{ type: "text", text: "Welcome" }] }], [begin]]
        )
      })
  )

  it.effect("sends tools with their schemas, and the choice among them", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
      const handlers = Contract.toolkit.toLayer({ weather: () => Effect.succeed(""), clock: () => Effect.succeed("") })
      const choices = ["auto", "none", "required", { tool: "weather" }, { oneOf: ["clock"] }] as const
      for (const toolChoice of choices) {
        yield* LanguageModel.generateText({
          prompt: "Hi",
          toolkit: Contract.toolkit,
          toolChoice,
          disableToolCallResolution: true
        }).pipe(Effect.provide([handlers, model(server)]))
      }
      const bodies = server.received.map(({ body }) => body as { tools: Array<unknown>; tool_choice: unknown })
      assert.deepStrictEqual(
        bodies.map(({ tool_choice }) => tool_choice),
        [{ type: "auto" }, { type: "none" }, { type: "any" }, { type: "tool", name: "weather" }, { type: "auto" }]
      )
      assert.strictEqual(bodies[4]?.tools.length, 1)
      assert.deepStrictEqual(bodies[0]?.tools[0], {
        name: "weather",
        description: "Tells the weather",
        input_schema: {
          type: "object",
          properties: { city: { type: "string" }, day: { anyOf: [{ type: "string" }, { type: "null" }] } },
          required: ["city", "day"],
          additionalProperties: false
        }
      })
    })
  )

  it.effect("keeps the signature of what the model thought, so that it can be sent back", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(
        Loopback.stream([
          start(),
          ...block(
            0,
            { type: "thinking", thinking: "" },
            { type: "thinking_delta", thinking: "hm" },
            { type: "signature_delta", signature: "s" }
          ),
          ...block(1, { type: "redacted_thinking", data: "r" }),
          ...block(2, { type: "text", text: "a" }),
          finish("end_turn"),
          stop
        ])
      )
      const { content } = yield* Effect.provide(LanguageModel.generateText({ prompt: "Hi" }), model(server))
      const thoughts = content.filter((part) => part.type === "reasoning")
      assert.deepStrictEqual(
        thoughts.map(({ metadata, text }) => [text, metadata]),
        [
          ["hm", { anthropic: { signature: "s", ...Contract.mark(server) } }],
          ["", { anthropic: { redactedData: "r", ...Contract.mark(server) } }]
        ]
      )
      const prompt = Prompt.concat(Prompt.make("Hi"), Prompt.fromResponseParts(content))
      yield* Effect.provide(LanguageModel.generateText({ prompt }), model(server))
      const body = server.received[1]?.body as Anthropic.Config & { messages: ReadonlyArray<{ content: unknown }> }
      assert.deepStrictEqual(body.messages[1]?.content, [
        { type: "thinking", thinking: "hm", signature: "s" },
        { type: "redacted_thinking", data: "r" },
        { type: "text", text: "a" }
      ])
    })
  )

  it.effect("counts what was read from and written to the cache, and what was thought", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(
        Loopback.stream([
          start({ input_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 20, output_tokens: 1 }),
          ...block(0, { type: "text", text: "a" }),
          finish("pause_turn", { output_tokens: 9, input_tokens: null, output_tokens_details: { thinking_tokens: 4 } }),
          stop
        ])
      )
      const { finishReason, usage } = yield* Effect.provide(LanguageModel.generateText({ prompt: "Hi" }), model(server))
      assert.strictEqual(finishReason, "pause")
      assert.deepStrictEqual({ ...usage.inputTokens }, { uncached: 5, cacheRead: 100, cacheWrite: 20, total: 125 })
      assert.deepStrictEqual({ ...usage.outputTokens }, { total: 9, reasoning: 4, text: 5 })
    })
  )

  it.effect("loses nothing of the tools that Anthropic runs itself, nor of citations", () =>
    Effect.gen(function* () {
      const result = { type: "web_search_tool_result", tool_use_id: "1", content: [{ url: "https://example.org" }] }
      const citation = { type: "web_search_result_location", url: "https://example.org" }
      const search = { type: "server_tool_use", id: "1", name: "web_search", input: {} }
      const server = yield* Loopback.serve(
        Loopback.stream([
          start(),
          ...block(
            0,
            search,
            { type: "input_json_delta", partial_json: '{"query":' },
            { type: "input_json_delta", partial_json: '"weather"}' }
          ),
          ...block(1, result),
          ...block(
            2,
            { type: "text", text: "" },
            { type: "text_delta", text: "a" },
            { type: "citations_delta", citation }
          ),
          event("message_delta", {
            delta: { stop_reason: "stop_sequence", stop_sequence: "END", stop_details: null },
            usage: { output_tokens: 9, server_tool_use: { web_search_requests: 1 } }
          }),
          stop
        ])
      )
      const { content } = yield* Effect.provide(LanguageModel.generateText({ prompt: "Hi" }), model(server))
      const blocks = [{ ...search, input: { query: "weather" } }, result]
      assert.deepStrictEqual(
        content.slice(1).map((part) => [part.type, part.metadata["anthropic"]]),
        [
          ...blocks.map((block) => ["reasoning", { block, ...Contract.mark(server) }]),
          ["text", { citations: [citation], ...Contract.mark(server) }],
          ["finish", { stop_sequence: "END", server_tool_use: { web_search_requests: 1 } }]
        ]
      )
      const prompt = Prompt.concat(Prompt.make("Hi"), Prompt.fromResponseParts(content))
      yield* Effect.provide(LanguageModel.generateText({ prompt }), model(server))
      const body = server.received[1]?.body as { readonly messages: ReadonlyArray<{ content: unknown }> }
      assert.deepStrictEqual(body.messages[1]?.content, [...blocks, { type: "text", text: "a", citations: [citation] }])
    })
  )

  it.effect("names its provider and its model", () =>
    Effect.gen(function* () {
      const names = Effect.all([Model.ProviderName, Model.ModelName])
      const layer = Layer.provide(Anthropic.model("claude"), Anthropic.layer())
      assert.deepStrictEqual(yield* Effect.provide(names, layer), ["anthropic", "claude"])
    })
  )

  it.effect("takes its key and its address from the environment, and needs one of them", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
      const ask = (environment: { readonly [name: string]: string }) =>
        LanguageModel.generateText({ prompt: "Hi" }).pipe(
          Effect.provide(
            Anthropic.model("claude").pipe(
              Layer.provide(Anthropic.layerConfig()),
              Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))
            )
          ),
          Effect.exit
        )
      yield* ask({ ANTHROPIC_BASE_URL: server.url, ANTHROPIC_API_KEY: "sk-1" })
      yield* ask({ ANTHROPIC_BASE_URL: server.url })
      yield* ask({ ANTHROPIC_BASE_URL: server.url, ANTHROPIC_API_KEY: " sk-2\n" })
      yield* ask({ ANTHROPIC_BASE_URL: server.url, ANTHROPIC_API_KEY: "" })
      assert.deepStrictEqual(
        server.received.map(({ headers }) => headers.authorization),
        ["Bearer sk-1", undefined, "Bearer sk-2", undefined]
      )
      for (const key of [{}, { ANTHROPIC_API_KEY: "" }, { ANTHROPIC_API_KEY: " \n" }]) {
        assert.include(String(yield* ask(key)), "ANTHROPIC_API_KEY")
      }
      assert.strictEqual(server.received.length, 4)
    })
  )

  it.effect("shows no key, whatever is printed", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(Anthropic.layer({ apiKey: Redacted.make("sk-secret") }))
      assert.notInclude(Contract.shown(context), "sk-secret")
    })
  )
})
