/**
 * The providers against servers that nobody here wrote: a mock server from npm, and a real one whose address is in
 * `MINIAGENTS_TEST_BASE_URL` (Chat Completions; with `MINIAGENTS_TEST_MODEL`, and `MINIAGENTS_TEST_API_KEY` if it
 * wants one).
 */
import { LLMock } from "@copilotkit/aimock"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schema, Stream } from "effect"
import { EmbeddingModel, LanguageModel, Tool, Toolkit } from "effect/ai"
import { MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { OpenAi } from "miniagents/openai"
import * as Contract from "./Wire.contract.ts"

const toolkit = Toolkit.make(
  Tool.make("weather", { parameters: Schema.Struct({ city: Schema.String }), success: Schema.String })
)
const handlers = toolkit.toLayer({ weather: ({ city }) => Effect.succeed(`rain in ${city}`) })

/** A mock server for the current scope. */
const mock = Effect.acquireRelease(
  Effect.promise(() => {
    const mock = new LLMock({ port: 0, host: "127.0.0.1", logLevel: "silent", chunkSize: 3 })
    mock.onMessage("haiku", { content: "Flüsse fließen 🌊", reasoning: "rivers" })
    mock.onMessage("weather", { toolCalls: [{ name: "weather", arguments: '{"city":"Köln"}' }] })
    mock.onMessage("refuse", { error: { message: "slow down", type: "rate_limit_error" }, status: 429 })
    mock.onEmbedding("river", { embedding: [0.5, 1] })
    return mock.start().then(() => mock)
  }),
  (mock) => Effect.promise(() => mock.stop())
)

const providers: ReadonlyArray<readonly [string, (url: string) => Layer.Layer<LanguageModel.LanguageModel>]> = [
  ["OpenAI", (url) => Layer.provide(OpenAi.model("gpt-4o"), OpenAi.layer({ baseUrl: `${url}/v1` }))],
  ["Anthropic", (url) => Layer.provide(Anthropic.model("claude-sonnet-5-5"), Anthropic.layer({ baseUrl: url }))]
]

for (const [name, layer] of providers) {
  describe(`${name} against a mock server`, () => {
    it.effect("streams text after reasoning", () =>
      Effect.gen(function* () {
        const { url } = yield* mock
        const { error, parts, tokens } = yield* Effect.provide(
          Contract.collect(LanguageModel.streamText({ prompt: "a haiku" })),
          layer(url)
        )
        assert.isUndefined(error)
        assert.isAbove(tokens.length, 3)
        assert.strictEqual(tokens.join(""), "Flüsse fließen 🌊")
        const thoughts = parts.flatMap((part) => (part.type === "reasoning-delta" ? [part.delta] : []))
        assert.strictEqual(thoughts.join(""), "rivers")
        assert.deepInclude(parts.at(-1), { type: "finish", reason: "stop" })
      })
    )

    it.effect("calls tools", () =>
      Effect.gen(function* () {
        const { url } = yield* mock
        const response = yield* Effect.provide(LanguageModel.generateText({ prompt: "the weather", toolkit }), [
          layer(url),
          handlers
        ])
        assert.strictEqual(response.finishReason, "tool-calls")
        assert.deepStrictEqual(
          response.toolResults.map(({ result }) => result),
          ["rain in Köln"]
        )
      })
    )

    it.effect("turns a refusal into a typed error", () =>
      Effect.gen(function* () {
        const { url } = yield* mock
        const error = yield* Effect.flip(Effect.provide(LanguageModel.generateText({ prompt: "refuse" }), layer(url)))
        assert.strictEqual(error.reason._tag, "RateLimitError")
        assert.isTrue(error.isRetryable)
      })
    )
  })
}

describe("agents against a mock server", () => {
  const mini = OpenAi.agent.fork({ parameters: { model: "gpt-4o-mini", maxTokens: 50 } })
  const sonnet = Anthropic.agent.fork({ parameters: { model: "claude-sonnet-5-5", maxTokens: 50 } })

  it.effect("of both providers answer at once, and each other", () =>
    Effect.gen(function* () {
      const { url } = yield* mock
      const texts = yield* Effect.gen(function* () {
        const answers = [yield* mini.trigger("a haiku"), yield* sonnet.trigger("a haiku")]
        const [first, second] = answers
        const more = [yield* sonnet.trigger([first, "a haiku"]), yield* mini.trigger([second, "a haiku"])]
        const messages = yield* Effect.forEach([...answers, ...more], (replies) => replies.messages)
        return messages.map((messages) => messages.map((message) => `${message._tag}: ${message}`))
      }).pipe(
        Effect.provide([MiniAgents.layer(), OpenAi.layer({ baseUrl: `${url}/v1` }), Anthropic.layer({ baseUrl: url })])
      )
      for (const messages of texts) {
        assert.deepStrictEqual(messages, ["Reasoning: rivers", "Assistant: Flüsse fließen 🌊"])
      }
    })
  )
})

it.effect("OpenAI's embeddings against a mock server", () =>
  Effect.gen(function* () {
    const { url } = yield* mock
    const layer = OpenAi.layerEmbeddingModel("text-embedding-3-small").pipe(
      Layer.provide(OpenAi.layer({ baseUrl: `${url}/v1` }))
    )
    const { vector } = yield* Effect.provide(
      Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embed("river")),
      layer
    )
    assert.deepStrictEqual(vector, [0.5, 1])
  })
)

const { MINIAGENTS_TEST_API_KEY: key, MINIAGENTS_TEST_BASE_URL: baseUrl, MINIAGENTS_TEST_MODEL: model } = process.env

describe.skipIf(baseUrl === undefined)("a real server", () => {
  it.live(
    "streams a few words",
    () =>
      LanguageModel.streamText({ prompt: "Reply with the single word: hello" }).pipe(
        Contract.collect,
        Effect.map(({ error, parts, tokens }) => {
          assert.isUndefined(error)
          assert.isAbove(tokens.join("").length, 0)
          assert.strictEqual(parts.at(-1)?.type, "finish")
        }),
        Effect.provide(
          OpenAi.model(model ?? "gpt-4o-mini").pipe(
            Layer.provide(OpenAi.layer({ baseUrl, apiKey: key === undefined ? undefined : Redacted.make(key) }))
          )
        )
      ),
    120_000
  )

  it.live(
    "says that a model does not exist, or answers with another",
    () =>
      LanguageModel.streamText({ prompt: "Hi" }).pipe(
        Stream.runDrain,
        Effect.catch((error) => Effect.sync(() => assert.isFalse(error.isRetryable, error.message))),
        Effect.provide(
          OpenAi.model("no-such-model-anywhere").pipe(
            Layer.provide(OpenAi.layer({ baseUrl, apiKey: key === undefined ? undefined : Redacted.make(key) }))
          )
        )
      ),
    120_000
  )
})
