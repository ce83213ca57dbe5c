/** What effect/ai tells of the tokens of a response, as messages keep it. */
import type * as Response from "effect/ai/Response"
import type * as Message from "../../Message.ts"

export const usageOf = ({ inputTokens, outputTokens }: Response.Usage): Message.Usage => {
  const counts = {
    inputTokens: inputTokens.total,
    outputTokens: outputTokens.total,
    cacheReadTokens: inputTokens.cacheRead,
    cacheWriteTokens: inputTokens.cacheWrite,
    reasoningTokens: outputTokens.reasoning
  }
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== undefined))
}
