/** What a language model could not do, as one sentence for the person who asked. */
import type * as AiError from "effect/ai/AiError"
import * as Model from "effect/ai/Model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Budget } from "miniagents/llm"

/** A request to the model failed; `reason` continues a sentence that starts with the model. */
export class ModelFailed extends Schema.TaggedError<ModelFailed>()("ModelFailed", {
  model: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `The model ${this.model} ${this.reason}`
  }
}

/** Fails as the model that stands where this runs. */
export const fail = (error: AiError.AiError | Budget.BudgetExceeded): Effect.Effect<never, ModelFailed> =>
  Effect.flatMap(name, (model) =>
    Effect.fail(new ModelFailed({ model, reason: reasonOf(error).replace(/\s+/g, " ").trim() }))
  )

/** Whether the model was there, and what it said is of no use: a small one often does not keep to a form. */
export const isUseless = (error: { readonly _tag: string; readonly reason?: unknown }): boolean =>
  error._tag === "AiError" &&
  ["InvalidOutputError", "StructuredOutputError"].includes((error.reason as { readonly _tag: string })._tag)

/** Fails because the model answered without a word. */
export const failSilent: Effect.Effect<never, ModelFailed> = Effect.flatMap(
  Effect.suspend(() => name),
  (model) => Effect.fail(new ModelFailed({ model, reason: "said nothing: ask again, or choose another model" }))
)

/** The name of the model that stands where this runs. */
export const name: Effect.Effect<string> = Effect.map(
  Effect.all([Effect.serviceOption(Model.ProviderName), Effect.serviceOption(Model.ModelName)]),
  (names) => names.flatMap((name) => Option.toArray(name)).join(" ") || "that was given"
)

const reasonOf = (error: AiError.AiError | Budget.BudgetExceeded): string => {
  if (error._tag === "BudgetExceeded") return `may not be asked any more: ${error.message}`
  const { reason } = error
  switch (reason._tag) {
    case "AuthenticationError":
      return reason.kind === "MissingKey"
        ? "wants a key: set one"
        : `does not accept the key: check it${inBrackets(reason.description)}`
    case "InvalidOutputError":
    case "StructuredOutputError":
      return "did not answer in the form that it was asked for: ask again, or choose another model"
    case "InvalidRequestError":
      return `refused the request${inBrackets(reason.description)}: is that the name of a model?`
    case "NetworkError":
      return `cannot be reached${inBrackets(reason.description)}`
    case "QuotaExhaustedError":
      return "has no quota left: see to the account"
    case "RateLimitError":
      return "is asked too often: wait a little"
    default:
      return `failed: ${reason.message}`
  }
}

const inBrackets = (text: string | undefined): string => (text === undefined || text === "" ? "" : ` (${text})`)
