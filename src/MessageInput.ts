/**
 * Everything that can be sent to an agent or replied by one.
 *
 * @since 0.1.0
 */
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type * as Message from "./Message.ts"
import type { MessageSequence } from "./MessageSequence.ts"

/**
 * A string, a plain JSON object (it becomes a `Message.Data`), a message, a message promise, a sequence of them, a
 * Stream of any of these, or an Iterable of any of these, nested at will. `E` is what reading it can fail with.
 *
 * **Gotchas**
 *
 * The elements of a `Stream<string>` are messages, one each. For a stream of tokens that make one message use
 * `MessagePromise.fromStream`. An Iterable is gone through at once, so it has to be finite.
 *
 * @since 0.1.0
 * @category models
 */
export type MessageInput<E = never> =
  | string
  | Message.Message
  | Schema.JsonObject
  | MessageSequence<E>
  | Stream.Stream<MessageInput<E>, E>
  | ReadonlyArray<MessageInput<E>> // an Iterable too, which the compiler sees much faster so
  | (Iterable<MessageInput<E>> & NotEffect)
  | Unsaid<E>

declare const UnsaidId: unique symbol

/** No value is one: it keeps `E` where the compiler finds it, in an input of which no more is said than its type. */
interface Unsaid<out E> {
  readonly [UnsaidId]: () => E
}

/** An Effect is an Iterable too, for `yield*`; what it succeeds with may be a message, it is none itself. */
interface NotEffect {
  readonly "~effect/Effect"?: never
}

/**
 * The errors that reading an input can fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type ErrorOf<I> =
  IsAny<I> extends true
    ? unknown
    : [Extract<I, Unsaid<unknown>>] extends [never]
      ? ErrorOfValue<I>
      : Extract<I, Unsaid<unknown>> extends Unsaid<infer E>
        ? E | ErrorOfValue<Exclude<I, MessageInput<E>>>
        : never

type ErrorOfValue<I> = I extends string | Message.Message
  ? never
  : I extends MessageSequence<infer E>
    ? E
    : I extends ReadonlyArray<infer A>
      ? ErrorOf<A>
      : I extends Stream.Stream<infer A, infer E>
        ? E | ErrorOf<A>
        : I extends Iterable<infer A>
          ? ErrorOf<A>
          : never

type IsAny<T> = 0 extends 1 & T ? true : false
