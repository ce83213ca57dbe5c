/**
 * The tables of conversations.
 *
 * A branch has the turns that were appended to it, numbered from where it was forked; what comes before is its parent's.
 * So a fork is one row, and reading a branch is one range of turns for each fork on the way to it.
 *
 * Invariants:
 * 1. A branch that was forked at `forked_at` has exactly the turns `forked_at … length - 1`.
 * 2. `length` is raised in the transaction that adds the turn, which locks the row: appends follow each other.
 * 3. Nothing is ever changed but `length`.
 */
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type * as Message from "../Message.ts"
import * as SqlMessages from "./sqlMessages.ts"

/** What cannot be done, and why. */
export interface Refusal {
  readonly message: string
}

export class Tables {
  readonly sql: SqlClient.SqlClient
  readonly messages: string
  private readonly branches: string
  private readonly turns: string
  private readonly migrations: string

  constructor(sql: SqlClient.SqlClient, prefix: string) {
    this.sql = sql
    this.messages = `${prefix}messages`
    this.branches = `${prefix}branches`
    this.turns = `${prefix}turns`
    this.migrations = `${prefix}migrations`
  }

  /** Makes the tables that are missing; any number of processes may do so at once. */
  get migrate(): Effect.Effect<void, SqlError | Migrator.MigrationError | Refusal> {
    const { sql } = this
    const id = sql.onDialectOrElse({
      sqlite: () => "INTEGER PRIMARY KEY",
      pg: () => "INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
      orElse: () => undefined
    })
    if (id === undefined) return Effect.fail({ message: "it takes a `SqlClient` for SQLite or Postgres" })
    const [messages, branches, turns] = [sql(this.messages), sql(this.branches), sql(this.turns)]
    const create = Effect.gen(function* () {
      yield* sql`CREATE TABLE ${messages} (hash_key TEXT PRIMARY KEY, body TEXT NOT NULL)`
      yield* sql`CREATE TABLE ${branches} (
        id ${sql.literal(id)}, conversation TEXT NOT NULL, name TEXT NOT NULL,
        parent INTEGER REFERENCES ${branches} (id), forked_at INTEGER NOT NULL, length INTEGER NOT NULL,
        UNIQUE (conversation, name)
      )`
      yield* sql`CREATE TABLE ${turns} (
        branch INTEGER NOT NULL REFERENCES ${branches} (id), position INTEGER NOT NULL,
        message TEXT NOT NULL REFERENCES ${messages} (hash_key), PRIMARY KEY (branch, position)
      )`
    })
    const loader = Migrator.fromRecord({ "1_conversations": create })
    return Migrator.make({})({ loader, table: this.migrations }).pipe(
      Effect.provideService(SqlClient.SqlClient, sql),
      // it reads before it writes: SQLite would refuse the write if another process wrote in between
      Effect.provideService(
        SqlClient.BeginTransaction,
        sql.onDialectOrElse({ sqlite: () => "BEGIN IMMEDIATE", orElse: () => undefined })
      )
    )
  }

  /** The branch; the one that conversations begin with is made where it is not there. */
  open(conversation: string, name: string, begin: boolean): Effect.Effect<number | undefined, SqlError> {
    const { sql } = this
    const branches = sql(this.branches)
    const find = sql<{ id: number }>`SELECT id FROM ${branches} WHERE conversation = ${conversation} AND name = ${name}`
    const insert = sql`
      INSERT INTO ${branches} ${sql.insert({ conversation, name, forked_at: 0, length: 0 })}
      ON CONFLICT (conversation, name) DO NOTHING`
    return Effect.gen(function* () {
      const [found] = yield* find
      if (found !== undefined || !begin) return found?.id
      yield* insert
      return (yield* find)[0]?.id
    })
  }

  /** Begins a branch with one row; nothing when there is one of that name. */
  fork(parent: number, name: string, at: number): Effect.Effect<number | undefined, SqlError> {
    const { sql } = this
    const branches = sql(this.branches)
    const rows = sql<{ id: number }>`
      INSERT INTO ${branches} (conversation, name, parent, forked_at, length)
      SELECT conversation, ${name}, id, ${at}, ${at} FROM ${branches} WHERE id = ${parent}
      ON CONFLICT (conversation, name) DO NOTHING RETURNING id`
    return Effect.map(rows, ([row]) => row?.id)
  }

  append(branch: number, message: Message.Message): Effect.Effect<void, SqlError | Refusal> {
    const { sql } = this
    const gone: Refusal = { message: "its branch is no longer in the database" }
    return Effect.gen({ self: this }, function* () {
      yield* SqlMessages.insert(sql, this.messages, message)
      const [row] = yield* sql<{ length: number }>`
        UPDATE ${sql(this.branches)} SET length = length + 1 WHERE id = ${branch} RETURNING length`
      if (row === undefined) return yield* Effect.fail(gone)
      const turn = { branch, position: row.length - 1, message: message.hashKey }
      yield* sql`INSERT INTO ${sql(this.turns)} ${sql.insert(turn)}`
    }).pipe(sql.withTransaction)
  }

  /** The messages before a point, or all of them, in order. */
  rows(branch: number, at?: number): Effect.Effect<ReadonlyArray<SqlMessages.Row>, SqlError> {
    const { sql } = this
    const branches = sql(this.branches)
    return sql<SqlMessages.Row>`
      WITH RECURSIVE line (branch, parent, forked_at, until) AS (
        SELECT id, parent, forked_at, ${at === undefined ? sql`length` : sql`CAST(${at} AS INTEGER)`}
        FROM ${branches} WHERE id = ${branch}
        UNION ALL
        SELECT b.id, b.parent, b.forked_at, CASE WHEN l.forked_at < l.until THEN l.forked_at ELSE l.until END
        FROM line l JOIN ${branches} b ON b.id = l.parent
      )
      SELECT m.hash_key, m.body
      FROM line l JOIN ${sql(this.turns)} t ON t.branch = l.branch AND t.position < l.until
      JOIN ${sql(this.messages)} m ON m.hash_key = t.message
      ORDER BY t.position`
  }

  /** How many messages a branch has. */
  length(branch: number): Effect.Effect<number, SqlError> {
    const rows = this.sql<{ length: number }>`SELECT length FROM ${this.sql(this.branches)} WHERE id = ${branch}`
    return Effect.map(rows, ([row]) => row?.length ?? 0)
  }

  /** How many branches were forked at a point of this one. */
  forks(branch: number, at: number): Effect.Effect<number, SqlError> {
    const rows = this.sql<{ forks: number }>`
      SELECT CAST(count(*) AS INTEGER) AS forks FROM ${this.sql(this.branches)}
      WHERE parent = ${branch} AND forked_at = ${at}`
    return Effect.map(rows, ([row]) => row?.forks ?? 0)
  }

  /** The branches of a conversation, the oldest first. */
  list(conversation: string) {
    const branches = this.sql(this.branches)
    return this.sql<{ name: string; parent: string | null; forkedAt: number; length: number }>`
      SELECT b.name, p.name AS parent, b.forked_at AS ${this.sql("forkedAt")}, b.length
      FROM ${branches} b LEFT JOIN ${branches} p ON p.id = b.parent
      WHERE b.conversation = ${conversation} ORDER BY b.id`
  }
}
