/**
 * The part that all providers share: one way from a request to a stream of response parts. A provider is a `Codec` (its
 * protocol), a `Connection.Profile` (its name, its address, its habits) and a layer of its own around a
 * `Connection`, which holds the SDK's client.
 *
 * Streaming is the one code path: `generateText` is a fold of `streamText`.
 *
 * @since 0.1.0
 */
import * as AiError from "effect/ai/AiError"
import type { IdGenerator } from "effect/ai/IdGenerator"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Telemetry from "effect/ai/Telemetry"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Connection from "./Connection.ts"
import { CurrentConversation } from "./conversation.ts"
import * as DirectModel from "./directModel.ts"
import * as Growth from "./growth.ts"
import type { Origin } from "./metadata.ts"
import * as ModelSettings from "./ModelSettings.ts"
import { type Block, OpenBlocks } from "./openBlocks.ts"
import * as PickUp from "./pickUp.ts"
import { ResponseBuilder } from "./responseBuilder.ts"
import { ResponseParts } from "./responseParts.ts"
import { type Decode, ResponseReader } from "./responseReader.ts"
import * as Part from "./wirePart.ts"

/**
 * A protocol: how a request is written, and what an event of the response adds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Codec<Config, Params> {
  /** Fits schemas of tools and of structured output to what the provider takes. */
  readonly transformer: LanguageModel.CodecTransformer
  /**
   * The configuration of a request with what was asked of this request alone, under the names that the server at an
   * address knows.
   */
  readonly settle: (
    config: Config,
    settings: ModelSettings.Settings,
    url: string
  ) => Effect.Effect<Config, AiError.AiErrorReason>
  /** Writes the body of a request. What came from the origin goes back to it, and to no other. */
  readonly encode: (
    options: LanguageModel.ProviderOptions,
    config: Config & { readonly model: string },
    origin: Origin
  ) => Effect.Effect<Params, AiError.AiErrorReason>
  /** The parameters of a request that belong into its span. */
  readonly describe: (params: Params) => Telemetry.RequestAttributes
  /** Adds what an event brings. */
  readonly decode: Decode
}

/** The parts of a model. */
interface ModelOptions<Sdk, Config, Params> {
  readonly connection: Connection.Connection<Sdk, Params>
  readonly codec: Codec<Config, Params>
  /** Asked before every request. */
  readonly config: Effect.Effect<Config & { readonly model: string }>
  /** Makes a request, and gives the response whose body nobody has read. */
  readonly open: (sdk: Sdk, params: Params, signal: AbortSignal) => PromiseLike<Connection.Opened>
  /** Takes up a response that goes on without a connection, behind an event, or from its first one. */
  readonly resume?: (
    sdk: Sdk,
    cursor: { readonly id: string; readonly after?: number },
    signal: AbortSignal
  ) => PromiseLike<Connection.Opened>
}

/**
 * A LanguageModel over a connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const languageModel = <Sdk, Config, Params>(
  options: ModelOptions<Sdk, Config, Params>
): Effect.Effect<LanguageModel.LanguageModel> => {
  const { codec, connection, open, resume } = options
  const { failureOf, profile, redact, server } = connection
  const pull = Effect.fnUntraced(function* (request: LanguageModel.ProviderOptions) {
    const origin = { provider: profile.name, server }
    const { model, ...config } = yield* options.config
    const settled = yield* codec.settle(config as Config, yield* ModelSettings.CurrentSettings, connection.url)
    const encoded = yield* codec.encode(request, { ...settled, model }, origin)
    const params = profile.adapt === undefined ? encoded : profile.adapt(encoded)
    yield* describe(request, connection, codec.describe(params))
    const response = yield* builderOf(request, origin, codec.transformer)
    const reader = new ResponseReader({ response, decode: codec.decode, failureOf, redact })
    const incoming = yield* PickUp.orElse(
      resume && ((id) => connection.open((sdk, signal) => resume(sdk, { id }, signal))),
      connection.open((sdk, signal) => open(sdk, params, signal))
    )
    const scope = yield* Effect.scope
    const again = () => {
      const { cursor } = response
      if (resume === undefined || cursor === undefined) return undefined
      return Scope.provide(
        connection.open((sdk, signal) => resume(sdk, cursor, signal)),
        scope
      )
    }
    const onPart = (part: Response.StreamPartEncoded) => annotate(request, part)
    return new ResponseParts({ incoming, reader, response, again, onPart }).next
  })
  const parts = (method: string) => {
    return (request: LanguageModel.ProviderOptions) => {
      if (method === "streamText") request.span.attribute("gen_ai.request.stream", true)
      const failed = (given: AiError.AiErrorReason) => {
        const reason = Part.refusalOf(given, request.prompt)
        request.span.attribute("error.type", reason._tag)
        return AiError.make({ module: profile.name, method, reason })
      }
      return Effect.mapBoth(pull(request), {
        onFailure: failed,
        onSuccess: Effect.mapError((error) => (Cause.isDone(error) ? error : failed(error)))
      })
    }
  }
  return DirectModel.make({
    codecTransformer: codec.transformer,
    streamText: parts("streamText"),
    generateText: (request) => fold(Growth.shown(Stream.scoped(Stream.fromPull(parts("generateText")(request)))))
  })
}

/**
 * The whole response: blocks of text and reasoning in one piece each, in the order in which they began.
 *
 * @since 0.1.0
 * @category destructors
 */
export const fold = <E>(
  parts: Stream.Stream<Response.StreamPartEncoded, E, IdGenerator>
): Effect.Effect<Array<Response.PartEncoded>, E, IdGenerator> =>
  Effect.map(Stream.runCollect(parts), (parts) => {
    const content: Array<Response.PartEncoded> = []
    const open = new OpenBlocks<Whole>()
    for (const part of parts) {
      switch (part.type) {
        case "text-start":
        case "reasoning-start": {
          const kind = part.type === "text-start" ? "text" : "reasoning"
          content.push(open.add({ kind, key: part.id, said: { type: kind, text: "", metadata: part.metadata } }).said)
          break
        }
        case "text-delta":
        case "text-end":
          extend(open.get("text", part.id), part)
          break
        case "reasoning-delta":
        case "reasoning-end":
          extend(open.get("reasoning", part.id), part)
          break
        case "tool-params-start":
        case "tool-params-delta":
        case "tool-params-end":
        case "error":
          break
        default:
          content.push(part)
      }
    }
    return content
  })

interface Whole extends Block {
  readonly kind: "text" | "reasoning"
  readonly said: { type: "text" | "reasoning"; text: string; metadata: Response.ProviderMetadata | undefined }
}

const extend = (
  block: Whole | undefined,
  part: { readonly delta?: string; readonly metadata?: Response.ProviderMetadata | undefined }
): void => {
  if (block === undefined) return
  block.said.text += part.delta ?? ""
  if (part.metadata !== undefined) block.said.metadata = { ...block.said.metadata, ...part.metadata }
}

/** The builder of the response to a request. */
const builderOf = (
  { prompt, responseFormat, toolCallValidation, tools }: LanguageModel.ProviderOptions,
  origin: Origin,
  transformer: LanguageModel.CodecTransformer
): Effect.Effect<ResponseBuilder> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    return new ResponseBuilder({
      ...origin,
      tools,
      transformer,
      isDeferred: toolCallValidation === "deferred",
      isStructured: responseFormat.type === "json",
      ids: idsOf(prompt),
      makeId: yield* makeIds,
      now: () => clock.currentTimeMillisUnsafe()
    })
  })

/** What is known of a request before it is made. */
const describe = (
  { responseFormat, span }: LanguageModel.ProviderOptions,
  { profile, url }: { readonly profile: { readonly name: string }; readonly url: string },
  request: Telemetry.RequestAttributes
): Effect.Effect<void> =>
  Effect.map(CurrentConversation, (conversation) => {
    Telemetry.addGenAIAnnotations(span, { provider: { name: profile.name }, operation: { name: "chat" }, request })
    if (responseFormat.type === "json") span.attribute("gen_ai.output.type", "json")
    if (conversation !== undefined) span.attribute("gen_ai.conversation.id", conversation)
    if (!URL.canParse(url)) return
    const { hostname, port, protocol } = new URL(url)
    span.attribute("server.address", hostname)
    span.attribute("server.port", port === "" ? (protocol === "http:" ? 80 : 443) : Number(port))
  })

const annotate = ({ span }: LanguageModel.ProviderOptions, part: Response.StreamPartEncoded): void => {
  if (part.type === "response-metadata") {
    Telemetry.addGenAIAnnotations(span, { response: { id: part.id, model: part.modelId } })
  } else if (part.type === "finish") {
    Telemetry.addGenAIAnnotations(span, {
      response: { finishReasons: [part.reason] },
      usage: { inputTokens: part.usage.inputTokens.total, outputTokens: part.usage.outputTokens.total }
    })
    const { inputTokens, outputTokens } = part.usage
    for (const [name, tokens] of [
      ["cache_read.input_tokens", inputTokens.cacheRead],
      ["cache_creation.input_tokens", inputTokens.cacheWrite],
      ["reasoning.output_tokens", outputTokens.reasoning]
    ] as const) {
      if (tokens !== undefined) span.attribute(`gen_ai.usage.${name}`, tokens)
    }
  }
}

/** The ids of the calls that a prompt has. */
const idsOf = (prompt: Prompt.Prompt): ReadonlySet<string> => {
  const ids = new Set<string>()
  for (const { content } of prompt.content) {
    if (typeof content !== "string") for (const part of content) if (part.type === "tool-call") ids.add(part.id)
  }
  return ids
}

/** Ids of nine letters and digits, which every server takes; Mistral's take no others. */
const makeIds: Effect.Effect<() => string> = Effect.map(Random.nextIntBetween(0, 36 ** 9 - 1_000_000), (first) => {
  let next = first
  return () => (next++).toString(36).padStart(9, "0")
})
