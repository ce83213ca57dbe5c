/** A sequence as the events of a transcript, made as they are asked for. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Log } from "./internal/log.ts"
import { inside, isPromise } from "./internal/promise.ts"
import { defectOf } from "./internal/reason.ts"
import type { Reader } from "./internal/ropeReader.ts"
import { readerOf } from "./internal/sequence.ts"
import * as LlmMessage from "./llm/agents/LlmMessage.ts"
import * as Message from "./Message.ts"
import type * as MessagePromise from "./MessagePromise.ts"
import type * as MessageSequence from "./MessageSequence.ts"
import type { Event, Failure } from "./Transcript.ts"

/** What a reader has: messages up to `at`, and of that one the text up to `to`; without `to` not even that it is open. */
export interface Had {
  readonly at: number
  readonly to: number | undefined
}

/** How failures leave the process. */
export interface Failures {
  readonly leave: (cause: Cause.Cause<unknown>) => Effect.Effect<Failure>
  /** Where a text begins anew, if that is what its reader failed with. */
  readonly resetOf: (cause: Cause.Cause<unknown>) => number | undefined
}

/** The events that a reader has not had yet. */
export const encode = (
  sequence: MessageSequence.MessageSequence<unknown>,
  had: Had,
  failures: Failures
): Stream.Stream<Event> =>
  Stream.fromChannel(
    Channel.fromTransform((_upstream, scope) =>
      Effect.sync(() => new Encoder(readerOf(sequence), had, failures, scope).pull)
    )
  )

/**
 * How much of a text one event holds at most, in UTF-16 units: 32 KiB in UTF-8, where a unit takes three bytes at most.
 */
const maxText = 10_920
/** How many events are made at once at most. */
const maxEvents = 128

type EventsPull = Pull.Pull<Arr.NonEmptyReadonlyArray<Event>>
type TokensPull = Pull.Pull<Arr.NonEmptyReadonlyArray<string>, unknown>

/** The message that is being encoded. */
interface Current {
  readonly promise: MessagePromise.MessagePromise<unknown>
  /** Whether its failure is a message. */
  readonly recovers: boolean
  readonly scope: Scope.Closeable | undefined
  /** The tokens that are there, and how much of them was said. */
  tokens: ReadonlyArray<string>
  index: number
  offset: number
  /** Gives more tokens, once it is clear how; nothing when there are no more. */
  pull: TokensPull | undefined
  more: boolean
  /** Half of a surrogate pair, whose other half is to come. */
  half: string
  /** All that was said of its text, unless its log has it: a copy for each reader would be as long as the text. */
  readonly said: Array<string>
  to: number
  readonly had: number
}

class Encoder {
  private readonly reader: Reader<MessagePromise.MessagePromise<unknown>>
  private readonly watches: boolean
  private readonly had: Had
  private readonly failures: Failures
  private readonly scope: Scope.Scope
  private promises: ReadonlyArray<MessagePromise.MessagePromise<unknown>> = []
  private next = 0
  private at = 0
  private current: Current | undefined = undefined
  private out: Array<Event> = []
  private size = 0
  private ended = false

  constructor(read: ReturnType<typeof readerOf>, had: Had, failures: Failures, scope: Scope.Scope) {
    this.reader = read.reader
    this.watches = read.watches
    this.had = had
    this.failures = failures
    this.scope = scope
  }

  /** The next events; at least one, and as many as are there without waiting, up to a limit. */
  readonly pull: EventsPull = Effect.suspend(() => {
    while (this.size < maxText && this.out.length < maxEvents) {
      const wait = this.current === undefined ? this.begin() : this.go(this.current)
      if (wait === undefined) continue
      if (this.out.length > 0) return this.flush()
      return this.ended ? Cause.done() : Effect.flatMap(wait, () => this.pull)
    }
    return this.flush()
  })

  private flush(): EventsPull {
    // called where there are some
    const events = this.out as unknown as Arr.NonEmptyReadonlyArray<Event>
    this.out = []
    this.size = 0
    return Effect.succeed(events)
  }

  private emit(event: Event): void {
    this.out.push(event)
  }

  /** Opens the next message, or ends; what has to be waited for, if anything. */
  private begin(): Effect.Effect<void> | undefined {
    if (this.next === this.promises.length) {
      if (this.ended) return Effect.void
      this.promises = this.reader.read()
      this.next = 0
      if (this.promises.length > 0) return undefined
      return this.reader.exit === undefined ? this.reader.blocked!.changedFor(this.watches ? "none" : "all") : this.end
    }
    const promise = this.watches ? inside(this.promises[this.next++]!).watched : this.promises[this.next++]!
    if (this.at < this.had.at) {
      this.at++
      return undefined
    }
    const resumed = this.at === this.had.at && this.had.to !== undefined
    if (!resumed) this.emit(openOf(promise, this.at))
    this.open(promise, resumed ? this.had.to! : 0)
    return undefined
  }

  private open(given: MessagePromise.MessagePromise<unknown>, had: number): void {
    const { recovered, source } = inside(given)
    const recovers = recovered === given && isPromise(source)
    const promise = recovers ? source : given
    const { whole } = inside(promise)
    const defect = whole === undefined ? undefined : defectOf(whole)
    // only failures keep a defect
    if (defect !== undefined) return this.openDefect(promise, (whole as Message.Failure).content, defect, had)
    this.current = {
      promise,
      recovers,
      scope: whole !== undefined || promise instanceof Log ? undefined : Scope.forkUnsafe(this.scope),
      tokens: whole === undefined ? [] : tokensOf(promise, whole),
      index: 0,
      offset: 0,
      pull: undefined,
      more: whole === undefined,
      half: "",
      said: [],
      to: 0,
      had
    }
  }

  /** Opens a message that a defect became: what it says of the defect must not leave. */
  private openDefect(promise: Current["promise"], content: string, defect: Cause.Cause<unknown>, had: number): void {
    const pull = Effect.failCause(defect)
    const scope = undefined
    const start = { tokens: [content], index: 0, offset: 0, half: "", said: [], to: 0 }
    this.current = { promise, recovers: true, scope, pull, more: true, had, ...start }
  }

  /** Says more of the message under way; what has to be waited for, if anything. */
  private go(current: Current): Effect.Effect<void> | undefined {
    const text = takeText(current)
    if (text !== "") {
      this.say(current, text)
      return undefined
    }
    if (current.more) return this.awaitTokens(current)
    const { whole } = inside(current.promise)
    if (whole === undefined) {
      return Effect.matchCauseEffect(current.promise.message, {
        onSuccess: (message) => this.finish(current, message),
        onFailure: (cause) => this.break(current, cause)
      })
    }
    this.whole(current, whole)
    return undefined
  }

  private say(current: Current, text: string): void {
    const start = current.to
    current.to += text.length
    if (!(current.promise instanceof Log)) current.said.push(text)
    if (current.to <= current.had) return
    const said = start < current.had ? text.slice(current.had - start) : text
    this.size += said.length
    this.emit({ _tag: "text", at: this.at, to: current.to, text: said })
  }

  private awaitTokens(current: Current): Effect.Effect<void> {
    const pull =
      current.pull ??
      Effect.flatMap(Channel.toPullScoped(current.promise.channel, current.scope ?? this.scope), (made) => {
        current.pull = made
        return made
      })
    return Effect.matchCauseEffect(pull, {
      onSuccess: (tokens) => {
        current.tokens = tokens
        current.index = 0
        return Effect.void
      },
      onFailure: (cause) => {
        if (!Pull.isDoneCause(cause)) return this.break(current, cause)
        current.more = false
        return Effect.void
      }
    })
  }

  private whole(current: Current, message: Message.Message): void {
    this.emit({ _tag: "message", at: this.at, message: jsonOf(message, current), hashKey: message.hashKey })
    this.leave()
  }

  private leave(): void {
    this.current = undefined
    this.at++
  }

  private finish(current: Current, message: Message.Message): Effect.Effect<void> {
    this.whole(current, message)
    return this.close(current)
  }

  private break(current: Current, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const reset = this.failures.resetOf(cause)
    if (reset !== undefined) {
      this.emit({ _tag: "reset", at: this.at, to: reset })
      if (reset === 0) this.emit(openOf(current.promise, this.at))
      this.open(current.promise, reset)
      return this.close(current)
    }
    if (current.recovers && !Cause.hasInterruptsOnly(cause)) return this.recover(current, cause)
    if (current.half !== "") this.say(current, current.half)
    const { at } = this
    this.leave()
    const said = Cause.hasInterruptsOnly(cause)
      ? Effect.succeed<Event>({ _tag: "broken", at })
      : Effect.map(this.failures.leave(cause), (failure): Event => ({
          _tag: "broken",
          at,
          failure
        }))
    return Effect.andThen(
      this.close(current),
      Effect.map(said, (event) => this.emit(event))
    )
  }

  /** The failure as a message; of a defect it says no more than may leave the process. */
  private recover(current: Current, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const content = current.promise instanceof Log ? saidOf(current).join("") : current.said.join("") + current.half
    if (Cause.hasFails(cause)) return this.sayFailure(current, Message.fromCause(cause, { content }))
    return Effect.flatMap(this.failures.leave(cause), ({ error, id = "", reason, trace }) =>
      this.sayFailure(current, new Message.Failure({ content, error, reason: `${reason} (${id})`, trace }))
    )
  }

  private sayFailure(current: Current, failure: Message.Failure): Effect.Effect<void> {
    current.more = false
    current.tokens = [String(failure).slice(failure.content.length)]
    current.index = current.offset = 0
    for (let text = takeText(current); text !== ""; text = takeText(current)) this.say(current, text)
    return this.finish(current, failure)
  }

  private close({ scope }: Current): Effect.Effect<void> {
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  }

  private readonly end = Effect.suspend((): Effect.Effect<void> => {
    this.ended = true
    const exit = this.reader.readExit()
    if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) {
      return Effect.map(this.failures.leave(exit.cause), (failure) => this.emit({ _tag: "failed", failure }))
    }
    this.emit({ _tag: Exit.isSuccess(exit) ? "end" : "interrupted" })
    return Effect.void
  })
}

/** The next piece of the text that is there, of which no surrogate pair is cut; nothing if there is none. */
const takeText = (current: Current): string => {
  const { tokens } = current
  let text = current.half
  current.half = ""
  while (current.index < tokens.length && text.length < maxText) {
    const token = tokens[current.index]
    const room = maxText - text.length
    const piece =
      current.offset === 0 && token.length <= room ? token : token.slice(current.offset, current.offset + room)
    text = text === "" ? piece : text + piece
    current.offset += piece.length
    if (current.offset < token.length) break
    current.index++
    current.offset = 0
  }
  const last = text.charCodeAt(text.length - 1)
  if (last < 0xd800 || last > 0xdbff || (!current.more && current.index === tokens.length)) return text
  current.half = text.slice(-1)
  return text.slice(0, -1)
}

/** The text that was said, in pieces. */
const saidOf = ({ promise, said }: Current): ReadonlyArray<string> =>
  promise instanceof Log ? (promise.items as ReadonlyArray<string>) : said // a promise's log holds tokens

/** The message as JSON, without a content that is the text that was said. */
const jsonOf = (message: Message.Message, current: Current): { readonly [key: string]: Message.Metadata[string] } => {
  const { to, tokens } = current
  const json = Message.toJson(message)
  if (to === 0 || typeof json.content !== "string" || json.content.length !== to) return json
  const { content: _, ...rest } = json
  if (tokens[0] === json.content) return rest
  let offset = 0
  for (const text of saidOf(current)) {
    if (!json.content.startsWith(text, offset)) return json
    offset += text.length
  }
  return rest
}

/** The tokens of a message that is there: none where its text follows from its other fields. */
const tokensOf = (promise: MessagePromise.MessagePromise<unknown>, message: Message.Message): ReadonlyArray<string> => {
  if (promise instanceof Log) return promise.items as ReadonlyArray<string> // a promise's log holds tokens
  const hasContent = "content" in message && typeof message.content === "string"
  return !hasContent && (wellKnown.has(message.constructor) || hasDefaultText(message)) ? [] : [String(message)]
}

/** Whether the text of a message without a content is its fields as a block of JSON, as long as its class says nothing. */
const hasDefaultText = (message: Message.Message): boolean => {
  let prototype: object = Object.getPrototypeOf(message)
  while (!Object.hasOwn(prototype, "toString")) prototype = Object.getPrototypeOf(prototype)
  return Object.hasOwn(prototype, Message.TypeId)
}

/** Classes with a text of their own making that both sides know. */
const wellKnown: ReadonlySet<unknown> = new Set([Message.Data, ...LlmMessage.classes])

const openOf = (promise: MessagePromise.MessagePromise<unknown>, at: number): Event => {
  const known = knownOf(promise)
  const { origin } = promise
  if (origin === undefined) return { _tag: "open", at, known }
  const { agent, path, run } = origin
  return { _tag: "open", at, known, origin: run === undefined ? { path, agent } : { path, agent, run } }
}

const knownFields = ["agent", "model", "step", "finishReason", "responseId", "usage"]

const knownOf = (
  promise: MessagePromise.MessagePromise<unknown>
): { readonly [key: string]: Message.Metadata[string] } => {
  const { whole } = inside(promise)
  if (whole === undefined || promise instanceof Log) return promise.known as Message.Metadata // JSON, all of it
  const known: Record<string, Message.Metadata[string]> = { _tag: whole._tag }
  for (const name of knownFields) if (name in whole) known[name] = whole[name as never] // JSON, in all classes that have it
  if (Object.keys(whole.metadata).length > 0) known.metadata = whole.metadata
  if (promise.known.aside === true) known.aside = true
  return known
}
