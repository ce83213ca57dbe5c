/**
 * A sequence of messages under way. It can be read by any number of readers, from the start and at any time, and
 * handed on before a word of it exists: sequences inside sequences are referenced, never copied.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Predicate from "effect/Predicate"
import type * as Pull from "effect/Pull"
import type * as Arr from "effect/Array"
import * as Stream from "effect/Stream"
import * as Json from "./internal/json.ts"
import { type Fork, Reader, Rope } from "./internal/rope.ts"
import { ended, makeStreamable, type StreamChannel } from "./internal/streamable.ts"
import { Task } from "./internal/task.ts"
import * as Message from "./Message.ts"
import type { ErrorOf, MessageInput } from "./MessageInput.ts"
import * as MessagePromise from "./MessagePromise.ts"
import * as MiniAgents from "./MiniAgents.ts"

/**
 * The type id of message sequences.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId = "~miniagents/MessageSequence"

/**
 * A Stream of message promises, flat whatever it was made of. `messages` waits for all of them to be whole, `text` is
 * their texts joined by a blank line, `single` is one streaming message made of them.
 *
 * Laws: **Order** (what was put in comes out in that order, nested inputs depth first), **Replay** (every reader sees
 * the same elements and the same end), **Errors in place** (a failure comes after all that was put in before it) and
 * **Cost** (reading m messages through d levels of agents costs O(m + d), and readers share one buffer).
 *
 * @since 0.1.0
 * @category models
 */
export interface MessageSequence<out E = never> extends Stream.Stream<MessagePromise.MessagePromise<E>, E> {
  readonly [TypeId]: typeof TypeId
  readonly messages: Effect.Effect<ReadonlyArray<Message.Message>, E>
  readonly text: Effect.Effect<string, E>
  readonly single: (options?: SingleOptions) => MessagePromise.MessagePromise<E>
}

/**
 * How messages are joined into one.
 *
 * @since 0.1.0
 * @category models
 */
export interface SingleOptions {
  /** What stands between two messages; a blank line unless said. */
  readonly delimiter?: string
  /** Makes the message a `Message.Joined` that holds the original messages, instead of a `Message.Text`. */
  readonly originals?: boolean
}

/**
 * Whether a value is a message sequence.
 *
 * @since 0.1.0
 * @category guards
 */
export const isMessageSequence = (value: unknown): value is MessageSequence<unknown> =>
  Predicate.hasProperty(value, TypeId)

/**
 * Makes a sequence of any input. Streams in it are read in the background, each once, whether or not anyone reads the
 * sequence. Dies with `Message.InvalidMessage` when a value in it can be no message.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { MessageSequence } from "miniagents"
 *
 * const program = Effect.gen(function*() {
 *   const sequence = yield* MessageSequence.from(["one", ["two", Stream.make("three")], { four: 4 }])
 *   return yield* sequence.messages // four messages
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const from = <const I extends MessageInput<unknown>>(
  input: I
): Effect.Effect<MessageSequence<ErrorOf<I>>, never, MiniAgents.MiniAgents> =>
  Effect.withFiber((fiber) => {
    const runtime = MiniAgents.current(fiber)
    const source = { runtime, owner: runtime.activity.ownerOf(fiber), fiber }
    const sequence = toSequence(input, source, "MessageSequence.from")
    return sequence instanceof Message.InvalidMessage
      ? Effect.die(sequence)
      : Effect.succeed(sequence as Sequence<ErrorOf<I>>) // the input's errors are the sequence's
  })

/**
 * Where parts come from: the runtime and the task that own what runs for them, and the fiber that brought them.
 *
 * @internal
 */
export interface Source {
  readonly runtime: MiniAgents.RuntimeImpl
  readonly owner: Task
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

/** @internal */
export type Part = MessagePromise.MessagePromise<unknown> | Sequence

/** @internal */
export interface Sequence<E = unknown> extends MessageSequence<E> {}

/** @internal */
export class Sequence<E = unknown> extends Rope<MessagePromise.MessagePromise<unknown>> {
  declare readonly channel: StreamChannel<MessagePromise.MessagePromise<E>, E>
  /** What fills this sequence, while it does. */
  task: Task | undefined = undefined
  /** Whether someone other than the agent it was sent to can read it. */
  shared = false
  private laneTasks: ReadonlyArray<Task> = noTasks

  constructor(errorsAsMessages: boolean) {
    super()
    if (errorsAsMessages) this.absorb = absorb
  }

  get messages(): Effect.Effect<ReadonlyArray<Message.Message>, E> {
    return collect(this)
  }

  get text(): Effect.Effect<string, E> {
    return Effect.map(this.messages, (messages) => messages.map(String).join(blankLine))
  }

  single(options: SingleOptions = {}): MessagePromise.MessagePromise<E> {
    const { delimiter = blankLine, originals = false } = options
    const tokens = this.pipe(
      Stream.mapAccum(
        () => true,
        (first, promise) => [false, [first ? promise : Stream.concat(Stream.make(delimiter), promise)]]
      ),
      Stream.flatMap(identity)
    )
    const join = (messages: ReadonlyArray<Message.Message>) => {
      const content = messages.map(String).join(delimiter)
      return originals ? new Message.Joined({ content, originals: messages }) : Message.text(content)
    }
    const watched = Effect.map(
      watch(this, () => Effect.void),
      (messages) => messages && join(messages)
    )
    const known = { _tag: originals ? "Joined" : "Text" }
    return MessagePromise.view(this, known, tokens, Effect.map(this.messages, join), watched)
  }

  /** Adds an input at its place, or as soon as its elements are there; what is wrong with it, if anything. */
  put(input: unknown, source: Source, operation: string, outOfOrder = false): Message.InvalidMessage | undefined {
    const parts = new Parts(source, operation)
    parts.add(input, "input", [])
    if (parts.invalid !== undefined) return parts.invalid
    if (outOfOrder) this.addOutOfOrder(parts.list, this.forkFrom(source))
    else this.add(parts.list)
    return undefined
  }

  /** The tasks without which this sequence does not come to its end. */
  get tasks(): ReadonlyArray<Task> {
    return this.task === undefined ? this.laneTasks : [this.task, ...this.laneTasks]
  }

  private forkFrom({ fiber, owner, runtime }: Source): Fork {
    return (effect, onExit) => {
      const context = fiber.context as Context.Context<never>
      const task = new Task(runtime.activity, owner, { effect, context }, onExit)
      this.laneTasks = [...this.laneTasks.filter((lane) => !lane.ended), task]
      task.startSoon(fiber)
    }
  }

  /** Ends the sequence with what its source ended with: a failure that nobody has read yet, or a message about it. */
  finish(exit: Exit.Exit<unknown, unknown>, source: Pick<Source, "runtime">, trace: () => ReadonlyArray<string>): void {
    this.task = undefined
    if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) this.close(exit)
    else if (this.absorb !== undefined) {
      this.add([MessagePromise.of(Message.fromCause(exit.cause, { trace: trace() }))])
      this.close(Exit.void)
    } else {
      source.runtime.reports.watch(this, exit.cause, trace())
      this.close(exit)
    }
  }
}

/**
 * The sequence of an input; the input itself where it is one.
 *
 * @internal
 */
export const toSequence = (input: unknown, source: Source, operation: string): Sequence | Message.InvalidMessage => {
  if (input instanceof Sequence) return input
  const sequence = new Sequence(source.runtime.errorsAsMessages)
  const invalid = input === undefined ? undefined : sequence.put(input, source, operation)
  if (invalid !== undefined) return invalid
  sequence.end(Exit.void)
  return sequence
}

const noTasks: ReadonlyArray<Task> = []
/**
 * Waits for the messages of a sequence, a failure as one of them, as `MessagePromise.watch` does, and gives each when it
 * is there; nothing when the sequence was interrupted.
 *
 * @internal
 */
export const watch = (
  sequence: Sequence,
  each: (message: Message.Message) => Effect.Effect<void>
): Effect.Effect<ReadonlyArray<Message.Message> | undefined> =>
  Effect.gen(function* () {
    const reader = new Reader(sequence, "none")
    const messages: Array<Message.Message> = []
    while (true) {
      for (const promise of reader.read()) {
        const message = yield* MessagePromise.inside(promise).watched
        if (message === undefined) return undefined
        messages.push(message)
        yield* each(message)
      }
      if (reader.exit === undefined) {
        yield* reader.blocked!.changed
        continue
      }
      if (Exit.isSuccess(reader.exit)) return messages
      if (Cause.hasInterruptsOnly(reader.exit.cause)) return undefined
      const failure = Message.fromCause(reader.exit.cause, { trace: reader.failed?.trace ?? [] })
      yield* each(failure)
      return [...messages, failure]
    }
  })

const blankLine = "\n\n"

const absorb = {
  element: (promise: MessagePromise.MessagePromise<unknown>) => MessagePromise.inside(promise).absorbed,
  failure: (cause: Cause.Cause<unknown>, { trace }: { readonly trace: ReadonlyArray<string> }) =>
    MessagePromise.of(Message.fromCause(cause, { trace }))
}

/** What an input is made of, in order, or why it can be none. */
class Parts {
  readonly list: Array<Part> = []
  invalid: Message.InvalidMessage | undefined = undefined
  private readonly source: Source
  private readonly operation: string

  constructor(source: Source, operation: string) {
    this.source = source
    this.operation = operation
  }

  add(input: unknown, path: string, parents: ReadonlyArray<unknown>): void {
    if (typeof input === "string") this.list.push(MessagePromise.of(Message.text(input)))
    else if (typeof input !== "object" || input === null) this.refuse(path, input, noMessage)
    else if (Message.isMessage(input)) this.list.push(MessagePromise.of(input))
    else if (MessagePromise.isMessagePromise(input)) this.list.push(input)
    else if (input instanceof Sequence) {
      input.shared = true
      this.list.push(input)
    } else if (Stream.isStream(input)) this.list.push(fromStream(input, this.source, this.operation))
    else if (Effect.isEffect(input))
      this.refuse(path, input, "it is an Effect: `yield*` it, and give what it succeeds with")
    else if (Symbol.iterator in input) this.addAll(input as Iterable<unknown>, path, parents)
    else this.addData(input, path)
  }

  private addAll(inputs: Iterable<unknown>, path: string, parents: ReadonlyArray<unknown>): void {
    if (parents.includes(inputs)) return this.refuse(path, inputs, "it contains itself")
    const inside = [...parents, inputs]
    let index = 0
    for (const input of inputs) {
      this.add(input, `${path}[${index++}]`, inside)
      if (this.invalid !== undefined) return
    }
  }

  private addData(input: object, path: string): void {
    const data = Json.frozenCopy(input, path)
    if (!(data instanceof Json.NotJson)) this.list.push(MessagePromise.of(new Message.Data({ data: data as {} })))
    else this.refuse(data.path, data.value, data.path === path ? `${data.reason}. ${noMessage}` : `${data.reason}.`)
  }

  private refuse(path: string, value: unknown, reason: string): void {
    this.invalid = Message.invalid(this.operation, path, value, reason)
  }
}

const noMessage =
  "a message is a string, a plain JSON object or a `Message`, a sequence of them a Stream or an Iterable"

/** Reads a stream of inputs in the background into a sequence of its own. */
const fromStream = (stream: Stream.Stream<unknown, unknown, unknown>, source: Source, operation: string): Sequence => {
  const { fiber, owner, runtime } = source
  const sequence = new Sequence(runtime.errorsAsMessages)
  const inside = (): Source => ({ runtime, owner: task, fiber: task.fiber ?? fiber })
  const take = (inputs: ReadonlyArray<unknown>) =>
    Effect.suspend(() => {
      const invalid = sequence.put(inputs, inside(), operation)
      return invalid === undefined ? Effect.void : Effect.die(invalid)
    })
  const work = { effect: Channel.runForEach(stream.channel, take), context: fiber.context }
  const task = new Task(runtime.activity, owner, work, (exit) => sequence.finish(exit, source, () => task.trace))
  sequence.task = task
  if (runtime.startSoon) task.startSoon(fiber)
  else sequence.start = () => task.startUnsafe()
  return sequence
}

const collect = <E>(sequence: Sequence<E>): Effect.Effect<ReadonlyArray<Message.Message>, E> =>
  Effect.suspend(() => {
    const reader = new Reader(sequence, "all")
    const messages: Array<Message.Message> = []
    let chunk: ReadonlyArray<MessagePromise.MessagePromise<unknown>> = []
    let next = 0
    const step: Effect.Effect<ReadonlyArray<Message.Message>, E> = Effect.suspend(() => {
      while (true) {
        for (; next < chunk.length; next++) {
          const whole = MessagePromise.inside(chunk[next]).whole
          if (whole === undefined) return Effect.flatMap(chunk[next].message as Effect.Effect<Message.Message, E>, take)
          messages.push(whole)
        }
        chunk = reader.read()
        next = 0
        if (chunk.length > 0) continue
        if (reader.exit === undefined) return Effect.flatMap(reader.blocked!.changed, () => step)
        const exit = reader.giveExit()
        return Exit.isSuccess(exit) ? Effect.succeed(messages) : (exit as Exit.Exit<never, E>)
      }
    })
    const take = (message: Message.Message) => {
      messages.push(message)
      next++
      return step
    }
    return step
  })

makeStreamable(Sequence.prototype, TypeId, (sequence) =>
  Channel.fromPull(
    Effect.sync(() => {
      const reader = new Reader(sequence, "all")
      const pull: Pull.Pull<
        Arr.NonEmptyReadonlyArray<MessagePromise.MessagePromise<unknown>>,
        unknown
      > = Effect.suspend(() => {
        const chunk = reader.read()
        if (chunk.length > 0) return Effect.succeed(chunk as unknown as Arr.NonEmptyArray<(typeof chunk)[number]>)
        if (reader.exit !== undefined) return ended(reader.giveExit())
        return Effect.flatMap(reader.blocked!.changed, () => pull)
      })
      return pull
    })
  )
)
