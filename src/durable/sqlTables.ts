/** The rows of runs in SQLite or Postgres, beside those of a store. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Damage } from "../store/storeError.ts"
import type * as Store from "../store/tables.ts"
import type * as Transcript from "../Transcript.ts"
import * as Rows from "./tables.ts"

/** The version of the tables that this module makes. */
const VERSION = 2

export const make = (
  store: Store.Tables,
  sql: SqlClient.SqlClient
): Effect.Effect<Rows.Tables, SqlError | Migrator.MigrationError | Damage> => {
  const tables = new SqlTables(store, sql)
  return Effect.as(tables.open, tables)
}

interface RawRun {
  readonly n: number
  readonly id: string
  readonly agent: string
  readonly status: Rows.Run["status"]
  readonly epoch: number
  readonly lease: number | string
  readonly started_at: number | string
  readonly ended_at: number | string | null
  readonly parameters: string
  readonly waiting: string
  readonly source: number | null
}

class SqlTables implements Rows.Tables {
  readonly name: string
  readonly changed = undefined
  private readonly sql: SqlClient.SqlClient
  private readonly store: Store.Tables

  constructor(store: Store.Tables, sql: SqlClient.SqlClient) {
    this.store = store
    this.sql = sql
    this.name = store.name
  }

  outside<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const { transactionService } = this.sql
    return Effect.updateContext(
      effect,
      (context: Context.Context<R>) =>
        Context.omit(transactionService)(context as Context.Context<never>) as Context.Context<R>
    )
  }

  private table(name: "runs" | "run_log" | "run_signals" | "run_migrations") {
    return this.sql(`${this.name}${name}`)
  }

  /** Makes the tables that are missing; any number of processes may do so at once. */
  get open(): Effect.Effect<void, SqlError | Migrator.MigrationError | Damage> {
    const { sql } = this
    const rows = sql<{
      version: number | null
    }>`SELECT max(migration_id) AS version FROM ${this.table("run_migrations")}`
    const version = Effect.map(rows, ([row]) => Number(row?.version ?? 0))
    const found = Effect.orElseSucceed(sql.withTransaction(version), () => 0)
    return Effect.gen({ self: this }, function* () {
      let made = yield* found
      if (made < VERSION) made = yield* Effect.andThen(this.migrate, version)
      if (made === VERSION) return
      const problem = `its runs are of version ${made}, and this library reads version ${VERSION}: take the library they were made by`
      return yield* new Damage({ reason: "unsupported", row: "", problem })
    })
  }

  private get migrate(): Effect.Effect<void, SqlError | Migrator.MigrationError> {
    const { sql } = this
    const id = sql.literal(
      sql.onDialectOrElse({
        pg: () => "INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        orElse: () => "INTEGER PRIMARY KEY AUTOINCREMENT"
      })
    )
    const table = sql.literal(sql.onDialectOrElse({ pg: () => "", orElse: () => "WITHOUT ROWID" }))
    const runs = this.table("runs")
    const create = Effect.gen({ self: this }, function* () {
      yield* sql`CREATE TABLE ${runs} (
        n ${id}, id TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, status TEXT NOT NULL, epoch INTEGER NOT NULL,
        lease BIGINT NOT NULL, started_at BIGINT NOT NULL, ended_at BIGINT, parameters TEXT NOT NULL,
        waiting TEXT NOT NULL, source INTEGER
      )`
      yield* sql`CREATE TABLE ${this.table("run_log")} (
        run INTEGER NOT NULL REFERENCES ${runs} (n) ON DELETE CASCADE, seq INTEGER NOT NULL, kind TEXT NOT NULL,
        body TEXT NOT NULL, PRIMARY KEY (run, seq)
      ) ${table}`
      yield* sql`CREATE TABLE ${this.table("run_signals")} (
        n ${id}, run INTEGER NOT NULL REFERENCES ${runs} (n) ON DELETE CASCADE, kind TEXT NOT NULL, name TEXT NOT NULL,
        value TEXT NOT NULL
      )`
    })
    // events were rows of their own
    const join = sql`UPDATE ${this.table("run_log")} SET kind = 'events', body = '[' || body || ']' WHERE kind = 'event'`
    const loader = Migrator.fromRecord({ "1_runs": create, "2_events": join })
    const begin = sql.onDialectOrElse({ sqlite: () => "BEGIN IMMEDIATE", orElse: () => undefined })
    return Migrator.make({})({ loader, table: `${this.name}run_migrations` }).pipe(
      Effect.provideService(SqlClient.SqlClient, sql),
      Effect.provideService(SqlClient.BeginTransaction, begin),
      Effect.asVoid
    )
  }

  add(
    { agent, id, lease, parameters, source, startedAt }: Parameters<Rows.Tables["add"]>[0],
    rows: ReadonlyArray<Rows.LogRow>
  ): Effect.Effect<Rows.Run | undefined, SqlError> {
    const { sql } = this
    const row = {
      ...{ id, agent, status: "running", epoch: 1, lease, started_at: startedAt, ended_at: null },
      ...{ parameters, waiting: "[]", source: source ?? null }
    }
    const added = Effect.gen({ self: this }, function* () {
      const [raw] = yield* sql<RawRun>`
        INSERT INTO ${this.table("runs")} ${sql.insert(row)} ON CONFLICT (id) DO NOTHING RETURNING *`
      if (raw === undefined) return undefined
      yield* this.insert(rows.map((row) => ({ run: raw.n, ...row })))
      return toRun(raw)
    })
    return this.store.transaction(added)
  }

  private insert(rows: ReadonlyArray<Rows.LogRow & { readonly run: number }>): Effect.Effect<void, SqlError> {
    if (rows.length === 0) return Effect.void
    const raw = rows.map(({ body, kind, run, seq }) => ({ run, seq, kind, body }))
    return Effect.asVoid(this.sql`INSERT INTO ${this.table("run_log")} ${this.sql.insert(raw as never)}`) // there is one at least
  }

  remove(run: number): Effect.Effect<void, SqlError> {
    const { sql } = this
    return this.store.transaction(
      Effect.gen({ self: this }, function* () {
        yield* sql`DELETE FROM ${this.table("run_log")} WHERE run = ${run}`
        yield* sql`DELETE FROM ${this.table("run_signals")} WHERE run = ${run}`
        yield* sql`DELETE FROM ${this.table("runs")} WHERE n = ${run}`
      })
    )
  }

  find(id: string): Effect.Effect<Rows.Run | undefined, SqlError> {
    const rows = this.sql<RawRun>`SELECT * FROM ${this.table("runs")} WHERE id = ${id}`
    return Effect.map(rows, ([row]) => (row === undefined ? undefined : toRun(row)))
  }

  get list(): Effect.Effect<ReadonlyArray<Rows.Run>, SqlError> {
    return Effect.map(this.sql<RawRun>`SELECT * FROM ${this.table("runs")} ORDER BY n`, (rows) => rows.map(toRun))
  }

  take(id: string, now: number, lease: number): Effect.Effect<Rows.Run | undefined, SqlError> {
    const rows = this.sql<RawRun>`
      UPDATE ${this.table("runs")} SET epoch = epoch + 1, lease = ${lease}
      WHERE id = ${id} AND status = 'running' AND lease <= ${now} RETURNING *`
    return Effect.map(rows, ([row]) => (row === undefined ? undefined : toRun(row)))
  }

  log(
    run: number,
    after: number,
    kinds?: ReadonlyArray<Rows.Kind>
  ): Effect.Effect<ReadonlyArray<Rows.LogRow>, SqlError> {
    const { sql } = this
    const only = kinds === undefined ? sql.literal("") : sql`AND ${sql.in("kind", kinds)}`
    return sql<Rows.LogRow>`
      SELECT seq, kind, body FROM ${this.table("run_log")} WHERE run = ${run} AND seq > ${after} ${only} ORDER BY seq`
  }

  /** One text is read faster than many rows. The order of a subquery is that of what is made of it, in both databases. */
  said(run: number): Effect.Effect<Rows.Said, SqlError> {
    const log = this.table("run_log")
    const rows = this.sql<{ readonly said: string | null; readonly seq: number | null }>`
      SELECT string_agg(body, ',') AS said, (SELECT max(seq) FROM ${log} WHERE run = ${run}) AS seq
      FROM (SELECT body FROM ${log} WHERE run = ${run} AND kind = 'events' ORDER BY seq) AS events`
    return Effect.map(rows, ([row]) => ({
      events: (JSON.parse(`[${row?.said ?? ""}]`) as ReadonlyArray<ReadonlyArray<Transcript.Event>>).flat(),
      seq: row?.seq ?? 0
    }))
  }

  write(writes: ReadonlyArray<Rows.Write>): Effect.Effect<ReadonlySet<number>, SqlError> {
    const { sql } = this
    const written = Effect.gen({ self: this }, function* () {
      const owned = yield* this.owned(writes.map(({ epoch, run }) => ({ n: run, epoch })))
      const own = writes.filter(({ run }) => owned.has(run))
      yield* this.insert(own.flatMap(({ rows, run }) => rows.map((row) => ({ run, ...row }))))
      for (const { end, run, waiting } of own) {
        if (waiting !== undefined)
          yield* sql`UPDATE ${this.table("runs")} SET waiting = ${JSON.stringify(waiting)} WHERE n = ${run}`
        if (end !== undefined)
          yield* sql`UPDATE ${this.table("runs")} SET status = ${end.status}, ended_at = ${end.at} WHERE n = ${run}`
      }
      return owned
    })
    return this.store.transaction(written)
  }

  /** The runs whose owners these are, and stay until the transaction ends. */
  private owned(runs: ReadonlyArray<Pick<Rows.Run, "n" | "epoch">>): Effect.Effect<ReadonlySet<number>, SqlError> {
    const { sql } = this
    const epochs = new Map(runs.map(({ epoch, n }) => [n, epoch]))
    const lock = sql.literal(sql.onDialectOrElse({ pg: () => "ORDER BY n FOR NO KEY UPDATE", orElse: () => "" }))
    const rows = sql<Pick<RawRun, "n" | "epoch">>`
      SELECT n, epoch FROM ${this.table("runs")} WHERE ${sql.in("n", [...epochs.keys()])} ${lock}`
    return Effect.map(rows, (rows) => new Set(rows.filter(({ epoch, n }) => epochs.get(n) === epoch).map(({ n }) => n)))
  }

  hold(
    runs: ReadonlyArray<Pick<Rows.Run, "n" | "epoch">>,
    lease: number
  ): Effect.Effect<ReadonlySet<number>, SqlError> {
    const { sql } = this
    const held = Effect.gen({ self: this }, function* () {
      const owned = yield* this.owned(runs)
      if (owned.size > 0) yield* sql`UPDATE ${this.table("runs")} SET lease = ${lease} WHERE ${sql.in("n", [...owned])}`
      return owned
    })
    return runs.length === 0 ? Effect.succeed(new Set()) : this.store.transaction(held)
  }

  lapsed(now: number): Effect.Effect<ReadonlyArray<Pick<Rows.Run, "id" | "agent">>, SqlError> {
    return this.sql<Pick<Rows.Run, "id" | "agent">>`
      SELECT id, agent FROM ${this.table("runs")} WHERE status = 'running' AND lease <= ${now} ORDER BY n`
  }

  ended(before: number): Effect.Effect<ReadonlyArray<number>, SqlError> {
    const { sql } = this
    const runs = this.table("runs")
    const rows = sql<Pick<RawRun, "n">>`
      SELECT n FROM ${runs} AS run WHERE status <> 'running' AND ended_at <= ${before}
      AND EXISTS (SELECT 1 FROM ${this.table("run_log")} WHERE run = run.n AND ${sql.in("kind", Rows.JOURNAL)})
      AND NOT EXISTS (SELECT 1 FROM ${runs} AS other WHERE other.source = run.n AND other.status = 'running') ORDER BY n`
    return Effect.map(rows, (rows) => rows.map(({ n }) => n))
  }

  condense(run: number, rows: ReadonlyArray<Rows.LogRow>): Effect.Effect<number, SqlError> {
    const { sql } = this
    return this.store.transaction(
      Effect.gen({ self: this }, function* () {
        const gone = yield* sql`
          DELETE FROM ${this.table("run_log")} WHERE run = ${run} AND ${sql.in("kind", Rows.JOURNAL)} RETURNING seq`
        yield* sql`DELETE FROM ${this.table("run_signals")} WHERE run = ${run}`
        yield* this.insert(rows.map((row) => ({ run, ...row })))
        return gone.length - rows.length
      })
    )
  }

  send(signal: Omit<Rows.Signal, "n">): Effect.Effect<number, SqlError> {
    const { kind, name, run, value } = signal
    const rows = this.sql<Pick<Rows.Signal, "n">>`
      INSERT INTO ${this.table("run_signals")} ${this.sql.insert({ run, kind, name, value })} RETURNING n`
    return Effect.map(rows, ([row]) => row!.n)
  }

  signals(runs: ReadonlyArray<number>): Effect.Effect<ReadonlyArray<Rows.Signal>, SqlError> {
    if (runs.length === 0) return Effect.succeed([])
    return this.sql<Rows.Signal>`
      SELECT n, run, kind, name, value FROM ${this.table("run_signals")} WHERE ${this.sql.in("run", runs)} ORDER BY n`
  }
}

const toRun = ({ ended_at: endedAt, lease, source, started_at: startedAt, waiting, ...row }: RawRun): Rows.Run => ({
  ...row,
  lease: Number(lease),
  startedAt: Number(startedAt),
  endedAt: endedAt === null ? undefined : Number(endedAt),
  waiting: JSON.parse(waiting) as ReadonlyArray<Rows.Waiting>,
  source: source ?? undefined
})
