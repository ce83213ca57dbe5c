/** S1: fork a fiber that produces one token into an array, join it and collect, by hand. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import type { Case } from "../Case.ts"
import * as Tokens from "../Tokens.ts"

type Call = Effect.Effect<Fiber.Fiber<Array<string>>>

const fork = Effect.suspend(() => {
  const replies: Array<string> = []
  const body = Effect.gen(function* () {
    replies.push(Tokens.take(1)[0]!)
    return replies
  })
  return Effect.forkChild(body)
})

/** The token comes from a stream that a fiber of its own reads, as a model's answer does. */
const forkStreamed = Effect.suspend(() => {
  const replies: Array<string> = []
  const model = Stream.runForEach(Stream.succeed(Tokens.take(1)[0]!), (token) =>
    Effect.sync(() => void replies.push(token))
  )
  const body = Effect.gen(function* () {
    yield* Fiber.join(yield* Effect.forkChild(model))
    return replies
  })
  return Effect.forkChild(body)
})

const read = Effect.fnUntraced(function* (fiber: Fiber.Fiber<Array<string>>) {
  const tally = new Tokens.Tally(1)
  for (const token of yield* Fiber.join(fiber)) tally.see(token)
  tally.end()
})

/** Each call is read before the next one starts. */
const inTurn =
  (fork: Call): Case =>
  (calls) =>
    Effect.runPromise(
      Effect.gen(function* () {
        for (let i = 0; i < calls; i++) yield* read(yield* fork)
      })
    )

/** All calls are under way before the first is read. */
const together =
  (fork: Call): Case =>
  (calls) =>
    Effect.runPromise(
      Effect.gen(function* () {
        const fibers: Array<Fiber.Fiber<Array<string>>> = []
        for (let i = 0; i < calls; i++) fibers.push(yield* fork)
        for (const fiber of fibers) yield* read(fiber)
      })
    )

export const oneByOne = inTurn(fork)
export const allAtOnce = together(fork)
export const streamedOneByOne = inTurn(forkStreamed)
export const streamedAllAtOnce = together(forkStreamed)
