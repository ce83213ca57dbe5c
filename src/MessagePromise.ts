/**
 * One message that may still be arriving: a Stream of its tokens, which any number of readers can read from the start
 * at any time, and the whole message once it is complete.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { constVoid } from "effect/Function"
import * as Pull from "effect/Pull"
import type * as Stream from "effect/Stream"
import * as Engine from "./internal/promise.ts"
import { Task } from "./internal/task.ts"
import * as Message from "./Message.ts"
import * as MiniAgents from "./MiniAgents.ts"

/**
 * The type id of message promises.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: "~miniagents/MessagePromise" = Engine.TypeId

/**
 * A message that may still be arriving. It is a Stream of its tokens (pieces of its text). `message` is an Effect that
 * waits for the whole message; `known` has the fields that are known before the content, such as who speaks. If the
 * source of the tokens fails, both fail with that, the Stream after the tokens that came before.
 *
 * Law: **Text** (the tokens, joined, are the message's text, however they were chunked; reading tokens or the whole
 * gives the same).
 *
 * @since 0.1.0
 * @category models
 */
export interface MessagePromise<out E = never> extends Stream.Stream<string, E> {
  readonly [TypeId]: typeof TypeId
  readonly message: Effect.Effect<Message.Message, E>
  readonly known: Message.KnownFields
  /**
   * The call that made the message; whoever passes it on leaves it as it is. Undefined for what no agent has made: what a
   * program sends from outside, and a promise that has not become part of an input or a reply yet.
   */
  readonly origin: Origin | undefined
}

/**
 * The call that made a message: its path in the tree of calls, and the name of its agent.
 *
 * @see `InteractionContext.path`
 * @since 0.1.0
 * @category models
 */
export interface Origin {
  readonly path: string
  readonly agent: string
  /** The run in which that call was, if it was another one: the message was kept since, and the path is of that run. */
  readonly run?: string | undefined
}

/**
 * How tokens become a message.
 *
 * @since 0.1.0
 * @category models
 */
export type Options<E = never, R = never> =
  | {
      /** The class of the message (`Text` by default) and what is known of it before its content. */
      readonly known?: Message.Known
      readonly whole?: undefined
    }
  | {
      /** The fields of the message that are known before its content. */
      readonly known?: Message.KnownFields
      /** Makes the message, of any class, of the whole text when the tokens have ended. */
      readonly whole: (text: string) => Effect.Effect<Message.Message, E, R>
    }

/**
 * Whether a value is a message promise.
 *
 * @since 0.1.0
 * @category guards
 */
export const isMessagePromise = (value: unknown): value is MessagePromise<unknown> => Engine.isPromise(value)

/**
 * The promise of a message that is already there: its text is one token.
 *
 * **When to use**
 *
 * To give a message an `origin`, or to treat it like one that is still arriving. You can send and reply with messages
 * as they are.
 *
 * **Details**
 *
 * Its origin is the call whose input or reply it becomes part of first. A message that is read back from where it was
 * kept can be given the `origin` that it had.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (message: Message.Message, options?: { readonly origin?: Origin | undefined }): MessagePromise => {
  const promise = new Engine.Whole(message)
  promise.maker = options?.origin
  return promise
}

/**
 * Makes a message from a stream of its tokens. The stream is read once, in the background, whether or not anyone reads
 * the promise. Inside an agent the running call owns this work: interrupting the call interrupts it.
 *
 * **When to use**
 *
 * For text that comes in pieces, from a model, a file or another program. A text that you have already can be replied
 * as it is.
 *
 * **Details**
 *
 * A runtime with `startSoon: false` starts at the first read; one with `streamTokens: false` gives the text at once.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { MessagePromise } from "miniagents"
 *
 * const program = Effect.gen(function*() {
 *   const promise = yield* MessagePromise.fromStream(Stream.make("Hel", "lo"), {
 *     known: { _tag: "Assistant", model: "some-model" }
 *   })
 *   return yield* promise.message // an `Assistant` with the content "Hello"
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromStream = <E, R, E2 = never, R2 = never>(
  tokens: Stream.Stream<string, E, R>,
  options: Options<E2, R2> = {}
): Effect.Effect<MessagePromise<E | E2>, never, MiniAgents.MiniAgents | R | R2> =>
  start(options, (promise) =>
    Effect.scopedWith((scope) =>
      Effect.flatMap(Channel.toPullScoped(tokens.channel, scope), (pull) => {
        // a loop of its own: `runForEach` would suspend once more for each token
        const next: Effect.Effect<void, E | Cause.Done, R> = Effect.flatMap(
          pull,
          (chunk) => Engine.pushAll(promise, chunk) ?? next
        )
        return Pull.catchDone(next, () => Effect.void)
      })
    )
  )

/**
 * Makes a message from an async iterable of its tokens, as the SDKs of model providers give them. It costs hardly more
 * than a `for await` loop. `open` gets a signal that is aborted when the promise's task is interrupted: pass it on to
 * the request. What the iterable throws becomes an error by `onError`.
 *
 * **When to use**
 *
 * To reply with what the SDK of a provider, or another library, streams.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { MessagePromise } from "miniagents"
 *
 * class Broken extends Schema.TaggedError<Broken>()("Broken", { cause: Schema.Defect() }) {}
 *
 * async function* answer(_signal: AbortSignal) {
 *   yield "Hel"
 *   yield "lo"
 * }
 *
 * const program = Effect.gen(function*() {
 *   const promise = yield* MessagePromise.fromAsyncIterable(answer, (cause) => new Broken({ cause }))
 *   return yield* promise.message // fails with `Broken` if the iterable throws
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromAsyncIterable = <E, E2 = never, R2 = never>(
  open: (signal: AbortSignal) => AsyncIterable<string>,
  onError: (cause: unknown) => E,
  options: Options<E2, R2> = {}
): Effect.Effect<MessagePromise<E | E2>, never, MiniAgents.MiniAgents | R2> =>
  start(options, (promise) =>
    Effect.callback<void, E>((resume, signal) => {
      const fail = (cause: unknown) => resume(Effect.suspend(() => Effect.fail(onError(cause))))
      const iterator = Engine.attempt(() => open(signal)[Symbol.asyncIterator](), fail)
      if (iterator === undefined) return
      let running = true
      const step = (result: IteratorResult<string>): void => {
        if (!running) return
        if (result.done === true) return resume(Effect.void)
        if (!promise.push(result.value)) return resume(Effect.die(Engine.notToken(result.value)))
        Engine.attempt(next, fail)
      }
      const next = () => iterator.next().then(step, fail)
      Engine.attempt(next, fail)
      // an iterator that waits for more answers `return` only when that is there, so nothing waits for the answer
      return Effect.sync(() => {
        running = false
        Engine.attempt(() => iterator.return?.().then(undefined, constVoid), constVoid)
      })
    })
  )

const start = <E, R, E2, R2>(
  options: Options<E2, R2>,
  read: (promise: Engine.Streamed<E | E2>) => Effect.Effect<void, E, R>
): Effect.Effect<MessagePromise<E | E2>, never, MiniAgents.MiniAgents | R | R2> =>
  Effect.withFiber((fiber) => {
    const runtime = MiniAgents.current(fiber)
    const owner = runtime.supervisor.ownerOf(fiber)
    const promise = new Engine.Streamed<E | E2>(options.known ?? {}, runtime.streamTokens)
    const effect = Effect.flatMap(read(promise), () => wholeOf(promise.finishText(), options))
    const work = { effect, context: fiber.context }
    const task = new Task(runtime.supervisor, owner, work, (exit) => {
      promise.finish(exit as Exit.Exit<Message.Message, E | E2>, runtime, task, fiber.context) // the work's own exit
    })
    promise.task = task
    promise.maker = task.place
    if (runtime.startSoon) task.startSoon(fiber)
    else promise.start = () => task.startUnsafe()
    return Effect.succeed(promise)
  })

const wholeOf = <E, R>(text: string, options: Options<E, R>): Effect.Effect<Message.Message, E, R> =>
  options.whole === undefined ? Effect.succeed(Message.fromText(text, options.known)) : options.whole(text)
