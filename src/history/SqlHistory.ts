/**
 * A history in a database, SQLite or Postgres: conversations that many processes can continue, with branches.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as Message from "../Message.ts"
import type { MessagePromise } from "../MessagePromise.ts"
import type { Engine, Range } from "../store/engine.ts"
import { Said } from "../store/said.ts"
import * as Store from "../store/Store.ts"
import * as History from "./History.ts"
import * as Origins from "./origins.ts"

/**
 * Options of a history in a database: the conversation, its branch, and the message classes in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends History.AgentOptions {
  /** The name of the conversation, which begins when it is first opened. */
  readonly conversation: string
  /**
   * The branch of the conversation. Other branches are made with `fork`.
   *
   * @default "main"
   */
  readonly branch?: string
  /**
   * The message classes, besides those of this library, that the conversation has. A message of another one is not kept;
   * one that another program kept is read with its tag and its fields.
   */
  readonly classes?: ReadonlyArray<Message.AnyClass>
  /**
   * The start of the names of the tables, as of `Store.layer`.
   *
   * @default "miniagents_"
   */
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
 * **When to use**
 *
 * For many conversations, several processes, and branches. One that a person reads as a file is a `MarkdownHistory`.
 *
 * **Details**
 *
 * It works on any `SqlClient` for SQLite (`SqliteClient` of this library, for one) or Postgres (`@effect/sql-pg`), and
 * makes the tables it needs: those of a `Store` of `miniagents/store`, in which the conversation and its branches are
 * conversations. A message is kept when it is whole, in one transaction: a process that is killed loses at most the
 * message that was not finished. Messages are stored once each, by their hash keys, however many conversations and
 * branches have them, and are compared with those keys when they are read.
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
  Effect.map(makeHistory(options), (history) => History.agent("SqlHistory", history, options))

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
    const { branch = MAIN, classes = [], conversation, tablePrefix } = options
    const place = { conversation, branch, classes }
    const store = Store.make(tablePrefix === undefined ? {} : { tablePrefix })
    const { engine } = (yield* Effect.mapError(store, failed("open", place))) as Store.Internal
    const found = branch === MAIN ? engine.begin(nameOf(place)) : engine.head(nameOf(place))
    if ((yield* Effect.mapError(found, failed("open", place))) === undefined) return yield* noBranch(engine, place)
    return yield* open(engine, place)
  })

const MAIN = "main"

interface Place {
  readonly conversation: string
  readonly branch: string
  readonly classes: ReadonlyArray<Message.AnyClass>
}

/** The name of a branch in the store: `conversation` for the first one, `conversation#branch` for the others. */
const nameOf = ({ branch, conversation }: Omit<Place, "classes">): string =>
  branch === MAIN ? escape(conversation) : `${escape(conversation)}#${escape(branch)}`

const branchOf = (conversation: string, name: string): string =>
  name === escape(conversation) ? MAIN : name.slice(escape(conversation).length + 1).replaceAll(/\\([\\#])/g, "$1")

const escape = (name: string): string => name.replaceAll(/[\\#]/g, "\\$&")

const open = (engine: Engine, place: Place): Effect.Effect<SqlHistory> =>
  Effect.map(Semaphore.make(1), (turn) => {
    const { branch, classes, conversation } = place
    const name = nameOf(place)
    const knowing = Effect.provideService(Store.CurrentClasses, classes)
    const before =
      (to: number): Range =>
      (length) => [0, Math.min(to, length)]
    const read = (to: number) => knowing(engine.messages(name, before(to)))
    const readSaid = Effect.map(knowing(engine.said(name, before(Number.POSITIVE_INFINITY))), (all) =>
      all.map((said) =>
        said instanceof Said ? { message: said.message, origin: said } : { message: said, origin: undefined }
      )
    )
    const append = Effect.fnUntraced(function* <E>(promise: MessagePromise<E>) {
      const message = yield* promise.message
      const origin = yield* Origins.originOf(promise)
      const said = origin === undefined ? message : new Said({ ...origin, message })
      const appended = knowing(engine.append(name, [said], { begin: branch === MAIN }))
      yield* Effect.mapError(appended, failed("append to", place))
    })
    return {
      conversation,
      branch,
      append: (promise) => turn.withPermit(append(promise)),
      messages: Effect.mapError(read(Number.POSITIVE_INFINITY), failed("read", place)),
      promises: Effect.mapError(Effect.flatMap(readSaid, Origins.promises), failed("read", place)),
      messagesBefore: (at) =>
        Effect.mapError(Effect.flatMap(History.pointWithin(at, lengthOf(engine, name)), read), failed("read", place)),
      fork: (options = {}) => Effect.mapError(fork(engine, place, options), failed("fork", place)),
      branches: Effect.mapError(branchesOf(engine, place), failed("read", place))
    }
  })

const lengthOf = (engine: Engine, name: string) => Effect.map(engine.head(name), (head) => head?.list.length ?? 0)

const fork = (engine: Engine, place: Place, options: History.ForkOptions) =>
  Effect.gen(function* () {
    const name = nameOf(place)
    const at = yield* History.pointWithin(options.at, lengthOf(engine, name))
    const siblings = (yield* branchesOf(engine, place)).filter(
      ({ forkedAt, parent }) => parent === place.branch && forkedAt === at
    )
    for (let number = 1 + siblings.length; ; number++) {
      const branch = options.branch ?? `${place.branch}@${at}${number > 1 ? `-${number}` : ""}`
      const forked = yield* Effect.result(engine.fork(name, nameOf({ ...place, branch }), at))
      if (Result.isSuccess(forked)) return yield* open(engine, { ...place, branch })
      const isTaken = "reason" in forked.failure && forked.failure.reason === "exists"
      if (isTaken && options.branch === undefined) continue
      const taken = { message: `it has a branch \`${branch}\` already: open that, or take another name` }
      return yield* Effect.fail(isTaken ? taken : forked.failure)
    }
  })

const branchesOf = (engine: Engine, { conversation }: Place): Effect.Effect<ReadonlyArray<Branch>, Store.StoreError> =>
  Effect.map(engine.list(escape(conversation)), (refs) =>
    refs
      .filter(({ name }) => name === escape(conversation) || name.startsWith(`${escape(conversation)}#`))
      .map(({ forkedAt, list, name, parent }) => ({
        name: branchOf(conversation, name),
        parent: parent === undefined ? undefined : branchOf(conversation, parent),
        ...{ forkedAt, length: list.length }
      }))
  )

const noBranch = (engine: Engine, place: Place): Effect.Effect<never, History.HistoryError> =>
  branchesOf(engine, place).pipe(
    Effect.flatMap((branches) => {
      const names = branches.map(({ name }) => `\`${name}\``).join(", ")
      const reason = names === "" ? "it has no messages yet, only `main` can begin it" : `it has ${names}: fork one`
      return Effect.fail({ message: `there is no such branch; ${reason}` })
    }),
    Effect.mapError(failed("open", place))
  )

const failed =
  (operation: History.HistoryError["operation"], { branch, conversation }: Place) =>
  (cause: { readonly message: string; readonly detail?: string }): History.HistoryError => {
    const reason = cause.detail ?? cause.message
    return new History.HistoryError({ operation, history: `${conversation} (${branch})`, reason, cause })
  }
