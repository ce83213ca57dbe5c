/** The order of what comes in any order: recorded, and given again, whatever comes when. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Interleaving } from "miniagents/testing"
import { Turns } from "../../src/durable/turns.ts"

/** How many elements each lane has. */
const Lanes = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))).check(
  Schema.isMinLength(1),
  Schema.isMaxLength(4)
)

/** Lanes that give their elements as they come, under a seed; gives the order in which they came out, and what was recorded. */
const merged = (sizes: ReadonlyArray<number>, recorded: ReadonlyArray<number>, own: number, seed: number) =>
  Effect.gen(function* () {
    const written: Array<number> = []
    const given: Array<string> = []
    const turns = new Turns(recorded, own, (lane) => written.push(lane))
    const lane = (size: number, lane: number) =>
      Effect.gen(function* () {
        for (let i = 0; i < size; i++) {
          yield* Effect.yieldNow
          yield* turns.take(lane, () => given.push(`${lane}.${i}`)) ?? Effect.void
        }
        turns.ended(lane)
      })
    const close = Effect.andThen(
      Effect.yieldNow,
      Effect.sync(() => turns.closed(sizes.length))
    )
    yield* Effect.all([...sizes.map(lane), close], { concurrency: "unbounded", discard: true })
    return { given, written }
  }).pipe(Interleaving.withSeed(seed))

const lanesOf = (given: ReadonlyArray<string>) => given.map((element) => Number(element.split(".")[0]))

describe("the turns of a merged sequence", () => {
  it.effect.prop(
    "what was recorded comes out again in that order, and what comes after it is recorded, whatever comes when",
    { sizes: Lanes, cut: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 16 })), seed: Schema.Int },
    ({ cut, seed, sizes }) =>
      Effect.gen(function* () {
        const first = yield* merged(sizes, [], 0, seed)
        assert.deepStrictEqual(first.written, lanesOf(first.given))
        const known = first.written.slice(0, cut)
        // it was cut off after so many, and goes on under another order of events
        const again = yield* merged(sizes, known, known.length, seed + 1)
        assert.deepStrictEqual(again.given.slice(0, known.length), first.given.slice(0, known.length))
        assert.deepStrictEqual([...known, ...again.written], lanesOf(again.given))
        assert.deepStrictEqual(again.given.toSorted(), first.given.toSorted())
        // a rerun takes the order of another run, and writes all of it
        const rerun = yield* merged(sizes, known, 0, seed + 2)
        assert.deepStrictEqual(rerun.given.slice(0, known.length), first.given.slice(0, known.length))
        assert.deepStrictEqual(rerun.written, lanesOf(rerun.given))
      })
  )

  it.effect.prop(
    "what was recorded of lanes that give less now, or are no more, holds up nothing",
    {
      sizes: Lanes,
      recorded: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 6 }))),
      seed: Schema.Int
    },
    ({ recorded, seed, sizes }) =>
      Effect.gen(function* () {
        const { given } = yield* merged(sizes, recorded, recorded.length, seed)
        assert.deepStrictEqual(
          given.toSorted(),
          sizes.flatMap((size, lane) => Array.from({ length: size }, (_, i) => `${lane}.${i}`)).toSorted()
        )
      })
  )
})
