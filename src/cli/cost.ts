/** How it is told what answers have cost. */
import * as Layer from "effect/Layer"
import type * as Budget from "../llm/model/Budget.ts"
import * as Pricing from "../llm/model/Pricing.ts"

/** Without the table of prices there are tokens alone. */
export const prices = Layer.catchCause(Pricing.layer(), () => Layer.empty)

export const describe = ({ cacheReadTokens, cost, inputTokens, outputTokens }: Budget.Spent): string => {
  const cached = inputTokens === 0 ? 0 : Math.round((cacheReadTokens / inputTokens) * 100)
  const dollars = cost > 0 ? `, $${cost.toFixed(4)}` : ""
  return `${inputTokens} tokens read (${cached} % cached), ${outputTokens} written${dollars}`
}
