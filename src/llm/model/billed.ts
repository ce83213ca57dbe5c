/** The tokens that a response is billed for. */
import * as Predicate from "effect/Predicate"
import type * as Response from "effect/ai/Response"

export interface Billed {
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
  /** Of those that were written, the ones that are kept for an hour. */
  readonly longCacheWriteTokens: number
  /** What it has cost, where the provider says so. */
  readonly cost: number | undefined
}

export const billedOf = ({ metadata, usage: { inputTokens, outputTokens } }: Response.FinishPart): Billed => {
  const said = Object.values(metadata)
  return {
    inputTokens: inputTokens.total,
    outputTokens: outputTokens.total,
    cacheReadTokens: inputTokens.cacheRead ?? 0,
    cacheWriteTokens: inputTokens.cacheWrite ?? 0,
    longCacheWriteTokens: numberIn(said, "cache_creation", "ephemeral_1h_input_tokens") ?? 0, // Anthropic's
    cost: numberIn(said, "usage", "cost") // OpenRouter's
  }
}

const numberIn = (said: ReadonlyArray<unknown>, ...path: ReadonlyArray<string>): number | undefined => {
  for (const each of said) {
    const value = path.reduce(
      (value: unknown, key) => (Predicate.hasProperty(value, key) ? value[key] : undefined),
      each
    )
    if (typeof value === "number" && value >= 0 && Number.isFinite(value)) return value
  }
  return undefined
}
