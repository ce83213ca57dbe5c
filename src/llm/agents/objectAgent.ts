/** Agents whose reply is an object of a known type. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Types from "effect/Types"
import type * as Agent from "../../Agent.ts"
import * as Message from "../../Message.ts"
import type * as MessageInput from "../../MessageInput.ts"
import type * as MessagePromise from "../../MessagePromise.ts"
import type * as MessageSequence from "../../MessageSequence.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import { partials } from "./partialObject.ts"
import * as StructuredOutput from "./structuredOutput.ts"

/**
 * An agent of `makeObject`: there is an object of the type `Output` in its replies, which its model writes as `Encoded`.
 *
 * @since 0.1.0
 * @category models
 */
export type ObjectAgent<Output, Encoded, P, E, R> = Calls<Output, Encoded, P, E, R> & Agent.Agent<P, E, R>

interface Calls<Output, Encoded, P, E, R> {
  readonly trigger: <
    const I extends MessageInput.MessageInput<unknown> = never,
    const O extends Agent.CallOptions = {}
  >(
    ...args: {} extends P ? [messages?: I, parameters?: P, options?: O] : [messages: I, parameters: P, options?: O]
  ) => Effect.Effect<
    ObjectReplies<Output, Encoded, Agent.RepliesError<E, MessageInput.ErrorOf<I>, O>>,
    never,
    MiniAgents.MiniAgents | R
  >
  readonly fork: <const Q extends Partial<P> = {}>(
    options?: Agent.ForkOptions<Q>
  ) => ObjectAgent<Output, Encoded, Types.Simplify<Omit<P, keyof Q> & Partial<Pick<P, keyof Q & keyof P>>>, E, R>
}

/**
 * The replies of an agent of `makeObject`: a sequence of messages as any other, and the object in its type.
 *
 * @since 0.1.0
 * @category models
 */
export interface ObjectReplies<Output, Encoded, out E = never> extends MessageSequence.MessageSequence<E> {
  /** The object, once it is whole: the message of a class, or the value that a `Message.Data` stands for. */
  readonly object: Effect.Effect<Output, E | NoObject>
  /**
   * The object as it grows, in JSON: each one goes on with the one before it, and the last one is whole. What came
   * together is seen together, a number with what follows it, and a field that the schema changes, or that comes out of
   * order, with the whole.
   */
  readonly partial: Stream.Stream<Growing<Encoded>, E>
}

/**
 * A value of JSON that is still being written: fields may be missing at every depth, texts and lists may go on.
 *
 * @since 0.1.0
 * @category type helpers
 */
export type Growing<A> =
  A extends ReadonlyArray<infer Item>
    ? ReadonlyArray<Growing<Item>>
    : A extends object
      ? { readonly [K in keyof A]?: Growing<A[K]> }
      : A

/**
 * Replies without an object of the schema that was looked for.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoObject extends Schema.TaggedError<NoObject>()("NoObject", { schema: Schema.String }) {
  override get message(): string {
    return `The replies have no object of the schema \`${this.schema}\`: is it the one that the agent was made with?`
  }
}

/** The object of a schema in replies. */
export const objectOf = <Output, E>(
  schema: Schema.Codec<Output, unknown>,
  replies: MessageSequence.MessageSequence<E>
): Effect.Effect<Output, E | NoObject> =>
  Effect.flatMap(replies.messages, (messages) =>
    Option.match(StructuredOutput.find(schema, messages), {
      onNone: () => {
        const name = Predicate.hasProperty(schema, "identifier") ? String(schema.identifier) : "Output"
        return Effect.fail(new NoObject({ schema: name }))
      },
      onSome: (found) => Effect.succeed(found as Output) // it is an instance of the schema, or was decoded with it
    })
  )

/** The same agent, with the object of a schema in its replies. */
export const withObject = (agent: unknown, schema: Schema.Codec<unknown, unknown>): unknown => {
  const { fork, trigger } = agent as Plain
  return Object.assign(agent as Plain, {
    trigger: (...args: ReadonlyArray<unknown>) =>
      Effect.map(trigger(...args), (replies) =>
        Object.assign(replies, { object: objectOf(schema, replies), partial: partialOf(schema, replies) })
      ),
    fork: (options: unknown) => withObject(fork(options), schema)
  })
}

/** An agent without its types. */
interface Plain {
  readonly trigger: (...args: ReadonlyArray<unknown>) => Effect.Effect<MessageSequence.MessageSequence<unknown>>
  readonly fork: (options: unknown) => unknown
}

const partialOf = <E>(
  schema: Schema.Codec<unknown, unknown>,
  replies: MessageSequence.MessageSequence<E>
): Stream.Stream<unknown, E> => {
  const { form, tag } = StructuredOutput.outputOf(schema)
  const growing = (promise: MessagePromise.MessagePromise<E>): Stream.Stream<unknown, E> => {
    if (promise.known._tag !== tag) return Stream.empty
    const whole = Stream.fromEffect(Effect.map(promise.message, jsonOf))
    return form === "unknown" ? whole : Stream.concat(partials(promise, form), whole)
  }
  return Stream.changes(Stream.flatMap(replies, growing))
}

/** What a model has filled in. */
const jsonOf = (message: Message.Message): unknown => {
  if (message instanceof Message.Data) return message.data
  const { _tag: _, metadata: __, ...fields } = Message.toJson(message)
  return fields
}
