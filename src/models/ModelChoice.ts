/**
 * Which model a program uses, by configuration alone: flags over the environment.
 *
 * | variable | meaning |
 * |---|---|
 * | `MINIAGENTS_PROVIDER` | a provider (`Name`), or `none` to use no model whatever else is set |
 * | `MINIAGENTS_MODEL` | the name of the model, or provider and name, as `gemini/gemini-3.5-flash` |
 * | `OPENAI_API_KEY`, `OPENAI_BASE_URL` | the key and the address of OpenAI, or of what is compatible with it |
 * | `ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL` | the key and the address of Anthropic |
 * | `GEMINI_API_KEY`, `MISTRAL_API_KEY`, `DEEPSEEK_API_KEY`, `OPENROUTER_API_KEY` | the keys of these |
 * | `AZURE_OPENAI_API_KEY`, `AZURE_OPENAI_ENDPOINT` | the key and the resource at Azure |
 * | `OLLAMA_HOST`, `OLLAMA_API_KEY` | the address of Ollama, where it is not on this machine |
 *
 * `OPENAI_BASE_URL` without a key reaches llama.cpp, vLLM and LM Studio.
 *
 * **Example** (A model if there is one)
 *
 * ```ts
 * import { ModelChoice } from "miniagents/models"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 * import * as LanguageModel from "effect/ai/LanguageModel"
 *
 * const program = Effect.gen(function* () {
 *   const choice = yield* ModelChoice.choose({ provider: undefined, model: undefined })
 *   if (Option.isNone(choice)) return "No model is configured"
 *   const haiku = yield* LanguageModel.generateText({ prompt: "A haiku about rivers" }).pipe(
 *     Effect.provide(ModelChoice.layer(choice.value))
 *   )
 *   return `${ModelChoice.describe(choice.value)} says: ${haiku.text}`
 * })
 * ```
 *
 * @since 0.1.0
 */
import type * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as AiModel from "effect/ai/Model"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { withoutSecrets } from "../internal/address.ts"
import { missing } from "../internal/optional.ts"
import type * as Connection from "../llm/provider/Connection.ts"
import * as Anthropic from "../anthropic/Anthropic.ts"
import * as OpenAi from "../openai/OpenAi.ts"
import * as Azure from "../providers/Azure.ts"
import * as DeepSeek from "../providers/DeepSeek.ts"
import * as Gemini from "../providers/Gemini.ts"
import * as Mistral from "../providers/Mistral.ts"
import * as Ollama from "../providers/Ollama.ts"
import * as OpenRouter from "../providers/OpenRouter.ts"

/**
 * The name of a provider of models.
 *
 * @since 0.1.0
 * @category models
 */
export type Name = "anthropic" | "azure" | "deepseek" | "gemini" | "mistral" | "ollama" | "openai" | "openrouter"

/**
 * Choices that go over the environment; a program takes these from its flags `--provider` and `--model`, and errors call them
 * so. What is empty or `undefined` is not said.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly provider?: string | undefined
  readonly model?: string | undefined
}

/**
 * A model and how to reach it. Without a `baseUrl` it is the provider's own.
 *
 * @since 0.1.0
 * @category models
 */
export interface Choice {
  readonly provider: Name
  readonly model: string
  readonly apiKey: Redacted.Redacted | undefined
  readonly baseUrl: string | undefined
}

/**
 * The configuration asks for a model that it does not suffice for; `message` is one sentence that says what to set.
 *
 * @since 0.1.0
 * @category errors
 */
export class ProviderError extends Schema.TaggedError<ProviderError>()("ProviderError", {
  reason: Schema.Literals([
    "unknown provider",
    "no provider",
    "no key",
    "no address",
    "no model",
    "not installed",
    "not readable"
  ]),
  message: Schema.String
}) {}

/**
 * The model that is configured; none, if no provider is said and there is neither a key nor an address.
 *
 * **Details**
 *
 * When no provider is said, it is the one that the model's name begins with (`gemini/…`), if that can be reached, or
 * else OpenRouter, whose names of models are such. Otherwise it is one with a key or an address: where several have one,
 * that of the models with such names (`claude…`, `gemini…`), or the first of `names`. When no model is said, the
 * provider's own address has a default one; a server at another address is asked which model it has, and if it has
 * several, they are named in the error.
 *
 * @since 0.1.0
 * @category constructors
 */
export const choose: (options?: Options) => Effect.Effect<Option.Option<Choice>, ProviderError> = Effect.fnUntraced(
  function* (options: Options = {}) {
    const said = yield* saidBy(options)
    if (said.provider === "none") return Option.none()
    const access = yield* Effect.all(Record.map(providers, (_, name) => accessTo(name)))
    const asked = { provider: said.provider ?? configured(access, said.model?.value), model: said.model?.value }
    const { model, provider: name } = said.provider === undefined ? prefixed(access, asked) : asked
    if (name === undefined) {
      return said.model === undefined ? Option.none() : yield* noProvider(said.model)
    }
    yield* reachable(name, access[name])
    const chosen = model ?? (yield* defaultModel(name, access[name]))
    return Option.some<Choice>({ provider: name, model: chosen, ...access[name] })
  }
)

/**
 * The providers, in the order in which they are taken where several are configured and nothing is said.
 *
 * @since 0.1.0
 * @category models
 */
export const names: ReadonlyArray<Name> = [
  "openai",
  "anthropic",
  "gemini",
  "mistral",
  "deepseek",
  "openrouter",
  "azure",
  "ollama"
]

/**
 * A choice in a few words, without the key: `openai gpt-5.2`, or `openai qwen3:8b at localhost:11434`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const describe = ({ baseUrl, model, provider }: Choice): string =>
  `${provider} ${model}${baseUrl === undefined ? "" : ` at ${hostOf(addressOf(provider, baseUrl))}`}`

/**
 * The chosen model. Its SDK is loaded when the layer is built; those of other providers need not be installed.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  choice: Choice
): Layer.Layer<LanguageModel.LanguageModel | AiModel.ModelName | AiModel.ProviderName, ProviderError> =>
  Layer.unwrap(Effect.as(installed(choice.provider), providers[choice.provider].layer(choice)))

/** How to reach a provider; empty if it is not configured. */
type Access = Pick<Choice, "apiKey" | "baseUrl">

interface Provider {
  readonly profile: Connection.Profile<never>
  readonly package: string
  readonly load: () => Promise<unknown>
  /** Without one, the server is asked which it has. */
  readonly defaultModel: string | undefined
  /** How the names of its models begin. */
  readonly models: RegExp | undefined
  readonly layer: (
    choice: Choice
  ) => Layer.Layer<LanguageModel.LanguageModel | AiModel.ModelName | AiModel.ProviderName>
  readonly list: (access: Access) => Effect.Effect<Listed, AiError.AiErrorReason>
}

/** What a server says it has, as far as it keeps to the protocol. */
interface Listed {
  readonly data?: ReadonlyArray<{ readonly id?: unknown }> | undefined
}

/** How long a server may take to say which models it has. */
const patience = "10 seconds"

/** One of those that speak OpenAI's protocol. */
const compatible = <Named extends string, Self>(
  provider: Pick<OpenAi.Compatible<Named, Self>, "layer" | "make" | "model"> & { readonly profile: OpenAi.Profile },
  defaultModel: string | undefined,
  models?: RegExp
): Provider => ({
  profile: provider.profile as unknown as Connection.Profile<never>, // no request is made with it here
  package: "openai",
  load: () => import("openai").catch(missing),
  defaultModel,
  models,
  layer: ({ apiKey, baseUrl, model }) => Layer.provide(provider.model(model), provider.layer({ apiKey, baseUrl })),
  list: (access) =>
    Effect.flatMap(provider.make({ ...access, firstToken: patience }), (connection) =>
      connection.use((sdk, signal) => sdk.models.list({ signal }))
    )
})

const providers: { readonly [name in Name]: Provider } = {
  openai: compatible(OpenAi, "gpt-5.2"),
  anthropic: {
    profile: Anthropic.profile as unknown as Connection.Profile<never>, // as above
    package: "@anthropic-ai/sdk",
    load: () => import("@anthropic-ai/sdk").catch(missing),
    defaultModel: "claude-sonnet-5-5",
    models: /^claude/i,
    layer: ({ apiKey, baseUrl, model }) => Layer.provide(Anthropic.model(model), Anthropic.layer({ apiKey, baseUrl })),
    list: (access) =>
      Effect.flatMap(Anthropic.make({ ...access, firstToken: patience }), (connection) =>
        connection.use((sdk, signal) => sdk.models.list({}, { signal }))
      )
  },
  gemini: compatible(Gemini, "gemini-3.5-flash", /^gemini/i),
  mistral: compatible(Mistral, "mistral-large-latest", /^(mistral|ministral|magistral|codestral|devstral)/i),
  deepseek: compatible(DeepSeek, "deepseek-chat", /^deepseek/i),
  openrouter: compatible(OpenRouter, "openrouter/auto"),
  azure: compatible(Azure, undefined),
  ollama: compatible(Ollama, undefined)
}

/** A value and the place it comes from, for errors. */
interface Said {
  readonly value: string
  readonly place: string
}

interface SaidBoth {
  readonly provider: Name | "none" | undefined
  readonly model: Said | undefined
}

const saidBy = (options: Options): Effect.Effect<SaidBoth, ProviderError> =>
  Effect.gen(function* () {
    const provider = yield* over("--provider", options.provider, "MINIAGENTS_PROVIDER")
    const model = yield* over("--model", options.model, "MINIAGENTS_MODEL")
    if (provider === undefined) return { provider, model }
    const name = provider.value.toLowerCase()
    if (name === "none" || isName(name)) return { provider: name, model }
    return yield* unknownProvider(provider)
  })

const isName = (name: string): name is Name => Object.hasOwn(providers, name)

const over = (
  flag: string,
  value: string | undefined,
  variable: string
): Effect.Effect<Said | undefined, ProviderError> => {
  const given = value?.trim() ?? ""
  return given === ""
    ? Effect.map(setting(variable), (value) => (value === "" ? undefined : { value, place: variable }))
    : Effect.succeed({ value: given, place: flag })
}

const setting = (variable: string): Effect.Effect<string, ProviderError> =>
  Config.String(variable).pipe(
    Config.withDefault(""),
    Effect.map((value) => value.trim()),
    Effect.mapError(({ message }) => fail("not readable", `${variable} cannot be read: ${message}`))
  )

const accessTo = Effect.fnUntraced(function* (name: Name) {
  const { baseUrlVariable, keyVariable } = providers[name].profile
  const key = yield* setting(keyVariable)
  const baseUrl = yield* setting(baseUrlVariable)
  const access: Access = {
    apiKey: key === "" ? undefined : Redacted.make(key, { label: keyVariable }),
    baseUrl: baseUrl === "" ? undefined : baseUrl
  }
  return access
})

const isAddress = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)

type Accesses = { readonly [name in Name]: Access }

const isConfigured = ({ apiKey, baseUrl }: Access): boolean => apiKey !== undefined || baseUrl !== undefined

const configured = (access: Accesses, model: string | undefined): Name | undefined => {
  const found = names.filter((name) => isConfigured(access[name]))
  return found.find((name) => model !== undefined && providers[name].models?.test(model) === true) ?? found[0]
}

interface AskedFor {
  readonly provider: Name | undefined
  readonly model: string | undefined
}

/** What a name that begins with that of a provider asks for. */
const prefixed = (access: Accesses, asked: AskedFor): AskedFor => {
  const [, prefix = "", model = ""] = /^([^/]+)\/(.+)$/.exec(asked.model ?? "") ?? []
  const name = prefix.toLowerCase()
  if (!isName(name)) return asked
  // a server of one's own may have models of such names
  if (name === "openai" && access.openai.baseUrl !== undefined && !isOwn(name, access.openai)) return asked
  if (isConfigured(access[name]) || providers[name].profile.isKeyOptional === true) return { provider: name, model }
  return isConfigured(access.openrouter) ? { provider: "openrouter", model: asked.model } : { provider: name, model }
}

/** Whether it is the provider's own address. */
const isOwn = (name: Name, { baseUrl }: Access): boolean =>
  baseUrl === undefined || hostOf(baseUrl) === hostOf(providers[name].profile.baseUrl)

const reachable = (name: Name, { apiKey, baseUrl }: Access): Effect.Effect<void, ProviderError> => {
  const { profile } = providers[name]
  const hasAddress = baseUrl !== undefined || profile.baseUrl !== ""
  if (apiKey === undefined && (baseUrl === undefined ? profile.isKeyOptional !== true : profile.baseUrl === "")) {
    return Effect.fail(noKey(name))
  }
  if (!hasAddress || (baseUrl !== undefined && !isAddress(addressOf(name, baseUrl)))) {
    return Effect.fail(noAddress(name, baseUrl ?? ""))
  }
  return Effect.void
}

/** The address, as the provider's own tools take it. */
const addressOf = (name: Name, baseUrl: string): string => {
  const { toBaseUrl } = providers[name].profile
  return toBaseUrl === undefined ? baseUrl : toBaseUrl(baseUrl)
}

const defaultModel = Effect.fnUntraced(function* (name: Name, access: Access) {
  const { defaultModel, list, profile } = providers[name]
  if (defaultModel !== undefined && isOwn(name, access)) return defaultModel
  yield* installed(name)
  const address = addressOf(name, access.baseUrl ?? profile.baseUrl)
  const listed = yield* Effect.mapError(list(access), (reason) => notListed(address, reason))
  const ids = (Array.isArray(listed.data) ? listed.data : []).flatMap(({ id }) => (typeof id === "string" ? [id] : []))
  return ids.length === 1 && ids[0] !== undefined ? ids[0] : yield* notOne(address, ids)
})

const installed = (name: Name): Effect.Effect<void, ProviderError> =>
  Effect.tryPromise({ try: providers[name].load, catch: () => notInstalled(name) })

/** The host alone: an address can hold a password or a token. */
const hostOf = (baseUrl: string): string => (URL.canParse(baseUrl) ? new URL(baseUrl).host : "an unknown address")

const fail = (reason: ProviderError["reason"], message: string) => new ProviderError({ reason, message })

const unknownProvider = ({ place, value }: Said) =>
  fail("unknown provider", `${place} is \`${value}\`, which is no provider: say ${known} or \`none\``)

const known = names.map((name) => `\`${name}\``).join(", ")

const noProvider = ({ place, value }: Said) =>
  fail(
    "no provider",
    `${place} is \`${value}\`, but no provider is configured: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or OPENAI_BASE_URL for a server of your own`
  )

const noKey = (name: Name) => {
  const { baseUrl, baseUrlVariable, keyVariable } = providers[name].profile
  const instead = baseUrl === "" ? `and ${baseUrlVariable}` : `or ${baseUrlVariable} for a server that takes none`
  return fail("no key", `The provider \`${name}\` needs a key: set ${keyVariable}, ${instead}`)
}

const noAddress = (name: Name, baseUrl: string) => {
  const variable = providers[name].profile.baseUrlVariable
  const shown = withoutSecrets(baseUrl)
  return fail("no address", `${variable} must be an address such as \`http://localhost:11434/v1\`, got \`${shown}\``)
}

const sayWhich = "say which to use with --model or MINIAGENTS_MODEL"

const notListed = (baseUrl: string, reason: AiError.AiErrorReason) =>
  reason._tag === "NetworkError"
    ? fail("no model", `The server at ${hostOf(baseUrl)} does not answer: is it running? (${reason.description ?? ""})`)
    : fail("no model", `The server at ${hostOf(baseUrl)} does not tell its models (${reason.message}): ${sayWhich}`)

const notOne = (baseUrl: string, ids: ReadonlyArray<string>) => {
  const shown = ids.slice(0, mostShown).map((id) => `\`${id}\``)
  const more = ids.length > mostShown ? `, and ${ids.length - mostShown} more` : ""
  return fail(
    "no model",
    ids.length === 0
      ? `The server at ${hostOf(baseUrl)} says it has no model: load one, or ${sayWhich}`
      : `The server at ${hostOf(baseUrl)} has several models: ${sayWhich} (${shown.join(", ")}${more})`
  )
}

const mostShown = 8

const notInstalled = (name: Name) =>
  fail(
    "not installed",
    `The provider \`${name}\` needs a package that could not be loaded: run \`npm install ${providers[name].package}\``
  )
