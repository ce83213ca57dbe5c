/**
 * Conversations in a `Store`: named lists of messages that are appended to, forked, rewound and compared. Forks share
 * what they have in common, and nothing that was said is copied.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Message from "../Message.ts"
import type { Engine } from "./engine.ts"
import * as Store from "./Store.ts"
import type { Conflict, ConversationError, StoreError } from "./storeError.ts"
import type { Ref } from "./tables.ts"

/**
 * The state of a conversation: how many messages it has, and its version, which every change raises by one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Head {
  readonly length: number
  readonly version: number
}

/**
 * A conversation: its state, and which conversation it was forked from, after how many messages.
 *
 * @since 0.1.0
 * @category models
 */
export interface Info extends Head {
  readonly name: string
  readonly parent: string | undefined
  readonly forkedAt: number
}

/**
 * A change of a conversation: when (milliseconds since 1970), and how many messages it had then.
 *
 * @since 0.1.0
 * @category models
 */
export interface Entry extends Head {
  readonly operation: "append" | "fork" | "rewind" | "undo"
  readonly at: number
}

/**
 * An option of changes: the change is made only if the conversation still has this version (see `Head`), and fails with
 * `Conflict` otherwise.
 *
 * @since 0.1.0
 * @category models
 */
export interface IfVersion {
  readonly version?: number
}

/**
 * Which messages are read: all of them by default, as `Array.slice` counts. Pages that lie before are not read.
 *
 * @since 0.1.0
 * @category models
 */
export type Range =
  | {
      /** The position of the first message, from 0. */
      readonly from?: number
      /** The position after the last message. */
      readonly to?: number
    }
  | {
      /** This many messages at the end. */
      readonly last: number
    }

/**
 * Appends messages to a conversation, all of them or none. If there is no conversation of that name, it begins one. If
 * several processes append at the same time, their messages come one after the other. To append only if nobody else has
 * appended meanwhile, give the version that was read.
 *
 * **When to use**
 *
 * To keep messages of a conversation yourself. A history agent (`SqlHistory`) does this for you.
 *
 * @since 0.1.0
 * @category combinators
 */
export const append = (
  name: string,
  messages: Iterable<Message.Message>,
  options: IfVersion = {}
): Effect.Effect<Head, StoreError | Conflict, Store.Store> =>
  // it begins what is not there
  engine((engine) => Effect.map(engine.append(name, messages, options), head)) as never

/**
 * Reads the messages of a conversation.
 *
 * @since 0.1.0
 * @category getters
 */
export const messages = (
  name: string,
  range: Range = {}
): Effect.Effect<ReadonlyArray<Message.Message>, StoreError | ConversationError, Store.Store> =>
  engine((engine) => engine.messages(name, (length) => positions(range, length)))

/**
 * Gets the state of a conversation, or nothing if there is none of that name.
 *
 * @since 0.1.0
 * @category getters
 */
export const get = (name: string): Effect.Effect<Info | undefined, StoreError, Store.Store> =>
  engine((engine) => Effect.map(engine.head(name), (ref) => (ref === undefined ? undefined : info(ref))))

/**
 * Begins another conversation that shares the first `at` messages of this one (by default all of them).
 *
 * @since 0.1.0
 * @category combinators
 */
export const fork = (
  name: string,
  as: string,
  options: { readonly at?: number } = {}
): Effect.Effect<Head, StoreError | ConversationError, Store.Store> =>
  engine((engine) => Effect.map(engine.fork(name, as, options.at), head))

/**
 * Goes back to the first `to` messages. What comes after them can be brought back with `undo`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const rewind = (
  name: string,
  to: number,
  options: IfVersion = {}
): Effect.Effect<Head, StoreError | ConversationError | Conflict, Store.Store> =>
  engine((engine) => Effect.map(engine.rewind(name, to, options.version), head))

/**
 * Undoes the last `rewind` of a conversation, or the last `undo`: called twice, it changes nothing. Messages that were
 * appended since then are removed, and come back with the next `undo`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const undo = (name: string): Effect.Effect<Head, StoreError | ConversationError | Conflict, Store.Store> =>
  engine((engine) => Effect.map(engine.undo(name), head))

/**
 * Lists everything that was done to a conversation, the oldest first.
 *
 * @since 0.1.0
 * @category getters
 */
export const log = (name: string): Effect.Effect<ReadonlyArray<Entry>, StoreError | ConversationError, Store.Store> =>
  engine((engine) =>
    Effect.map(engine.log(name), (entries) =>
      entries.map(({ at, length, operation, version }) => ({ version, operation, length, at }))
    )
  )

/**
 * Lists the conversations whose names begin with a prefix (by default all of them), the oldest first.
 *
 * @since 0.1.0
 * @category getters
 */
export const list = (prefix = ""): Effect.Effect<ReadonlyArray<Info>, StoreError, Store.Store> =>
  engine((engine) => Effect.map(engine.list(prefix), (refs) => refs.map(info)))

const remove = (name: string): Effect.Effect<void, StoreError | ConversationError, Store.Store> =>
  engine((engine) => engine.remove(name))

export {
  /**
   * Deletes a conversation. `Store.collect` then removes those of its messages that no other one has.
   *
   * @since 0.1.0
   * @category combinators
   */
  remove as delete
}

const engine = <A, E>(use: (engine: Engine) => Effect.Effect<A, E>): Effect.Effect<A, E, Store.Store> =>
  Store.Store.use((store) => use((store as Store.Internal).engine))

const head = ({ list, version }: Pick<Ref, "list" | "version">): Head => ({ length: list.length, version })

const info = ({ forkedAt, name, parent, ...ref }: Ref): Info => ({ name, parent, forkedAt, ...head(ref) })

/** As `Array.slice` has them, but for negative ones, which count as 0. */
const positions = (range: Range, length: number): readonly [from: number, to: number] => {
  const within = (position: number) => Math.min(Math.max(0, Math.trunc(position) || 0), length)
  if ("last" in range) return [length - within(range.last), length]
  return [within(range.from ?? 0), within(range.to ?? length)]
}
