/**
 * The prices of models, and how many tokens they take: from the package `@pydantic/genai-prices`, a table that is kept up to
 * date, with prices of your own over it.
 *
 * **Example** (A budget in dollars)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MiniAgents } from "miniagents"
 * import { Budget, LlmAgent, Pricing } from "miniagents/llm"
 *
 * const writer = LlmAgent.make("Writer")
 *
 * const program = Effect.gen(function*() {
 *   const budget = yield* Budget.make({ cost: 0.5 })
 *   const replies = yield* writer.trigger("A story").pipe(Budget.withBudget(budget))
 *   return [yield* replies.text, (yield* budget.usage).cost]
 * }).pipe(Effect.provide([MiniAgents.layer(), Pricing.layer({ prices: { "my-model": { input: 0.1, output: 0.4 } } })]))
 * ```
 *
 * @since 0.1.0
 */
import type * as Prices from "@pydantic/genai-prices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { missing } from "../../internal/optional.ts"
import * as Budget from "./Budget.ts"
import * as ModelWindow from "./modelWindow.ts"

/**
 * The price of a model, in dollars for a million tokens. Tokens that were read from a cache or written to one cost what
 * `input` says where they have no price of their own.
 *
 * @since 0.1.0
 * @category models
 */
export interface ModelPrice {
  readonly input: number
  readonly output: number
  readonly cacheRead?: number
  readonly cacheWrite?: number
  /** The price of tokens that are cached for an hour, rather than for minutes. */
  readonly longCacheWrite?: number
}

/**
 * Prices and windows by the names of models, over those of the table.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly prices?: { readonly [model: string]: ModelPrice }
  /** How many tokens models take, prompt and answer together. */
  readonly windows?: { readonly [model: string]: number }
}

/**
 * Sets the prices of models in dollars (`Budget.CurrentPrice`), and the context windows that `Compaction` uses. Needs
 * the package `@pydantic/genai-prices`, and dies if it is not installed. The price of a model that is not in the table
 * and not in `prices` is zero.
 *
 * **When to use**
 *
 * To see costs in dollars in budgets, logs and spans, or to limit them.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.unwrap(
    Effect.tryPromise(() => import("@pydantic/genai-prices").catch(missing)).pipe(
      Effect.catch(({ cause }) => Effect.die(notInstalled(cause))),
      Effect.map((table) => layerOver(options, table))
    )
  )

/**
 * Sets prices and windows without the table of the package: only the given models have a price.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerOf = (options: Options): Layer.Layer<never> => layerOver(options, undefined)

const layerOver = ({ prices = {}, windows = {} }: Options, table: Table | undefined): Layer.Layer<never> => {
  const price: Budget.Price = (call) => {
    const own = call.model === undefined || !Object.hasOwn(prices, call.model) ? undefined : prices[call.model]
    return own === undefined ? (table === undefined ? 0 : fromTable(table, call)) : priceOf(own, call)
  }
  const window: ModelWindow.WindowOf = (model, provider) => {
    if (model === undefined) return undefined
    if (Object.hasOwn(windows, model)) return windows[model]
    return table?.calcPrice({ input_tokens: 1 }, model, providerOf(provider))?.model.context_window
  }
  return Layer.merge(Layer.succeed(Budget.CurrentPrice, price), Layer.succeed(ModelWindow.CurrentWindow, window))
}

type Table = Pick<typeof Prices, "calcPrice">

type Call = Parameters<Budget.Price>[0]

const fromTable = ({ calcPrice }: Table, call: Call): number => {
  if (call.model === undefined) return 0
  const usage = {
    input_tokens: call.inputTokens,
    cache_read_tokens: call.cacheReadTokens,
    cache_write_tokens: call.cacheWriteTokens,
    cache_write_1h_tokens: call.longCacheWriteTokens ?? 0,
    output_tokens: call.outputTokens
  }
  return calcPrice(usage, call.model, providerOf(call.provider))?.total_price ?? 0
}

const priceOf = (price: ModelPrice, call: Call): number => {
  const { cacheRead = price.input, cacheWrite = price.input, longCacheWrite = cacheWrite } = price
  const { cacheReadTokens, cacheWriteTokens, inputTokens, longCacheWriteTokens = 0, outputTokens } = call
  const plain = inputTokens - cacheReadTokens - cacheWriteTokens
  const short = cacheWriteTokens - longCacheWriteTokens
  const cached = cacheReadTokens * cacheRead + short * cacheWrite + longCacheWriteTokens * longCacheWrite
  return (plain * price.input + cached + outputTokens * price.output) / 1_000_000
}

/** What the table calls the providers whose names in spans are others. */
const names: { readonly [provider: string]: string } = {
  "azure.ai.openai": "azure",
  "gcp.gemini": "google",
  mistral_ai: "mistral"
}

const providerOf = (provider: string | undefined) =>
  provider === undefined ? {} : { providerId: (Object.hasOwn(names, provider) && names[provider]) || provider }

const notInstalled = (cause: unknown) =>
  new Error(
    "the package `@pydantic/genai-prices` could not be loaded; is it installed? Run `npm install @pydantic/genai-prices`",
    { cause }
  )
