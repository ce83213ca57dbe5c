/** What models cost: from a table, from one's own prices, and as providers say it themselves. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { AiError } from "effect/ai"
import type { Agent } from "miniagents"
import { MiniAgents } from "miniagents"
import { Budget, Compaction, LlmAgent, Pricing } from "miniagents/llm"
import { Anthropic } from "miniagents/anthropic"
import { OpenRouter } from "miniagents/providers"
import { ScriptedModel } from "miniagents/testing"
import * as AnthropicWire from "../anthropic/Anthropic.wire.ts"
import * as OpenAiWire from "../openai/OpenAi.wire.ts"
import * as Loopback from "./Loopback.ts"

type Call = Parameters<Budget.Price>[0]

const million = 1_000_000
const call: Call = { model: "m", inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }

/** What an agent spends that is asked once. */
const spentBy = <R>(agent: Agent.Agent<LlmAgent.Parameters, LlmAgent.Errors<{}>, R>) =>
  Effect.gen(function* () {
    const budget = yield* Budget.make({})
    yield* Effect.flatMap(agent.trigger("Hi"), (replies) => replies.messages).pipe(Budget.withBudget(budget))
    return yield* budget.usage
  })

describe("Pricing", () => {
  const prices = {
    m: { input: 1, output: 10, cacheRead: 0.1, cacheWrite: 1.25, longCacheWrite: 2 },
    n: { input: 1, output: 2 }
  }
  it.effect.each([
    ["what is read and written", { inputTokens: million, outputTokens: million }, 11],
    ["what the cache had", { inputTokens: million, cacheReadTokens: million }, 0.1],
    ["what it was given", { inputTokens: million, cacheWriteTokens: million }, 1.25],
    [
      "what it keeps for an hour",
      { inputTokens: million, cacheWriteTokens: million, longCacheWriteTokens: million },
      2
    ],
    ["a model without prices for a cache", { model: "n", inputTokens: million, cacheReadTokens: million }, 1],
    ["a model that nobody knows", { model: "x", inputTokens: million }, 0]
  ] satisfies ReadonlyArray<readonly [string, Partial<Call>, number]>)("one's own prices: %s", ([, more, expected]) =>
    Effect.gen(function* () {
      const price = yield* Budget.CurrentPrice
      assert.closeTo(price({ ...call, ...more }), expected, 1e-9)
    }).pipe(Effect.provide(Pricing.layerOf({ prices })))
  )

  it.effect.each([
    ["claude-sonnet-5-5", "anthropic"],
    ["gpt-5.2", "openai"],
    ["gemini-2.5-flash", "gcp.gemini"],
    ["mistral-large-latest", "mistral_ai"],
    ["deepseek-chat", "deepseek"]
  ])("the table knows %s, and that what is cached costs no more", ([model, provider]) =>
    Effect.gen(function* () {
      const price = yield* Budget.CurrentPrice
      const plain = price({ ...call, model, provider, inputTokens: million })
      assert.isAbove(plain, 0)
      assert.isAtMost(price({ ...call, model, provider, inputTokens: million, cacheReadTokens: million }), plain)
    }).pipe(Effect.provide(Pricing.layer()))
  )

  it.effect("one's own prices go over the table", () =>
    Effect.gen(function* () {
      const price = yield* Budget.CurrentPrice
      assert.strictEqual(price({ ...call, model: "gpt-5.2", provider: "openai", inputTokens: million }), 7)
    }).pipe(Effect.provide(Pricing.layer({ prices: { "gpt-5.2": { input: 7, output: 7 } } })))
  )

  it.effect("what Anthropic keeps for an hour has its own price in a budget", () =>
    Effect.gen(function* () {
      const usage = {
        input_tokens: 0,
        cache_creation_input_tokens: million,
        cache_creation: { ephemeral_1h_input_tokens: million, ephemeral_5m_input_tokens: 0 },
        output_tokens: 0
      }
      const events = [
        AnthropicWire.start(usage),
        ...AnthropicWire.block(0, { type: "text", text: "Hi" }),
        AnthropicWire.finish("end_turn", { output_tokens: 0 }),
        AnthropicWire.stop
      ]
      const server = yield* Loopback.serve(Loopback.stream(events))
      const model = Layer.provide(Anthropic.model("m"), Anthropic.layer({ baseUrl: server.url }))
      const spent = yield* spentBy(LlmAgent.make("A", { model }))
      assert.closeTo(spent.cost, 2, 1e-9)
    }).pipe(Effect.provide([MiniAgents.layer(), Pricing.layerOf({ prices })]))
  )

  it.effect("what OpenRouter says that it has cost is what it costs", () =>
    Effect.gen(function* () {
      const events = [
        OpenAiWire.chunk({ content: "Hi" }, "stop"),
        OpenAiWire.event({ choices: [], usage: { prompt_tokens: 10, completion_tokens: 2, cost: 0.0042 } })
      ]
      const server = yield* Loopback.serve(Loopback.stream(events))
      const environment = { OPENROUTER_API_KEY: "key", OPENROUTER_BASE_URL: server.url }
      const model = OpenRouter.model("m").pipe(
        Layer.provide(OpenRouter.layerConfig()),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))
      )
      const spent = yield* spentBy(LlmAgent.make("A", { model }))
      assert.deepStrictEqual([spent.cost, spent.inputTokens], [0.0042, 10])
    }).pipe(Effect.provide([MiniAgents.layer(), Pricing.layerOf({ prices })]))
  )

  it.effect("the window of a model is that of the table, or one's own", () =>
    Effect.gen(function* () {
      const allowed = (windows: { readonly [model: string]: number }, name: string) =>
        Effect.gen(function* () {
          const replies = yield* LlmAgent.make("A").trigger("word ".repeat(400_000))
          const error = yield* Effect.flip(replies.messages)
          assert(error instanceof AiError.AiError && error.reason instanceof Compaction.PromptTooLong, String(error))
          return error.reason.allowed
        }).pipe(
          Effect.provide([
            MiniAgents.layer(),
            ScriptedModel.layer([], { name }),
            Layer.provideMerge(Compaction.layer({ reserve: 0, policies: [] }), Pricing.layer({ windows }))
          ])
        )
      assert.strictEqual(yield* allowed({ mine: 5000 }, "mine"), 5000)
    })
  )
})
