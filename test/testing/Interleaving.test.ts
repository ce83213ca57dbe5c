import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as TestClock from "effect/testing/TestClock"
import { Interleaving } from "miniagents/testing"

/** What three fibers of a few steps each did, in the order in which they did it, and a random number. */
const steps = Effect.gen(function* () {
  const order: Array<string> = []
  const fiber = (name: string) =>
    Effect.forEach([1, 2, 3], (step) =>
      Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => order.push(`${name}${step}`))
      )
    )
  yield* Effect.forEach(["a", "b", "c"], fiber, { concurrency: "unbounded" })
  return [...order, String(yield* Random.nextInt)].join(" ")
})

const env = (variables: Readonly<Record<string, string | undefined>>) =>
  Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(variables))

describe("Interleaving", () => {
  it.effect("the same seed gives the same order, and other seeds give others", () =>
    Effect.gen(function* () {
      const run = Effect.forEach([...Array(50).keys()], (seed) => Interleaving.withSeed(steps, seed))
      const first = yield* run
      assert.deepStrictEqual(yield* run, first)
      assert.strictEqual(new Set(first).size, 50)
      const orders = new Set(first.map((line) => line.slice(0, line.lastIndexOf(" "))))
      assert.isAbove(orders.size, 40)
    })
  )

  it.effect("each fiber keeps the order of its own steps", () =>
    Interleaving.forAllSeeds({ seeds: 50 })(() =>
      Effect.map(steps, (line) => {
        for (const name of ["a", "b", "c"]) {
          const own = line.split(" ").filter((step) => step.startsWith(name))
          assert.deepStrictEqual(own, [`${name}1`, `${name}2`, `${name}3`])
        }
      })
    )
  )

  it.effect("a fiber gives way in the middle of a synchronous stretch", () =>
    Effect.gen(function* () {
      let interleaved = 0
      yield* Interleaving.forAllSeeds({ seeds: 50 })(() =>
        Effect.gen(function* () {
          let at = ""
          const stretch = (name: string) =>
            Effect.forEach(Array.from({ length: 20 }), () =>
              Effect.sync(() => {
                if (at !== name && at !== "") interleaved++
                at = name
              })
            )
          yield* Effect.all([stretch("a"), stretch("b")], { concurrency: "unbounded" })
        })
      )
      assert.isAbove(interleaved, 50)
    })
  )

  it.effect("`forAllSeeds` runs the seeds in order, and names the one that fails with how to replay it", () =>
    Effect.gen(function* () {
      const ran: Array<number> = []
      const failing = Interleaving.forAllSeeds({ seeds: 10, first: 5 })((seed) => {
        ran.push(seed)
        return seed === 8 ? Effect.die(new Error("broken")) : Effect.void
      })
      const error = yield* Effect.flip(failing)
      assert.instanceOf(error, Interleaving.SeedFailed)
      assert.strictEqual(error.seed, 8)
      assert.include(error.message, "MINIAGENTS_SEED=8")
      assert.include(error.message, "broken")
      assert.deepStrictEqual(ran, [5, 6, 7, 8])
    })
  )

  it.effect("a typed failure and an interruption fail a seed too", () =>
    Effect.gen(function* () {
      const failed = yield* Effect.flip(Interleaving.forAllSeeds({ seeds: 1 })(() => Effect.fail("no")))
      assert.include(failed.message, "no")
      const interrupted = yield* Effect.flip(Interleaving.forAllSeeds({ seeds: 1 })(() => Effect.interrupt))
      assert.strictEqual(interrupted.seed, 0)
    })
  )

  it.effect.each([
    { variables: { MINIAGENTS_SEED: "17" }, expected: [17] },
    { variables: { MINIAGENTS_SEEDS: "2" }, expected: [3, 4] },
    { variables: {}, expected: [3, 4, 5, 6] }
  ])("the environment chooses the seeds: $variables", ({ expected, variables }) =>
    Effect.gen(function* () {
      const ran: Array<number> = []
      yield* Interleaving.forAllSeeds({ seeds: 4, first: 3 })((seed) => Effect.sync(() => void ran.push(seed)))
      assert.deepStrictEqual(ran, expected)
    }).pipe(env(variables))
  )

  it.effect("`idle` returns when all else has ended or waits, and not before", () =>
    Interleaving.forAllSeeds({ seeds: 100 })(() =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const notes: Array<string> = []
        const fiber = yield* Effect.forkChild(
          Effect.gen(function* () {
            yield* Effect.repeat(Effect.yieldNow, { times: 20 })
            notes.push("before")
            yield* Deferred.await(gate)
            yield* Effect.repeat(Effect.yieldNow, { times: 20 })
            notes.push("after")
          })
        )
        yield* Interleaving.idle
        assert.deepStrictEqual(notes, ["before"])
        yield* Deferred.succeed(gate, undefined)
        yield* Interleaving.idle
        assert.deepStrictEqual(notes, ["before", "after"])
        yield* Fiber.join(fiber)
      })
    )
  )

  it.effect("fibers that are all `idle` go on one at a time", () =>
    Interleaving.forAllSeeds({ seeds: 50 })(() =>
      Effect.gen(function* () {
        let busy = 0
        const one = Effect.gen(function* () {
          yield* Interleaving.idle
          assert.strictEqual(++busy, 1)
          yield* Effect.repeat(Effect.yieldNow, { times: 5 })
          busy--
        })
        yield* Effect.all([one, one, one, one], { concurrency: "unbounded" })
      })
    )
  )

  it.effect("an interrupted `idle` is no longer waited for, and outside of an interleaving it gives way", () =>
    Effect.gen(function* () {
      yield* Interleaving.idle
      yield* Interleaving.forAllSeeds({ seeds: 20 })(() =>
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(Interleaving.idle)
          yield* Effect.yieldNow
          yield* Fiber.interrupt(fiber)
          yield* Interleaving.idle
        })
      )
    })
  )

  it.effect("`flush` runs all that is pending, and what that asks for, before it returns", () =>
    Interleaving.forAllSeeds({ seeds: 50 })(() =>
      Effect.gen(function* () {
        const dispatcher = (yield* Scheduler.Scheduler).makeDispatcher()
        let ran = 0
        const task = (again: number) => () => {
          ran++
          for (let i = 0; i < again; i++) dispatcher.scheduleTask(task(again - 1), i)
        }
        dispatcher.scheduleTask(task(3), 0)
        dispatcher.flush()
        assert.strictEqual(ran, 16)
      })
    )
  )

  it.effect("what is really asynchronous works", () =>
    Interleaving.forAllSeeds({ seeds: 20 })(() =>
      Effect.gen(function* () {
        const values = yield* Effect.forEach([1, 2, 3], (n) => Effect.promise(() => Promise.resolve(n)), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(values, [1, 2, 3])
      })
    )
  )

  /** Sleepers that note when they wake, one of them again and again. */
  const sleepers = Effect.gen(function* () {
    const woke: Array<string> = []
    const sleeper = (name: string, seconds: number) =>
      Effect.andThen(
        Effect.sleep(`${seconds} seconds`),
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => woke.push(name))
        )
      )
    for (const seconds of [3, 1, 2]) yield* Effect.forkChild(sleeper(`${seconds}`, seconds))
    yield* Effect.forkChild(Effect.forever(sleeper("tick", 2.5)))
    return woke
  })

  it.effect("`TestClock` around it: who sleeps wakes in time and in order", () =>
    Interleaving.forAllSeeds({ seeds: 30 })(() =>
      Effect.gen(function* () {
        const woke = yield* sleepers
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(woke, ["1", "2"])
        yield* TestClock.adjust("6 seconds")
        assert.deepStrictEqual(woke, ["1", "2", "tick", "3", "tick", "tick"])
      }).pipe(Effect.scoped)
    )
  )

  it.effect("`TestClock` inside of it: the same, after `idle`", () =>
    Interleaving.forAllSeeds({ seeds: 30 })(() =>
      Effect.gen(function* () {
        const woke = yield* sleepers
        yield* Interleaving.idle
        yield* TestClock.adjust("8 seconds")
        assert.deepStrictEqual(woke, ["1", "2", "tick", "3", "tick", "tick"])
      }).pipe(Effect.provide(TestClock.layer()))
    )
  )

  it.effect("a run that hangs can be interrupted", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Interleaving.forAllSeeds({ seeds: 1 })(() => Effect.never))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(exit._tag === "Failure" && Cause.hasInterruptsOnly(exit.cause))
    })
  )
})
