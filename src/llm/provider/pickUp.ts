/** Responses that go on without a connection, picked up by whoever asks for them again. */
import type * as AiError from "effect/ai/AiError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** The id of the response that a request was answered with before, in this process or in another; none, unless it is set. */
export const CurrentPickUp = Context.Reference<string | undefined>("miniagents/llm/CurrentPickUp", {
  defaultValue: () => undefined
})

/** Picks the response up, from its first event, or makes the request where that cannot be. */
export const orElse = <A, R>(
  pickUp: ((id: string) => Effect.Effect<A, AiError.AiErrorReason, R>) | undefined,
  request: Effect.Effect<A, AiError.AiErrorReason, R>
): Effect.Effect<A, AiError.AiErrorReason, R> =>
  Effect.flatMap(CurrentPickUp, (id) =>
    id === undefined || pickUp === undefined
      ? request
      : // what the server does not have any more is asked for again
        Effect.catchIf(
          pickUp(id),
          (reason) => !reason.isRetryable,
          () => request
        )
  )
