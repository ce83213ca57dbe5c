/**
 * How a model answers one request, in words that are the same for all providers: how freely it chooses its words, how
 * long it may go on, and in which form. The codec of each provider renames them for its API.
 *
 * @since 0.1.0
 */
import * as AiError from "effect/ai/AiError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Schema from "effect/Schema"

/**
 * The form of an answer: `text`, or `json`, any object unless there is a `schema` (a JSON Schema) that it has to fit,
 * with an `objectName` for models that want one.
 *
 * @see `LlmAgent.makeObject` for an answer that is checked, and becomes a message of a class
 * @since 0.1.0
 * @category schemas
 */
export const ResponseFormat: Schema.Union<
  readonly [
    Schema.Struct<{ readonly type: Schema.Literal<"text"> }>,
    Schema.Struct<{
      readonly type: Schema.Literal<"json">
      readonly schema: Schema.optionalKey<Schema.$Record<Schema.String, Schema.Codec<Schema.Json>>>
      readonly objectName: Schema.optionalKey<Schema.String>
    }>
  ]
> = Schema.Union([
  Schema.Struct({ type: Schema.Literal("text") }),
  Schema.Struct({
    type: Schema.Literal("json"),
    schema: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
    objectName: Schema.optionalKey(Schema.String)
  })
])

/**
 * @since 0.1.0
 * @category models
 */
export type ResponseFormat = (typeof ResponseFormat)["Type"]

/**
 * The settings of a request. What is not given is left to the configuration of the model, and then to the provider.
 *
 * @since 0.1.0
 * @category models
 */
export interface Settings {
  /** How freely words are chosen: 0 for the likeliest ones. */
  readonly temperature?: number
  /** Only the likeliest words are chosen from, those that make up this share (0 to 1) of the probability. */
  readonly topP?: number
  /** How many tokens the response may have at most. */
  readonly maxTokens?: number
  /** Texts at which the response ends. They are not part of it. */
  readonly stop?: ReadonlyArray<string>
  /** The same number makes the same answer likelier. */
  readonly seed?: number
  /** Whether a response may call several tools. */
  readonly parallelToolCalls?: boolean
  readonly responseFormat?: ResponseFormat
}

/**
 * The same as the fields of a schema, for the parameters of an agent.
 *
 * @since 0.1.0
 * @category schemas
 */
export const fields: {
  readonly temperature: Schema.optionalKey<Schema.Finite>
  readonly topP: Schema.optionalKey<Schema.Finite>
  readonly maxTokens: Schema.optionalKey<Schema.Int>
  readonly stop: Schema.optionalKey<Schema.$Array<Schema.String>>
  readonly seed: Schema.optionalKey<Schema.Int>
  readonly parallelToolCalls: Schema.optionalKey<Schema.Boolean>
  readonly responseFormat: Schema.optionalKey<typeof ResponseFormat>
} = {
  temperature: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))),
  topP: Schema.optionalKey(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))),
  maxTokens: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0))),
  stop: Schema.optionalKey(Schema.Array(Schema.String)),
  seed: Schema.optionalKey(Schema.Int),
  parallelToolCalls: Schema.optionalKey(Schema.Boolean),
  responseFormat: Schema.optionalKey(ResponseFormat)
}

/**
 * The settings of the requests made within; none, unless they are set.
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentSettings: Context.Reference<Settings> = Context.Reference<Settings>(
  "miniagents/ModelSettings/CurrentSettings",
  { defaultValue: () => ({}) }
)

/**
 * Runs an effect whose requests have these settings, over those of the model's configuration: for models of `effect/ai`
 * that are asked without an agent. An agent on a model has them as its parameters.
 *
 * **Example**
 *
 * ```ts
 * import { LanguageModel } from "effect/ai"
 * import { ModelSettings } from "miniagents/llm"
 *
 * const sober = LanguageModel.generateText({ prompt: "Name a river" }).pipe(
 *   ModelSettings.withSettings({ temperature: 0, maxTokens: 50 })
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withSettings: {
  (settings: Settings): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, settings: Settings): Effect.Effect<A, E, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, settings: Settings): Effect.Effect<A, E, R> =>
  Effect.updateService(self, CurrentSettings, (current) => ({ ...current, ...settings }))
)

/**
 * The settings among the parameters of an agent.
 *
 * @since 0.1.0
 * @category getters
 */
export const pick = (parameters: object): Settings =>
  Object.fromEntries(Object.entries(parameters).filter(([name]) => Object.hasOwn(fields, name)))

/**
 * The error of a setting that a protocol has no place for.
 *
 * @since 0.1.0
 * @category errors
 */
export const refuse = (parameter: keyof Settings, protocol: string, advice: string): AiError.InvalidRequestError =>
  new AiError.InvalidRequestError({
    parameter,
    description: `\`${parameter}\` cannot be sent by the ${protocol} protocol: ${advice}`
  })
