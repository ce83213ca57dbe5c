/** How many tokens the responses of a run took together, as far as their providers say so. */
import * as Predicate from "effect/Predicate"
import type * as Message from "../../Message.ts"

export type UsageSum = Message.Usage

export const none: UsageSum = {}

export const add = (sum: UsageSum, usage: unknown): UsageSum => {
  if (!Predicate.isObject(usage)) return sum
  const added: Record<string, number> = { ...sum }
  for (const [name, count] of Object.entries(usage)) {
    if (typeof count === "number") added[name] = (added[name] ?? 0) + count
  }
  return added
}
