/**
 * A sequence of messages that may still be arriving. Any number of readers can read it from its start at any time, and
 * it can be passed on before it has any content: sequences inside sequences are referenced, never copied.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Stream from "effect/Stream"
import { toSequence } from "./internal/input.ts"
import * as Engine from "./internal/sequence.ts"
import * as Message from "./Message.ts"
import type { ErrorOf, MessageInput } from "./MessageInput.ts"
import type * as MessagePromise from "./MessagePromise.ts"
import * as MiniAgents from "./MiniAgents.ts"

/**
 * The type id of message sequences.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: "~miniagents/MessageSequence" = Engine.TypeId

/**
 * A Stream of message promises, flat however deeply it was nested. `messages` is an Effect that waits for all messages,
 * `text` waits for all their texts, joined by a blank line, and `single()` is one message that streams the tokens of
 * all of them. Asides (see `aside`) are shown but not said: they are in the stream and in `messages`, but not in `text`
 * and `single`.
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
  /**
   * The sequence as it was put together, in the order in which that was done: a sequence inside of it is one part, which
   * can be read while the ones before it still speak.
   */
  readonly parts: Stream.Stream<Part<E>, E>
  /** The call whose replies these are, or that put them together; undefined outside of any call. */
  readonly origin: MessagePromise.Origin | undefined
}

/**
 * A part of a sequence as it was put together: a message, or a sequence that was put into it as a whole.
 *
 * @since 0.1.0
 * @category models
 */
export type Part<E = never> = MessagePromise.MessagePromise<E> | MessageSequence<E>

/**
 * How messages are joined into one.
 *
 * @since 0.1.0
 * @category models
 */
export interface SingleOptions {
  /**
   * The text between two messages.
   *
   * @default "\n\n"
   */
  readonly delimiter?: string
  /** Makes the message a `Message.Joined` that holds the original messages, instead of a `Message.Text`. */
  readonly originals?: boolean
  /** Leaves out the line breaks that a message begins with. */
  readonly trimStart?: boolean
  /** The class of the message (`Text` by default) and its fields, as far as they are known before its content. */
  readonly known?: Message.Known
  /** Gives the message the metadata of all messages, where two name the same key that of the later one. */
  readonly mergeMetadata?: boolean
}

/**
 * Whether a value is a message sequence.
 *
 * @since 0.1.0
 * @category guards
 */
export const isMessageSequence = (value: unknown): value is MessageSequence<unknown> =>
  Predicate.hasProperty(value, TypeId)

export { CircularSequence } from "./internal/rings.ts"

/**
 * Makes a sequence of any input. Streams in it are read in the background, each once, whether or not anyone reads the
 * sequence. Dies with `Message.InvalidMessage` when a value in it can be no message.
 *
 * **When to use**
 *
 * To read as a sequence what could be sent to an agent, without an agent. What you send or reply need not be one.
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
  made(input, "MessageSequence.from", (sequence: Engine.Sequence<ErrorOf<I>>) => sequence)

/**
 * Makes a sequence of any input, as `from` does, in which everything is an aside: shown, but not said. It is where it was
 * put in the sequence, but not in its `text` and not in `single`, through any number of agents that hand it on.
 *
 * **When to use**
 *
 * For what an agent does on the way to its answer, which the reader wants to see and the next agent does not. The agents
 * on models do so with their reasoning, the tools they call, and what was said inside of these.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, MessageSequence } from "miniagents"
 *
 * const searcher = Agent.make("Searcher", Effect.fnUntraced(function*(ctx) {
 *   yield* ctx.reply(yield* MessageSequence.aside("looking into three books"))
 *   yield* ctx.reply("It is on page 7")
 * }))
 * const program = Effect.flatMap(searcher.trigger(), (replies) => replies.text) // "It is on page 7"
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const aside = <const I extends MessageInput<unknown>>(
  input: I
): Effect.Effect<MessageSequence<ErrorOf<I>>, never, MiniAgents.MiniAgents> =>
  made(input, "MessageSequence.aside", (sequence: Engine.Sequence<ErrorOf<I>>) => Engine.asides(sequence))

const made = <E>(
  input: unknown,
  operation: string,
  use: (sequence: Engine.Sequence<E>) => MessageSequence<E>
): Effect.Effect<MessageSequence<E>, never, MiniAgents.MiniAgents> =>
  Effect.withFiber((fiber) => {
    const runtime = MiniAgents.current(fiber)
    const owner = runtime.supervisor.ownerOf(fiber)
    const source = { runtime, owner, place: owner.place, fiber }
    const sequence = toSequence(input, source, operation)
    return sequence instanceof Message.InvalidMessage
      ? Effect.die(sequence)
      : Effect.succeed(use(sequence as Engine.Sequence<E>)) // the input's errors are the sequence's
  })
