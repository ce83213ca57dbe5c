/** What failed, in one word, as spans have it. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

/** The tag of an error, or of the reason why it is one, or its name. */
export const errorTypeOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  const reason = Predicate.hasProperty(error, "reason") ? error.reason : undefined
  for (const each of [reason, error]) {
    if (Predicate.hasProperty(each, "_tag") && typeof each._tag === "string") return each._tag
  }
  return error instanceof Error ? error.name : "_OTHER"
}

/** Sets `error.type` of the current span where an effect fails; being interrupted is no error. */
export const withErrorType = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.tapCause(effect, (cause) =>
    Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.annotateCurrentSpan("error.type", errorTypeOf(cause))
  )
