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
export interface Options<E = never, R = never> {
  /** The class of the message (`Text` unless said) and what is known of it before its content. */
  readonly known?: Message.Known
  /** Makes the message of the whole text when the tokens have ended; by default from `known` and the text. */
  readonly whole?: (text: string) => Effect.Effect<Message.Message, E, R>
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
  Effect.withFiber((fiber) => {
    const runtime = MiniAgents.current(fiber)
    const promise = new Streamed<E | E2>(options.known ?? {})
    const effect = Effect.flatMap(
      Channel.runForEach(tokens.channel, (chunk) => Effect.sync(() => promise.take(chunk, runtime.streamTokens))),
      () => wholeOf(promise.finishText(), options)
    )
    const work = { effect, context: fiber.context }
    const task = new Task(runtime.activity, runtime.activity.ownerOf(fiber), work, (exit) => {
      if (Exit.isFailure(exit)) runtime.reports.watch(promise, exit.cause, task.trace)
      promise.finish(exit as Exit.Exit<Message.Message, E | E2>) // the work's own exit
    })
    promise.task = task
    if (runtime.startSoon) task.startSoon(fiber)
    else promise.start = () => task.startUnsafe()
    return Effect.succeed(promise)
  })

/**
 * A promise that reads from others and runs nothing itself.
 *
 * @internal
 */
export const view = <E>(
  known: Message.KnownFields,
  tokens: Stream.Stream<string, E>,
  message: Effect.Effect<Message.Message, E>
): MessagePromise<E> => new View(known, tokens.channel, message)

/**
 * The same promise with its failure taken as a message: the tokens before it are kept, then comes what went wrong. One
 * and the same for every reader; an interruption stays one.
 *
 * @internal
 */
export const absorb = (promise: MessagePromise<unknown>): MessagePromise => {
  if (promise instanceof Whole) return promise
  const known = promise as Streamed<unknown> | View<unknown>
  if (known.absorbed === undefined && wholeUnsafe(promise) !== undefined) return promise as MessagePromise
  return (known.absorbed ??= absorbing(promise))
}

/** @internal */
export const wholeUnsafe = (promise: MessagePromise<unknown>): Message.Message | undefined =>
  promise instanceof Whole
    ? promise.whole
    : promise instanceof Streamed && promise.result !== undefined && Exit.isSuccess(promise.result)
      ? promise.result.value
      : undefined

/**
 * Waits for the end of a promise without starting it and without taking its failure as seen.
 *
 * @internal
 */
export const watch = (promise: MessagePromise<unknown>): Effect.Effect<Exit.Exit<Message.Message, unknown>> => {
  if (!(promise instanceof Streamed)) return Effect.exit(promise.message)
  return Effect.suspend(() =>
    promise.result === undefined
      ? Effect.flatMap(promise.changed, () => watch(promise))
      : Effect.succeed(promise.result)
  )
}

/** @internal */
export const taskOf = (promise: MessagePromise<unknown>): Task | undefined =>
  promise instanceof Streamed ? promise.task : undefined

interface Whole extends MessagePromise {}
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
}

interface Streamed<E> extends MessagePromise<E> {}
class Streamed<E> extends Log<string> {
  declare readonly channel: StreamChannel<string, E>
  readonly known: Message.KnownFields
  result: Exit.Exit<Message.Message, E> | undefined = undefined
  task: Task | undefined = undefined
  absorbed: MessagePromise | undefined = undefined
  private held = ""

  constructor(known: Message.KnownFields) {
    super()
    this.known = Object.freeze({ _tag: "Text", ...known })
  }

  get message(): Effect.Effect<Message.Message, E> {
    return Effect.suspend(() => {
      if (this.result === undefined) {
        this.startUnsafe()
        return Effect.flatMap(this.changed, () => this.message)
      }
      if (Exit.isFailure(this.result)) this.onFailureSeen?.()
      return this.result
    })
  }

  take(tokens: ReadonlyArray<string>, stream: boolean): void {
    for (const token of tokens) {
      if (typeof token !== "string")
        throw Message.invalid("MessagePromise.fromStream", "tokens", token, "a token is a string")
    }
    if (stream) this.appendAll(tokens)
    else this.held += tokens.join("")
  }

  finishText(): string {
    this.release()
    return this.items.join("")
  }

  finish(exit: Exit.Exit<Message.Message, E>): void {
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

interface View<E> extends MessagePromise<E> {}
class View<E> {
  readonly known: Message.KnownFields
  readonly channel: StreamChannel<string, E>
  readonly message: Effect.Effect<Message.Message, E>
  absorbed: MessagePromise | undefined = undefined

  constructor(
    known: Message.KnownFields,
    channel: StreamChannel<string, E>,
    message: Effect.Effect<Message.Message, E>
  ) {
    this.known = known
    this.channel = channel
    this.message = message
  }
}

makeStreamable(Streamed.prototype, TypeId, (self) => replay(self))
makeStreamable(View.prototype, TypeId)
makeStreamable(Whole.prototype, TypeId, (self) => {
  const text = String(self.whole)
  return text === "" ? Channel.empty : Channel.succeed([text] as const)
})

const absorbing = (promise: MessagePromise<unknown>): MessagePromise => {
  const failureOf = (cause: Cause.Cause<unknown>) => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
    const trace = promise instanceof Streamed ? promise.trace : []
    return Effect.map(textBeforeFailure(promise), (content) => Message.fromCause(cause, { content, trace }))
  }
  const rest = (failure: Message.Failure) => String(failure).slice(failure.content.length)
  return view(
    promise.known,
    Stream.catchCause(promise, (cause) => Stream.fromEffect(Effect.map(failureOf(cause), rest))),
    Effect.catchCause(promise.message, failureOf)
  )
}

const textBeforeFailure = (promise: MessagePromise<unknown>): Effect.Effect<string> =>
  Effect.suspend(() => {
    const tokens: Array<string> = []
    const read = Stream.runForEachArray(promise, (chunk) => Effect.sync(() => void tokens.push(...chunk)))
    return Effect.map(Effect.exit(read), () => tokens.join(""))
  })

const wholeOf = <E, R>(text: string, options: Options<E, R>): Effect.Effect<Message.Message, E, R> =>
  options.whole === undefined ? Effect.succeed(Message.fromText(text, options.known)) : options.whole(text)
