/** How the laws that must hold whatever runs next are tested: random input, random interleaving, both of one seed. */
import { it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Scheduler from "effect/Scheduler"
import type * as Schema from "effect/Schema"
import { MiniAgents } from "miniagents"
import { Interleaving } from "miniagents/testing"

type Fields = Readonly<Record<string, Schema.Codec<unknown>>>
type Values<F extends Fields> = { readonly [K in keyof F]: F[K]["Type"] }

/**
 * Tests a property under many seeds. A seed makes the values and decides the interleaving; when it fails the values are
 * made smaller under the same interleaving. `MINIAGENTS_SEED=n` runs one seed alone, `MINIAGENTS_SEEDS=n` that many.
 */
export const law = <F extends Fields>(
  title: string,
  fields: F,
  property: (values: Values<F>) => Effect.Effect<void, unknown>,
  { seeds = 150, size = 14 }: { readonly seeds?: number; readonly size?: number } = {}
): void => {
  const arbitrary = Arbitrary.all(
    Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name, Arbitrary.schema(schema)]))
  )
  it.effect(
    title,
    () =>
      Effect.gen(function* () {
        const scheduler = yield* Scheduler.Scheduler
        const clock = yield* Clock.Clock
        yield* Interleaving.forAllSeeds({ seeds })((seed) => {
          // every attempt to make the values smaller begins the same interleaving anew
          const attempt = (values: unknown) =>
            ends(Effect.suspend(() => property(values as Values<F>))).pipe(
              Interleaving.withSeed(seed),
              Effect.provideService(Scheduler.Scheduler, scheduler),
              Effect.provideService(Clock.Clock, clock),
              Effect.provide(Logger.layer([])),
              Effect.sandbox,
              Effect.as(true)
            )
          const check = Arbitrary.checkEffect(arbitrary, attempt, { seed, runs: 1, size: 2 + (seed % size) })
          return Effect.flatMap(check, (result) => {
            const failure = Arbitrary.formatCheckFailure(result)
            return failure === undefined ? Effect.void : Effect.die(new Error(failure))
          })
        })
      }),
    60_000
  )
}

/** Runs an effect that needs nothing from outside, and dies when nothing is left to run although it has not ended. */
export const ends = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkDetach(effect)
    for (let turn = 0; turn < 500; turn++) {
      yield* Interleaving.idle
      if (fiber.pollUnsafe() !== undefined) return yield* Fiber.join(fiber)
    }
    fiber.interruptUnsafe()
    return yield* Effect.die(new Error("it hangs: nothing is left to run, and it has not ended"))
  })

/** Waits until no background fiber of the runtime is left; gives up when those that are left wait for ever. */
export const settled: Effect.Effect<number, never, MiniAgents.MiniAgents> = Effect.gen(function* () {
  for (let turn = 0; turn < 500 && (yield* MiniAgents.running) > 0; turn++) yield* Interleaving.idle
  return yield* MiniAgents.running
})
