/** What combinators on language models are made of: one request, streamed or whole, with something around it. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Arr from "effect/Array"
import type * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"

/** The options of a request, whatever the types of its tools. */
export interface Options {
  readonly prompt: Prompt.RawInput
}

/** A streamed response. */
export type Parts = Stream.Stream<Response.AnyPart, AiError.AiError>

/** A whole response. */
export type Whole = Effect.Effect<{ readonly content: ReadonlyArray<Response.AnyPart> }, AiError.AiError>

/** A language model without the types of its tools, which its combinators do not change. */
export interface Plain {
  readonly streamText: (options: Options) => Parts
  readonly generateText: (options: Options) => Whole
  readonly generateObject: (options: Options) => Whole
}

/** What goes around a request. */
export interface Around {
  readonly stream: (options: Options, next: (options: Options) => Parts) => Parts
  readonly whole: (options: Options, next: (options: Options) => Whole) => Whole
}

/** The model of these three, with the types it has for its users. */
export const fromPlain = (plain: Plain, like?: LanguageModel.LanguageModel): LanguageModel.LanguageModel =>
  ({
    [LanguageModel.TypeId]: LanguageModel.TypeId,
    supportsSystemMessagesInHistory: like?.supportsSystemMessagesInHistory,
    ...plain
  }) as unknown as LanguageModel.LanguageModel // what goes in and out is what the wrapped models take and give

export const toPlain = (model: LanguageModel.LanguageModel): Plain => model as unknown as Plain // see `fromPlain`

/** The same Layer, with something around each request of its model. */
export const wrap =
  <R2>(around: Effect.Effect<Around, never, R2>) =>
  <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R | R2> =>
    Layer.effectContext(
      Effect.gen(function* () {
        const context = yield* Layer.build(layer)
        const { stream, whole } = yield* around
        const models = context as unknown as Context.Context<LanguageModel.LanguageModel> // the layer has one
        const model = Context.get(models, LanguageModel.LanguageModel)
        const plain = toPlain(model)
        const wrapped = fromPlain(
          {
            streamText: (options) => stream(options, (options) => plain.streamText(options)),
            generateText: (options) => whole(options, (options) => plain.generateText(options)),
            generateObject: (options) => whole(options, (options) => plain.generateObject(options))
          },
          model
        )
        return Context.add(models, LanguageModel.LanguageModel, wrapped) as unknown as Context.Context<A>
      })
    )

/** Whether a part says something, and does not only announce it. */
export const isContent = (part: Response.AnyPart): boolean =>
  part.type === "text-delta" ||
  part.type === "reasoning-delta" ||
  part.type === "tool-params-delta" ||
  part.type === "tool-call" ||
  part.type === "file" ||
  part.type === "source" ||
  part.type === "finish"

type Chunk = Arr.NonEmptyReadonlyArray<Response.AnyPart>
export type PartsPull = Pull.Pull<Chunk, AiError.AiError>

/** Holds back what only announces until something is said: the first chunk then has the first token. */
export const held = (pull: PartsPull): PartsPull => {
  let waiting: ReadonlyArray<Response.AnyPart> = []
  let said = false
  const next: PartsPull = Effect.suspend(() => (said ? pull : Pull.catchDone(Effect.flatMap(pull, take), flush)))
  const take = (chunk: Chunk): PartsPull => {
    waiting = [...waiting, ...chunk]
    if (!chunk.some(isContent)) return next
    return flush()
  }
  const flush = (): PartsPull => {
    said = true
    const all = waiting
    waiting = []
    return all.length === 0 ? Cause.done() : Effect.succeed(all as Chunk)
  }
  return next
}

/** A response that was asked for, in a scope of its own. */
export interface Opened {
  /** The first chunk that says something. */
  readonly first: PartsPull
  readonly rest: PartsPull
  readonly close: Effect.Effect<void>
}

export const open = (parts: Parts): Effect.Effect<Opened, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Scope.Scope)
    const pull = yield* Scope.provide(Stream.toPull(parts), scope)
    return { first: held(pull), rest: pull, close: Scope.close(scope, Exit.void) }
  })

/** The first chunk, if there is one. */
export const firstOf = ({ first }: Opened): Effect.Effect<Chunk | undefined, AiError.AiError> =>
  Pull.catchDone(first, () => Effect.undefined)

/** The response that begins with a chunk, or has none. */
export const from = (first: Chunk | undefined, { rest }: Opened): Parts =>
  first === undefined ? Stream.empty : Stream.concat(Stream.fromArray(first), Stream.fromPull(Effect.succeed(rest)))
