/**
 * Keeps what agents say: an observer that gives the messages of every call and reply to a hook, each distinct message
 * once, together with records of who was called with what and replied what.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Observers from "./internal/observers.ts"
import * as Persister from "./internal/persister.ts"
import type * as Message from "./Message.ts"
import * as MiniAgents from "./MiniAgents.ts"

/**
 * Is given messages as they become whole and the records of calls and replies, in batches: each distinct message once per
 * runtime, nested messages and the pages of long lists before the ones that refer to them. It is called again with what
 * it failed for. Of more than 65,536 messages those that were given longest ago can be given again.
 *
 * @since 0.1.0
 * @category models
 */
export type Hook<E = never, R = never> = (messages: ReadonlyArray<Message.Message>) => Effect.Effect<void, E, R>

/**
 * Options for what else is kept, and what is not.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never, R = never> {
  /** Whether a message is given to the hook; all are by default. What holds a message that is not refers to it all the same. */
  readonly only?: (message: Message.Message) => boolean
  /** Is given the entries of the tree of calls: one when the input of a call is whole, and another one at its end. */
  readonly onCall?: (entry: CallEntry) => Effect.Effect<void, E, R>
}

/**
 * A node of the tree of calls. Equal calls have equal records, and an entry each.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallEntry {
  /** Where the call stands in the tree of calls, such as `Research/0:Search`. */
  readonly path: string
  /** The path of the call that made this one, if one did. */
  readonly parent: string | undefined
  readonly agent: string
  /** When the call was made, in milliseconds since 1970. */
  readonly startedAt: number
  /** The hash key of its `Message.CallRecord`. */
  readonly call: string
  /** The hash key of its `Message.ReplyRecord`, once it has ended. */
  readonly reply?: string
  /** How its replies ended, once they have. */
  readonly ending?: "success" | "failure" | "interruption"
  /** When its replies ended, in milliseconds since 1970. */
  readonly endedAt?: number
}

/**
 * The failure of a persistence hook, with its cause. The messages are kept and given to it again with the next batch, by the next
 * `Persistence.persist`, and when the runtime closes.
 *
 * @since 0.1.0
 * @category errors
 */
export const PersistError = Persister.PersistError

/**
 * The failure of a persistence hook, with its cause.
 *
 * @since 0.1.0
 * @category errors
 */
export type PersistError = Persister.PersistError

/**
 * Gives all messages of the runtime to a hook that stores them: provide this Layer to `MiniAgents.layer`, or together
 * with it. There can be any number of hooks.
 *
 * **When to use**
 *
 * To keep each distinct message of a program somewhere. Conversations are kept by a history, and runs by `DurableRuns`.
 *
 * **Details**
 *
 * A record of a call is there as soon as its input is whole, the record of its reply at its end, also when it failed or
 * was interrupted. A closing runtime tries once more what the hook failed for, and logs the keys of what was lost.
 *
 * **Example**
 *
 * ```ts
 * import { Console, Effect, Layer } from "effect"
 * import { MiniAgents, Persistence } from "miniagents"
 *
 * const kept = MiniAgents.layer().pipe(
 *   Layer.provide(Persistence.layer((messages) => Console.log(messages.map(({ hashKey }) => hashKey).join())))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <E = never, R = never>(
  hook: Hook<E, R>,
  options: Options<E, R> = {}
): Layer.Layer<never, never, R> =>
  Observers.layer((context: Context.Context<R>) => Persister.make(hook, options, context))

/**
 * Gives messages to the persistence hooks of the runtime, and waits until they are stored. Messages that the hooks have
 * had already are left out.
 *
 * **When to use**
 *
 * Use to wait until a reply is kept: `Persistence.persist(yield* replies.messages)`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const persist = (
  messages: Iterable<Message.Message>
): Effect.Effect<void, Persister.PersistError, MiniAgents.MiniAgents> =>
  MiniAgents.MiniAgents.use((runtime) => runtime.persist(messages))
