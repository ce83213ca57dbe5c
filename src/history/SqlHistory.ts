/**
 * A history in a database, SQLite or Postgres: conversations that many processes can continue, with branches.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Message from "../Message.ts"
import type { MessagePromise } from "../MessagePromise.ts"
import * as History from "./History.ts"
import { Tables } from "./sqlBranches.ts"
import * as SqlMessages from "./sqlMessages.ts"

/**
 * Which conversation, and how it is kept.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The name of the conversation, which begins when it is first opened. */
  readonly conversation: string
  /** The branch of it, `main` unless said. Other branches begin with `fork`. */
  readonly branch?: string
  /** The message classes, besides those of this library, that the conversation has. */
  readonly classes?: ReadonlyArray<Message.AnyClass>
  /** Keep messages that are marked with `History.noHistory`, too. */
  readonly ignoreMarks?: boolean
  /** What the names of the tables begin with, `miniagents_` unless said. */
  readonly tablePrefix?: string
}

/**
 * One branch of a conversation: where it comes from, how many messages it shares with that, and how many it has.
 *
 * @since 0.1.0
 * @category models
 */
export interface Branch {
  readonly name: string
  readonly parent: string | undefined
  readonly forkedAt: number
  readonly length: number
}

/**
 * A history in a database, open on one branch.
 *
 * @since 0.1.0
 * @category models
 */
export interface SqlHistory extends History.Branching<History.HistoryError> {
  readonly conversation: string
  readonly branch: string
  readonly fork: (options?: History.ForkOptions) => Effect.Effect<SqlHistory, History.HistoryError>
  /** All the branches of the conversation, the oldest first. */
  readonly branches: Effect.Effect<ReadonlyArray<Branch>, History.HistoryError>
}

/**
 * Opens a history agent on a branch of a conversation.
 *
 * **Details**
 *
 * It works on any `SqlClient` for SQLite (`SqliteClient` of this library, for one) or Postgres (`@effect/sql-pg`), and
 * makes the tables it needs. A message is kept when it is whole, in one transaction: a process that is killed loses at
 * most the message that was not finished. Messages are stored once each, by their hash keys, however many conversations
 * and branches have them.
 *
 * Any number of processes can have a branch open: what two of them append at the same time comes one after the other,
 * and each reads what the others appended. Whoever wants to go on alone forks.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { SqlHistory } from "miniagents/history"
 * import { SqliteClient } from "miniagents/sqlite"
 *
 * const program = Effect.gen(function*() {
 *   const history = yield* SqlHistory.make({ conversation: "support/42" })
 *   return yield* (yield* history.trigger("Hello", { returnFullHistory: true })).messages
 * }).pipe(Effect.provide(SqliteClient.layer({ filename: "chats.db" })))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<History.HistoryAgent<History.HistoryError>, History.HistoryError, SqlClient.SqlClient> =>
  Effect.map(makeHistory(options), (history) =>
    History.agent("SqlHistory", history, { ignoreMarks: options.ignoreMarks ?? false })
  )

/**
 * The history behind the agent. It can be forked at any message, and read up to any; `History.agent` makes an agent of
 * a fork.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { History, SqlHistory } from "miniagents/history"
 *
 * const program = Effect.gen(function*() {
 *   const main = yield* SqlHistory.makeHistory({ conversation: "support/42" })
 *   const other = yield* main.fork({ at: 1, branch: "other" }) // both begin with the same message
 *   return yield* (yield* History.agent("Other", other).trigger("Or else?")).messages
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeHistory = (options: Options): Effect.Effect<SqlHistory, History.HistoryError, SqlClient.SqlClient> =>
  Effect.gen(function* () {
    const { branch = MAIN, classes = [], conversation, tablePrefix = "miniagents_" } = options
    const sql = (yield* SqlClient.SqlClient).withoutTransforms()
    const tables = new Tables(sql, tablePrefix)
    const place = { tables, codec: Message.codec(History.classes(classes)), conversation, branch }
    const find = tables.open(conversation, branch, branch === MAIN)
    // the tables are missing at most once; a transaction of the caller's survives the attempt in one of its own
    const found = yield* sql.withTransaction(find).pipe(
      Effect.catch(() => Effect.andThen(tables.migrate, find)),
      Effect.mapError(failed("open", place))
    )
    return found === undefined ? yield* Effect.flatMap(noBranch(place), Effect.fail) : yield* open(place, found)
  })

const MAIN = "main"

interface Place {
  readonly tables: Tables
  readonly codec: Schema.Codec<Message.Message, Schema.Json>
  readonly conversation: string
  readonly branch: string
}

const open = (place: Place, id: number): Effect.Effect<SqlHistory> =>
  Effect.map(Semaphore.make(1), (turn) => {
    const { branch, codec, conversation, tables } = place
    const decode = (rows: ReadonlyArray<SqlMessages.Row>) =>
      SqlMessages.decode(tables.sql, tables.messages, codec, rows)
    const append = <E>(promise: MessagePromise<E>) =>
      Effect.flatMap(promise.message, (message) =>
        Effect.mapError(tables.append(id, message), failed("append to", place))
      )
    return {
      conversation,
      branch,
      append: (promise) => turn.withPermit(append(promise)),
      messages: tables.rows(id).pipe(Effect.flatMap(decode), Effect.mapError(failed("read", place))),
      messagesBefore: (at) =>
        History.pointWithin(at, tables.length(id)).pipe(
          Effect.flatMap((at) => tables.rows(id, at)),
          Effect.flatMap(decode),
          Effect.mapError(failed("read", place))
        ),
      fork: (options = {}) => Effect.mapError(fork(place, id, options), failed("fork", place)),
      branches: Effect.mapError(branchesOf(place), failed("read", place))
    }
  })

const fork = (place: Place, id: number, options: History.ForkOptions) =>
  Effect.gen(function* () {
    const { tables } = place
    const at = yield* History.pointWithin(options.at, tables.length(id))
    for (let number = 1 + (yield* tables.forks(id, at)); ; number++) {
      const branch = options.branch ?? `${place.branch}@${at}${number > 1 ? `-${number}` : ""}`
      const found = yield* tables.fork(id, branch, at)
      if (found !== undefined) return yield* open({ ...place, branch }, found)
      if (options.branch === undefined) continue // someone else took that name
      return yield* Effect.fail({ message: `it has a branch \`${branch}\` already: open that, or take another name` })
    }
  })

const branchesOf = ({ conversation, tables }: Place): Effect.Effect<ReadonlyArray<Branch>, SqlError> =>
  Effect.map(tables.list(conversation), (rows) => rows.map((row) => ({ ...row, parent: row.parent ?? undefined })))

const noBranch = (place: Place): Effect.Effect<History.HistoryError, History.HistoryError> =>
  branchesOf(place).pipe(
    Effect.map((branches) => {
      const names = branches.map(({ name }) => `\`${name}\``).join(", ")
      const reason = names === "" ? "it has no messages yet, only `main` can begin it" : `it has ${names}: fork one`
      return failed("open", place)({ message: `there is no such branch; ${reason}` })
    }),
    Effect.mapError(failed("open", place))
  )

const failed =
  (operation: History.HistoryError["operation"], { branch, conversation }: Place) =>
  (cause: { readonly message: string }): History.HistoryError =>
    new History.HistoryError({ operation, history: `${conversation} (${branch})`, reason: reasonOf(cause), cause })

/** Some drivers say only that a query failed, and have what the database said as the cause of that. */
const reasonOf = (error: { readonly message: string; readonly cause?: unknown }): string => {
  const inner = error.cause instanceof Error ? reasonOf(error.cause) : ""
  return inner === "" || error.message.includes(inner) ? error.message : `${error.message}: ${inner}`
}
