/**
 * OpenAI on its official SDK, and by the same protocol every server that is compatible with it: `OpenAi.layer` with a
 * `baseUrl` and no key reaches Ollama, llama.cpp, vLLM and LM Studio.
 *
 * The package `openai` is an optional peer dependency. It is loaded when a layer of this module is built, so this
 * module can be imported without it.
 *
 * **Example** (A model, and a local one)
 *
 * ```ts
 * import { OpenAi } from "miniagents/openai"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as LanguageModel from "effect/ai/LanguageModel"
 *
 * const haiku = LanguageModel.generateText({ prompt: "A haiku about rivers" })
 *
 * const cloud = haiku.pipe(
 *   Effect.provide(Layer.provide(OpenAi.model("gpt-5.2", { reasoning_effort: "low" }), OpenAi.layerConfig()))
 * )
 * const local = haiku.pipe(
 *   Effect.provide(Layer.provide(OpenAi.model("qwen3:8b"), OpenAi.layer({ baseUrl: "http://localhost:11434/v1" })))
 * )
 * ```
 *
 * **Example** (The Responses API)
 *
 * With `background: true` a response goes on where its connection was lost, and a durable run that was killed picks it up
 * instead of paying for it again. What the model has thought goes back to it
 * encrypted, and so do the searches that OpenAI runs.
 *
 * ```ts
 * import { OpenAi } from "miniagents/openai"
 *
 * const model = OpenAi.model("gpt-5.2", {
 *   api: "responses",
 *   background: true,
 *   reasoning: { effort: "high" },
 *   tools: [{ type: "web_search" }]
 * })
 * ```
 *
 * @since 0.1.0
 */
import * as AiError from "effect/ai/AiError"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as AiModel from "effect/ai/Model"
import * as Telemetry from "effect/ai/Telemetry"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { ClientOptions, OpenAI } from "openai"
import { missing } from "../internal/optional.ts"
import * as ChatCompletions from "./chatCompletions.ts"
import * as Connection from "../llm/provider/Connection.ts"
import * as Embeddings from "../llm/provider/embeddings.ts"
import type * as ModelParameters from "../llm/provider/modelParameters.ts"
import * as Part from "../llm/provider/wirePart.ts"
import * as Provider from "../llm/Provider.ts"
import * as Wire from "../llm/provider/Wire.ts"
import * as Responses from "./responses.ts"

/**
 * Every parameter of the Chat Completions API but those that come from the prompt.
 *
 * @since 0.1.0
 * @category models
 */
export type Config = ChatCompletions.Config

/**
 * Every parameter of the Responses API but those that come from the prompt, and that it is this API which is spoken.
 *
 * @since 0.1.0
 * @category models
 */
export type ResponsesConfig = Responses.Config & { readonly api: "responses" }

/**
 * Every parameter of the Embeddings API but the input, the format and the dimensions.
 *
 * @since 0.1.0
 * @category models
 */
export type EmbeddingConfig = Partial<Omit<OpenAI.EmbeddingCreateParams, "dimensions" | "encoding_format" | "input">>

/**
 * The parameters of `OpenAi.agent`, besides `system`; `config` has the others of the API.
 *
 * @since 0.1.0
 * @category models
 */
export type Parameters = ModelParameters.Parameters<Omit<Config, "model">>

/**
 * Where the client connects to and how long it waits; `sdk` has whatever else the SDK's client takes, but no other ways
 * to say who one is, and where.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Connection.Options {
  readonly sdk?: Connection.SdkOptions<Omit<ClientOptions, Settled>> | undefined
}

type Settled = "credential" | "dataResidency" | "provider" | "workloadIdentity" | "x509Transport"

/**
 * A provider that speaks this protocol: its name, its address, and how its requests differ.
 *
 * @since 0.1.0
 * @category models
 */
export type Profile = Connection.Profile<ChatCompletions.Params>

/**
 * A client for such a provider.
 *
 * @since 0.1.0
 * @category models
 */
export type Connected = Connection.Connection<OpenAI, ChatCompletions.Params>

/**
 * The client of OpenAI's API, as a service.
 *
 * @since 0.1.0
 * @category services
 */
export class Client extends Context.Service<Client, Connected>()("miniagents/OpenAi") {}

/**
 * The profile of OpenAI's own API.
 *
 * @since 0.1.0
 * @category constructors
 */
export const profile: Profile & { readonly name: "openai" } = {
  name: "openai",
  baseUrl: "https://api.openai.com/v1",
  keyVariable: "OPENAI_API_KEY",
  baseUrlVariable: "OPENAI_BASE_URL"
}

/**
 * How OpenAI is spoken to, and by the same protocol every server that is compatible with it: what `Provider.define`
 * makes their modules of. It speaks Chat Completions, as all of them do, unless a configuration says
 * `api: "responses"`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const protocol: Provider.Protocol<OpenAI, ChatCompletions.Params, Config, Options, Config | ResponsesConfig> = {
  connect: (options, profile) => make(options, profile),
  languageModel: (connection, name, config = {}, current) =>
    config.api === "responses"
      ? responsesModel(connection, name, config, current)
      : Wire.languageModel({
          connection,
          codec: ChatCompletions.codec,
          config: Effect.map(current, (current) => ({ model: name, ...config, ...current })),
          open: (sdk, params, signal) => sdk.chat.completions.create(params, { signal }).asResponse()
        })
}

/**
 * A provider whose servers speak this protocol.
 *
 * @since 0.1.0
 * @category models
 */
export type Compatible<Name extends string, Self = Provider.Client<Name>> = Provider.Provider<
  Name,
  Self,
  OpenAI,
  ChatCompletions.Params,
  Config,
  Options,
  Config | ResponsesConfig
>

/**
 * Makes a client. Dies if the package `openai` is not installed. With a profile of its own it is the client of another
 * provider.
 *
 * @see {@link Provider.define} for all that the module of another provider has
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}, provider: Profile = profile): Effect.Effect<Connected> =>
  Connection.make({
    profile: provider,
    options,
    headers: options.sdk?.defaultHeaders,
    package: "openai",
    load: () => import("openai").catch(missing),
    client: ({ OpenAI }, settings) =>
      new OpenAI({
        // Named, so that the SDK does not look for them in the environment.
        adminAPIKey: null,
        organization: null,
        project: null,
        ...options.sdk,
        ...settings,
        fetchOptions: { ...Connection.fetchOptions, ...options.sdk?.fetchOptions }
      })
  })

type OpenAi = Compatible<"openai", Client>

const provider: OpenAi = Provider.define({ title: "OpenAI", profile, protocol, client: Client })

/**
 * Settings that go over the configuration of a model for the requests made within; see `OpenAi.withConfig`.
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentConfig: OpenAi["CurrentConfig"] = provider.CurrentConfig

/**
 * Makes a LanguageModel over a client. It speaks Chat Completions, as every compatible server does, unless the
 * configuration says `api: "responses"`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const languageModel: OpenAi["languageModel"] = provider.languageModel

/**
 * A language model of OpenAI's, or of the server that the client connects to, as an `effect/ai` Model.
 *
 * @since 0.1.0
 * @category constructors
 */
export const model: OpenAi["model"] = provider.model

/**
 * The fields of `Parameters`, for an agent of one's own; see `OpenAi.fromParameters`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const parameters: OpenAi["parameters"] = provider.parameters

/**
 * The model that an agent's parameters ask for, to be given to `LlmAgent.makeWith`.
 *
 * **Example** (An agent with tools whose callers choose the model)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Tool, Toolkit } from "effect/ai"
 * import { LlmAgent, ModelLayer } from "miniagents/llm"
 * import { OpenAi } from "miniagents/openai"
 *
 * const assistant = LlmAgent.makeWith("Assistant", {
 *   parameters: OpenAi.parameters,
 *   model: (parameters) => ModelLayer.retry()(OpenAi.fromParameters(parameters)),
 *   toolkit: Toolkit.make(Tool.make("GetTime", { success: Schema.String }))
 * })
 * const program = assistant.trigger("What time is it?", { model: "gpt-4o-mini" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromParameters: OpenAi["fromParameters"] = provider.fromParameters

/**
 * An agent that speaks with a model of OpenAI's, or of the server that the client connects to. The model and all that
 * the API takes are parameters: given by a fork, or with each trigger.
 *
 * **Details**
 *
 * It is an `LlmAgent` without tools: the messages are sent with their roles, and it replies with an `Assistant` (and a
 * `Reasoning` before it, from a model that shows it). It is named as it appears in a console, and so in the Python
 * original. A call without a model dies with `Agent.InvalidParameters`, before any request.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MiniAgents } from "miniagents"
 * import { OpenAi } from "miniagents/openai"
 *
 * const mini = OpenAi.agent.fork({ name: "Mini", parameters: { model: "gpt-4o-mini" } })
 *
 * const program = Effect.gen(function*() {
 *   const replies = yield* mini.trigger("Hello, how are you?", {
 *     system: "You are a helpful assistant.",
 *     maxTokens: 50,
 *     temperature: 0.7,
 *     topP: 0.9,
 *     config: { reasoning_effort: "low" }
 *   })
 *   return yield* replies.text
 * }).pipe(Effect.provide([MiniAgents.layer(), OpenAi.layerConfig()]))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const agent: OpenAi["agent"] = provider.agent

/**
 * A model for embeddings, as an `effect/ai` Model. It also provides the number of dimensions it is asked for.
 *
 * @since 0.1.0
 * @category constructors
 */
export const embeddingModel = (
  name: string,
  options: { readonly dimensions: number; readonly config?: EmbeddingConfig }
): AiModel.Model<"openai", EmbeddingModel.EmbeddingModel | EmbeddingModel.Dimensions, Client> =>
  AiModel.make(
    "openai",
    name,
    Layer.merge(
      layerEmbeddingModel(name, { ...options.config, dimensions: options.dimensions }),
      Layer.succeed(EmbeddingModel.Dimensions, options.dimensions)
    )
  )

/**
 * Runs an effect whose requests have these parameters over those of the model; `model` is one of them.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withConfig: OpenAi["withConfig"] = provider.withConfig

/**
 * The client, from options. No environment variable is read for a key or an address.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: OpenAi["layer"] = provider.layer

/**
 * The client, with the key from `OPENAI_API_KEY` and the address from `OPENAI_BASE_URL`. The key may be missing when
 * there is an address.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: OpenAi["layerConfig"] = provider.layerConfig

/**
 * The LanguageModel service as a Layer, with its name and its provider's, which logs and recordings show.
 *
 * @see {@link model} for the same as an `effect/ai` Model
 * @since 0.1.0
 * @category layers
 */
export const layerLanguageModel: OpenAi["layerLanguageModel"] = provider.layerLanguageModel

/**
 * The `EmbeddingModel` service, without the model's name and provider.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerEmbeddingModel = (
  name: string,
  config?: EmbeddingConfig & { readonly dimensions?: number }
): Layer.Layer<EmbeddingModel.EmbeddingModel, never, Client> =>
  Layer.effect(
    EmbeddingModel.EmbeddingModel,
    Effect.flatMap(Client, (connection) =>
      Embeddings.make(({ inputs }) => embed(connection, { model: name, ...config, input: [...inputs] }))
    )
  )

const responsesModel = (
  { profile: { adapt: _, ...profile }, ...connection }: Connected,
  name: string,
  { api: _api, ...config }: ResponsesConfig,
  current: Effect.Effect<Config>
): Effect.Effect<LanguageModel.LanguageModel> =>
  Wire.languageModel({
    // How a profile changes requests of the other API is not for these.
    connection: { ...connection, profile },
    codec: Responses.codec,
    // whoever sets parameters within knows which API is spoken
    config: Effect.map(current, (current) => ({ model: name, ...config, ...(current as object) })),
    open: (sdk, params, signal) => sdk.responses.create(params, { signal }).asResponse(),
    resume: (sdk, { after, id }, signal) =>
      sdk.responses
        .retrieve(id, { stream: true, ...(after !== undefined && { starting_after: after }) }, { signal })
        .asResponse()
  })

const embed = (
  connection: Connected,
  params: OpenAI.EmbeddingCreateParams
): Effect.Effect<EmbeddingModel.ProviderResponse, AiError.AiError> =>
  Effect.gen(function* () {
    const span = yield* Effect.option(Effect.currentSpan)
    const provider = { name: connection.profile.name }
    const request = { model: params.model }
    const annotate = (more: Telemetry.GenAITelemetryAttributeOptions) =>
      Option.map(span, (span) => Telemetry.addGenAIAnnotations(span, more))
    annotate({ provider, operation: { name: "embeddings" }, request })
    const response = yield* connection.use((sdk, signal) => sdk.embeddings.create(params, { signal }))
    const embeddings = yield* decodeEmbeddings(response)
    annotate({ response: { model: response.model }, usage: { inputTokens: embeddings.usage.inputTokens } })
    return embeddings
  }).pipe(Effect.mapError((reason) => AiError.make({ module: connection.profile.name, method: "embedMany", reason })))

/** The embeddings in the order of the inputs, in which they need not come. */
const decodeEmbeddings = (
  response: Partial<OpenAI.CreateEmbeddingResponse>
): Effect.Effect<EmbeddingModel.ProviderResponse, AiError.AiErrorReason> => {
  const data = Array.isArray(response.data) ? [...response.data].sort((a, b) => a.index - b.index) : undefined
  if (data === undefined || !data.every((item) => Array.isArray(item?.embedding))) {
    return Effect.fail(new AiError.InvalidResponseError({ description: "the response has no embeddings" }))
  }
  const inputTokens = Part.count(response.usage?.prompt_tokens)
  return Effect.succeed({ results: data.map(({ embedding }) => embedding), usage: { inputTokens } })
}
