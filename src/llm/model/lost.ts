/** Requests whose response is not the one that is heard: they are logged, in the span, and in the budget. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as AiError from "effect/ai/AiError"
import * as Model from "effect/ai/Model"
import * as Budget from "./Budget.ts"
import * as LlmLogger from "./LlmLogger.ts"

/** About what a request has cost, which nobody has counted. */
export type Spent = Pick<Budget.Call, "inputTokens" | "outputTokens">

/** A request that was refused costs nothing but itself. */
export const nothing: Spent = { inputTokens: 0, outputTokens: 0 }

/** Says that a request failed, and what is done about it. */
export const notice = (
  event: LlmLogger.Lost["event"],
  what: string,
  error: AiError.AiError,
  spent: Spent
): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* Effect.logWarning(`A model failed, and ${what}: ${error.message}`)
    const now = yield* Clock.currentTimeNanos
    const attributes = { "error.type": error.reason._tag, "error.message": error.message, "miniagents.what": what }
    yield* Effect.option(Effect.currentSpan).pipe(Effect.map(Option.map((span) => span.event(event, now, attributes))))
    yield* LlmLogger.lostAll({ event, what, error })
    yield* Budget.charge(spent)
  })

/** The failure of the model before, if there was one, for the model that takes over. */
export class Before {
  private failure: { readonly error: AiError.AiError; readonly spent: Spent } | undefined = undefined

  failed(error: AiError.AiError, spent: Spent): void {
    this.failure = { error, spent }
  }

  watch<A, R>(effect: Effect.Effect<A, AiError.AiError, R>): Effect.Effect<A, AiError.AiError, R> {
    return Effect.tapError(effect, (error) => Effect.sync(() => this.failed(error, nothing)))
  }

  /** Says that another model takes over, where it does. */
  readonly takeOver: Effect.Effect<void> = Effect.suspend(() => {
    const { failure } = this
    if (failure === undefined) return Effect.void
    this.failure = undefined
    return Effect.flatMap(Effect.serviceOption(Model.ModelName), (name) => {
      const next = Option.match(name, { onNone: () => "the next one", onSome: (name) => `\`${name}\`` })
      return notice("model.fallback", `${next} takes over`, failure.error, failure.spent)
    })
  })
}
