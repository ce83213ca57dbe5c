/** S2 and S3: the same sources read without any library between, by one reader or by 1,000 at once. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Case } from "../Case.ts"
import * as Tokens from "../Tokens.ts"

/** Reads an Effect Stream of tokens one by one. */
export const read = <E>(tokens: Stream.Stream<string, E>, count: number): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    const tally = new Tokens.Tally(count)
    return tokens.pipe(
      Stream.runForEach((token) => Effect.sync(() => tally.see(token))),
      Effect.tap(() => Effect.sync(() => tally.end()))
    )
  })

/** Reads an Effect Stream of tokens in whatever chunks it gives. */
export const readChunks = <E>(tokens: Stream.Stream<string, E>, count: number): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    const tally = new Tokens.Tally(count)
    return tokens.pipe(
      Stream.runForEachArray((chunk) => Effect.sync(() => tally.seeAll(chunk))),
      Effect.tap(() => Effect.sync(() => tally.end()))
    )
  })

const readIterable = async (count: number): Promise<void> => {
  const tally = new Tokens.Tally(count)
  for await (const token of Tokens.iterable(count)) tally.see(token)
  tally.end()
}

/** An async iterable as an Effect Stream, the way Effect itself does it. */
export const fromIterable = (count: number): Stream.Stream<string> =>
  Stream.orDie(Stream.fromAsyncIterable(Tokens.iterable(count), (cause) => cause))

const crowd = <E>(size: number, one: Effect.Effect<void, E>) =>
  Effect.forEach(Array.from({ length: size }), () => one, { concurrency: "unbounded", discard: true })

export const stream: Case = (count) => Effect.runPromise(read(Tokens.stream(count), count))
export const forAwait: Case = (count) => readIterable(count)
export const iterableAsStream: Case = (count) => Effect.runPromise(read(fromIterable(count), count))

export const streams: Case = (agents) =>
  Effect.runPromise(
    crowd(
      agents,
      Effect.suspend(() => read(Tokens.stream(1000), 1000))
    )
  )
export const forAwaits: Case = async (agents) => {
  await Promise.all(Array.from({ length: agents }, () => readIterable(1000)))
}
export const iterablesAsStreams: Case = (agents) =>
  Effect.runPromise(
    crowd(
      agents,
      Effect.suspend(() => read(fromIterable(1000), 1000))
    )
  )
