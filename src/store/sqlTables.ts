/** The rows of a store in SQLite or Postgres. */
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type * as Statement from "effect/sql/Statement"
import type * as Pages from "./pages.ts"
import { Damage } from "./storeError.ts"
import * as Rows from "./tables.ts"

/** The version of the tables that this module makes; 1 were those of histories alone. */
const VERSION = 2

const SCANNED_AT_ONCE = 256
const KEY = 32

export const make = (
  sql: SqlClient.SqlClient,
  prefix: string
): Effect.Effect<Rows.Tables, SqlError | Migrator.MigrationError | Damage> => {
  const tables = new SqlTables(sql.withoutTransforms(), prefix)
  return Effect.as(tables.open, tables)
}

interface RawObject {
  readonly key: Uint8Array
  readonly tag: string
  readonly body: string
  readonly parts: string
}
interface RawPage {
  readonly key: Uint8Array
  readonly previous: Uint8Array
  readonly length: number
  readonly items: Uint8Array
}
interface RawRef {
  readonly id: number
  readonly name: string
  readonly parent: string | null
  readonly forked_at: number
  readonly version: number
  readonly length: number
  readonly page: Uint8Array
  readonly rest: Uint8Array
  readonly sum: string
}
interface RawEntry {
  readonly ref: number
  readonly version: number
  readonly operation: Rows.Entry["operation"]
  readonly at: number | string | bigint
  readonly length: number
  readonly before_length: number
  readonly page: Uint8Array
  readonly rest: Uint8Array
  readonly sum: string
}

class SqlTables implements Rows.Tables {
  readonly name: string
  readonly sql: SqlClient.SqlClient
  private readonly lock: Statement.Fragment
  private readonly begin: string | undefined

  constructor(sql: SqlClient.SqlClient, prefix: string) {
    this.sql = sql
    this.name = prefix
    this.lock = sql.literal(sql.onDialectOrElse({ pg: () => "FOR UPDATE", orElse: () => "" }))
    // what reads before it writes would be refused by SQLite if another process wrote in between
    this.begin = sql.onDialectOrElse({ sqlite: () => "BEGIN IMMEDIATE", orElse: () => undefined })
  }

  private table(name: "objects" | "pages" | "conversations" | "log" | "migrations") {
    return this.sql(`${this.name}${name}`)
  }

  /** Makes the tables that are missing; any number of processes may do so at once. */
  get open(): Effect.Effect<void, SqlError | Migrator.MigrationError | Damage> {
    const { sql } = this
    const rows = sql<{ version: number | null }>`SELECT max(migration_id) AS version FROM ${this.table("migrations")}`
    const version = Effect.map(rows, ([row]) => Number(row?.version ?? 0))
    // a transaction of the caller's survives the attempt in one of its own
    const found = Effect.orElseSucceed(sql.withTransaction(version), () => 0)
    return Effect.gen({ self: this }, function* () {
      let made = yield* found
      // the tables are missing, or somebody is about to make them
      if (made === 0) made = yield* Effect.andThen(this.migrate, version)
      if (made === VERSION) return
      const problem = `its tables are of version ${made}, and this library reads version ${VERSION}: take the library they were made by`
      return yield* new Damage({ reason: "unsupported", row: "", problem })
    })
  }

  private get migrate(): Effect.Effect<void, SqlError | Migrator.MigrationError | Damage> {
    const { sql } = this
    const types = sql.onDialectOrElse({
      sqlite: () => ({ id: "INTEGER PRIMARY KEY", bytes: "BLOB", table: "WITHOUT ROWID" }),
      pg: () => ({ id: "INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY", bytes: "BYTEA", table: "" }),
      orElse: () => undefined
    })
    if (types === undefined) {
      const problem = "it takes a `SqlClient` for SQLite or Postgres"
      return Effect.fail(new Damage({ reason: "unsupported", row: "", problem }))
    }
    const [id, bytes, table] = [sql.literal(types.id), sql.literal(types.bytes), sql.literal(types.table)]
    const create = Effect.gen({ self: this }, function* () {
      yield* sql`CREATE TABLE ${this.table("objects")} (
        key ${bytes} PRIMARY KEY, tag TEXT NOT NULL, put_at BIGINT NOT NULL, parts TEXT NOT NULL, body TEXT NOT NULL
      )`
      yield* sql`CREATE TABLE ${this.table("pages")} (
        key ${bytes} PRIMARY KEY, previous ${bytes} NOT NULL, length INTEGER NOT NULL, put_at BIGINT NOT NULL,
        items ${bytes} NOT NULL
      )`
      yield* sql`CREATE TABLE ${this.table("conversations")} (
        id ${id}, name TEXT NOT NULL UNIQUE, parent TEXT, forked_at INTEGER NOT NULL, version INTEGER NOT NULL,
        length INTEGER NOT NULL, page ${bytes} NOT NULL, rest ${bytes} NOT NULL, sum TEXT NOT NULL
      )`
      yield* sql`CREATE TABLE ${this.table("log")} (
        ref INTEGER NOT NULL REFERENCES ${this.table("conversations")} (id) ON DELETE CASCADE, version INTEGER NOT NULL,
        operation TEXT NOT NULL, at BIGINT NOT NULL, length INTEGER NOT NULL, before_length INTEGER NOT NULL,
        page ${bytes} NOT NULL, rest ${bytes} NOT NULL, sum TEXT NOT NULL, PRIMARY KEY (ref, version)
      ) ${table}`
    })
    const loader = Migrator.fromRecord({ "2_store": create })
    return Migrator.make({})({ loader, table: `${this.name}migrations` }).pipe(
      Effect.provideService(SqlClient.SqlClient, sql),
      this.writing,
      Effect.asVoid
    )
  }

  private readonly writing = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, SqlClient.BeginTransaction, this.begin)

  get inTransaction(): Effect.Effect<boolean> {
    return Effect.map(Effect.serviceOption(this.sql.transactionService), Option.isSome)
  }

  transaction<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> {
    return this.writing(this.sql.withTransaction(effect))
  }

  putObjects(rows: ReadonlyArray<Rows.ObjectRow>, at: number): Effect.Effect<void, SqlError> {
    const raw = rows.map(({ body, key, parts, tag }) => ({ key: hexToBytes(key), tag, put_at: at, parts, body }))
    return this.put(
      "objects",
      rows.map(({ key }) => key),
      raw
    )
  }

  putPages(rows: ReadonlyArray<Pages.Page>, at: number): Effect.Effect<void, SqlError> {
    const raw = rows.map(({ before = "", hashKey, items, length }) => ({
      ...{ key: hexToBytes(hashKey), previous: hexToBytes(before), length, put_at: at },
      items: hexToBytes(items.join(""))
    }))
    return this.put(
      "pages",
      rows.map(({ hashKey }) => hashKey),
      raw
    )
  }

  private put(
    name: "objects" | "pages",
    keys: ReadonlyArray<string>,
    rows: ReadonlyArray<Record<string, unknown>>
  ): Effect.Effect<void, SqlError> {
    const { sql } = this
    const table = this.table(name)
    // always in the same order, or two that put the same at once could wait for each other
    const sorted = rows.map((_, i) => i).sort((a, b) => (keys[a]! < keys[b]! ? -1 : 1))
    return Effect.forEach(
      Arr.chunksOf(sorted, Rows.ROWS_AT_ONCE),
      (chunk) => sql`
        INSERT INTO ${table} ${sql.insert(chunk.map((i) => rows[i]!) as never)}
        ON CONFLICT (key) DO UPDATE SET put_at = excluded.put_at WHERE ${table}.put_at < excluded.put_at`,
      { discard: true }
    )
  }

  objects(keys: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Rows.ObjectRow>, SqlError> {
    const { sql } = this
    const chunks = Effect.forEach(Arr.chunksOf(keys, Rows.ROWS_AT_ONCE), (chunk) =>
      Effect.map(
        sql<RawObject>`
          SELECT key, tag, parts, body FROM ${this.table("objects")} WHERE key IN ${sql.in(chunk.map(hexToBytes) as never)}`,
        (rows) => rows.map(toObject)
      )
    )
    return Effect.map(chunks, (rows) => rows.flat())
  }

  pages(last: string, from: number): Effect.Effect<ReadonlyArray<Pages.Page>, SqlError> {
    const { sql } = this
    const table = this.table("pages")
    const rows = sql<RawPage>`
      WITH RECURSIVE chain (key, previous, length, items) AS (
        SELECT key, previous, length, items FROM ${table} WHERE key = ${hexToBytes(last)}
        UNION ALL
        SELECT p.key, p.previous, p.length, p.items FROM chain c JOIN ${table} p ON p.key = c.previous
        WHERE p.length = c.length - ${KEY} AND p.length > ${from}
      )
      SELECT key, previous, length, items FROM chain ORDER BY length DESC`
    return Effect.map(rows, (rows) => rows.map(toPage))
  }

  pageKeys(last: string): Effect.Effect<ReadonlyArray<readonly [string, number]>, SqlError> {
    const { sql } = this
    const table = this.table("pages")
    const rows = sql<Pick<RawPage, "key" | "length">>`
      WITH RECURSIVE chain (key, previous, length) AS (
        SELECT key, previous, length FROM ${table} WHERE key = ${hexToBytes(last)}
        UNION ALL
        SELECT p.key, p.previous, p.length FROM chain c JOIN ${table} p ON p.key = c.previous
        WHERE p.length = c.length - ${KEY}
      )
      SELECT key, length FROM chain ORDER BY length DESC`
    return Effect.map(rows, (rows) => rows.map(({ key, length }) => [bytesToHex(key), length] as const))
  }

  someObjects(after: string): Effect.Effect<ReadonlyArray<Rows.ObjectRow>, SqlError> {
    const { sql } = this
    const rows = sql<RawObject>`
      SELECT key, tag, parts, body FROM ${this.table("objects")} WHERE key > ${hexToBytes(after)}
      ORDER BY key LIMIT ${SCANNED_AT_ONCE}`
    return Effect.map(rows, (rows) => rows.map(toObject))
  }

  somePages(after: string): Effect.Effect<ReadonlyArray<Pages.Page>, SqlError> {
    const { sql } = this
    const rows = sql<RawPage>`
      SELECT key, previous, length, items FROM ${this.table("pages")} WHERE key > ${hexToBytes(after)}
      ORDER BY key LIMIT ${SCANNED_AT_ONCE}`
    return Effect.map(rows, (rows) => rows.map(toPage))
  }

  oldKeys(table: "objects" | "pages", before: number): Effect.Effect<ReadonlyArray<string>, SqlError> {
    const rows = this.sql<{ key: Uint8Array }>`SELECT key FROM ${this.table(table)} WHERE put_at < ${before}`
    return Effect.map(rows, (rows) => rows.map(({ key }) => bytesToHex(key)))
  }

  removeOld(table: "objects" | "pages", keys: ReadonlyArray<string>, before: number): Effect.Effect<number, SqlError> {
    const { sql } = this
    const removed = Effect.forEach(
      Arr.chunksOf(keys, Rows.ROWS_AT_ONCE),
      (chunk) => sql`
        DELETE FROM ${this.table(table)}
        WHERE put_at < ${before} AND key IN ${sql.in(chunk.map(hexToBytes) as never)} RETURNING put_at`
    )
    return Effect.map(removed, (rows) => rows.flat().length)
  }

  ref(name: string, toChange: boolean): Effect.Effect<Rows.Ref | Damage | undefined, SqlError> {
    const rows = this.sql<RawRef>`SELECT * FROM ${this.table("conversations")} WHERE name = ${name} ${toChange ? this.lock : this.sql.literal("")}`
    return Effect.map(rows, ([row]) => (row === undefined ? undefined : toRef(row)))
  }

  refs(prefix: string): Effect.Effect<ReadonlyArray<Rows.Ref | Damage>, SqlError> {
    const rows = this.sql<RawRef>`
      SELECT * FROM ${this.table("conversations")}
      WHERE substr(name, 1, ${[...prefix].length}) = ${prefix} ORDER BY id`
    return Effect.map(rows, (rows) => rows.map(toRef))
  }

  addRef(ref: Omit<Rows.Ref, "id">): Effect.Effect<number | undefined, SqlError> {
    const { sql } = this
    const { forkedAt: forked_at, name, parent = null, version } = ref
    const row = { name, parent, forked_at, version, ...toColumns(ref.list), sum: Rows.sumOfRef(ref) }
    const rows = sql<{ id: number }>`
      INSERT INTO ${this.table("conversations")} ${sql.insert(row as never)}
      ON CONFLICT (name) DO NOTHING RETURNING id`
    return Effect.map(rows, ([row]) => row?.id)
  }

  setRef(ref: Rows.Ref): Effect.Effect<boolean, SqlError> {
    const { length, page, rest } = toColumns(ref.list)
    const rows = this.sql`
      UPDATE ${this.table("conversations")}
      SET version = ${ref.version}, length = ${length}, page = ${page}, rest = ${rest}, sum = ${Rows.sumOfRef(ref)}
      WHERE id = ${ref.id} AND version = ${ref.version - 1} RETURNING id`
    return Effect.map(rows, (rows) => rows.length === 1)
  }

  removeRef(id: number): Effect.Effect<void, SqlError> {
    const { sql } = this
    return Effect.andThen(
      sql`DELETE FROM ${this.table("log")} WHERE ref = ${id}`,
      sql`DELETE FROM ${this.table("conversations")} WHERE id = ${id}`
    )
  }

  addEntry(ref: number, entry: Rows.Entry): Effect.Effect<void, SqlError> {
    const { at, before, length, operation, version } = entry
    const { length: before_length, page, rest } = toColumns(before ?? NONE)
    const row = { ref, version, operation, at, length, before_length, page, rest, sum: Rows.sumOfEntry(entry) }
    return Effect.asVoid(this.sql`INSERT INTO ${this.table("log")} ${this.sql.insert(row)}`)
  }

  entries(ref: number): Effect.Effect<ReadonlyArray<Rows.Entry | Damage>, SqlError> {
    const rows = this.sql<RawEntry>`SELECT * FROM ${this.table("log")} WHERE ref = ${ref} ORDER BY version`
    return Effect.map(rows, (rows) => rows.map(toEntry))
  }

  lastTaken(ref: number): Effect.Effect<Rows.Entry | Damage | undefined, SqlError> {
    const rows = this.sql<RawEntry>`
      SELECT * FROM ${this.table("log")} WHERE ref = ${ref} AND before_length >= 0 ORDER BY version DESC LIMIT 1`
    return Effect.map(rows, ([row]) => (row === undefined ? undefined : toEntry(row)))
  }

  get taken(): Effect.Effect<ReadonlyArray<Pages.List>, SqlError> {
    const rows = this.sql<RawEntry>`SELECT * FROM ${this.table("log")} WHERE before_length >= 0`
    return Effect.map(rows, (rows) => rows.map((row) => toList(row, row.before_length)))
  }

  forget(time: number): Effect.Effect<void, SqlError> {
    const { sql } = this
    const log = this.table("log")
    const rows = sql<RawEntry>`SELECT * FROM ${log} WHERE before_length >= 0 AND at < ${time}`
    const forgotten = (row: RawEntry) => {
      const { length, page, rest } = toColumns(NONE)
      const sum = Rows.sumOfEntry({ ...entryOf(row), before: undefined })
      return sql`
        UPDATE ${log} SET before_length = ${length}, page = ${page}, rest = ${rest}, sum = ${sum}
        WHERE ref = ${row.ref} AND version = ${row.version}`
    }
    return Effect.flatMap(rows, Effect.forEach(forgotten, { discard: true }))
  }
}

/** No list at all, as columns: a length that none has. */
const NONE: Pages.List = { page: undefined, rest: [], length: -1 }

const split = (bytes: Uint8Array): ReadonlyArray<string> =>
  Array.from({ length: Math.ceil(bytes.length / KEY) }, (_, i) => bytesToHex(bytes.subarray(i * KEY, (i + 1) * KEY)))

const keyOrNone = (bytes: Uint8Array): string | undefined => (bytes.length === 0 ? undefined : bytesToHex(bytes))

const toObject = ({ body, key, parts, tag }: RawObject): Rows.ObjectRow => ({ key: bytesToHex(key), tag, body, parts })

const toPage = ({ items, key, length, previous }: RawPage): Pages.Page => ({
  hashKey: bytesToHex(key),
  before: keyOrNone(previous),
  items: split(items),
  length
})

const toList = (row: { readonly page: Uint8Array; readonly rest: Uint8Array }, length: number): Pages.List => ({
  page: keyOrNone(row.page),
  rest: split(row.rest),
  length
})

const toColumns = ({ length, page = "", rest }: Pages.List) => ({
  length,
  page: hexToBytes(page),
  rest: hexToBytes(rest.join(""))
})

const toRef = ({ forked_at: forkedAt, id, name, parent, sum, version, ...row }: RawRef): Rows.Ref | Damage => {
  const ref = { id, name, parent: parent ?? undefined, forkedAt, version, list: toList(row, row.length) }
  return Rows.checked(`conversations ${name}`, ref, Rows.sumOfRef, sum)
}

const entryOf = ({ at, length, operation, version, ...row }: RawEntry): Rows.Entry => ({
  ...{ version, operation, length, at: Number(at) },
  before: row.before_length < 0 ? undefined : toList(row, row.before_length)
})

const toEntry = (row: RawEntry): Rows.Entry | Damage =>
  Rows.checked(`log ${row.ref} ${row.version}`, entryOf(row), Rows.sumOfEntry, row.sum)
