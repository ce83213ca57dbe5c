/** S4: the tree by bare fibers, each of which hands an array of tokens to the one above it. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { Case } from "../Case.ts"
import * as Tokens from "../Tokens.ts"

const width = 8
const perLeaf = 20

type Replies = ReadonlyArray<ReadonlyArray<string>>

const leaf: Effect.Effect<Replies> = Effect.map(Stream.runCollect(Tokens.stream(perLeaf)), (tokens) => [tokens])

const tree = (depth: number): Effect.Effect<Replies> => {
  if (depth === 0) return leaf
  const children = Array.from({ length: width }, () => Effect.forkChild(tree(depth - 1)))
  return Effect.gen(function* () {
    const fibers = yield* Effect.all(children)
    const replies: Array<ReadonlyArray<string>> = []
    for (const fiber of fibers) replies.push(...(yield* Fiber.join(fiber)))
    return replies
  })
}

/** The size is in tokens. */
export const root: Case = async (size) => {
  const depth = Math.round(Math.log(size / perLeaf) / Math.log(width))
  const replies = await Effect.runPromise(tree(depth))
  for (const tokens of replies) {
    const tally = new Tokens.Tally(perLeaf)
    tokens.forEach(tally.see)
    tally.end()
  }
  if (replies.length !== width ** depth) throw new Error(`${replies.length} of ${width ** depth} leaves came`)
}
