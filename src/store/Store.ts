/**
 * A store for messages, in SQLite, in Postgres or in memory. Equal messages are kept once, under their hash key.
 * Conversations are lists of messages that share what they have in common (see `Conversation`).
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type * as Message from "../Message.ts"
import * as Engine from "./engine.ts"
import * as Maintenance from "./maintenance.ts"
import * as MemoryTables from "./memoryTables.ts"
import * as SqlTables from "./sqlTables.ts"
import * as Errors from "./storeError.ts"
import type { Tables } from "./tables.ts"

export {
  /**
   * A conversation was appended to since it was read.
   *
   * @since 0.1.0
   * @category errors
   */
  Conflict,
  /**
   * A conversation does not exist, or exists already, or does not have what was asked for.
   *
   * @since 0.1.0
   * @category errors
   */
  ConversationError,
  /**
   * A store could not do what it was asked.
   *
   * @since 0.1.0
   * @category errors
   */
  StoreError
} from "./storeError.ts"

/**
 * The store as a service. You need not use it directly: the functions of this module take it from the context.
 *
 * Law: **Store** (equal content is kept once; append, fork, rewind and diff are those of arrays; bytes grow with what
 * is said, not with its history; a changed byte is found and named; collecting never takes what something refers to).
 *
 * @since 0.1.0
 * @category services
 */
export class Store extends Context.Service<Store, Service>()("miniagents/Store") {}

/**
 * The operations of a store, over which the functions of this module stand.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  readonly put: (messages: Iterable<Message.Message>) => Effect.Effect<void, Errors.StoreError>
  readonly get: (hashKey: string) => Effect.Effect<Message.Message | undefined, Errors.StoreError>
  readonly verify: Effect.Effect<Verified, Errors.StoreError>
  readonly collect: (options?: CollectOptions) => Effect.Effect<Collected, Errors.StoreError>
  readonly diff: (left: string, right: string) => Effect.Effect<Diff, Errors.StoreError | Errors.ConversationError>
}

/**
 * How a store is kept in a database.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The start of the names of its tables.
   *
   * @default "miniagents_"
   */
  readonly tablePrefix?: string
}

/**
 * The comparison of two conversations: the number of messages that both begin with, and what each has of its own after those.
 *
 * @since 0.1.0
 * @category models
 */
export interface Diff extends Engine.Diff {}

/**
 * The findings of a check of all rows: how many there are, and those that are damaged or missing, each by its table and key.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verified extends Maintenance.Verified {}

/**
 * How many messages (and parts of them) something refers to, and how many rows were removed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Collected extends Maintenance.Collected {}

/**
 * Options for what a collection leaves alone.
 *
 * @since 0.1.0
 * @category models
 */
export interface CollectOptions {
  /**
   * How long a new message is kept although nothing refers to it yet. It must be longer than it takes until something
   * does, and longer than the clocks of the machines differ that share the store.
   *
   * @default "1 hour"
   */
  readonly grace?: Duration.Input
  /** How long a rewind of a conversation can be undone with `Conversation.undo`; by default for ever. */
  readonly forget?: Duration.Input
  /** The hash keys of messages to keep although no conversation has them. */
  readonly roots?: Iterable<string>
}

/**
 * The message classes that messages are read as, besides those of this library. A message of another class is read
 * with its tag, its fields and its hash key, as an instance of none, and is given on as that; a new one cannot be appended.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Message } from "miniagents"
 * import { Conversation, Store } from "miniagents/store"
 *
 * class Review extends Message.Class<Review>()("Review", { stars: Schema.Int }) {}
 *
 * const program = Conversation.append("reviews", [new Review({ stars: 4 })]).pipe(
 *   Effect.provideService(Store.CurrentClasses, [Review])
 * )
 * ```
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentClasses: Context.Reference<ReadonlyArray<Message.AnyClass>> = Engine.CurrentClasses

/**
 * Opens a store in a database, SQLite or Postgres, and makes the tables that are missing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<Service, Errors.StoreError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const { tablePrefix = "miniagents_" } = options
    const tables = SqlTables.make(yield* SqlClient.SqlClient, tablePrefix)
    return serve(yield* Effect.mapError(tables, Errors.fromCause("open tables", tablePrefix)))
  })

/**
 * A store in a database, by any `SqlClient` for SQLite (`SqliteClient` of this library, for one) or Postgres
 * (`@effect/sql-pg`). Any number of processes can have it open.
 *
 * **When to use**
 *
 * To keep conversations or durable runs in a database. `SqlHistory.make` opens its own.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Message, MiniAgents } from "miniagents"
 * import { SqliteClient } from "miniagents/sqlite"
 * import { Conversation, Store } from "miniagents/store"
 *
 * const program = Effect.gen(function*() {
 *   yield* Conversation.append("support/42", [Message.user("Hello")])
 *   return yield* Conversation.messages("support/42")
 * }).pipe(Effect.provide(Layer.provide(Store.layer(), SqliteClient.layer({ filename: "store.db" }))))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<Store, Errors.StoreError, SqlClient.SqlClient> =>
  Layer.effect(Store, make(options))

/**
 * A store in memory, which ends with the program: for tests, and for messages that need not be kept.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<Store> = Layer.effect(
  Store,
  Effect.map(MemoryTables.make, (tables) => serve(tables))
)

/**
 * Keeps messages, with the messages inside them. What the store has already is not written again. It can be used as the
 * persistence hook of a runtime.
 *
 * @since 0.1.0
 * @category combinators
 */
export const put = (messages: Iterable<Message.Message>): Effect.Effect<void, Errors.StoreError, Store> =>
  Store.use((store) => store.put(messages))

/**
 * Gets the message of a hash key, with the messages inside it, or nothing if there is none. Every row is compared with
 * its key.
 *
 * @since 0.1.0
 * @category combinators
 */
export const get = (hashKey: string): Effect.Effect<Message.Message | undefined, Errors.StoreError, Store> =>
  Store.use((store) => store.get(hashKey))

/**
 * Checks the whole store: compares every row with its key, and checks that everything exists that it refers to. It
 * changes nothing.
 *
 * @since 0.1.0
 * @category combinators
 */
export const verify: Effect.Effect<Verified, Errors.StoreError, Store> = Store.use((store) => store.verify)

/**
 * Removes what no conversation refers to, while others read and write, and what `DurableRuns.layer` keeps no longer. It
 * removes nothing when it finds a row that is damaged, since what that one referred to is not known.
 *
 * **Gotchas**
 *
 * Messages that nothing refers to are removed when they are older than the grace period and ten minutes. If you keep
 * hash keys elsewhere, give them as `roots`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const collect = (options?: CollectOptions): Effect.Effect<Collected, Errors.StoreError, Store> =>
  Store.use((store) => store.collect(options))

/**
 * Compares two conversations: what they share, and what each has of its own. It reads no message that both have.
 *
 * @since 0.1.0
 * @category combinators
 */
export const diff = (
  left: string,
  right: string
): Effect.Effect<Diff, Errors.StoreError | Errors.ConversationError, Store> =>
  Store.use((store) => store.diff(left, right))

/** @internal The service, with what conversations need of it. */
export interface Internal extends Service {
  readonly engine: Engine.Engine
}

const serve = (tables: Tables): Internal => {
  const engine = new Engine.Engine(tables)
  return {
    engine,
    put: (messages) => engine.put(messages),
    get: (hashKey) => engine.get(hashKey),
    verify: engine.during("verify rows", Maintenance.verify(tables)),
    collect: ({ forget, grace = "1 hour", roots = [] } = {}) =>
      Effect.gen(function* () {
        const collecting = Maintenance.collect(tables, {
          grace: Duration.toMillis(grace),
          forget: forget === undefined ? undefined : Duration.toMillis(forget),
          roots: [...roots]
        })
        const { kept, removed } = yield* engine.during("collect rows", collecting)
        let others = 0
        for (const collector of engine.collectors) others += yield* collector
        return { kept, removed: removed + others }
      }),
    diff: (left, right) => engine.diff(left, right)
  }
}
