/** What message sequences are made of: ropes of promises, and the ways to read them. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Message from "../Message.ts"
import type { MessagePromise, Origin } from "../MessagePromise.ts"
import type { MessageSequence, Part, SingleOptions } from "../MessageSequence.ts"
import type { Source } from "./input.ts"
import { joinedTokens, withoutNewlines } from "./joinedTokens.ts"
import { type Place, shownOf, traced } from "./place.ts"
import { asAside, inside, isAside, isPromise, View, Whole } from "./promise.ts"
import { given, type Observes, Reader, Rope } from "./rope.ts"
import type { RuntimeImpl } from "./runtime.ts"
import { ended, makeStreamable, type StreamChannel } from "./streamable.ts"
import { Task } from "./task.ts"

export const TypeId = "~miniagents/MessageSequence"

export type Promise = MessagePromise<unknown>

/**
 * A sequence that would contain itself: it ends with this as a defect in the place where it would have to go on with its
 * own beginning. The agents are those whose sequences make up the ring.
 */
export class CircularSequence extends Schema.TaggedError<CircularSequence>()("CircularSequence", {
  agents: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const agents = this.agents.length === 0 ? "a sequence" : `the replies of ${this.agents.join(" <- ")}`
    return `A sequence would contain itself through ${agents}: let one of them read a copy that does not lead back`
  }
}

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

  /** Adds parts at their place. */
  addParts(parts: Array<Promise | Sequence>): void {
    this.breakRings(parts)
    this.add(parts)
  }

  /** Adds parts whose elements are given as soon as they are there. */
  addPartsOutOfOrder(parts: Array<Promise | Sequence>, { fiber, owner, runtime }: Source): void {
    this.breakRings(parts)
    const context = fiber.context as Context.Context<never>
    this.addOutOfOrder(parts, (effect, onExit) => {
      const task: Task = new Task(runtime.supervisor, owner, { effect, context }, (exit) => {
        this.laneTasks.delete(task)
        onExit(exit)
      })
      this.laneTasks.add(task)
      task.startSoon(fiber)
    })
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

  /** What stands for the failure that the sequence ended with, if it did: nothing, where that is in it already. */
  get failure(): ReadonlyArray<Promise> | undefined {
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

/** The sequence that a part is or reads from, if any. */
const readBy = (part: Promise | Rope<Promise>): Rope<Promise> | undefined => {
  let source: unknown = part
  while (isPromise(source)) source = inside(source).source
  return source instanceof Rope ? source : undefined
}

/** The ropes that lead from one to another as parts of parts, if they do. */
const ringThrough = (from: Rope<Promise>, to: Rope<Promise>): ReadonlyArray<Rope<Promise>> | undefined => {
  if (from === to) return [from]
  if (!from.nests) return undefined
  const cameFrom = new Map<Rope<Promise>, Rope<Promise> | undefined>([[from, undefined]])
  const pending = [from]
  for (let rope = pending.pop(); rope !== undefined; rope = pending.pop()) {
    for (const part of rope.contents) {
      const read = readBy(part)
      if (read === undefined || cameFrom.has(read)) continue
      cameFrom.set(read, rope)
      if (read === to) return pathTo(read, cameFrom)
      if (read.nests) pending.push(read)
    }
  }
  return undefined
}

const pathTo = (
  end: Rope<Promise>,
  cameFrom: ReadonlyMap<Rope<Promise>, Rope<Promise> | undefined>
): ReadonlyArray<Rope<Promise>> => {
  const path: Array<Rope<Promise>> = []
  for (let rope: Rope<Promise> | undefined = end; rope !== undefined; rope = cameFrom.get(rope)) path.push(rope)
  return path
}

const circular = (ring: ReadonlyArray<Rope<Promise>>): Sequence => {
  const agents = ring.flatMap((rope) => (rope instanceof Sequence && rope.place ? [rope.place.agent] : []))
  const broken = new Sequence(false, undefined)
  broken.end(Exit.die(new CircularSequence({ agents: [...new Set(agents)] })))
  return broken
}

const blankLine = "\n\n"

const joined = <E>(messages: Effect.Effect<ReadonlyArray<Message.Message>, E>): Effect.Effect<string, E> =>
  Effect.map(messages, (messages) => messages.map(String).join(blankLine))

/** The messages of a sequence, or those that are said: what is an aside is waited for all the same. */
const collect = <E>(
  sequence: Sequence<E>,
  observes: Observes,
  said = false
): Effect.Effect<ReadonlyArray<Message.Message>, E> =>
  Effect.suspend(() => {
    const reader = new Reader(sequence, observes)
    const messages: Array<Message.Message> = []
    let chunk: ReadonlyArray<Promise> = []
    let next = 0
    const step: Effect.Effect<ReadonlyArray<Message.Message>, E> = Effect.suspend(() => {
      while (true) {
        for (; next < chunk.length; next++) {
          const promise = inside(chunk[next]!)
          if (promise.whole === undefined) {
            const { message } = observes === "all" ? promise : promise.watched
            return Effect.flatMap(message as Effect.Effect<Message.Message, E>, push) // a promise of this sequence
          }
          add(promise, promise.whole)
        }
        chunk = reader.read()
        next = 0
        if (chunk.length > 0) continue
        if (reader.exit === undefined) return Effect.flatMap(reader.blocked!.changed, () => step)
        const exit = reader.readExit()
        return Exit.isSuccess(exit) ? Effect.succeed(messages) : (exit as Exit.Exit<never, E>)
      }
    })
    const add = (promise: Promise, message: Message.Message) => {
      if (!said || !(isAside(promise) || Message.isAside(message))) messages.push(message)
    }
    const push = (message: Message.Message) => {
      add(chunk[next]!, message)
      next++
      return step
    }
    return step
  })

type Chunks<A, E> = Effect.Effect<Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E>>

/** The promises of a sequence, flat. */
const promisesOf = (sequence: Sequence, observes: Observes): Chunks<Promise, unknown> =>
  Effect.sync(() => {
    const reader = new Reader(sequence, observes)
    const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Promise>, unknown> = Effect.suspend(() => {
      let chunk: ReadonlyArray<Promise> = reader.read()
      if (chunk.length > 0) {
        if (observes === "none") chunk = chunk.map((promise) => inside(promise).watched)
        return Effect.succeed(chunk as Arr.NonEmptyReadonlyArray<Promise>)
      }
      if (reader.exit !== undefined) return ended(reader.readExit())
      return Effect.flatMap(reader.blocked!.changed, () => pull)
    })
    return pull
  })

/** What was put into a sequence, in the order of that. */
const partsOf = <E>(sequence: Sequence<E>, observes: Observes): Chunks<Part<E>, E> =>
  Effect.sync(() => {
    let index = 0
    let over = false
    const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Part<E>>, E> = Effect.suspend(() => {
      if (observes === "all") sequence.startUnsafe()
      const { exit, items } = sequence.added
      if (index < items.length) {
        const parts = items.slice(index).map((part) => partOf(part, sequence, observes))
        index = items.length
        return Effect.succeed(parts as ReadonlyArray<unknown> as Arr.NonEmptyReadonlyArray<Part<E>>)
      }
      if (exit === undefined) return Effect.flatMap(sequence.added.changed, () => pull)
      const failure = sequence instanceof Within ? sequence.failure : undefined
      if (failure !== undefined) {
        const [promise] = failure
        if (over || promise === undefined) return Cause.done()
        over = true
        return Effect.succeed([promise as Part<E>]) // it cannot fail
      }
      if (observes === "all" && Exit.isFailure(exit)) sequence.failureRead()
      return ended(exit)
    })
    return pull
  })

/** A part, with its failure taken as a message where the sequence takes it so. */
const partOf = (part: Promise | Rope<Promise>, around: Sequence, observes: Observes): Part<unknown> => {
  if (!(part instanceof Rope)) {
    const promise = given(part, around)
    return observes === "none" ? inside(promise).watched : promise
  }
  let nested = part as Sequence // all ropes of promises that are parts are sequences
  const recovers = around.recover !== undefined && nested.recover === undefined
  if (recovers || (around.mark !== undefined && nested.mark === undefined)) nested = new Within(nested, around)
  if (observes === "none") return nested.watched
  nested.shared = true
  return nested
}

const singleOf = <E>(self: MessageSequence<E>, source: Sequence<E>, options: SingleOptions = {}): MessagePromise<E> => {
  const { delimiter = blankLine, known = {}, mergeMetadata = false, originals = false, trimStart = false } = options
  const spoken = Stream.map(self, (promise) => ({
    tokens: trimStart ? withoutNewlines(promise) : promise,
    isSilent: isAside(promise)
  }))
  const tokens = joinedTokens(spoken, delimiter)
  const join = (messages: ReadonlyArray<Message.Message>) => {
    const texts = messages.map(String)
    const content = (trimStart ? texts.map((text) => text.replace(/^[\r\n]+/, "")) : texts).join(delimiter)
    const merged = mergeMetadata ? Object.assign({}, ...messages.map((message) => message.metadata)) : {}
    const metadata = { ...merged, ...known.metadata }
    return originals
      ? new Message.Joined({ content, originals: messages, metadata })
      : Message.fromText(content, Object.keys(metadata).length === 0 ? known : { ...known, metadata })
  }
  const view: MessagePromise<E> = new View<E>(source, {
    known: originals ? { _tag: "Joined" } : { _tag: "Text", ...known },
    tokens,
    message: Effect.map(collect(source, self === source ? "all" : "none", true), join),
    watch: () => (self === source ? singleOf(source.watched, source, options) : view)
  })
  return view
}

makeStreamable(Sequence.prototype, TypeId, (sequence) => Channel.fromPull(promisesOf(sequence, "all")))
makeStreamable(Watched.prototype, TypeId, (watched) =>
  Channel.fromPull(promisesOf(watched.sequence as Sequence, "none"))
)
