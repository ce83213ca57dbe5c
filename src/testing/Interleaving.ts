/**
 * Seeded interleavings: a program runs under a scheduler that picks at random what runs next, and the same seed picks
 * the same way again. A test that passes under a few hundred seeds does not pass only because things happened in a
 * lucky order.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import type * as TestClock from "effect/testing/TestClock"

/**
 * Options of a test that runs under many seeds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How many seeds to run. The environment variable `MINIAGENTS_SEEDS` overrides it, for a long run by hand. */
  readonly seeds: number
  /**
   * The first seed. The others are the numbers that follow.
   *
   * @default 0
   */
  readonly first?: number
}

/**
 * The seed under which an effect failed, and with what. Set the environment variable `MINIAGENTS_SEED` to the seed to
 * run it alone.
 *
 * @since 0.1.0
 * @category errors
 */
export class SeedFailed extends Schema.TaggedError<SeedFailed>()("SeedFailed", {
  seed: Schema.Int,
  /** What happened, as `Cause.pretty` says it. */
  failure: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `failed with seed ${this.seed} (replay it with ${seedVariable}=${this.seed}): ${this.failure}`
  }
}

/**
 * Runs an effect, and every fiber it starts, in an order that the seed decides. Whatever is ready to run waits in one
 * pool, from which a random task is taken; fibers give way after a random number of steps, and some are slower than
 * others. `Random` is seeded too, so that a deterministic program does the same again under the same seed.
 *
 * **When to use**
 *
 * To run one order again, such as the one that failed. For a test use `forAllSeeds`.
 *
 * **Details**
 *
 * What is really asynchronous (a timer, a socket) works, but when it is there the seed cannot decide. Where a
 * `TestClock` is provided around this, `TestClock.adjust` and `setTime` first wait until everything is asleep or waits
 * for something, so that no fiber comes too late for the time it asked to be woken at.
 *
 * **Gotchas**
 *
 * A `TestClock` provided inside does not wait by itself: run `Interleaving.idle` before moving it.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Interleaving } from "miniagents/testing"
 *
 * const order: Array<string> = []
 * const say = (word: string) => Effect.sync(() => void order.push(word))
 * const program = Effect.all([say("a"), say("b"), say("c")], { concurrency: "unbounded" })
 *
 * const replayed = Interleaving.withSeed(program, 7) // some order, the same whenever the seed is 7
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withSeed: {
  (seed: number): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, seed: number): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, seed: number): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const parent = yield* Scheduler.Scheduler
    const clock = yield* Clock.Clock
    const random = yield* Random.withSeed(Random.Random, `miniagents/Interleaving/${seed}`)
    const pool = new Pool(parent, random)
    const context = Context.make(Scheduler.Scheduler, pool).pipe(
      Context.add(CurrentPool, pool),
      Context.add(Clock.Clock, isTestClock(clock) ? afterIdle(clock) : clock)
    )
    return yield* Effect.provideContext(Random.withSeed(self, seed), context)
  })
)

/**
 * Runs an effect once for each seed, and fails with `SeedFailed` for the first seed under which it does not succeed.
 *
 * **When to use**
 *
 * For tests of agents that run in parallel: a normal test sees only one of the possible orders.
 *
 * **Details**
 *
 * The effect gets the seed, so that it can make its input from it. With `MINIAGENTS_SEED=n` in the environment only
 * seed `n` runs. When a run hangs, and a test runner's time limit interrupts it, its seed is logged.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Interleaving } from "miniagents/testing"
 *
 * const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
 *
 * const test = Interleaving.forAllSeeds({ seeds: 200 })(() =>
 *   Effect.gen(function*() {
 *     const replies = yield* echo.trigger(["one", "two"])
 *     const messages = yield* replies.messages
 *     if (messages.map(String).join() !== "one,two") return yield* Effect.die("out of order")
 *   }).pipe(Effect.provide(MiniAgents.layer()))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const forAllSeeds =
  (options: Options) =>
  <A, E, R>(f: (seed: number) => Effect.Effect<A, E, R>): Effect.Effect<void, SeedFailed, R> =>
    Effect.gen(function* () {
      const { count, first } = yield* Effect.orDie(seedsOf(options))
      for (let seed = first; seed < first + count; seed++) {
        yield* Effect.suspend(() => f(seed)).pipe(
          withSeed(seed),
          Effect.onInterrupt(() =>
            Effect.logError(`Interrupted with seed ${seed}; replay it: ${seedVariable}=${seed}`)
          ),
          Effect.catchCause(
            (cause) => new SeedFailed({ seed, failure: Cause.pretty(cause), cause: Cause.squash(cause) })
          )
        )
      }
    })

/**
 * Waits until nothing else can run: every other fiber of this interleaving has ended, sleeps, or waits for something.
 * Outside of an interleaving it only gives way once.
 *
 * **When to use**
 *
 * Before looking at what must (or must not) have happened by now, without a sleep and without counting turns.
 *
 * **Gotchas**
 *
 * It does not wait for what comes from outside, as the answer to a request.
 *
 * @since 0.1.0
 * @category combinators
 */
export const idle: Effect.Effect<void> = Effect.flatMap(
  Effect.suspend(() => CurrentPool),
  (pool) => pool?.idle ?? Effect.yieldNow
)

const seedVariable = "MINIAGENTS_SEED"

const CurrentPool = Context.Reference<Pool | undefined>("miniagents/testing/Interleaving/CurrentPool", {
  defaultValue: () => undefined
})

const seedsOf = (options: Options) =>
  Effect.gen(function* () {
    const only = yield* Config.option(Config.Int(seedVariable))
    if (Option.isSome(only)) return { first: only.value, count: 1 }
    const count = yield* Config.Int("MINIAGENTS_SEEDS").pipe(Config.withDefault(options.seeds))
    return { first: options.first ?? 0, count }
  })

/**
 * A scheduler that stands on another one and shuffles. Invariants:
 * 1. Each task runs in a turn of the scheduler below that was asked for on its behalf, so that what the scheduler below
 *    knows of a task (a `TestClock` waits for those it woke) stays true.
 * 2. A task that is alone is never put off, so that a turn without progress costs nothing.
 */
class Pool implements Scheduler.Scheduler {
  readonly executionMode: "sync" | "async"
  private readonly below: Scheduler.SchedulerDispatcher
  private readonly random: Random.Random
  private readonly giveWay: number
  private pending = 0
  private waiters: Array<() => void> = []

  constructor(below: Scheduler.Scheduler, random: Random.Random) {
    this.executionMode = below.executionMode
    this.below = below.makeDispatcher()
    this.random = random
    this.giveWay = chances[this.below16() % chances.length]
  }

  /** Below 3 steps a fiber would only ever give way. */
  shouldYield({ currentOpCount }: { readonly currentOpCount: number }): boolean {
    return currentOpCount >= 3 && this.random.nextDoubleUnsafe() < this.giveWay
  }

  /** Each fiber has its own pace: how likely it is put off when others could run. */
  makeDispatcher(): Scheduler.SchedulerDispatcher {
    const putOff = paces[this.below16() % paces.length]
    return {
      scheduleTask: (task, priority) => {
        this.pending++
        this.schedule(task, priority, putOff)
      },
      flush: () => this.below.flush()
    }
  }

  readonly idle: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const waiter = () => resume(Effect.void)
    this.waiters.push(waiter)
    // the check is a task of its own, because this fiber may be the last to run
    this.makeDispatcher().scheduleTask(() => {}, 0)
    return Effect.sync(() => {
      this.waiters = this.waiters.filter((other) => other !== waiter)
    })
  })

  private schedule(task: () => void, priority: number, putOff: number): void {
    const turn = () => {
      if (this.pending > 1 && this.random.nextDoubleUnsafe() < putOff) return this.schedule(task, priority, putOff)
      try {
        task()
      } finally {
        this.pending--
        if (this.pending === 0) this.wakeOne()
      }
    }
    this.below.scheduleTask(turn, priority * 16 + this.below16())
  }

  private wakeOne(): void {
    const index = Math.floor(this.random.nextDoubleUnsafe() * this.waiters.length)
    for (const waiter of this.waiters.splice(index, 1)) this.makeDispatcher().scheduleTask(waiter, 0)
  }

  private below16(): number {
    return Math.floor(this.random.nextDoubleUnsafe() * 16)
  }
}

const chances = [1 / 4, 1 / 10, 1 / 40, 1 / 200]
const paces = [0, 0, 1 / 8, 1 / 2, 7 / 8]

const isTestClock = (clock: Clock.Clock): clock is TestClock.TestClock =>
  Predicate.hasProperty(clock, "adjust") && Predicate.hasProperty(clock, "setTime")

const afterIdle = (clock: TestClock.TestClock): TestClock.TestClock => ({
  ...clock,
  adjust: (duration) => Effect.andThen(idle, clock.adjust(duration)),
  setTime: (timestamp) => Effect.andThen(idle, clock.setTime(timestamp))
})
