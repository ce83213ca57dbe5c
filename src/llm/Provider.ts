/**
 * Everything a module for a provider of models has, out of what is special about the provider: its profile, and the
 * protocol that its servers speak.
 *
 * **Example** (A server that speaks OpenAI's protocol)
 *
 * ```ts
 * import { Provider } from "miniagents/llm"
 * import { OpenAi } from "miniagents/openai"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as LanguageModel from "effect/ai/LanguageModel"
 *
 * const Groq = Provider.define({
 *   title: "Groq",
 *   profile: {
 *     name: "groq",
 *     baseUrl: "https://api.groq.com/openai/v1",
 *     keyVariable: "GROQ_API_KEY",
 *     baseUrlVariable: "GROQ_BASE_URL"
 *   },
 *   protocol: OpenAi.protocol
 * })
 *
 * const program = LanguageModel.generateText({ prompt: "A haiku about rivers" }).pipe(
 *   Effect.provide(Layer.provide(Groq.model("openai/gpt-oss-120b"), Groq.layerConfig()))
 * )
 * ```
 *
 * @since 0.1.0
 */
import type { ConfigError } from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as AiModel from "effect/ai/Model"
import type * as Agent from "../Agent.ts"
import * as LlmAgent from "./agents/LlmAgent.ts"
import * as LlmPrompt from "./agents/LlmPrompt.ts"
import * as Connection from "./provider/Connection.ts"
import * as ModelParameters from "./provider/modelParameters.ts"

/**
 * How the servers of a provider are spoken to: with which SDK, and over which wire. `Config` is what can be set for the
 * requests of a model, and `Given` what a model is made with, which may say more.
 *
 * @since 0.1.0
 * @category models
 */
export interface Protocol<Sdk, Params, Config, Options extends Connection.Options, Given = Config> {
  /** Makes the client. */
  readonly connect: (
    options: Options,
    profile: Connection.Profile<Params>
  ) => Effect.Effect<Connection.Connection<Sdk, Params>>
  /** Makes a model. `current` is asked before every request, for what goes over the configuration. */
  readonly languageModel: (
    connection: Connection.Connection<Sdk, Params>,
    name: string,
    config: Given | undefined,
    current: Effect.Effect<Config>
  ) => Effect.Effect<LanguageModel.LanguageModel>
  /** The rule for the prompts of the provider's agent. */
  readonly rule?: (turns: LlmPrompt.TurnOptions) => LlmPrompt.Rule
}

/**
 * The parts of a provider: how people call it, its profile, and its protocol.
 *
 * @since 0.1.0
 * @category models
 */
export interface Definition<Name extends string, Self, Sdk, Params, Config, Options extends Connection.Options, Given> {
  /** The name as people write it: the provider's agent is called `${title}_Agent`. */
  readonly title: string
  readonly profile: Connection.Profile<Params> & { readonly name: Name }
  readonly protocol: Protocol<Sdk, Params, Config, Options, Given>
  /** The service that is the client, where it is to be a class of one's own. */
  readonly client?: Context.Service<Self, Connection.Connection<Sdk, Params>>
}

/**
 * The client of a provider as a requirement, by the provider's name.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client<Name extends string> {
  readonly "~miniagents/llm/Provider/Client": Name
}

/**
 * A provider: its client, and the models, agents and Layers that are made with it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Provider<Name extends string, Self, Sdk, Params, Config, Options extends Connection.Options, Given> {
  readonly profile: Connection.Profile<Params> & { readonly name: Name }
  /** The client as a service. */
  readonly Client: Context.Service<Self, Connection.Connection<Sdk, Params>>
  /** Settings that go over the configuration of a model for the requests made within; see `withConfig`. */
  readonly CurrentConfig: Context.Reference<Config>
  /** Makes a client. Dies if the SDK is not installed. */
  readonly make: (options?: Options) => Effect.Effect<Connection.Connection<Sdk, Params>>
  /** Makes a LanguageModel over a client. */
  readonly languageModel: (
    connection: Connection.Connection<Sdk, Params>,
    name: string,
    config?: Given
  ) => Effect.Effect<LanguageModel.LanguageModel>
  /** A language model as an `effect/ai` Model. */
  readonly model: (name: string, config?: Given) => AiModel.Model<Name, LanguageModel.LanguageModel, Self>
  /** The fields of the parameters of `agent`, for an agent of one's own; see `fromParameters`. */
  readonly parameters: ModelParameters.Fields<Omit<Config, "model">>
  /** The model that an agent's parameters ask for, to be given to `LlmAgent.makeWith`. */
  readonly fromParameters: (
    parameters: ModelParameters.Parameters<Omit<Config, "model">>
  ) => AiModel.Model<Name, LanguageModel.LanguageModel, Self>
  /** An agent whose parameters name the model, and set what its API takes. */
  readonly agent: Agent.Agent<
    ModelParameters.Parameters<Omit<Config, "model">> & LlmAgent.Parameters,
    LlmAgent.Errors<{}>,
    Self
  >
  /** Runs an effect whose requests have these parameters over those of the model; `model` is one of them. */
  readonly withConfig: {
    (config: Config): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    <A, E, R>(self: Effect.Effect<A, E, R>, config: Config): Effect.Effect<A, E, R>
  }
  /** The client, from options. No environment variable is read for a key or an address. */
  readonly layer: (options?: Options) => Layer.Layer<Self>
  /** The client, with its key and its address from the environment variables that the profile names. */
  readonly layerConfig: (options?: Omit<Options, "apiKey" | "baseUrl">) => Layer.Layer<Self, ConfigError>
  /** The LanguageModel service as a Layer, with its name and its provider's, which logs and recordings show. */
  readonly layerLanguageModel: (
    name: string,
    config?: Given
  ) => Layer.Layer<LanguageModel.LanguageModel | AiModel.ModelName | AiModel.ProviderName, never, Self>
}

/**
 * Makes a provider of its profile and its protocol.
 *
 * @since 0.1.0
 * @category constructors
 */
export const define = <
  const Name extends string,
  Sdk,
  Params,
  Config extends object,
  Options extends Connection.Options,
  Given extends object = Config,
  Self = Client<Name>
>(
  definition: Definition<Name, Self, Sdk, Params, Config, Options, Given>
): Provider<Name, Self, Sdk, Params, Config, Options, Given> => {
  type Parameters = ModelParameters.Parameters<Omit<Config, "model">>
  const { profile, protocol, title } = definition
  const key = `miniagents/llm/Provider/${profile.name}`
  const Client = definition.client ?? Context.Service<Self, Connection.Connection<Sdk, Params>>(key)
  const CurrentConfig = Context.Reference<Config>(`${key}/CurrentConfig`, { defaultValue: () => ({}) as Config }) // its fields are optional
  const model = (name: string, config?: Given) =>
    AiModel.make(
      profile.name,
      name,
      Layer.effect(
        LanguageModel.LanguageModel,
        Effect.flatMap(Client, (connection) => protocol.languageModel(connection, name, config, CurrentConfig))
      ) as Layer.Layer<LanguageModel.LanguageModel, never, Self> // a client is no scope
    )
  const fromParameters = ({ config, model: name }: Parameters) => model(name, config as Given | undefined) // without the model's name, which is not in it
  const parameters = ModelParameters.fields<Omit<Config, "model">>()
  return {
    ...clientOf(definition, Client),
    CurrentConfig,
    languageModel: (connection, name, config) => protocol.languageModel(connection, name, config, CurrentConfig),
    model,
    parameters,
    fromParameters,
    agent: LlmAgent.makeWith(`${title}_Agent`, {
      description: `Answers with a model of ${title}'s`,
      parameters,
      model: (parameters) => Layer.merge(fromParameters(parameters), ruleOf(protocol.rule))
    }),
    withConfig: dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, config: Config) =>
      Effect.updateService(self, CurrentConfig, (current) => ({ ...current, ...config }))
    ),
    layerLanguageModel: model
  }
}

/** The part of a provider that makes clients. */
const clientOf = <Name extends string, Self, Sdk, Params, Config, Options extends Connection.Options, Given>(
  { profile, protocol }: Definition<Name, Self, Sdk, Params, Config, Options, Given>,
  Client: Context.Service<Self, Connection.Connection<Sdk, Params>>
): Pick<
  Provider<Name, Self, Sdk, Params, Config, Options, Given>,
  "Client" | "layer" | "layerConfig" | "make" | "profile"
> => {
  const make = (options: Options = {} as Options) => protocol.connect(options, profile) // its fields are optional
  return {
    profile,
    Client,
    make,
    layer: (options) => Layer.effect(Client, make(options)),
    layerConfig: (options) =>
      Layer.effect(
        Client,
        Effect.flatMap(
          Connection.environment(profile),
          (environment) => make({ ...options, ...environment } as Options) // all but these two, and these two
        )
      )
  }
}

/** What the caller has set has the last word. */
const ruleOf = (own: ((turns: LlmPrompt.TurnOptions) => LlmPrompt.Rule) | undefined): Layer.Layer<never> =>
  own === undefined
    ? Layer.empty
    : Layer.effect(
        LlmPrompt.CurrentRule,
        Effect.gen(function* () {
          const rule = yield* LlmPrompt.CurrentRule
          const first = own(yield* LlmPrompt.CurrentTurns)
          return (prompt) => rule(first(prompt))
        })
      )
