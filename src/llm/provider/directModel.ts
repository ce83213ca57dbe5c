/**
 * `LanguageModel.make` for providers that make their parts themselves. It gives what that gives, but does not look for
 * every piece of text at a schema of all parts, nor builds that schema for every request: most of what a token costs.
 */
import * as AiError from "effect/ai/AiError"
import type { IdGenerator } from "effect/ai/IdGenerator"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Prompt from "effect/ai/Prompt"
import * as Response from "effect/ai/Response"
import { ResponseIdTracker } from "effect/ai/ResponseIdTracker"
import * as Telemetry from "effect/ai/Telemetry"
import type * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** The parts of a response, as many at once as are there. */
export type Parts = Pull.Pull<NonEmptyReadonlyArray<Response.StreamPartEncoded>, AiError.AiError>

/** What a provider does. */
export interface Provider {
  readonly codecTransformer: LanguageModel.CodecTransformer
  readonly generateText: (
    request: LanguageModel.ProviderOptions
  ) => Effect.Effect<Array<Response.PartEncoded>, AiError.AiError, IdGenerator>
  readonly streamText: (request: LanguageModel.ProviderOptions) => Effect.Effect<Parts, AiError.AiError, Scope.Scope>
}

/** What `streamText` is asked, whatever its tools. */
type Options = LanguageModel.GenerateTextOptions<never>

/**
 * Makes the model. Where there is more to do than to hand on parts (tools to run, approvals to settle, a response to
 * continue, a span to transform), it is done as `LanguageModel.make` does it.
 */
export const make = (provider: Provider): Effect.Effect<LanguageModel.LanguageModel> =>
  Effect.gen(function* () {
    const whole = yield* LanguageModel.make({
      ...provider,
      streamText: (request) => Stream.scoped(Stream.fromPull(provider.streamText(request)))
    })
    const streamWhole = whole.streamText as unknown as (options: Options) => Stream.Stream<Response.AnyPart, unknown>
    const made = yield* Effect.context<never>()
    const streamText = (options: Options): Stream.Stream<Response.AnyPart, unknown, unknown> =>
      Stream.unwrap(
        Effect.contextWith((context: Context.Context<never>) => {
          const prompt = Prompt.make(options.prompt)
          const isPlain = !isFollowed(made) && !isFollowed(context) && !isApproved(prompt)
          const asked = isPlain ? askedOf(options) : undefined
          return asked === undefined
            ? Effect.succeed(streamWhole(options))
            : direct(provider, { ...options, prompt }, asked)
        })
      )
    // what its overloads say of tools and errors holds: it is what `whole` gives
    return { ...whole, streamText: streamText as typeof whole.streamText }
  })

/** Whether somebody wants to know what responses there were. */
const isFollowed = (context: Context.Context<never>): boolean =>
  Context.getOrUndefined(context, ResponseIdTracker) !== undefined ||
  Context.getOrUndefined(context, Telemetry.CurrentSpanTransformer) !== undefined

const isApproved = ({ content }: Prompt.Prompt): boolean =>
  content.some(({ role, content }) => role === "tool" && content.some(({ type }) => type === "tool-approval-response"))

/** What a request asks for, beside its prompt. */
interface Asked {
  /** All tools, of which a choice may have left some out. */
  readonly known: ReadonlyArray<Tool.Any>
  readonly tools: ReadonlyArray<Tool.Any>
  readonly toolChoice: LanguageModel.ProviderOptions["toolChoice"]
  /** Calls are given as the model made them, for the caller to check. */
  readonly isDeferred: boolean
}

/** What is asked for, unless the tools are to be found, checked or run first. */
const askedOf = (options: Options): Asked | undefined => {
  const { disableToolCallResolution, toolCallValidation, toolChoice = "auto", toolkit } = options
  const isDeferred = disableToolCallResolution === true && toolCallValidation === "deferred"
  if (toolkit === undefined) return { known: [], tools: [], toolChoice: "none", isDeferred }
  if (Effect.isEffect(toolkit)) return undefined
  const all: ReadonlyArray<Tool.Any> = Object.values(toolkit.tools)
  if (all.length === 0) return { known: [], tools: [], toolChoice: "none", isDeferred }
  if (!isDeferred) return undefined
  if (typeof toolChoice === "string" || !("oneOf" in toolChoice))
    return { known: all, tools: all, toolChoice, isDeferred }
  const allowed: ReadonlyArray<string> = toolChoice.oneOf
  return { known: all, tools: all.filter(({ name }) => allowed.includes(name)), toolChoice, isDeferred }
}

/** Asks the provider, and gives its parts as they are read by whoever asked. */
const direct = (provider: Provider, options: Options & { readonly prompt: Prompt.Prompt }, asked: Asked) =>
  Effect.gen(function* () {
    const span = yield* Effect.makeSpanScoped("LanguageModel.streamText", { kind: "client" })
    const { concurrency = "unbounded", prompt, toolChoice = "auto" } = options
    span.attribute("gen_ai.output.type", "text")
    span.attribute("effect.ai.tool_choice", typeof toolChoice === "string" ? toolChoice : JSON.stringify(toolChoice))
    span.attribute("effect.ai.concurrency", concurrency)
    const pull = yield* provider.streamText({
      prompt,
      tools: asked.tools,
      toolChoice: asked.toolChoice,
      responseFormat: { type: "text" },
      span,
      previousResponseId: undefined,
      incrementalPrompt: undefined,
      ...(asked.isDeferred && { toolCallValidation: "deferred" as const })
    })
    return Stream.fromPull(Effect.succeed(Effect.flatMap(pull, (parts) => decodeAll(parts, asked))))
  })

const decodeAll = (
  parts: NonEmptyReadonlyArray<Response.StreamPartEncoded>,
  asked: Asked
): Effect.Effect<NonEmptyReadonlyArray<Response.AnyPart>, AiError.AiError> => {
  const decoded: Array<Response.AnyPart> = []
  for (const part of parts) {
    const one = decode(part, asked)
    if (one instanceof AiError.AiError) return Effect.fail(one)
    decoded.push(one)
  }
  return Effect.succeed(decoded as unknown as NonEmptyReadonlyArray<Response.AnyPart>) // as many as there were
}

/** What comes by the hundred is right as it was made; all else is looked at. */
const decode = (part: Response.StreamPartEncoded, asked: Asked): Response.AnyPart | AiError.AiError => {
  switch (part.type) {
    case "text-delta":
    case "reasoning-delta":
    case "tool-params-delta": {
      // As `makePart` does, which copies what it is given: that costs more than all else that is done here.
      const { delta, id, metadata = none, type } = part
      return { [partId]: partId, type, id, delta, metadata }
    }
    case "text-start":
    case "text-end":
    case "reasoning-start":
    case "reasoning-end":
    case "tool-params-end":
      return Response.makePart(part.type, part as never) // the fields are those of its type
    case "response-metadata": {
      const { timestamp, ...said } = part
      const time = timestamp === undefined ? undefined : Option.getOrUndefined(DateTime.make(timestamp))
      if (time !== undefined) return Response.makePart("response-metadata", { ...said, timestamp: time })
      break
    }
    case "tool-call":
      if (asked.isDeferred) return decodeCall(part, asked)
  }
  const isOfTool = part.type === "tool-call" || part.type === "tool-result"
  return orError((isOfTool ? decoderOf(Toolkit.make(...asked.known)) : decodeOther)(part))
}

/** The mark of a part. */
const partId = "~effect/ai/Response/Part"

const none: Response.ProviderMetadata = Object.freeze({})

/** A call as the model made it; one that the provider has run already nobody else checks. */
const decodeCall = (
  { providerExecuted = false, ...part }: Response.ToolCallPartEncoded,
  { known }: Asked
): Response.AnyPart | AiError.AiError => {
  const call = Response.makePart("tool-call", { ...part, providerExecuted })
  const tool = providerExecuted ? known.find(({ name }) => name === part.name) : undefined
  if (tool === undefined) return call
  return orError(
    Result.map(Schema.decodeUnknownResult(Schema.toEncoded(tool.parametersSchema))(part.params), () => call)
  )
}

const decoderOf = (toolkit: Toolkit.Any) =>
  // tools whose results need services are given none here
  Schema.decodeUnknownResult(Response.StreamPart(toolkit) as Schema.Codec<Response.AnyPart, unknown>)

const decodeOther = decoderOf(Toolkit.empty)

const orError = <A>(result: Result.Result<A, Schema.SchemaError>): A | AiError.AiError =>
  Result.isSuccess(result)
    ? result.success
    : AiError.make({
        module: "LanguageModel",
        method: "streamText",
        reason: AiError.InvalidOutputError.fromSchemaError(result.failure)
      })
