/** OpenAI and what is compatible with it: the contract of all providers, and what is particular to this one. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import type { Tracer } from "effect"
import { EmbeddingModel, LanguageModel, Model, Prompt, Tool, Toolkit } from "effect/ai"
import type { Response } from "effect/ai"
import { OpenAi } from "miniagents/openai"
import * as Loopback from "../llm/Loopback.ts"
import { chunk, event, say, whole } from "./OpenAi.wire.ts"
import * as Contract from "../llm/Wire.contract.ts"

Contract.suite({
  name: "openai",
  path: "/v1",
  layer: (options) => Layer.provide(OpenAi.model("test-model"), OpenAi.layer(options)),
  say,
  nothing: [chunk({}), chunk({ content: "" }), chunk({ content: null }), event({ choices: [] })],
  alive: [": keep-alive\n\n", ":\n\n"],
  error: (message, name = null as never) => ({ error: { message, type: name, code: null, param: null } }),
  errorEvent: (message, name) => `data: ${JSON.stringify({ error: { message, type: name, code: name } })}\n\n`,
  variables: "API_KEY ADMIN_KEY BASE_URL ORG_ID PROJECT_ID WEBHOOK_SECRET".split(" ").map((name) => `OPENAI_${name}`),
  keyOf: ({ authorization }) => authorization,
  errors: [
    ["server_error", "InternalProviderError", true],
    ["unheard_of", "InternalProviderError", true],
    ["rate_limit_exceeded", "RateLimitError", true],
    ["insufficient_quota", "QuotaExhaustedError", false],
    ["context_length_exceeded", "InvalidRequestError", false],
    ["invalid_api_key", "AuthenticationError", false],
    ["content_policy_violation", "ContentPolicyError", false]
  ],
  schemaOf: (body) =>
    (body as { response_format: { json_schema: { schema: unknown } } }).response_format.json_schema.schema
})

const layer = (server: Loopback.Loopback) => OpenAi.layer({ baseUrl: `${server.url}/v1` })

describe("OpenAi", () => {
  it.effect("sends the prompt as the API wants it, and every parameter as it is", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
      const prompt = Prompt.make([
        { role: "system", content: "Be brief" },
        { role: "user", content: "Hi" },
        {
          role: "assistant",
          content: [
            { type: "reasoning", text: "hm" },
            { type: "text", text: "One moment" },
            { type: "tool-call", id: "1", name: "weather", params: { city: "Rome" } }
          ]
        },
        {
          role: "tool",
          content: [{ type: "tool-result", id: "1", name: "weather", isFailure: false, result: { degrees: 20 } }]
        },
        { role: "assistant", content: [{ type: "reasoning", text: "nothing to say" }] },
        {
          role: "user",
          content: [
            { type: "text", text: "And this?" },
            {
              type: "file",
              mediaType: "image/png",
              data: new Uint8Array([1, 2]),
              options: { openai: { detail: "low" } }
            },
            { type: "file", mediaType: "image/*", data: new URL("https://example.org/a.png") },
            { type: "file", mediaType: "application/pdf", fileName: "a.pdf", data: "AQI=" },
            { type: "file", mediaType: "audio/wav", data: "AQI=" }
          ]
        }
      ])
      const model = OpenAi.model("gpt", { temperature: 0.5, seed: 7, extra_body: { top_k: 3 } })
      yield* LanguageModel.generateText({ prompt }).pipe(
        OpenAi.withConfig({ temperature: 1, reasoning_effort: "low" }),
        Effect.provide(Layer.provide(model, layer(server)))
      )
      assert.strictEqual(server.received[0]?.url, "/v1/chat/completions")
      assert.deepStrictEqual(server.received[0]?.body, {
        model: "gpt",
        temperature: 1,
        seed: 7,
        reasoning_effort: "low",
        top_k: 3,
        stream: true,
        stream_options: { include_usage: true },
        messages: [
          { role: "system", content: "Be brief" },
          { role: "user", content: "Hi" },
          {
            role: "assistant",
            content: "One moment",
            tool_calls: [{ id: "1", type: "function", function: { name: "weather", arguments: '{"city":"Rome"}' } }]
          },
          { role: "tool", tool_call_id: "1", content: '{"degrees":20}' },
          {
            role: "user",
            content: [
              { type: "text", text: "And this?" },
              { type: "image_url", image_url: { url: "data:image/png;base64,AQI=", detail: "low" } },
              { type: "image_url", image_url: { url: "https://example.org/a.png" } },
              { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,AQI=" } },
              { type: "input_audio", input_audio: { data: "AQI=", format: "wav" } }
            ]
          }
        ]
      })
    })
  )

  it.effect("sends tools with their schemas, and the choice among them", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
      const choices = ["auto", "none", "required", { tool: "weather" }, { oneOf: ["clock"], mode: "required" }] as const
      for (const toolChoice of choices) {
        yield* LanguageModel.generateText({
          prompt: "Hi",
          toolkit: Contract.toolkit,
          toolChoice,
          disableToolCallResolution: true
        }).pipe(
          Effect.provide([
            Contract.toolkit.toLayer({ weather: () => Effect.succeed(""), clock: () => Effect.succeed("") }),
            Layer.provide(OpenAi.model("gpt"), layer(server))
          ])
        )
      }
      const bodies = server.received.map(({ body }) => body as { tools: Array<unknown>; tool_choice: unknown })
      assert.deepStrictEqual(
        bodies.map(({ tool_choice }) => tool_choice),
        ["auto", "none", "required", { type: "function", function: { name: "weather" } }, "required"]
      )
      assert.strictEqual(bodies[4]?.tools.length, 1)
      assert.deepStrictEqual(bodies[0]?.tools[0], {
        type: "function",
        function: {
          name: "weather",
          description: "Tells the weather",
          parameters: {
            type: "object",
            properties: { city: { type: "string" }, day: { anyOf: [{ type: "string" }, { type: "null" }] } },
            required: ["city", "day"],
            additionalProperties: false
          }
        }
      })
    })
  )

  it.effect("tells tool calls apart that interleave, that share a number, or that have no id", () =>
    Effect.gen(function* () {
      const call = (index: number | undefined, id: string | undefined, name: string | undefined, json: string) =>
        chunk({ tool_calls: [{ index, id, function: { name, arguments: json } }] })
      const tables = [
        [call(0, "a", "x", "{"), call(1, "b", "y", "{"), call(0, undefined, undefined, "}"), call(1, "", "", "}")],
        [call(0, "a", "x", "{}"), call(0, "b", "y", "{}")],
        [call(undefined, "a", "x", "{}"), call(undefined, "b", "y", "{}")],
        [
          chunk({
            tool_calls: ["a", "b"].map((id) => ({ id, function: { name: id === "a" ? "x" : "y", arguments: "{}" } }))
          })
        ]
      ]
      for (const calls of tables) {
        const server = yield* Loopback.serve(Loopback.stream([...calls, chunk({}, "stop")]))
        const { error, parts } = yield* called(server)
        assert.isUndefined(error)
        assert.deepStrictEqual(
          parts.flatMap((part) => (part.type === "tool-call" ? [[part.id, part.name]] : [])),
          [
            ["a", "x"],
            ["b", "y"]
          ]
        )
        assert.strictEqual(parts.findLast((part) => part.type === "finish")?.reason, "tool-calls")
      }
      const server = yield* Loopback.serve(
        Loopback.stream([call(0, undefined, "x", "{}"), call(1, undefined, "y", "{}"), chunk({}, "stop")])
      )
      const { parts } = yield* called(server)
      const ids = parts.flatMap((part) => (part.type === "tool-call" ? [part.id] : []))
      assert.strictEqual(new Set(ids).size, 2)
    })
  )

  it.effect("reads every name that servers have for reasoning and for how many tokens there were", () =>
    Effect.gen(function* () {
      const usage = {
        prompt_tokens: 10,
        completion_tokens: 8,
        prompt_tokens_details: { cached_tokens: 4 },
        completion_tokens_details: { reasoning_tokens: 5 }
      }
      const server = yield* Loopback.serve(
        Loopback.stream([
          chunk({ reasoning: "h" }),
          chunk({ reasoning_content: "m" }),
          chunk({ content: "a" }, "stop", { usage })
        ])
      )
      const response = yield* LanguageModel.generateText({ prompt: "Hi" }).pipe(
        Effect.provide(Layer.provide(OpenAi.model("gpt"), layer(server)))
      )
      assert.strictEqual(response.reasoningText, "hm")
      assert.deepStrictEqual({ ...response.usage.inputTokens }, { total: 10, cacheRead: 4, uncached: 6 })
      assert.deepStrictEqual({ ...response.usage.outputTokens }, { total: 8, reasoning: 5, text: 3 })
    })
  )

  it.effect("gives a refusal as text that says it is one", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(
        Loopback.stream([chunk({ refusal: "I " }), chunk({ refusal: "won't" }, "stop")])
      )
      const { content } = yield* LanguageModel.generateText({ prompt: "Hi" }).pipe(
        Effect.provide(Layer.provide(OpenAi.model("gpt"), layer(server)))
      )
      const text = content.find((part) => part.type === "text")
      assert.deepStrictEqual(
        [text?.text, text?.metadata],
        ["I won't", { openai: { refusal: true, ...Contract.mark(server) } }]
      )
    })
  )

  it.effect("gives a refusal of a value as an error that says so", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream([chunk({ refusal: "I won't" }, "stop")]))
      const schema = Schema.Struct({ name: Schema.String })
      const error = yield* LanguageModel.generateObject({ prompt: "Hi", schema }).pipe(
        Effect.provide(Layer.provide(OpenAi.model("gpt"), layer(server))),
        Effect.flip
      )
      assert.strictEqual(error.reason._tag, "ContentPolicyError")
      assert.include(error.message, "I won't")
    })
  )

  it.effect("takes a response that was cut for no whole one, though every chunk has a reason", () =>
    Effect.gen(function* () {
      const said = [chunk({ content: "a" }, "stop"), chunk({ content: "b" }, "stop")]
      const server = yield* Loopback.serve(Loopback.stream(said, "cut"))
      const { error, tokens } = yield* called(server)
      assert.deepStrictEqual(tokens, ["a", "b"])
      assert.strictEqual(error?.reason._tag, "NetworkError")
    })
  )

  it.effect("names a schema so that the API takes it", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ['{"name":"Ada"}'] })))
      const schema = Schema.Struct({ name: Schema.String })
      yield* LanguageModel.generateObject({ prompt: "Hi", schema, objectName: `a person, ${"x".repeat(80)}` }).pipe(
        Effect.provide(Layer.provide(OpenAi.model("gpt"), layer(server)))
      )
      const format = Loopback.bodyField(server, "response_format") as {
        readonly json_schema: { readonly name: string }
      }
      assert.strictEqual(format.json_schema.name, `a_person__${"x".repeat(54)}`)
    })
  )

  it.effect("loses nothing that it has no part for", () =>
    Effect.gen(function* () {
      const logprob = (token: string) => ({ token, logprob: -0.5, bytes: null, top_logprobs: [] })
      const choice = (delta: object, logprobs: object | null = null) =>
        event({ choices: [{ index: 0, delta, logprobs }], service_tier: "flex", system_fingerprint: "fp_1" })
      const citation = { type: "url_citation", url_citation: { url: "https://example.org" } }
      const audio = [{ id: "audio-1", transcript: "c" }, { data: "AQI=" }]
      const server = yield* Loopback.serve(
        Loopback.stream([
          choice({ content: "a" }, { content: [logprob("a")], refusal: null }),
          choice({ content: "b", annotations: [citation] }, { content: [logprob("b")] }),
          ...audio.map((audio) => choice({ audio })),
          chunk({}, "stop")
        ])
      )
      const response = yield* LanguageModel.generateText({ prompt: "Hi" }).pipe(
        Effect.provide(Layer.provide(OpenAi.model("gpt"), layer(server)))
      )
      assert.strictEqual(response.text, "abc")
      assert.deepStrictEqual((response.content.at(-1) as Response.FinishPart).metadata, {
        openai: {
          service_tier: "flex",
          system_fingerprint: "fp_1",
          logprobs: [logprob("a"), logprob("b")],
          annotations: [citation],
          audio
        }
      })
    })
  )

  it.effect("takes what a server still says after the reason for which it finished", () =>
    Effect.gen(function* () {
      const call = { index: 0, id: "1", function: { name: "x", arguments: "{}" } }
      const server = yield* Loopback.serve(
        Loopback.stream([chunk({ content: "a" }, "stop"), chunk({ content: "b" }), chunk({ tool_calls: [call] })])
      )
      const { error, parts } = yield* called(server)
      assert.isUndefined(error)
      assert.deepStrictEqual(
        parts.map((part) => ("delta" in part ? part.delta : part.type)).slice(1),
        [
          ["text-start", "a", "b", "text-end"],
          ["tool-params-start", "{}", "tool-params-end", "tool-call"],
          ["finish"]
        ].flat()
      )
      assert.deepInclude(parts.at(-1), { reason: "tool-calls" })
    })
  )

  it.effect.each([
    [429, "insufficient_quota", "QuotaExhaustedError"],
    [400, "content_policy_violation", "ContentPolicyError"],
    [400, "content_filter", "ContentPolicyError"],
    [400, "context_length_exceeded", "InvalidRequestError"],
    [404, "model_not_found", "InvalidRequestError"]
  ] as const)("refused with %s and the code %s is a %s, which is not tried again", ([status, code, tag]) =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.answer(status, { error: { message: "no", type: null, code } }))
      const { error } = yield* called(server)
      assert.deepStrictEqual([error?.reason._tag, error?.isRetryable], [tag, false])
    })
  )

  it.effect("a part that the API has no place for is a typed error before any request", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(() => {})
      const prompt = Prompt.make([{ role: "user", content: [{ type: "file", mediaType: "video/mp4", data: "AQI=" }] }])
      const error = yield* LanguageModel.generateText({ prompt }).pipe(
        Effect.provide(Layer.provide(OpenAi.model("gpt"), layer(server))),
        Effect.flip
      )
      assert.strictEqual(error.reason._tag, "InvalidUserInputError")
      assert.strictEqual(server.received.length, 0)
    })
  )

  it.effect("names its provider and its model", () =>
    Effect.gen(function* () {
      const model = OpenAi.model("gpt")
      const names = Effect.all([Model.ProviderName, Model.ModelName])
      assert.deepStrictEqual(yield* Effect.provide(names, Layer.provide(model, OpenAi.layer())), ["openai", "gpt"])
    })
  )

  it.effect("takes its key and its address from the environment, and needs one of them", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
      const ask = (environment: { readonly [name: string]: string }) =>
        LanguageModel.generateText({ prompt: "Hi" }).pipe(
          Effect.provide(
            OpenAi.model("gpt").pipe(
              Layer.provide(OpenAi.layerConfig()),
              Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))
            )
          ),
          Effect.exit
        )
      yield* ask({ OPENAI_BASE_URL: `${server.url}/v1`, OPENAI_API_KEY: "sk-1" })
      yield* ask({ OPENAI_BASE_URL: `${server.url}/v1` })
      yield* ask({ OPENAI_BASE_URL: `${server.url}/v1`, OPENAI_API_KEY: " sk-2\n" })
      yield* ask({ OPENAI_BASE_URL: `${server.url}/v1`, OPENAI_API_KEY: "" })
      assert.deepStrictEqual(
        server.received.map(({ headers }) => headers.authorization),
        ["Bearer sk-1", undefined, "Bearer sk-2", undefined]
      )
      for (const key of [{}, { OPENAI_API_KEY: "" }, { OPENAI_API_KEY: " \n" }]) {
        assert.include(String(yield* ask(key)), "OPENAI_API_KEY")
      }
      assert.strictEqual(server.received.length, 4)
    })
  )

  it.effect("takes whatever else the SDK's client takes, but what is settled", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream(whole({ text: ["a"] })))
      const sdk = { defaultHeaders: { "x-tenant": "t" }, defaultQuery: { "api-version": "1" }, organization: "org-1" }
      yield* LanguageModel.generateText({ prompt: "Hi" }).pipe(
        Effect.provide(Layer.provide(OpenAi.model("gpt"), OpenAi.layer({ baseUrl: `${server.url}/v1`, sdk })))
      )
      const [received] = server.received
      assert.strictEqual(received?.url, "/v1/chat/completions?api-version=1")
      assert.deepInclude(received?.headers, { "x-tenant": "t", "openai-organization": "org-1" })
      // @ts-expect-error a key is given as `apiKey`, redacted
      void (() => OpenAi.layer({ sdk: { apiKey: "sk-1" } }))
      // @ts-expect-error retries are the caller's
      void (() => OpenAi.layer({ sdk: { maxRetries: 3 } }))
      // @ts-expect-error it would not go with a key
      void (() => OpenAi.layer({ sdk: { workloadIdentity: { provider: "x" } } }))
    })
  )

  it.effect("shows no key, whatever is printed", () =>
    Effect.gen(function* () {
      const apiKey = Redacted.make("sk-secret")
      const context = yield* Layer.build(Layer.merge(OpenAi.layer({ apiKey }), Layer.empty))
      assert.notInclude(Contract.shown(context), "sk-secret")
    })
  )

  it.effect("embeds many texts in one request, in their order", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(
        Loopback.answer(200, {
          object: "list",
          model: "embed-1",
          data: [
            { object: "embedding", index: 1, embedding: [0, 1] },
            { object: "embedding", index: 0, embedding: [1, 0] }
          ],
          usage: { prompt_tokens: 5, total_tokens: 5 }
        })
      )
      const spans: Array<Tracer.NativeSpan> = []
      const { dimensions, many } = yield* Effect.gen(function* () {
        const model = yield* EmbeddingModel.EmbeddingModel
        return { many: yield* model.embedMany(["a", "b"]), dimensions: yield* EmbeddingModel.Dimensions }
      }).pipe(
        Effect.provide(Layer.provide(OpenAi.embeddingModel("embed", { dimensions: 2 }), layer(server))),
        Effect.withTracer(Contract.recordingTracer(spans))
      )
      const span = spans.find((span) => span.name === "EmbeddingModel.embedMany")
      assert.deepInclude(Object.fromEntries(span?.attributes ?? []), {
        "gen_ai.provider.name": "openai",
        "gen_ai.operation.name": "embeddings",
        "gen_ai.request.model": "embed",
        "gen_ai.response.model": "embed-1",
        "gen_ai.usage.input_tokens": 5
      })
      assert.strictEqual(dimensions, 2)
      assert.deepStrictEqual(
        many.embeddings.map(({ vector }) => vector),
        [
          [1, 0],
          [0, 1]
        ]
      )
      assert.strictEqual(many.usage.inputTokens, 5)
      assert.deepInclude(server.received[0]?.body, { input: ["a", "b"], dimensions: 2, model: "embed" })
    })
  )

  it.effect.each([
    [Loopback.answer(429, {}, { "retry-after": "3" }), "RateLimitError"],
    [Loopback.answer(200, { nothing: true }), "InvalidResponseError"],
    [Loopback.answer(200, "<html></html>"), "InvalidResponseError"],
    [Loopback.answer(200, { data: [{ index: 0, embedding: [1] }] }), "InvalidOutputError"],
    [(response) => void response.socket?.destroy(), "NetworkError"]
  ] as const satisfies ReadonlyArray<readonly [Loopback.Handler, string]>)(
    "an embedding that fails is a typed error",
    ([handler, tag]) =>
      Effect.gen(function* () {
        const server = yield* Loopback.serve(handler)
        const error = yield* Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embedMany(["a", "b"])).pipe(
          Effect.provide(Layer.provide(OpenAi.layerEmbeddingModel("embed"), layer(server))),
          Effect.flip
        )
        assert.strictEqual(error.reason._tag, tag)
      })
  )
})

describe("OpenAi's embeddings", () => {
  const model = (server: Loopback.Loopback) =>
    Layer.provide(
      OpenAi.layerEmbeddingModel("embed"),
      OpenAi.layer({ baseUrl: `${server.url}/v1`, firstToken: "30 seconds" })
    )
  const embedding = (server: Loopback.Loopback) =>
    Effect.flatMap(EmbeddingModel.EmbeddingModel, ({ embed }) => embed("a")).pipe(Effect.provide(model(server)))
  const embeddings = (server: Loopback.Loopback) =>
    Effect.flatMap(EmbeddingModel.EmbeddingModel, ({ embedMany }) => embedMany(["a", "b"])).pipe(
      Effect.provide(model(server))
    )

  it.effect("are given up in time by a server that says nothing", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(() => {})
      const fiber = yield* Effect.forkChild(Effect.flip(embedding(server)))
      yield* server.asked
      yield* Contract.pass(fiber, "30 seconds")
      const { reason } = yield* Fiber.join(fiber)
      assert.strictEqual(reason._tag, "InternalProviderError")
      yield* server.closed
    })
  )

  it.effect("close their connection when they are interrupted, one text or many", () =>
    Effect.gen(function* () {
      for (const ask of [embedding, embeddings]) {
        const server = yield* Loopback.serve(() => {})
        const fiber = yield* Effect.forkChild(ask(server))
        yield* server.asked
        yield* Fiber.interrupt(fiber)
        yield* server.closed
      }
    })
  )

  it.effect("of texts at the same time are one request, which goes on while somebody waits for it", () =>
    Effect.gen(function* () {
      const answer = Promise.withResolvers<void>()
      const server = yield* Loopback.serve((response, request, count) => {
        const data = ["a", "b", "c"].map((_, index) => ({ index, embedding: [index] }))
        void answer.promise.then(() => Loopback.answer(200, { data })(response, request, count))
      })
      yield* Effect.gen(function* () {
        const model = yield* EmbeddingModel.EmbeddingModel
        const fibers = yield* Effect.forEach(["a", "b", "c"], (text) => Effect.forkChild(model.embed(text)))
        yield* server.asked
        const [a, b, c] = fibers as [(typeof fibers)[0], (typeof fibers)[0], (typeof fibers)[0]]
        yield* Fiber.interruptAll([a, c])
        answer.resolve()
        assert.deepStrictEqual((yield* Fiber.join(b)).vector, [1])
      }).pipe(Effect.provide(model(server)))
      assert.deepStrictEqual(
        server.received.map(({ body }) => body),
        [{ model: "embed", input: ["a", "b", "c"], encoding_format: "base64" }]
      )
    })
  )

  it.effect("that fail fail for everybody who waits", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.answer(500, { error: { message: "no" } }))
      yield* Effect.gen(function* () {
        const { embed } = yield* EmbeddingModel.EmbeddingModel
        const errors = yield* Effect.all([Effect.flip(embed("a")), Effect.flip(embed("b"))], { concurrency: 2 })
        assert.deepStrictEqual(
          errors.map(({ reason }) => reason._tag),
          ["InternalProviderError", "InternalProviderError"]
        )
      }).pipe(Effect.provide(model(server)))
      assert.strictEqual(server.received.length, 1)
    })
  )
})

const letters = Toolkit.make(Tool.make("x", { success: Schema.String }), Tool.make("y", { success: Schema.String }))

const called = (server: Loopback.Loopback) =>
  Contract.collect(
    LanguageModel.streamText({ prompt: "Hi", toolkit: letters, disableToolCallResolution: true }).pipe(
      Stream.provide(letters.toLayer({ x: () => Effect.succeed(""), y: () => Effect.succeed("") }))
    )
  ).pipe(Effect.provide(Layer.provide(OpenAi.model("gpt"), layer(server))))
