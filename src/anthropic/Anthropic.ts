/**
 * Anthropic on its official SDK.
 *
 * The package `@anthropic-ai/sdk` is an optional peer dependency. It is loaded when a layer of this module is built,
 * so this module can be imported without it.
 *
 * **Example** (A model that thinks first)
 *
 * ```ts
 * import { Anthropic } from "miniagents/anthropic"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as LanguageModel from "effect/ai/LanguageModel"
 *
 * const model = Anthropic.model("claude-sonnet-5-5", { max_tokens: 8192, thinking: { type: "adaptive" } })
 *
 * const program = LanguageModel.generateText({ prompt: "A haiku about rivers" }).pipe(
 *   Effect.provide(Layer.provide(model, Anthropic.layerConfig({ firstToken: "1 minute" })))
 * )
 * ```
 *
 * @since 0.1.0
 */
import type { Anthropic as Sdk, ClientOptions } from "@anthropic-ai/sdk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { missing } from "../internal/optional.ts"
import * as AnthropicMessages from "./anthropicMessages.ts"
import * as Connection from "../llm/provider/Connection.ts"
import * as LlmPrompt from "../llm/agents/LlmPrompt.ts"
import type * as ModelParameters from "../llm/provider/modelParameters.ts"
import * as Provider from "../llm/Provider.ts"
import * as Wire from "../llm/provider/Wire.ts"

/**
 * Every parameter of the Messages API but those that come from the prompt. `max_tokens` is 4096 by default.
 *
 * @since 0.1.0
 * @category models
 */
export type Config = AnthropicMessages.Config

/**
 * The parameters of `Anthropic.agent`, besides `system`; `config` has the others of the API.
 *
 * @since 0.1.0
 * @category models
 */
export type Parameters = ModelParameters.Parameters<Omit<Config, "model">>

/**
 * Where the client connects to and how long it waits; `sdk` has whatever else the SDK's client takes, headers for
 * betas for one, but no other ways to say who one is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Connection.Options {
  readonly sdk?: Connection.SdkOptions<Omit<ClientOptions, Settled>> | undefined
}

type Settled = "authToken" | "config" | "credentials" | "profile"

/**
 * A provider that speaks this protocol: its name, its address, and how its requests differ.
 *
 * @since 0.1.0
 * @category models
 */
export type Profile = Connection.Profile<AnthropicMessages.Params>

/**
 * A client for such a provider.
 *
 * @since 0.1.0
 * @category models
 */
export type Connected = Connection.Connection<Sdk, AnthropicMessages.Params>

/**
 * The client of Anthropic's API, as a service.
 *
 * @since 0.1.0
 * @category services
 */
export class Client extends Context.Service<Client, Connected>()("miniagents/Anthropic") {}

/**
 * The profile of Anthropic's own API.
 *
 * @since 0.1.0
 * @category constructors
 */
export const profile: Profile & { readonly name: "anthropic" } = {
  name: "anthropic",
  baseUrl: "https://api.anthropic.com",
  keyVariable: "ANTHROPIC_API_KEY",
  baseUrlVariable: "ANTHROPIC_BASE_URL"
}

/**
 * How Anthropic is spoken to, and whatever else speaks its protocol, for `Provider.define`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const protocol: Provider.Protocol<Sdk, AnthropicMessages.Params, Config, Options> = {
  connect: (options, profile) => make(options, profile),
  languageModel: (connection, name, config, current) =>
    Wire.languageModel({
      connection,
      codec: AnthropicMessages.codec,
      config: Effect.map(current, (current) => ({ model: name, ...config, ...current })),
      open: (sdk, params, signal) => sdk.messages.create(params, { signal }).asResponse()
    }),
  rule: LlmPrompt.inOrderWith
}

/**
 * Makes a client. Dies if the package `@anthropic-ai/sdk` is not installed. With a profile of its own it is the client
 * of another provider of this protocol.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}, provider: Profile = profile): Effect.Effect<Connected> =>
  Connection.make({
    profile: provider,
    options,
    headers: options.sdk?.defaultHeaders,
    package: "@anthropic-ai/sdk",
    load: () => import("@anthropic-ai/sdk").catch(missing),
    // The spans are Effect's.
    client: ({ Anthropic }, settings) =>
      new Anthropic({
        openTelemetry: false,
        ...options.sdk,
        ...settings,
        fetchOptions: { ...Connection.fetchOptions, ...options.sdk?.fetchOptions }
      })
  })

/**
 * A provider whose servers speak this protocol.
 *
 * @since 0.1.0
 * @category models
 */
export type Compatible<Name extends string, Self = Provider.Client<Name>> = Provider.Provider<
  Name,
  Self,
  Sdk,
  AnthropicMessages.Params,
  Config,
  Options,
  Config
>

type Anthropic = Compatible<"anthropic", Client>

const provider: Anthropic = Provider.define({ title: "Anthropic", profile, protocol, client: Client })

/**
 * Settings that go over the configuration of a model for the requests made within; see `Anthropic.withConfig`.
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentConfig: Anthropic["CurrentConfig"] = provider.CurrentConfig

/**
 * Makes a LanguageModel over a client.
 *
 * @since 0.1.0
 * @category constructors
 */
export const languageModel: Anthropic["languageModel"] = provider.languageModel

/**
 * A language model of Anthropic's as an `effect/ai` Model.
 *
 * @since 0.1.0
 * @category constructors
 */
export const model: Anthropic["model"] = provider.model

/**
 * The fields of `Parameters`, for an agent of one's own; see `Anthropic.fromParameters`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const parameters: Anthropic["parameters"] = provider.parameters

/**
 * The model that an agent's parameters ask for, to be given to `LlmAgent.makeWith`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromParameters: Anthropic["fromParameters"] = provider.fromParameters

/**
 * An agent that speaks with a model of Anthropic's. The model and all that the API takes are parameters: given by a
 * fork, or with each trigger.
 *
 * **Details**
 *
 * It is an `LlmAgent` without tools, and its prompts follow `LlmPrompt.inOrderWith`: what is for the system comes first,
 * as one text, up to the first answer; neighbours of the same role are one message, joined by a blank line; and where the first one is not from
 * the user, `/start` goes before it. It is named as it appears in a console, and so in the Python original. A call
 * without a model dies with `Agent.InvalidParameters`, before any request.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MiniAgents } from "miniagents"
 * import { Anthropic } from "miniagents/anthropic"
 *
 * const sonnet = Anthropic.agent.fork({ name: "Sonnet", parameters: { model: "claude-sonnet-5-5" } })
 *
 * const program = Effect.gen(function*() {
 *   const replies = yield* sonnet.trigger("Hello, how are you?", {
 *     system: "You are a helpful assistant.",
 *     maxTokens: 8192,
 *     config: { thinking: { type: "adaptive" } }
 *   })
 *   return yield* replies.text
 * }).pipe(Effect.provide([MiniAgents.layer(), Anthropic.layerConfig()]))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const agent: Anthropic["agent"] = provider.agent

/**
 * Runs an effect whose requests have these parameters over those of the model; `model` is one of them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withConfig: Anthropic["withConfig"] = provider.withConfig

/**
 * The client, from options. No environment variable is read for a key or an address.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Anthropic["layer"] = provider.layer

/**
 * The client, with the key from `ANTHROPIC_API_KEY` and the address from `ANTHROPIC_BASE_URL`. The key may be missing
 * when there is an address.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Anthropic["layerConfig"] = provider.layerConfig

/**
 * The LanguageModel service as a Layer, with its name and its provider's, which logs and recordings show.
 *
 * @see {@link model} for the same as an `effect/ai` Model
 * @since 0.1.0
 * @category layers
 */
export const layerLanguageModel: Anthropic["layerLanguageModel"] = provider.layerLanguageModel
