/** Objects that models write, as they grow: what a model was asked for as a whole can be seen before it is whole. */
import type * as Response from "effect/ai/Response"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Who sees the JSON of an object while it is being written. */
export interface Growth {
  /** Somebody has seen a part of it: it cannot be made again as another one. */
  readonly isShown: boolean
  /** A model begins to write it, perhaps after another one has failed. */
  readonly begin: () => void
  /** Takes a piece of it. */
  readonly push: (piece: string) => Effect.Effect<void> | undefined
}

/** Who sees the object that is asked for; nobody, unless it is set. */
export const CurrentGrowth = Context.Reference<Growth | undefined>("miniagents/llm/CurrentGrowth", {
  defaultValue: () => undefined
})

/** Whether somebody has seen a part of the object that is asked for. */
export const isShown: Effect.Effect<boolean> = Effect.map(CurrentGrowth, (growth) => growth?.isShown === true)

/** The same parts, whose texts are shown on the way. */
export const shown = <E, R>(
  parts: Stream.Stream<Response.StreamPartEncoded, E, R>
): Stream.Stream<Response.StreamPartEncoded, E, R> =>
  Stream.unwrap(
    Effect.map(CurrentGrowth, (growth) => {
      if (growth === undefined) return parts
      growth.begin()
      return Stream.tap(
        parts,
        (part) => (part.type === "text-delta" ? growth.push(part.delta) : undefined) ?? Effect.void
      )
    })
  )
