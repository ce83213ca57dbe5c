/**
 * A `SqlClient` for SQLite on the `node:sqlite` that Node brings along: no package to install, none to compile.
 *
 * @since 0.1.0
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"

/**
 * Which database, and how to reach it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The path of the file, which is made where there is none; `:memory:` for a database that ends with its scope. */
  readonly filename: string
  /** Refuse whatever writes, and do not make the file. */
  readonly readOnly?: boolean
  /**
   * How long a statement waits for another process that writes.
   *
   * @default "5 seconds"
   */
  readonly timeout?: Duration.Input
  /**
   * How safe a commit is: with `normal` a killed process loses nothing, and a power cut may lose the last
   * transactions; `full` waits for the disk at each of them, some milliseconds long, and a power cut loses nothing either.
   *
   * @default "normal"
   */
  readonly synchronous?: "normal" | "full"
}

/**
 * Opens a database until the scope closes.
 *
 * **Details**
 *
 * There is one connection, and a transaction or a stream has it to itself: what else is asked waits its turn. Statements
 * are prepared once and kept, the last 200 of them. A file is in WAL mode, so that readers and a writer in other
 * processes do not wait for each other; a writer waits for another one without holding up the event loop. Integers that
 * a number cannot hold are a failure, unless `SqlClient.SafeIntegers` is true: then all integers are `bigint`s. Of the
 * values that SQLite does not know, booleans are stored as 0 and 1, dates as ISO 8601 texts.
 *
 * **Gotchas**
 *
 * SQLite runs in the thread that asks: a query that takes a second holds up everything else for a second.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options
): Effect.Effect<SqlClient.SqlClient, SqlError, Scope.Scope | Reactivity.Reactivity> =>
  Effect.gen(function* () {
    const { filename, readOnly = false, synchronous = "normal", timeout = "5 seconds" } = options
    const database = yield* Effect.acquireRelease(
      attempt("open", `Could not open the database \`${filename}\``, () => new DatabaseSync(filename, { readOnly })),
      (database) => Effect.sync(() => database.close())
    )
    const connection = new SqliteConnection(database, Duration.toMillis(timeout))
    const isFile = filename !== ":memory:" && !readOnly
    if (isFile) {
      yield* connection.executeUnprepared("PRAGMA journal_mode = WAL")
      yield* connection.executeUnprepared(`PRAGMA synchronous = ${synchronous}`)
    }
    const acquirers = SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore: yield* Semaphore.make(1),
      isTransaction: () => database.isTransaction
    })
    return yield* SqlClient.make({
      ...acquirers,
      compiler: Statement.makeCompilerSqlite(),
      driver: "node-sqlite",
      prepareTransactionControls: true,
      releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
      spanAttributes: [["db.system.name", "sqlite"]]
    })
  })

/**
 * The client as a layer; the database is closed with it.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 * import { SqliteClient } from "miniagents/sqlite"
 *
 * const program = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   return yield* sql<{ two: number }>`SELECT ${1} + 1 AS two`
 * }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:" })))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<SqlClient.SqlClient, SqlError> =>
  Layer.effect(SqlClient.SqlClient, make(options)).pipe(Layer.provide(Reactivity.layer))

type Rows = ReadonlyArray<object>
type TransformRows = Parameters<Connection["execute"]>[2]

class SqliteConnection implements Connection {
  private readonly database: DatabaseSync
  private readonly timeout: number
  /** The least recently used one first. */
  private readonly prepared = new Map<string, StatementSync>()

  constructor(database: DatabaseSync, timeout: number) {
    this.database = database
    this.timeout = timeout
  }

  execute(sql: string, params: ReadonlyArray<unknown>, transformRows: TransformRows): Effect.Effect<Rows, SqlError> {
    return this.run(sql, (statement) => transformed(statement.all(...params.map(toSqlite)), transformRows))
  }

  executeRaw(sql: string, params: ReadonlyArray<unknown>): Effect.Effect<unknown, SqlError> {
    return this.run(sql, (statement) => {
      const values = params.map(toSqlite)
      return statement.columns().length > 0 ? statement.all(...values) : statement.run(...values)
    })
  }

  executeValues(
    sql: string,
    params: ReadonlyArray<unknown>
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError> {
    return this.run(sql, (statement) => {
      statement.setReturnArrays(true)
      return statement.all(...params.map(toSqlite)) as unknown as ReadonlyArray<ReadonlyArray<unknown>>
    })
  }

  executeValuesUnprepared(
    sql: string,
    params: ReadonlyArray<unknown>
  ): Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError> {
    return this.executeValues(sql, params)
  }

  executeUnprepared(
    sql: string,
    params: ReadonlyArray<unknown> = [],
    transformRows?: TransformRows
  ): Effect.Effect<Rows, SqlError> {
    return this.run(
      sql,
      (statement) => transformed(statement.all(...params.map(toSqlite)), transformRows),
      () => this.database.prepare(sql)
    )
  }

  /** With a statement of its own: a kept one would begin anew when the same SQL is run while the rows are read. */
  executeStream(
    sql: string,
    params: ReadonlyArray<unknown>,
    transformRows: TransformRows
  ): Stream.Stream<object, SqlError> {
    const begin = this.run(
      sql,
      (statement) => statement.iterate(...params.map(toSqlite)),
      () => this.database.prepare(sql)
    )
    return Stream.fromPull(
      Effect.map(
        Effect.acquireRelease(begin, (rows) => Effect.sync(() => rows.return?.())),
        (rows) =>
          attempt("execute", sql, () => transformed(next(rows), transformRows)).pipe(
            Effect.filterOrElse(Arr.isReadonlyArrayNonEmpty, () => Cause.done())
          )
      )
    ).pipe(Stream.scoped)
  }

  private run<A>(
    sql: string,
    f: (statement: StatementSync) => A,
    prepare: () => StatementSync = () => this.keep(sql)
  ): Effect.Effect<A, SqlError> {
    const once = Effect.withFiber<A, SqlError>((fiber) =>
      attempt("execute", sql, () => {
        const statement = prepare()
        statement.setReadBigInts(fiber.getRef(SqlClient.SafeIntegers))
        statement.setReturnArrays(false)
        return f(statement)
      })
    )
    return Effect.retry(once, { while: isBusy, schedule: this.patience })
  }

  private keep(sql: string): StatementSync {
    const statement = this.prepared.get(sql) ?? this.database.prepare(sql)
    this.prepared.delete(sql)
    this.prepared.set(sql, statement)
    for (const oldest of this.prepared.keys()) {
      if (this.prepared.size <= KEPT_STATEMENTS) break
      this.prepared.delete(oldest)
    }
    return statement
  }

  private get patience() {
    return Schedule.spaced(POLL).pipe(Schedule.upTo({ times: Math.ceil(this.timeout / POLL) }))
  }
}

const KEPT_STATEMENTS = 200
const ROWS_AT_ONCE = 256
/** Milliseconds between two looks whether the other writer has finished. */
const POLL = 5

const transformed = (rows: Rows, transformRows: TransformRows): Rows =>
  transformRows === undefined ? rows : transformRows(rows)

const next = (rows: Iterator<object>): Rows => {
  const some: Array<object> = []
  while (some.length < ROWS_AT_ONCE) {
    const row = rows.next()
    if (row.done === true) break
    some.push(row.value)
  }
  return some
}

const toSqlite = (value: unknown): SQLInputValue => {
  if (value === undefined) return null
  if (typeof value === "boolean") return value ? 1 : 0
  if (value instanceof Date) return value.toISOString()
  // an object would be taken for the names of parameters, and a value that is missing for NULL
  const isObject = typeof value === "function" || (typeof value === "object" && value !== null)
  if (isObject && !ArrayBuffer.isView(value)) throw new TypeError(notBound)
  return value as SQLInputValue // anything else it refuses itself
}

const notBound = "An object cannot be bound: give a string, number, bigint, boolean, Date, Uint8Array or null"

const attempt = <A>(operation: string, what: string, f: () => A): Effect.Effect<A, SqlError> =>
  Effect.try({ try: f, catch: (cause) => failed(operation, what, cause) })

/** Effect tells the reasons apart by SQLite's own number, which Node has as `errcode`. */
const failed = (operation: string, what: string, cause: unknown): SqlError => {
  if (cause instanceof Error && "errcode" in cause) Object.assign(cause, { errno: cause.errcode })
  const message = operation === "open" && cause instanceof Error ? `${what}: ${cause.message}` : messageOf(cause)
  return new SqlError({ reason: classifySqliteError(cause, { message, operation }) })
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const SQLITE_BUSY = 5

/** Another process writes. `SQLITE_BUSY_SNAPSHOT` is none of these: waiting does not help it. */
const isBusy = (error: SqlError): boolean => {
  const { cause } = error.reason
  return cause instanceof Error && "errcode" in cause && cause.errcode === SQLITE_BUSY
}
