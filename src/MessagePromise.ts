/**
 * One message under way: a Stream of its tokens that any number of readers can read from the start at any time, and
 * the whole message once it is there.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { constVoid } from "effect/Function"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { Log } from "./internal/log.ts"
import { makeStreamable, replay, type StreamChannel } from "./internal/streamable.ts"
import { Task } from "./internal/task.ts"
import * as Message from "./Message.ts"
import * as MiniAgents from "./MiniAgents.ts"

/**
 * The type id of message promises.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId = "~miniagents/MessagePromise"

/**
 * A message that is there or will be: a Stream of its tokens (pieces of its text), `message` for the whole, `known`
 * for the fields known before the content. Fails with what its token source fails with, after the tokens before that.
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
}

/**
 * How tokens become a message.
 *
 * @since 0.1.0
 * @category models
 */
export type Options<E = never, R = never> =
  | {
      /** The class of the message (`Text` unless said) and what is known of it before its content. */
      readonly known?: Message.Known
      readonly whole?: undefined
    }
  | {
      /** What is known of the message before its content. */
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
export const isMessagePromise = (value: unknown): value is MessagePromise<unknown> =>
  Predicate.hasProperty(value, TypeId)

/**
 * The promise of a message that is already there: its text is one token.
 *
 * @since 0.1.0
 * @category constructors
 */
export const of = (message: Message.Message): MessagePromise => new Whole(message)

/**
 * The promise of a message whose tokens are still to come. The tokens are read once, in the background, whether or not
 * anyone reads the promise; an agent's call owns what it started and takes it along when it is interrupted.
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
    Channel.runForEach(tokens.channel, (chunk) => Effect.suspend(() => takeAll(promise, chunk)))
  )

/**
 * `fromStream` for tokens that come as an async iterable, as the SDKs of model providers give them. It costs hardly more
 * than a `for await` loop. `open` gets a signal that is aborted when the promise's task is interrupted: pass it on to
 * the request. What the iterable throws becomes an error by `onError`.
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
      const iterator = attempt(() => open(signal)[Symbol.asyncIterator](), fail)
      if (iterator === undefined) return
      let running = true
      const step = (result: IteratorResult<string>): void => {
        if (!running) return
        if (result.done === true) return resume(Effect.void)
        if (!promise.take(result.value)) return resume(Effect.die(notToken(result.value)))
        attempt(next, fail)
      }
      const next = () => iterator.next().then(step, fail)
      attempt(next, fail)
      // an iterator that waits for more answers `return` only when that is there, so nothing waits for the answer
      return Effect.sync(() => {
        running = false
        attempt(() => iterator.return?.().then(undefined, constVoid), constVoid)
      })
    })
  )

const start = <E, R, E2, R2>(
  options: Options<E2, R2>,
  read: (promise: Streamed<E | E2>) => Effect.Effect<void, E, R>
): Effect.Effect<MessagePromise<E | E2>, never, MiniAgents.MiniAgents | R | R2> =>
  Effect.withFiber((fiber) => {
    const runtime = MiniAgents.current(fiber)
    const promise = new Streamed<E | E2>(options.known ?? {}, runtime.streamTokens)
    const effect = Effect.flatMap(read(promise), () => wholeOf(promise.finishText(), options))
    const work = { effect, context: fiber.context }
    const task = new Task(runtime.activity, runtime.activity.ownerOf(fiber), work, (exit) => {
      promise.finish(exit as Exit.Exit<Message.Message, E | E2>, runtime, task) // the work's own exit
    })
    promise.task = task
    if (runtime.startSoon) task.startSoon(fiber)
    else promise.start = () => task.startUnsafe()
    return Effect.succeed(promise)
  })

/** What a foreign function throws must reach the promise, not the event loop, and an Effect per token would be dear. */
const attempt = <A>(run: () => A, fail: (cause: unknown) => void): A | undefined => {
  try {
    return run()
  } catch (cause) {
    fail(cause)
    return undefined
  }
}

/**
 * A promise that the code of the running task fills by hand, and that it has to end however it ends itself.
 *
 * @internal
 */
export const filled = (fiber: Fiber.Fiber<unknown, unknown>, known: Message.KnownFields): Filled => {
  const runtime = MiniAgents.current(fiber)
  const task = runtime.activity.ownerOf(fiber)
  const promise = new Streamed<unknown>(known, runtime.streamTokens)
  promise.task = task
  const finish = (exit: Exit.Exit<Message.Message, unknown>) => promise.finish(exit, runtime, task)
  return {
    promise,
    take: (token) => void promise.take(token),
    end: (whole) => {
      const message = attempt(
        () => whole(promise.finishText()),
        (defect) => finish(Exit.die(defect))
      )
      if (message !== undefined) finish(Exit.succeed(message))
    },
    fail: (cause) => finish(Exit.failCause(cause))
  }
}

/** @internal */
export interface Filled {
  readonly promise: MessagePromise<unknown>
  readonly take: (token: string) => void
  /** Ends it with the message that is made of the whole text. */
  readonly end: (whole: (text: string) => Message.Message) => void
  readonly fail: (cause: Cause.Cause<unknown>) => void
}

/**
 * A promise that reads from others and runs nothing itself.
 *
 * @internal
 */
export const view = <E>(
  source: unknown,
  known: Message.KnownFields,
  tokens: Stream.Stream<string, E>,
  message: Effect.Effect<Message.Message, E>,
  watched: Effect.Effect<Message.Message | undefined>
): MessagePromise<E> => new View<E>({ source, known, channel: tokens.channel, message, watched })

/**
 * What the library itself wants of a promise, beside what everyone does.
 *
 * @internal
 */
export interface Inside<out E = unknown> extends MessagePromise<E> {
  /** The message, once it is there. */
  readonly whole: Message.Message | undefined
  /**
   * Waits for the message, a failure as one, without starting the promise and without taking a failure as seen; nothing
   * when it was interrupted.
   */
  readonly watched: Effect.Effect<Message.Message | undefined>
  /** What fills it, while it does. */
  readonly task: Task | undefined
  /** What it reads from, if nothing fills it. */
  readonly source: unknown
  /**
   * The same promise with its failure taken as a message: the tokens before it are kept, then comes what went wrong. One
   * and the same for every reader; an interruption stays one.
   */
  readonly absorbed: MessagePromise
}

/** @internal */
export const inside = (promise: MessagePromise<unknown>): Inside => promise as Inside // all promises are made here

interface Whole extends Inside<never> {}
class Whole {
  declare readonly channel: StreamChannel<string, never>
  readonly whole: Message.Message

  constructor(message: Message.Message) {
    this.whole = message
  }

  get message(): Effect.Effect<Message.Message> {
    return Effect.succeed(this.whole)
  }

  get known(): Message.KnownFields {
    const { content: _, ...fields } = this.whole as Message.Message & { readonly content?: unknown }
    return fields
  }

  get watched(): Effect.Effect<Message.Message> {
    return this.message
  }

  get absorbed(): MessagePromise {
    return this
  }
}

/** @internal */
export interface Streamed<E> extends Inside<E> {}

/**
 * A promise whose tokens are kept as they come.
 *
 * @internal
 */
export class Streamed<E> extends Log<string> {
  declare readonly channel: StreamChannel<string, E>
  known: Message.KnownFields
  result: Exit.Exit<Message.Message, E> | undefined = undefined
  task: Task | undefined = undefined
  private asMessage: MessagePromise | undefined = undefined
  private readonly streams: boolean
  /** What was said so far of a text that is given at once. */
  protected held = ""

  constructor(known: Message.KnownFields, streams: boolean) {
    super()
    this.streams = streams
    this.known = Object.freeze({ _tag: "Text", ...known })
  }

  get message(): Effect.Effect<Message.Message, E> {
    return Effect.suspend(() => {
      this.startUnsafe()
      if (this.result === undefined) return Effect.flatMap(this.changed, () => this.message)
      if (Exit.isFailure(this.result)) this.onFailureSeen?.()
      return this.result
    })
  }

  get whole(): Message.Message | undefined {
    return this.result?._tag === "Success" ? this.result.value : undefined
  }

  get watched(): Effect.Effect<Message.Message | undefined> {
    return Effect.suspend(() => {
      const { items, result, trace } = this
      if (result === undefined) return Effect.flatMap(this.changed, () => this.watched)
      if (Exit.isSuccess(result)) return Effect.succeed(result.value)
      if (Cause.hasInterruptsOnly(result.cause)) return Effect.undefined
      return Effect.succeed(Message.fromCause(result.cause, { content: items.join(""), trace }))
    })
  }

  get absorbed(): MessagePromise {
    if (this.asMessage !== undefined) return this.asMessage
    return this.whole === undefined
      ? (this.asMessage = absorbing(this))
      : (this as MessagePromise<unknown> as MessagePromise)
  }

  /** Whether the value is a token, which it then takes. */
  take(token: unknown): boolean {
    if (typeof token !== "string") return false
    if (this.streams) this.append(token)
    else this.held += token
    return true
  }

  finishText(): string {
    this.release()
    return this.items.join("")
  }

  /** Ends the promise with its message, or with a failure that nobody has read yet. */
  finish(
    exit: Exit.Exit<Message.Message, E>,
    { reports }: MiniAgents.RuntimeImpl,
    { trace }: Pick<Task, "trace">
  ): void {
    if (Exit.isFailure(exit)) reports.watch(this, exit.cause, trace)
    this.release()
    this.task = undefined
    this.result = exit
    this.end(exit)
  }

  private release(): void {
    if (this.held === "") return
    this.append(this.held)
    this.held = ""
  }
}

type Reads<E> = Pick<Inside<E>, "source" | "known" | "channel" | "message" | "watched">

interface View<E> extends Inside<E> {}
class View<E> {
  private asMessage: MessagePromise | undefined = undefined

  constructor(reads: Reads<E>) {
    void Object.assign(this, reads)
  }

  get absorbed(): MessagePromise {
    return (this.asMessage ??= absorbing(this))
  }

  /** One that cannot fail is already what its failure would be taken as. */
  static infallible(reads: Reads<never>): MessagePromise {
    const view = new View(reads)
    return (view.asMessage = view)
  }
}

const takeAll = (promise: Streamed<unknown>, tokens: ReadonlyArray<unknown>): Effect.Effect<void> => {
  for (let i = 0; i < tokens.length; i++) if (!promise.take(tokens[i])) return Effect.die(notToken(tokens[i]))
  return Effect.void
}

const notToken = (value: unknown) => Message.invalid("MessagePromise", "tokens", value, "a token is a string")

makeStreamable(Streamed.prototype, TypeId, (self) => replay(self))
makeStreamable(View.prototype, TypeId)
makeStreamable(Whole.prototype, TypeId, (self) => {
  const text = String(self.whole)
  return text === "" ? Channel.empty : Channel.succeed([text] as const)
})

const absorbing = (promise: Inside): MessagePromise => {
  const failureOf = (cause: Cause.Cause<unknown>) => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
    const trace = promise instanceof Streamed ? promise.trace : []
    return Effect.map(textBeforeFailure(promise), (content) => Message.fromCause(cause, { content, trace }))
  }
  const rest = (failure: Message.Failure) => String(failure).slice(failure.content.length)
  const tokens = Stream.catchCause(promise, (cause) => Stream.fromEffect(Effect.map(failureOf(cause), rest)))
  const message = Effect.catchCause(promise.message, failureOf)
  const { known, watched } = promise
  return View.infallible({ source: promise, known, channel: tokens.channel, message, watched })
}

const textBeforeFailure = (promise: MessagePromise<unknown>): Effect.Effect<string> =>
  Effect.suspend(() => {
    let text = ""
    const read = Stream.runForEachArray(promise, (chunk) =>
      Effect.sync(() => {
        text += chunk.join("")
      })
    )
    return Effect.map(Effect.exit(read), () => text)
  })

const wholeOf = <E, R>(text: string, options: Options<E, R>): Effect.Effect<Message.Message, E, R> =>
  options.whole === undefined ? Effect.succeed(Message.fromText(text, options.known)) : options.whole(text)
