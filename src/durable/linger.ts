/** Runs that nobody reads, and how long they go on. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { DurableRun } from "./run.ts"

/** A reader comes. */
export const enter = (run: DurableRun): Effect.Effect<void> =>
  Effect.suspend(() => {
    run.readers++
    const { timer } = run
    run.timer = undefined
    return timer === undefined ? Effect.void : Fiber.interrupt(timer)
  })

/** A reader leaves. */
export const leave = (run: DurableRun, stop: Effect.Effect<void>, scope: Scope.Scope): Effect.Effect<void> =>
  Effect.suspend(() => {
    run.readers--
    return arm(run, run.linger, stop, scope)
  })

/** Stops a run that nobody comes to read in time. */
export const arm = (
  run: DurableRun,
  linger: Duration.Input | undefined,
  stop: Effect.Effect<void>,
  scope: Scope.Scope
): Effect.Effect<void> =>
  Effect.suspend(() => {
    run.linger = linger
    if (linger === undefined || run.readers > 0 || run.isOver) return Effect.void
    return Effect.map(Effect.forkIn(Effect.andThen(Effect.sleep(linger), stop), scope), (timer) => {
      run.timer = timer
    })
  })
