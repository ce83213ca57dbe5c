/** What a program takes from the outside, and is to be the same when the program runs again: durable runs keep it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * - `choice`: which of several came first;
 * - `beginning`: when something began, which another run of the program does for itself.
 */
export type What = "choice" | "beginning"

export type Keep = (what: What, name: string, effect: Effect.Effect<number>) => Effect.Effect<number>

export const CurrentKeep = Context.Reference<Keep | undefined>("miniagents/internal/CurrentKeep", {
  defaultValue: () => undefined
})

/** What was decided before, or else what an effect says now. */
export const decided: Keep = (what, name, effect) =>
  Effect.flatMap(CurrentKeep, (keep) => (keep === undefined ? effect : keep(what, name, effect)))

/** The model whose answers are kept, where one is. */
export const CurrentKept = Context.Reference<unknown>("miniagents/internal/CurrentKept", {
  defaultValue: () => undefined
})

/** Done before something is asked that was not answered before, in a request that is limited in time: never, when that is over. */
export const CurrentBegin = Context.Reference<Effect.Effect<void>>("miniagents/internal/CurrentBegin", {
  defaultValue: () => Effect.void
})
