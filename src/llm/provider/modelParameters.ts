/**
 * The parameters that the agents of all providers have, each for one call.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Which model answers; `config` has whatever the provider's API takes, in the type of its SDK. What an agent is given
 * beside it (`ModelSettings`) goes over what is in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Parameters<Config> {
  readonly model: string
  /** The other parameters of the API. Given with a trigger it stands in the place of the one that a fork was given. */
  readonly config?: Config
}

/**
 * The same as the fields of a schema.
 *
 * @since 0.1.0
 * @category models
 */
export type Fields<Config> = {
  readonly model: Schema.String
  readonly config: Schema.optionalKey<Schema.Codec<Config>>
}

/**
 * Makes the fields. That `config` is JSON is checked here, and what is in it by the provider.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fields = <Config>(): Fields<Config> => ({
  model: Schema.String.check(Schema.isNonEmpty({ message: nameOne })).annotateKey({ messageMissingKey: nameOne }),
  // its type is the SDK's, and the API checks it
  config: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json) as unknown as Schema.Codec<Config>)
})

const nameOne = 'name the model, as in `fork({ parameters: { model: "..." } })`'
