/**
 * What all providers share: one way from a request to a stream of response parts. A provider is a `Codec` (its
 * protocol), a `Connection.Profile` (its name, its address, its habits) and a layer of its own around a
 * `Connection`, which holds the SDK's client.
 *
 * Streaming is the one code path: `generateText` is a fold of `streamText`.
 *
 * @since 0.1.0
 */
import * as AiError from "effect/ai/AiError"
import type { IdGenerator } from "effect/ai/IdGenerator"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import * as Telemetry from "effect/ai/Telemetry"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { Assembler } from "./responseBuilder.ts"
import type * as Connection from "./Connection.ts"

/**
 * A protocol: how a request is written, and what an event of the response adds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Codec<Config, Params, Event> {
  /** Fits schemas of tools and of structured output to what the provider takes. */
  readonly transformer: LanguageModel.CodecTransformer
  /** Writes the body of a request. */
  readonly encode: (
    options: LanguageModel.ProviderOptions,
    config: Config & { readonly model: string }
  ) => Effect.Effect<Params, AiError.AiErrorReason>
  /** The parameters of a request that belong into its span. */
  readonly describe: (params: Params) => Telemetry.RequestAttributes
  /** Adds what an event brings. If it throws, the event was not one of this protocol. */
  readonly decode: (event: Event, response: Assembler, now: number) => void
  /** Whether an event brings content, and not just the news that the provider is alive. Must not throw. */
  readonly isToken: (event: Event) => boolean
}

/**
 * A LanguageModel over a connection.
 *
 * @since 0.1.0
 * @category constructors
 */
export const languageModel = <Sdk, Config, Params, Event>(options: {
  readonly connection: Connection.Connection<Sdk, Params>
  readonly codec: Codec<Config, Params, Event>
  /** Asked before every request. */
  readonly config: Effect.Effect<Config & { readonly model: string }>
  readonly open: (sdk: Sdk, params: Params, signal: AbortSignal) => PromiseLike<Connection.Opened<Event>>
}): Effect.Effect<LanguageModel.LanguageModel> => {
  const { codec, connection, open } = options
  const stream = Effect.fnUntraced(function* (request: LanguageModel.ProviderOptions) {
    const encoded = yield* codec.encode(request, yield* options.config)
    const params = connection.profile.adapt === undefined ? encoded : connection.profile.adapt(encoded)
    Telemetry.addGenAIAnnotations(request.span, {
      provider: { name: connection.profile.name },
      operation: { name: "chat" },
      request: codec.describe(params)
    })
    const clock = yield* Clock.Clock
    const response = new Assembler(connection.profile.name, request.tools, codec.transformer)
    const events = connection.events((sdk, signal) => open(sdk, params, signal), codec.isToken)
    return Stream.transformPull(events, (pull) =>
      Effect.succeed(
        assemble(pull, response, {
          decode: (event) => codec.decode(event, response, clock.currentTimeMillisUnsafe()),
          emit: (part) => annotate(request, part),
          broken: () => connection.broken("the response ended before the model had finished")
        })
      )
    )
  })
  const run = (method: string, request: LanguageModel.ProviderOptions) =>
    Stream.unwrap(stream(request)).pipe(
      Stream.mapError((reason) => AiError.make({ module: connection.profile.name, method, reason }))
    )
  return LanguageModel.make({
    codecTransformer: codec.transformer,
    streamText: (request) => run("streamText", request),
    generateText: (request) => fold(run("generateText", request))
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
    const open = new Map<string, number>()
    for (const part of parts) {
      switch (part.type) {
        case "text-start":
        case "reasoning-start":
          open.set(part.id, content.length)
          content.push({ type: part.type === "text-start" ? "text" : "reasoning", text: "", metadata: part.metadata })
          break
        case "text-delta":
        case "reasoning-delta":
        case "text-end":
        case "reasoning-end":
          extend(content, open.get(part.id), part)
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

const extend = (
  content: Array<Response.PartEncoded>,
  index: number | undefined,
  part: Response.TextDeltaPartEncoded | Response.ReasoningDeltaPartEncoded | { readonly metadata?: unknown }
): void => {
  const block = index === undefined ? undefined : content[index]
  if (index === undefined || (block?.type !== "text" && block?.type !== "reasoning")) return
  content[index] = {
    ...block,
    text: "delta" in part ? block.text + part.delta : block.text,
    metadata: { ...block.metadata, ...(part.metadata as object | undefined) }
  }
}

const annotate = ({ span }: LanguageModel.ProviderOptions, part: Response.StreamPartEncoded): void => {
  if (part.type === "response-metadata") {
    Telemetry.addGenAIAnnotations(span, { response: { id: part.id, model: part.modelId } })
  } else if (part.type === "finish") {
    Telemetry.addGenAIAnnotations(span, {
      response: { finishReasons: [part.reason] },
      usage: { inputTokens: part.usage.inputTokens.total, outputTokens: part.usage.outputTokens.total }
    })
  }
}

/** Pulls events and gives the parts they add, until the response is whole or has failed. */
const assemble = <Event>(
  pull: Pull.Pull<NonEmptyReadonlyArray<Event>, AiError.AiErrorReason>,
  response: Assembler,
  on: {
    readonly decode: (event: Event) => void
    readonly emit: (part: Response.StreamPartEncoded) => void
    readonly broken: () => AiError.AiErrorReason
  }
): Pull.Pull<NonEmptyReadonlyArray<Response.StreamPartEncoded>, AiError.AiErrorReason> => {
  type Parts = Pull.Pull<NonEmptyReadonlyArray<Response.StreamPartEncoded>, AiError.AiErrorReason>
  let ended = false
  const end = (): Parts => {
    if (response.reason === undefined) return Effect.fail(on.broken())
    ended = true
    response.end()
    return emit()
  }
  const emit = (): Parts => {
    const parts = response.take()
    for (const part of parts) on.emit(part)
    if (isNonEmpty(parts)) return Effect.succeed(parts)
    return response.failure === undefined ? next : Effect.fail(response.failure)
  }
  const onEvents = (events: NonEmptyReadonlyArray<Event>): Parts => {
    const decoded = Result.try(() => events.forEach(on.decode))
    if (Result.isFailure(decoded)) response.fail(unexpected(decoded.failure))
    return response.isComplete && response.failure === undefined ? end() : emit()
  }
  const next: Parts = Effect.suspend((): Parts => {
    if (response.failure !== undefined) return Effect.fail(response.failure)
    // Reading on to the end leaves the connection open for the next request.
    if (ended)
      return Effect.matchEffect(patient(pull), { onSuccess: () => Cause.done(), onFailure: () => Cause.done() })
    return Effect.matchEffect(response.reason === undefined ? pull : patient(pull), {
      onSuccess: onEvents,
      onFailure: (error) => {
        if (Cause.isDone(error) || response.reason === undefined)
          return Cause.isDone(error) ? end() : Effect.fail(error)
        return Effect.andThen(Effect.logDebug("the connection gave out after the whole response", error), end())
      }
    })
  })
  return next
}

/** Once the model has finished, the usage and the end marker may take this long; without them the response is whole. */
const patient = <A, E>(pull: Pull.Pull<A, E>): Pull.Pull<A, E> =>
  Effect.timeoutOrElse(pull, { duration: Duration.seconds(5), orElse: () => Cause.done() })

const isNonEmpty = <A>(array: ReadonlyArray<A>): array is NonEmptyReadonlyArray<A> => array.length > 0

const unexpected = (cause: unknown): AiError.InvalidResponseError =>
  new AiError.InvalidResponseError({ description: `an event that is not one of this protocol: ${String(cause)}` })
