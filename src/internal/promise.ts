/** What message promises are made of: messages that are there, tokens that become one, and views of either. */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import * as Message from "../Message.ts"
import type { MessagePromise, Origin } from "../MessagePromise.ts"
import { textUntilFailure } from "./joinedTokens.ts"
import { Log } from "./log.ts"
import { type Place, traced } from "./place.ts"
import type { RuntimeImpl } from "./runtime.ts"
import { makeStreamable, replay, type StreamChannel } from "./streamable.ts"
import type { Task } from "./task.ts"

export const TypeId = "~miniagents/MessagePromise"

/** What the library itself wants of a promise, beside what everyone does. */
export interface Inside<out E = unknown> extends MessagePromise<E> {
  /** Who made it: nobody yet, a call, or `outside`. */
  maker: Origin | undefined
  /** The message, once it is there. */
  readonly whole: Message.Message | undefined
  /** What fills it, while it does. */
  readonly task: Task | undefined
  /** What it reads from, if nothing fills it. */
  readonly source: unknown
  /**
   * The same promise with its failure taken as a message: the tokens before it are kept, then comes what went wrong. One
   * and the same for every reader; an interruption stays one.
   */
  readonly recovered: MessagePromise
  /** The same promise for who only watches: reading it starts nothing and takes no failure as read. */
  readonly watched: MessagePromise<E>
}

export const isPromise = (value: unknown): value is MessagePromise<unknown> => Predicate.hasProperty(value, TypeId)

export const inside = <E>(promise: MessagePromise<E>): Inside<E> => promise as Inside<E> // all promises are made here

/** The origin of what no call has made. */
export const outside: Origin = Object.freeze({ path: "", agent: "" })

/** Says who made a promise, unless that is known. */
export const stamp = (promise: MessagePromise<unknown>, place: Place | undefined): void => {
  const made = inside(promise)
  if (made.maker === undefined) made.maker = place ?? outside
}

abstract class Made {
  maker: Origin | undefined = undefined

  get origin(): Origin | undefined {
    return this.maker === outside ? undefined : this.maker
  }
}

export interface Whole extends Inside<never> {}
export class Whole extends Made {
  declare readonly channel: StreamChannel<string, never>
  readonly whole: Message.Message

  constructor(message: Message.Message) {
    super()
    this.whole = message
  }

  get message(): Effect.Effect<Message.Message> {
    return Effect.succeed(this.whole)
  }

  get known(): Message.KnownFields {
    const fields = withoutContent(this.whole)
    return Message.isAside(this.whole) ? { ...fields, aside: true } : fields
  }

  get recovered(): MessagePromise {
    return this
  }

  get watched(): MessagePromise {
    return this
  }
}

export interface Streamed<E> extends Inside<E> {}
export class Streamed<E> extends Log<string> {
  declare readonly channel: StreamChannel<string, E>
  known: Message.KnownFields
  maker: Origin | undefined = undefined
  result: Exit.Exit<Message.Message, E> | undefined = undefined
  task: Task | undefined = undefined
  protected override readonly patience = 8
  private asMessage: MessagePromise | undefined = undefined
  private view: MessagePromise<E> | undefined = undefined
  private readonly streams: boolean
  /** What was said so far of a text that is given at once. */
  protected held = ""

  constructor(known: Message.KnownFields, streams: boolean) {
    super()
    this.streams = streams
    this.known = Object.freeze({ _tag: "Text", ...known })
  }

  get origin(): Origin | undefined {
    return this.maker === outside ? undefined : this.maker
  }

  override get fillers(): ReadonlyArray<Task> {
    return this.task === undefined ? [] : [this.task]
  }

  get message(): Effect.Effect<Message.Message, E> {
    return Effect.suspend(() => {
      this.startUnsafe()
      if (this.result === undefined) return Effect.flatMap(this.ended, () => this.message)
      this.readExit()
      return this.result
    })
  }

  get whole(): Message.Message | undefined {
    return this.result?._tag === "Success" ? this.result.value : undefined
  }

  get recovered(): MessagePromise {
    if (this.asMessage !== undefined) return this.asMessage
    if (this.whole === undefined) return (this.asMessage = recovering(this))
    return this as MessagePromise<unknown> as MessagePromise // it is whole, and fails no more
  }

  get watched(): MessagePromise<E> {
    return (this.view ??= new View<E>(this, {
      known: this.known,
      tokens: replay(this, "none"),
      message: this.watchedMessage
    }))
  }

  /** Whether the value is a token, which it then adds. */
  push(token: unknown): boolean {
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
    { reports }: Pick<RuntimeImpl, "reports">,
    { place }: Pick<Task, "place">,
    context: Context.Context<never>
  ): void {
    const end = Exit.isSuccess(exit) ? exit : Exit.failCause(traced(exit.cause, place))
    if (Exit.isFailure(end)) reports.watch(this, end.cause, context)
    this.release()
    this.task = undefined
    this.result = end
    this.end(end)
  }

  private get watchedMessage(): Effect.Effect<Message.Message, E> {
    return Effect.suspend(() => this.result ?? Effect.flatMap(this.ended, () => this.watchedMessage))
  }

  private release(): void {
    if (this.held === "") return
    this.append(this.held)
    this.held = ""
  }
}

/** What a promise that runs nothing itself gives. */
interface Reads<E> {
  readonly known: Message.KnownFields
  readonly tokens: StreamChannel<string, E>
  readonly message: Effect.Effect<Message.Message, E>
  /** Makes the same of the source as it is watched, where reading that source starts or marks something. */
  readonly again?: (watched: never) => MessagePromise<E>
}

/** A promise that reads from others and runs nothing itself. */
export interface View<E> extends Inside<E> {}
export class View<E> extends Made {
  private asMessage: MessagePromise | undefined = undefined
  private view: MessagePromise<E> | undefined = undefined
  private readonly again: Reads<E>["again"]

  constructor(source: unknown, { again, known, message, tokens }: Reads<E>) {
    super()
    this.again = again
    void Object.assign(this, { source, known, channel: tokens, message })
  }

  override get origin(): Origin | undefined {
    return isPromise(this.source) ? this.source.origin : super.origin
  }

  get recovered(): MessagePromise {
    return (this.asMessage ??= recovering(this))
  }

  get watched(): MessagePromise<E> {
    return (this.view ??= this.watch())
  }

  private watch(): MessagePromise<E> {
    if (this.again === undefined) return this
    const { watched } = this.source as { readonly watched: never } // of what `again` takes
    return watched === this.source ? this : this.again(watched)
  }

  /** One that cannot fail is already what its failure would be taken as. */
  static infallible(source: unknown, reads: Reads<never>): MessagePromise {
    const view = new View(source, reads)
    return (view.asMessage = view)
  }
}

/** Whether a promise is shown, but not said. */
export const isAside = (promise: MessagePromise<unknown>): boolean =>
  promise instanceof Whole ? Message.isAside(promise.whole) : promise.known.aside === true

const asides = new WeakMap<MessagePromise<unknown>, MessagePromise<unknown>>()

/** The same promise as an aside: one and the same for every reader. */
export const asAside = <E>(promise: MessagePromise<E>): MessagePromise<E> => {
  if (isAside(promise)) return promise
  let aside = asides.get(promise) as MessagePromise<E> | undefined // made of this promise
  if (aside === undefined) {
    const { channel, known, message } = promise
    aside = new View<E>(promise, {
      known: { ...known, aside: true },
      tokens: channel as StreamChannel<string, E>, // as all promises have it
      message,
      again: asAside<E>
    })
    asides.set(promise, aside)
  }
  return aside
}

export const pushAll = (
  promise: Streamed<unknown>,
  tokens: ReadonlyArray<unknown>
): Effect.Effect<never> | undefined => {
  for (let i = 0; i < tokens.length; i++) if (!promise.push(tokens[i])) return Effect.die(notToken(tokens[i]))
  return undefined
}

export const notToken = (value: unknown): Message.InvalidMessage =>
  Message.invalid("MessagePromise", "tokens", value, "a token is a string")

/** What a foreign function throws must reach the promise, not the event loop, and an Effect per token would be dear. */
export const attempt = <A>(run: () => A, fail: (cause: unknown) => void): A | undefined => {
  try {
    return run()
  } catch (cause) {
    fail(cause)
    return undefined
  }
}

makeStreamable(Streamed.prototype, TypeId, (self) => replay(self))
makeStreamable(View.prototype, TypeId)
makeStreamable(Whole.prototype, TypeId, (self) => {
  const text = String(self.whole)
  return text === "" ? Channel.empty : Channel.succeed([text] as const)
})

/** What is known of a message before its content, which a file has as its source, and others may have in parts. */
const withoutContent = (message: Message.Message): Message.KnownFields => {
  const { content: _, ...fields } = message as Message.Message & { readonly content?: unknown }
  if (message instanceof Message.File) return without("source", fields)
  return message instanceof Message.User || message instanceof Message.Assistant ? without("parts", fields) : fields
}

const without = (name: string, { [name]: _, ...fields }: { readonly [name: string]: unknown }): Message.KnownFields =>
  fields

const recovering = (promise: Inside): MessagePromise => {
  const failureOf = (cause: Cause.Cause<unknown>) => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>) // there is no failure in it
    return Effect.map(textUntilFailure(promise), (content) => Message.fromCause(cause, { content }))
  }
  const rest = (failure: Message.Failure) => String(failure).slice(failure.content.length)
  const { channel: tokens } = Stream.catchCause(promise, (cause) =>
    Stream.fromEffect(Effect.map(failureOf(cause), rest))
  )
  const message = Effect.catchCause(promise.message, failureOf)
  const { known } = promise
  return View.infallible(promise, { known, tokens, message, again: recovering })
}
