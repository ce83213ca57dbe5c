/** A sequence made of the events of a transcript, as they come. */
import * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { outside, Streamed, TypeId, Whole } from "./internal/promise.ts"
import type { RuntimeImpl } from "./internal/runtime.ts"
import { Sequence } from "./internal/sequence.ts"
import { ended, makeStreamable, type StreamChannel } from "./internal/streamable.ts"
import { Task } from "./internal/task.ts"
import * as Message from "./Message.ts"
import type { Origin } from "./MessagePromise.ts"
import * as MiniAgents from "./MiniAgents.ts"
import type { Event, Failure, Reason } from "./Transcript.ts"

/** How failures come back into a process. */
export interface Failures {
  readonly arrive: (failure: Failure) => Cause.Cause<unknown>
  /** An error of the transcript itself. */
  readonly error: (reason: Reason) => unknown
}

/** Reads events in the background into a sequence, which ends as they say. */
export const decode = <R>(
  events: Stream.Stream<Event, unknown, R>,
  classes: ReadonlyArray<Message.AnyClass>,
  failures: Failures
): Effect.Effect<Sequence, never, MiniAgents.MiniAgents | R> =>
  Effect.withFiber((fiber) => {
    const runtime = MiniAgents.current(fiber)
    const owner = runtime.supervisor.ownerOf(fiber)
    const { context } = fiber
    const sequence = new Sequence(runtime.errorsAsMessages, owner.place)
    const decoder: Decoder = new Decoder(sequence, classes, failures, () => ({ runtime, task, context }))
    const read = Channel.runForEach(events.channel, (chunk) => Effect.suspend(() => decoder.takeAll(chunk)))
    const effect = Effect.matchCauseEffect(read, {
      onSuccess: () => decoder.exit ?? Effect.fail(failures.error({ _tag: "Cut", at: decoder.at })),
      onFailure: (cause) => decoder.exit ?? Effect.failCause(cause)
    })
    const task = new Task(runtime.supervisor, owner, { effect, context }, (exit) => decoder.close(exit))
    sequence.task = task
    if (runtime.startSoon) task.startSoon(fiber)
    else sequence.start = () => task.startUnsafe()
    return Effect.succeed(sequence)
  })

interface Owner {
  readonly runtime: RuntimeImpl
  readonly task: Task
  readonly context: Context.Context<never>
}

/**
 * Invariants:
 * 1. Nothing is added twice: events about what is there already are compared with it.
 * 2. What was whole stays as it is; what comes in its place has to be the same.
 */
class Decoder {
  /** How the sequence ends, once an event has said so. */
  exit: Exit.Exit<void, unknown> | undefined = undefined
  private readonly sequence: Sequence
  private readonly fromJson: (json: unknown) => Exit.Exit<Message.Message, unknown>
  private readonly failures: Failures
  private readonly owner: () => Owner
  /** The hash keys of the messages that have come to their end, broken ones without. */
  private readonly keys: Array<string | undefined> = []
  /** The message under way, and how much of its text is there. */
  private open: Received | undefined = undefined
  private length = 0
  /** The text, while it is being compared with what comes again. */
  private had: string | undefined = undefined
  /** A message that was opened and of which no more is known yet. */
  private known: Message.KnownFields | undefined = undefined
  private origin: Origin | undefined = undefined
  /** Where the events are: how many messages they have ended, and how much of the next one's text they have said. */
  private ended = 0
  private to = 0

  constructor(sequence: Sequence, classes: ReadonlyArray<Message.AnyClass>, failures: Failures, owner: () => Owner) {
    this.sequence = sequence
    this.fromJson = fromJsonOf(classes)
    this.failures = failures
    this.owner = owner
  }

  /** The index of the message that comes next, or is under way. */
  get at(): number {
    return this.keys.length
  }

  takeAll(events: ReadonlyArray<Event>): Effect.Effect<void, unknown> {
    for (let i = 0; i < events.length; i++) {
      const wrong = this.take(events[i])
      if (wrong !== undefined) return Effect.fail(this.failures.error(wrong))
      if (this.exit !== undefined) return Effect.fail("what comes after the end is not read")
    }
    this.begin()
    return Effect.void
  }

  /** Ends what is under way, and the sequence. */
  close(exit: Exit.Exit<unknown, unknown>): void {
    this.begin()
    if (this.open !== undefined)
      this.settle(Exit.isFailure(exit) ? Exit.failCause(exit.cause) : Exit.interrupt(), undefined)
    const { context, runtime, task } = this.owner()
    this.sequence.finish(exit, task.place, runtime, context)
  }

  private take(event: Event): Reason | undefined {
    switch (event._tag) {
      case "open":
        return this.takeOpen(event)
      case "text":
        return this.takeText(event)
      case "message":
        return this.takeMessage(event)
      case "broken":
        return this.takeEnd(event.at, undefined, () =>
          this.settle(event.failure === undefined ? Exit.interrupt() : this.failed(event.failure), undefined)
        )
      case "reset":
        return this.takeReset(event)
      default:
        return this.takeExit(event)
    }
  }

  private takeOpen({ at, known, origin }: Extract<Event, { _tag: "open" }>): Reason | undefined {
    if (at < this.at || (at === this.at && this.isOpen)) {
      this.ended = at
      this.to = 0
      if (at < this.at) return undefined
      if (this.open === undefined) this.known = known
      else this.open.known = Object.freeze(known)
      return undefined
    }
    if (at > this.at) return malformed(at, `message ${this.at} is not at its end, or was never opened`)
    this.known = known
    this.origin = origin ?? outside
    return undefined
  }

  private takeText({ at, text, to }: Extract<Event, { _tag: "text" }>): Reason | undefined {
    if (at < this.at) return undefined
    if (at > this.at || !this.isOpen) return malformed(at, "it has a text before it is opened")
    this.begin()
    const open = this.open!
    const start = to - text.length
    if (start === this.length) open.push(text)
    else if (start < 0 || start > this.length) return malformed(at, `its text lacks what comes before offset ${start}`)
    else {
      const had = (this.had ??= open.text).slice(start)
      const same = sameLength(had, text)
      if (same < had.length && same < text.length) open.reset(start + same)
      if (same < text.length) open.push(text.slice(same))
      else if (to < this.length) {
        this.to = to
        return undefined
      }
      this.had = undefined
    }
    this.length = this.to = to
    return undefined
  }

  private takeMessage({ at, hashKey, message: json }: Extract<Event, { _tag: "message" }>): Reason | undefined {
    if (at === this.at && this.to < this.length) {
      this.open!.reset(this.to)
      this.had = undefined
      this.length = this.to
    }
    const text = at === this.at ? (this.open?.text ?? "") : ""
    let wrong: Reason | undefined
    const late = this.takeEnd(at, hashKey, () => {
      const exit = this.whole(json, text, hashKey)
      if (Exit.isFailure(exit)) wrong = malformed(at, "it has no tag, or fields that no message can have")
      else this.settle(exit, hashKey)
    })
    return late ?? wrong
  }

  /** The end of a message: a new one, or one that is had already and so must be the same. */
  private takeEnd(at: number, key: string | undefined, settle: () => void): Reason | undefined {
    if (at < this.at) {
      if (this.keys[at] !== key) return { _tag: "Diverged", at }
    } else if (at > this.at || !this.isOpen) return malformed(at, "it ends before it is opened")
    else settle()
    this.ended = at + 1
    this.to = 0
    return undefined
  }

  private takeReset({ at, to }: Extract<Event, { _tag: "reset" }>): Reason | undefined {
    if (at > this.at || (at === this.at && to > this.length)) return malformed(at, "more is taken back than was given")
    this.begin()
    this.ended = at
    this.to = to
    return undefined
  }

  private takeExit(event: Extract<Event, { _tag: "end" | "failed" | "interrupted" }>): Reason | undefined {
    if (event._tag === "end") {
      if (this.isOpen) return malformed(this.at, "the sequence ends before it")
      if (this.ended < this.at) return { _tag: "Diverged", at: this.ended }
      this.exit = Exit.void
    } else this.exit = event._tag === "interrupted" ? Exit.interrupt() : this.failed(event.failure)
    return undefined
  }

  private failed(failure: Failure): Exit.Exit<never, unknown> {
    return Exit.failCause(this.failures.arrive(failure))
  }

  private get isOpen(): boolean {
    return this.open !== undefined || this.known !== undefined
  }

  /** Gives the message that was opened to the readers, before it is known how it goes on. */
  private begin(): void {
    const { known } = this
    if (known === undefined) return
    this.known = undefined
    const { runtime, task } = this.owner()
    this.open = new Received(known, runtime.streamTokens, this.failures)
    this.open.task = task
    this.open.maker = this.origin
    this.sequence.add([this.open])
  }

  /** Ends the message under way. */
  private settle(exit: Exit.Exit<Message.Message, unknown>, key: string | undefined): void {
    // a message of which nothing was seen under way is one that was there at once
    if (this.open === undefined && Exit.isSuccess(exit)) {
      const whole = new Whole(exit.value)
      whole.maker = this.origin
      this.sequence.add([whole])
    } else {
      this.begin()
      const open = this.open!
      // its text follows from its fields
      if (Exit.isSuccess(exit) && this.length === 0 && String(exit.value) !== "") open.push(String(exit.value))
      const { context, runtime, task } = this.owner()
      open.finish(exit, runtime, task, context)
    }
    this.open = undefined
    this.known = undefined
    this.length = 0
    this.had = undefined
    this.keys.push(key)
  }

  /** The message of its JSON; what has no content there has the text as its content, if it has one at all. */
  private whole(json: Fields, text: string, hashKey: string): Exit.Exit<Message.Message, unknown> {
    if (text === "" || "content" in json) return this.fromJson(json)
    if (isBare(json)) return Exit.succeed(Message.text(text))
    const exit = this.fromJson({ ...json, content: text })
    const isOther = Exit.isSuccess(exit) && Message.isUnknown(exit.value) && exit.value.hashKey !== hashKey
    return isOther ? this.fromJson(json) : exit
  }
}

const fromJsonOf = (classes: ReadonlyArray<Message.AnyClass>): Decoder["fromJson"] => {
  const made = decoders.get(classes) ?? Schema.decodeUnknownExit(Message.keepingCodec(classes))
  decoders.set(classes, made)
  return made
}
const decoders = new WeakMap<ReadonlyArray<Message.AnyClass>, Decoder["fromJson"]>()

type Fields = { readonly [key: string]: Schema.Json }

/** Whether it is a text alone, as most messages are: no schema has to look at that. */
const isBare = ({ _tag: tag, metadata, ...rest }: Fields): boolean =>
  tag === "Text" && Object.keys(rest).length === 0 && Object.keys(metadata ?? {}).length === 0

const malformed = (at: number, problem: string): Reason => ({ _tag: "Malformed", at, problem })

/** How much two texts have in common from their start. */
const sameLength = (left: string, right: string): number => {
  const length = Math.min(left.length, right.length)
  let same = 0
  while (same < length && left.charCodeAt(same) === right.charCodeAt(same)) same++
  return same
}

/** A promise whose text can be taken back from an offset on: who has read more than that fails with it, others go on. */
class Received extends Streamed<unknown> {
  private readonly failures: Failures
  /** The tokens as they were before each reset. */
  private readonly resets: Array<{ readonly items: ReadonlyArray<string>; readonly to: number }> = []

  constructor(known: Message.KnownFields, streams: boolean, failures: Failures) {
    super(known, streams)
    this.failures = failures
  }

  get text(): string {
    return this.items.join("") + this.held
  }

  reset(to: number): void {
    const kept = this.text.slice(0, to)
    if (this.held === "") {
      this.resets.push({ items: this.items, to })
      this.items = kept === "" ? [] : [kept]
      this.wake()
    } else this.held = kept
  }

  /** What a reader of older tokens goes on with, or why it cannot. */
  moved(
    items: ReadonlyArray<string>,
    index: number
  ): { readonly rest: ReadonlyArray<string> } | { readonly error: unknown } {
    let offset = 0
    for (let i = 0; i < index; i++) offset += items[i].length
    const first = this.resets.findIndex((reset) => reset.items === items)
    const lost = this.resets.slice(first).find(({ to }) => to < offset)
    if (lost !== undefined) return { error: this.failures.error({ _tag: "Reset", to: lost.to }) }
    return { rest: [(this.items[0] ?? "").slice(offset), ...this.items.slice(1)].filter((token) => token !== "") }
  }
}

const channelOf = (received: Received): StreamChannel<string, unknown> =>
  Channel.fromPull(
    Effect.sync(() => {
      let { items } = received
      let index = 0
      const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<string>, unknown> = Effect.suspend(() => {
        let chunk: ReadonlyArray<string>
        if (items === received.items) chunk = index === 0 ? [...items] : items.slice(index)
        else {
          const moved = received.moved(items, index)
          if ("error" in moved) return Effect.fail(moved.error)
          chunk = moved.rest
          items = received.items
        }
        index = items.length
        if (Arr.isReadonlyArrayNonEmpty(chunk)) return Effect.succeed(chunk)
        const { exit } = received
        if (exit === undefined) return Effect.flatMap(received.changed, () => pull)
        received.readExit()
        return ended(exit)
      })
      return pull
    })
  )

makeStreamable(Received.prototype, TypeId, channelOf)
