/** Models whose responses are kept in the run that asks: given again as they were, token by token, and never paid twice. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Pull from "effect/Pull"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import type * as EmbeddingModel from "effect/ai/EmbeddingModel"
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import * as Prompt from "effect/ai/Prompt"
import * as Response from "effect/ai/Response"
import type * as Tool from "effect/ai/Tool"
import { CurrentBegin } from "../llm/model/decided.ts"
import * as Exchange from "../llm/model/exchange.ts"
import * as ModelWrapper from "../llm/model/modelWrapper.ts"
import * as PickUp from "../llm/provider/pickUp.ts"
import type { Asked } from "./journal.ts"
import { asking, CurrentRun, type DurableRun, type Speaking } from "./run.ts"

/** The same model, which asks nothing that the run was answered before. Outside of a run it is the model. */
export const languageModel = (
  model: LanguageModel.LanguageModel,
  context: Context.Context<never>
): Effect.Effect<LanguageModel.LanguageModel> =>
  Effect.map(Exchange.languageModel(model, playFor(context)), (whole) => {
    const [plain, kept] = [ModelWrapper.toPlain(model), ModelWrapper.toPlain(whole)]
    const ask =
      (method: "generateText" | "generateObject") =>
      (options: ModelWrapper.Options): ModelWrapper.Whole =>
        Effect.flatMap(CurrentRun, (run) => (run === undefined ? plain : kept)[method](options))
    return ModelWrapper.fromPlain(
      {
        streamText: (options) =>
          Stream.unwrap(
            Effect.map(CurrentRun, (run) => {
              if (run === undefined) return plain.streamText(options)
              const request = requestOf(options)
              return request === undefined ? kept.streamText(options) : stream(run, plain, options, request, context)
            })
          ),
        generateText: ask("generateText"),
        generateObject: ask("generateObject")
      },
      model
    )
  })

export const embeddingModel = (
  model: EmbeddingModel.EmbeddingModel,
  context: Context.Context<never>
): Effect.Effect<EmbeddingModel.EmbeddingModel> => Exchange.embeddingModel(model, playFor(context))

/** What tells a request of one model from that of another. */
const named = (context: Context.Context<never>, request: object): Effect.Effect<Schema.Json> => {
  const find = <I, S>(key: Context.Key<I, S>) => Option.getOrUndefined(Context.getOption(context, key))
  const names = { provider: find(Model.ProviderName), model: find(Model.ModelName) }
  return Effect.map(
    Exchange.changes,
    (config) => JSON.parse(JSON.stringify({ ...names, ...config, ...request })) as Schema.Json
  )
}

/** Requests whose parts are JSON. */
const playFor =
  (context: Context.Context<never>): Exchange.Play =>
  (request, live) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const run = yield* CurrentRun
        return run === undefined ? live : play(run, yield* named(context, request), asTheyAre, () => live)
      })
    )

interface StreamOptions extends ModelWrapper.Options {
  readonly toolkit?: { readonly tools: Readonly<Record<string, Tool.Any>> } | Effect.Effect<unknown> | undefined
  readonly toolChoice?: LanguageModel.ProviderOptions["toolChoice"]
  readonly disableToolCallResolution?: boolean
  readonly toolCallValidation?: string
}

/** A request whose parts can be given as they come: its tools, if it has any, are not the model's to run. */
const requestOf = (options: StreamOptions): object | undefined => {
  const { disableToolCallResolution, prompt, toolCallValidation, toolChoice = "auto", toolkit } = options
  if (Effect.isEffect(toolkit)) return undefined
  const tools = Object.values(toolkit?.tools ?? {})
  if (tools.length > 0 && !(disableToolCallResolution === true && toolCallValidation === "deferred")) return undefined
  return Exchange.requestOf("streamText", {
    ...{ prompt: Prompt.make(prompt), tools, toolChoice },
    responseFormat: { type: "text" }
  })
}

const stream = (
  run: DurableRun,
  model: ModelWrapper.Plain,
  options: ModelWrapper.Options,
  request: object,
  context: Context.Context<never>
): ModelWrapper.Parts =>
  Stream.unwrap(
    Effect.map(named(context, request), (request) =>
      play(run, request, typed, (said) => {
        if (said === "") return model.streamText(options)
        const prompt = Prompt.concat(Prompt.make(options.prompt), [{ role: "assistant", content: said }])
        return model.streamText({ ...options, prompt })
      })
    )
  )

type Chunk<A> = Arr.NonEmptyReadonlyArray<A>

/** How parts become JSON, and parts again. */
interface Codec<A> {
  readonly encode: (part: A) => Schema.Json
  readonly decode: (part: Schema.Json) => A
}

const asTheyAre: Codec<Schema.Json> = { encode: (part) => part, decode: (part) => part }

const decodePart = Schema.decodeUnknownSync(Response.StreamPart())

/** A piece of text that is nothing else. */
interface Delta {
  readonly type: "text-delta"
  readonly id: string
  readonly delta: string
}

const typed: Codec<Response.AnyPart> = {
  encode: Exchange.partOf,
  decode: (json) => {
    const part = json as unknown as Response.StreamPartEncoded
    if (part.type === "text-delta") return Response.makePart(part.type, part)
    if (part.type === "tool-call") {
      return Response.makePart(part.type, { ...part, providerExecuted: part.providerExecuted ?? false })
    }
    return decodePart(part)
  }
}

/** Pieces of one text are written together. */
interface Deltas {
  readonly type: "text-deltas"
  readonly id: string
  readonly deltas: Array<string>
}

const packed = (parts: ReadonlyArray<Schema.Json>): ReadonlyArray<Schema.Json> => {
  const out: Array<Schema.Json> = []
  let last: Deltas | undefined
  for (const part of parts) {
    if (!isDelta(part)) {
      last = undefined
      out.push(part)
    } else if (last?.id === part.id) last.deltas.push(part.delta)
    else out.push((last = { type: "text-deltas", id: part.id, deltas: [part.delta] }) as unknown as Schema.Json)
  }
  return out
}

const isDelta = (part: Schema.Json): part is Delta & Schema.JsonObject => {
  const { type, ...rest } = part as Schema.JsonObject
  return type === "text-delta" && Object.keys(rest).length === 2
}

const unpacked = (parts: ReadonlyArray<Schema.Json>): ReadonlyArray<Schema.Json> =>
  parts.flatMap((part) => {
    const { deltas, id, type } = part as unknown as Deltas
    return (type as string) === "text-deltas" ? deltas.map((delta) => ({ type: "text-delta", id, delta })) : [part]
  })

/** A response as it is kept. */
interface Kept {
  readonly parts: ReadonlyArray<Schema.Json>
  readonly error?: Schema.Json
}

const play = <A>(
  run: DurableRun,
  request: Schema.Json,
  codec: Codec<A>,
  live: (said: string) => Stream.Stream<A, AiError.AiError>
): Stream.Stream<A, AiError.AiError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const asked = yield* asking(run, "model", request)
      const answer = yield* run.answered(asked)
      if (answer !== undefined) return replay(answer.value as unknown as Kept, codec)
      yield* yield* CurrentBegin
      const id = asked.pieces.map(goingOnIn).findLast((id) => id !== undefined)
      const before = run.partial === "continue" && id === undefined ? saidOf(unpacked(asked.pieces)) : undefined
      const answered = live(before?.text ?? "")
      // a response that goes on at its provider is there, and paid for
      const picked = id === undefined ? answered : Stream.provideService(answered, PickUp.CurrentPickUp, id)
      return new Recording(run, asked, codec, before).record(picked)
    })
  )

const replay = <A>({ error, parts }: Kept, { decode }: Codec<A>): Stream.Stream<A, AiError.AiError> => {
  const given = Stream.fromIterable(unpacked(parts).map(decode))
  return error === undefined ? given : Stream.concat(given, Stream.fromEffectDrain(Effect.flip(decodeError(error))))
}

const decodeError = (error: Schema.Json) =>
  Effect.orDie(Schema.decodeEffect(Schema.toCodecJson(AiError.AiError))(error))

/** What a response that was cut off had said, if it can go on from there: its last text is open, and no tool is called. */
interface Before {
  readonly parts: ReadonlyArray<Schema.Json>
  readonly text: string
  readonly id: string
}

const saidOf = (parts: ReadonlyArray<Schema.Json>): Before | undefined => {
  const said = parts as ReadonlyArray<{ readonly type: string; readonly id?: string; readonly delta?: string }>
  if (said.some(({ type }) => type.startsWith("tool-"))) return undefined
  const text = said.map(({ delta, type }) => (type === "text-delta" ? delta : "")).join("")
  const last = said.findLast(({ type }) => type.startsWith("text-"))
  return text === "" || last?.type === "text-end" ? undefined : { parts, text, id: last!.id! }
}

/** The id of a response that goes on at its provider without anybody who listens, where a part says so. */
const goingOnIn = (part: Schema.Json): string | undefined => {
  if (!Predicate.hasProperty(part, "type") || part.type !== "response-metadata") return undefined
  const { id, metadata } = part as { readonly id?: string; readonly metadata?: Schema.JsonObject }
  const goesOn = Object.values(metadata ?? {}).some((said) => Predicate.hasProperty(said, "goesOn"))
  return goesOn ? id : undefined
}

/** A response as it comes. Invariant: its end is kept before anyone sees it. */
class Recording<A> implements Speaking {
  private readonly run: DurableRun
  private readonly asked: Asked
  private readonly codec: Codec<A>
  private readonly before: Before | undefined
  private readonly parts: Array<Schema.Json>
  private unwritten: Array<Schema.Json> = []
  private hasFinished = false
  private isOver = false
  /** The id under which the model goes on with the text that was cut off. */
  private renamed: string | undefined = undefined

  constructor(run: DurableRun, asked: Asked, codec: Codec<A>, before: Before | undefined) {
    this.run = run
    this.asked = asked
    this.codec = codec
    this.before = before
    this.parts = [...(before?.parts ?? [])]
    if (run.partial === "restart") return
    if (asked.pieces.length > 0 && before === undefined) run.append("tokens", { ...asked.question, pieces: [null] })
    run.recordings.add(this)
  }

  record(live: Stream.Stream<A, AiError.AiError>): Stream.Stream<A, AiError.AiError> {
    const kept = Stream.transformPull(live, (pull) =>
      Effect.sync(() => {
        const next: Pull.Pull<Chunk<A>, AiError.AiError> = Effect.suspend(() =>
          Pull.matchEffect(pull, {
            onSuccess: (chunk) => {
              const given = this.take(chunk)
              if (given.length === 0) return next
              return this.hasFinished ? Effect.as(this.end(), given as Chunk<A>) : Effect.succeed(given as Chunk<A>)
            },
            onFailure: (cause) => {
              const error = Option.getOrUndefined(Cause.findErrorOption(cause))
              return Effect.andThen(error === undefined ? Effect.void : this.end(error), Effect.failCause(cause))
            },
            onDone: () => Effect.andThen(this.end(), Cause.done())
          })
        )
        return next
      })
    )
    const { before } = this
    const recorded = Stream.ensuring(
      kept,
      Effect.sync(() => this.run.recordings.delete(this))
    )
    return before === undefined
      ? recorded
      : Stream.concat(Stream.fromIterable(before.parts.map(this.codec.decode)), recorded)
  }

  private take(chunk: Chunk<A>): ReadonlyArray<A> {
    const given: Array<A> = []
    let isNews = false
    for (const part of chunk) {
      const json = this.goingOn(this.codec.encode(part) as Schema.JsonObject)
      if (json === undefined) continue
      this.hasFinished ||= json.type === "finish"
      isNews ||= goingOnIn(json) !== undefined
      this.parts.push(json)
      this.unwritten.push(json)
      given.push(this.before === undefined ? part : this.codec.decode(json))
    }
    if (this.hasFinished) return given
    // by its id a response can be picked up from the start
    if (isNews) this.run.append("tokens", this.said())
    else if (this.run.recordings.has(this)) this.run.write()
    return given
  }

  /** What was said since the last time, to be written. */
  said(): object | undefined {
    if (this.unwritten.length === 0) return undefined
    const pieces = packed(this.unwritten)
    this.unwritten = []
    return { ...this.asked.question, pieces }
  }

  /** The first text after the cut goes on as the text that was cut off. */
  private goingOn(part: Schema.JsonObject): Schema.JsonObject | undefined {
    const { before } = this
    if (before === undefined || typeof part.type !== "string" || !part.type.startsWith("text-")) return part
    this.renamed ??= part.id as string
    if (this.renamed !== part.id) return part
    return part.type === "text-start" ? undefined : { ...part, id: before.id }
  }

  private end(error?: AiError.AiError): Effect.Effect<void> {
    if (this.isOver) return Effect.void
    this.isOver = true
    this.run.recordings.delete(this)
    const kept: Kept = { parts: packed(this.parts), ...(error && { error: Exchange.encodeError(error) }) }
    return this.run.keep(this.asked, kept as unknown as Schema.Json)
  }
}
