/** Runs are their Layer's: a runtime that closes does not wait for one that may go on for days. */
import * as Effect from "effect/Effect"
import { current } from "../MiniAgents.ts"

/** The same effect; if the runtime begins to close before that is done, `end` is run, so that nothing is waited for. */
export const untilClosing =
  (end: Effect.Effect<void>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withFiber((fiber) => {
      const { supervisor } = current(fiber)
      if (supervisor.guests === undefined) return Effect.andThen(end, effect)
      supervisor.guests.add(end)
      return Effect.ensuring(
        effect,
        Effect.sync(() => supervisor.guests?.delete(end))
      )
    })
