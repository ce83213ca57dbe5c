/** What message sequences are made of: ropes of promises. */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import * as Message from "../Message.ts"
import type { MessagePromise, Origin } from "../MessagePromise.ts"
import type { MessageSequence, Part, SingleOptions } from "../MessageSequence.ts"
import type { Source } from "./input.ts"
import { type Place, shownOf, traced } from "./place.ts"
import { asAside, inside, Whole } from "./promise.ts"
import { CircularSequence, readBy, ringThrough } from "./rings.ts"
import { type Fork, Rope } from "./rope.ts"
import { given, isRope, type Observes, Reader } from "./ropeReader.ts"
import type { RuntimeImpl } from "./runtime.ts"
import { collect, joined, partsOf, promisesOf, singleOf } from "./sequenceReads.ts"
import { makeStreamable, type StreamChannel } from "./streamable.ts"
import { Task } from "./task.ts"

export const TypeId = "~miniagents/MessageSequence"

export type Promise = MessagePromise<unknown>

export interface Sequence<E = unknown> extends MessageSequence<E> {}
export class Sequence<E = unknown> extends Rope<Promise> {
  declare readonly channel: StreamChannel<MessagePromise<E>, E>
  /** What fills this sequence, while it does. */
  task: Task | undefined = undefined
  /** Who keeps it open to send more, if it is the input of such a call. */
  opener: Task | undefined = undefined
  /** Whether someone other than the agent it was sent to can read it. */
  shared = false
  /** The call that made it. */
  readonly place: Place | undefined
  private readonly laneTasks = new Set<Task>()
  private view: MessageSequence<E> | undefined = undefined

  constructor(errorsAsMessages: boolean, place: Place | undefined) {
    super()
    this.place = place
    if (errorsAsMessages) this.recover = recover
  }

  get origin(): Origin | undefined {
    return this.place
  }

  get messages(): Effect.Effect<ReadonlyArray<Message.Message>, E> {
    return collect(this, "all")
  }

  get text(): Effect.Effect<string, E> {
    return joined(collect(this, "all", true))
  }

  get parts(): Stream.Stream<Part<E>, E> {
    return Stream.fromPull(partsOf(this, "all"))
  }

  single(options?: SingleOptions): MessagePromise<E> {
    return singleOf(this, this, options)
  }

  /** The same sequence for who only watches: reading it starts nothing and takes no failure as read. */
  get watched(): MessageSequence<E> {
    return (this.view ??= new Watched(this))
  }

  /** What stands for the failure that it ended with, if that is no end: nothing, where that is in it already. */
  get failure(): ReadonlyArray<Promise> | undefined {
    return undefined
  }

  /** A part as it is read, with its failure taken as a message where this sequence takes it so. */
  part(part: Promise | Rope<Promise>, observes: Observes): Part<unknown> {
    if (!isRope(part)) {
      const promise = given(part, this)
      return observes === "none" ? inside(promise).watched : promise
    }
    let nested = part as Sequence // all ropes of promises that are parts are sequences
    const recovers = this.recover !== undefined && nested.recover === undefined
    if (recovers || (this.mark !== undefined && nested.mark === undefined)) nested = new Within(nested, this)
    if (observes === "none") return nested.watched
    nested.shared = true
    return nested
  }

  /** Adds parts at their place. */
  addParts(parts: Array<Promise | Sequence>, source?: Source): void {
    this.breakRings(parts)
    if (source !== undefined && this.turns !== undefined) this.mergeRecorded(this.forkFor(source))
    this.add(parts)
  }

  /** Adds parts whose elements are given as soon as they are there. */
  addPartsOutOfOrder(parts: Array<Promise | Sequence>, source: Source): void {
    this.breakRings(parts)
    const fork = this.forkFor(source)
    this.mergeRecorded(fork)
    this.addOutOfOrder(parts, fork)
  }

  /** Runs what gives the parts of this sequence, owned by who brought them. */
  private forkFor({ fiber, owner, runtime }: Source): Fork {
    return (effect, onExit) => {
      const task: Task = new Task(runtime.supervisor, owner, { effect, context: fiber.context }, (exit) => {
        this.laneTasks.delete(task)
        onExit(exit)
      })
      this.laneTasks.add(task)
      task.startSoon(fiber)
    }
  }

  private breakRings(parts: Array<Promise | Sequence>): void {
    for (let i = 0; i < parts.length; i++) {
      const read = readBy(parts[i]!)
      if (read === undefined) continue
      read.nested = true
      this.nests = true
      const ring = this.nested ? ringThrough(read, this) : undefined
      if (ring !== undefined) parts[i] = circular(ring)
    }
  }

  /** The tasks without which this sequence does not come to its end. */
  get tasks(): ReadonlyArray<Task> {
    return this.task === undefined ? [...this.laneTasks] : [this.task, ...this.laneTasks]
  }

  override get fillers(): ReadonlyArray<Task> {
    return this.opener === undefined ? this.tasks : [...this.tasks, this.opener]
  }

  /** Ends the sequence with what its source ended with: a failure that nobody has read yet, or a message about it. */
  finish(
    exit: Exit.Exit<unknown, unknown>,
    place: Place | undefined,
    runtime: RuntimeImpl,
    context: Context.Context<never>
  ): void {
    this.task = undefined
    if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return this.close(exit)
    const cause = traced(exit.cause, place)
    if (this.recover !== undefined) {
      const failure = this.recover.failure(cause, this)
      if (failure !== undefined) this.add([failure])
      this.close(Exit.void)
    } else {
      runtime.reports.watch(this, cause, context)
      this.close(Exit.failCause(cause))
    }
  }
}

/** A sequence inside of one that takes failures as messages, or all that is in it as asides, and so takes them too. */
class Within extends Sequence {
  private readonly sequence: Sequence

  constructor(sequence: Sequence, around: Sequence) {
    super(false, sequence.place)
    this.recover = sequence.recover ?? around.recover
    this.mark = sequence.mark ?? around.mark
    this.sequence = sequence
    this.add([sequence])
    this.end(Exit.void)
  }

  override get added(): Sequence["added"] {
    return this.sequence.added
  }

  override get failure(): ReadonlyArray<Promise> | undefined {
    const { exit, recover } = this.sequence
    if (this.recover === undefined || recover !== undefined) return undefined
    if (exit?._tag !== "Failure" || Cause.hasInterruptsOnly(exit.cause)) return undefined
    const failure = this.failureOf(this.sequence)
    return failure === undefined ? [] : [failure]
  }
}

/** A sequence as who only watches sees it. */
interface Watched<E> extends MessageSequence<E> {}
class Watched<E> {
  readonly sequence: Sequence<E>

  constructor(sequence: Sequence<E>) {
    this.sequence = sequence
  }

  get origin(): Origin | undefined {
    return this.sequence.origin
  }

  get messages(): Effect.Effect<ReadonlyArray<Message.Message>, E> {
    return collect(this.sequence, "none")
  }

  get text(): Effect.Effect<string, E> {
    return joined(collect(this.sequence, "none", true))
  }

  get parts(): Stream.Stream<Part<E>, E> {
    return Stream.fromPull(partsOf(this.sequence, "none"))
  }

  single(options?: SingleOptions): MessagePromise<E> {
    return singleOf(this, this.sequence, options)
  }
}

/** The same sequence with all that is in it as asides. */
export const asides = <E>(sequence: Sequence<E>): Sequence<E> => {
  const marked = new Sequence<E>(false, sequence.place)
  marked.mark = asAside
  sequence.shared = true
  marked.addParts([sequence])
  marked.end(Exit.void)
  return marked
}

/** What is read of a sequence, in whichever way it is seen. */
export const readerOf = (
  sequence: MessageSequence<unknown>
): { readonly reader: Reader<Promise>; readonly watches: boolean } =>
  sequence instanceof Watched
    ? { reader: new Reader(sequence.sequence, "none"), watches: true }
    : { reader: new Reader(sequence as Sequence, "all"), watches: false } // all sequences are made here

const recover = {
  element: (promise: Promise): Promise => inside(promise).recovered,
  failure: (cause: Cause.Cause<unknown>, rope: Rope<Promise>): Promise | undefined => {
    const place = rope instanceof Sequence ? rope.place : undefined
    return place !== undefined && shownOf(cause)?.place === place ? undefined : new Whole(Message.fromCause(cause))
  }
}

const circular = (ring: ReadonlyArray<Rope<Promise>>): Sequence => {
  const agents = ring.flatMap((rope) => (rope instanceof Sequence && rope.place ? [rope.place.agent] : []))
  const broken = new Sequence(false, undefined)
  broken.end(Exit.die(new CircularSequence({ agents: [...new Set(agents)] })))
  return broken
}

makeStreamable(Sequence.prototype, TypeId, (sequence) => Channel.fromPull(promisesOf(sequence, "all")))
makeStreamable(Watched.prototype, TypeId, (watched) =>
  Channel.fromPull(promisesOf(watched.sequence as Sequence, "none"))
)
