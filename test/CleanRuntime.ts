/** A runtime for tests: it must have no fiber left when it has closed, and what it logs can be read. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { MiniAgents } from "miniagents"

/** Opens a runtime in the current scope, and checks after it has closed that nothing runs. */
export const make = <R = never>(
  options: MiniAgents.Options<R> = {}
): Effect.Effect<MiniAgents.Runtime, never, Scope.Scope | R> =>
  Effect.gen(function* () {
    const opened: Array<MiniAgents.Runtime> = []
    yield* Effect.addFinalizer(() =>
      Effect.forEach(opened, ({ running }) => Effect.map(running, (left) => assert.strictEqual(left, 0, "fibers left")))
    )
    const runtime = yield* MiniAgents.make(options)
    opened.push(runtime)
    return runtime
  })

export const layer = <R = never>(
  options: MiniAgents.Options<R> = {}
): Layer.Layer<MiniAgents.MiniAgents, never, Exclude<R, Scope.Scope>> =>
  Layer.effect(MiniAgents.MiniAgents, make(options))

/** Runs a program in a runtime of its own. */
export const run = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  options: MiniAgents.Options = {}
): Effect.Effect<A, E, Exclude<R, MiniAgents.MiniAgents>> => Effect.provide(program, layer(options))

/** Runs a program in a runtime that is interrupted afterwards with whatever still runs in it. */
export const abandon = <A, E, R>(
  program: Effect.Effect<A, E, R>,
  options: MiniAgents.Options = {}
): Effect.Effect<A, E, Exclude<R, MiniAgents.MiniAgents>> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const runtime = yield* Effect.provideService(make(options), Scope.Scope, scope)
    const exit = yield* Effect.exit(Effect.provideService(program, MiniAgents.MiniAgents, runtime))
    yield* Scope.close(scope, Exit.interrupt())
    return yield* exit
  })

/** Gives way until no background fiber of the runtime is left. Gives up after many turns, so that a test can say so. */
export const settled: Effect.Effect<number, never, MiniAgents.MiniAgents> = Effect.gen(function* () {
  for (let turn = 0; turn < 10_000; turn++) {
    if ((yield* MiniAgents.running) === 0) return 0
    yield* Effect.yieldNow
  }
  return yield* MiniAgents.running
})

/** Gives way so often that whatever can go on without help has. */
export const turns = (count = 200): Effect.Effect<void> => Effect.repeat(Effect.yieldNow, { times: count })

/** Runs an effect and gives what it logged besides its result. */
export const logged = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<[A, ReadonlyArray<string>], E, R> =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const collector = Logger.make<unknown, void>(({ cause, message }) => {
      const text = Array.isArray(message) ? message.map(String).join(" ") : String(message)
      lines.push(cause.reasons.length === 0 ? text : `${text}\n${Cause.pretty(cause)}`)
    })
    return effect.pipe(
      Effect.map((value): [A, ReadonlyArray<string>] => [value, lines]),
      Effect.provide(Logger.layer([collector]))
    )
  })
