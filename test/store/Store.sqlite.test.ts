/** What only a file can show: its tables, changed bytes, a full disk, no right to write, other versions, other processes. */

import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer, Random } from "effect"
import { SqlClient, Statement } from "effect/sql"
import { TestClock } from "effect/testing"
import { Message } from "miniagents"
import { SqliteClient } from "miniagents/sqlite"
import { Conversation, Store } from "miniagents/store"
import { Folder } from "../agents/Folder.ts"
import { run, together } from "./Processes.ts"
import { classes, keysOf, kinds, texts } from "./Store.contract.ts"

const seed = Number(process.env["SEED"] ?? 20_240_607)
const file = (filename: string, options: { readonly readOnly?: boolean } = {}) =>
  Store.layer().pipe(Layer.provideMerge(SqliteClient.layer({ filename, ...options })))
const knowing = Effect.provideService(Store.CurrentClasses, classes)

describe("a store in a file", () => {
  it.effect("has these tables", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const tables = yield* sql<{ sql: string }>`
        SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name != 'miniagents_migrations' ORDER BY rowid`
      assert.deepStrictEqual(
        tables.map(({ sql }) => sql.replaceAll(/\s+/g, " ")),
        [
          'CREATE TABLE "miniagents_objects" ( key BLOB PRIMARY KEY, tag TEXT NOT NULL, put_at BIGINT NOT NULL, parts TEXT NOT NULL, body TEXT NOT NULL )',
          'CREATE TABLE "miniagents_pages" ( key BLOB PRIMARY KEY, previous BLOB NOT NULL, length INTEGER NOT NULL, put_at BIGINT NOT NULL, items BLOB NOT NULL )',
          'CREATE TABLE "miniagents_conversations" ( id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, parent TEXT, forked_at INTEGER NOT NULL, version INTEGER NOT NULL, length INTEGER NOT NULL, page BLOB NOT NULL, rest BLOB NOT NULL, sum TEXT NOT NULL )',
          'CREATE TABLE "miniagents_log" ( ref INTEGER NOT NULL REFERENCES "miniagents_conversations" (id) ON DELETE CASCADE, version INTEGER NOT NULL, operation TEXT NOT NULL, at BIGINT NOT NULL, length INTEGER NOT NULL, before_length INTEGER NOT NULL, page BLOB NOT NULL, rest BLOB NOT NULL, sum TEXT NOT NULL, PRIMARY KEY (ref, version) ) WITHOUT ROWID'
        ]
      )
    }).pipe(Effect.provide(file(":memory:")))
  )

  /** Every column of every table that says something, and how a row of it is named. */
  const columns = [
    ["objects", "body", "objects "],
    ["objects", "tag", "objects "],
    ["objects", "key", "objects "],
    ["objects", "parts", "objects "],
    ["pages", "items", "pages "],
    ["pages", "previous", "pages "],
    ["pages", "length", "pages "],
    ["pages", "key", "pages "],
    ["conversations", "name", "conversations "],
    ["conversations", "parent", "conversations "],
    ["conversations", "forked_at", "conversations "],
    ["conversations", "version", "conversations "],
    ["conversations", "length", "conversations "],
    ["conversations", "page", "conversations "],
    ["conversations", "rest", "conversations "],
    ["conversations", "sum", "conversations "],
    ["log", "operation", "log "],
    ["log", "at", "log "],
    ["log", "length", "log "],
    ["log", "before_length", "log "],
    ["log", "page", "log "],
    ["log", "rest", "log "],
    ["log", "sum", "log "]
  ] as const

  const said = [...kinds, ...texts(0, 100)]
  let whole: string
  beforeAll(async () => {
    whole = path.join(mkdtempSync(path.join(tmpdir(), "miniagents-store-")), "whole.db")
    const program = Effect.gen(function* () {
      yield* knowing(Conversation.append("one", said))
      yield* Conversation.fork("one", "two", { at: 70 })
      yield* Conversation.rewind("two", 40)
    })
    await Effect.runPromise(Effect.provide(program, file(whole)))
  })
  afterAll(() => rmSync(path.dirname(whole), { recursive: true }))

  it.live.each(columns)("Law 22, Store: a changed byte in `%s`.`%s` is found and named", ([table, column, named]) =>
    Effect.gen(function* () {
      const damaged = `${yield* Folder}/damaged.db`
      const rows = new DatabaseSync(whole).prepare(`SELECT rowid_, value FROM (${numbered(table, column)})`).all()
      assert.isAbove(rows.length, 0)
      for (let attempt = 0; attempt < 6; attempt++) {
        copyFileSync(whole, damaged)
        const { rowid_, value } = rows[yield* Random.nextIntBetween(0, rows.length - 1)] as unknown as Row
        const changed = yield* changedByte(value)
        const database = new DatabaseSync(damaged)
        database.exec("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF")
        database
          .prepare(`UPDATE miniagents_${table} SET ${column} = ? WHERE ${placeOf(table)} = ?`)
          .run(changed, rowid_)
        database.close()
        yield* Effect.gen(function* () {
          const { damaged } = yield* Store.verify
          assert.isTrue(
            damaged.some(({ row }) => row.startsWith(named)),
            `${JSON.stringify(String(changed).slice(0, 80))} for ${JSON.stringify(String(value).slice(0, 80))}: ${JSON.stringify(damaged)}`
          )
          if (table === "log") return
          // reading finds it, too, or gives what was kept
          for (const name of ["one", "two"]) {
            const read = yield* Effect.result(knowing(Conversation.messages(name)))
            if (read._tag === "Failure") assert.oneOf(read.failure._tag, ["StoreError", "ConversationError"])
            else assert.deepStrictEqual(keysOf(read.success), keysOf(said.slice(0, name === "one" ? 999 : 40)))
          }
          if (table !== "objects" || column !== "tag") {
            const error = yield* Effect.flip(Effect.andThen(Store.collect(), Effect.andThen(Conversation.list(), all)))
            assert.oneOf(error._tag, ["StoreError", "ConversationError"])
          }
        }).pipe(Effect.provide(file(damaged)))
      }
    }).pipe(Random.withSeed(seed), Effect.provide(Folder.layer))
  )

  it.effect("Law 22, Store: a row that is missing is named by what refers to it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* Conversation.append("one", texts(0, 70))
      yield* sql`DELETE FROM miniagents_objects WHERE key = (SELECT min(key) FROM miniagents_objects)`
      yield* sql`DELETE FROM miniagents_pages WHERE length = 32`
      const { damaged } = yield* Store.verify
      assert.deepStrictEqual(damaged.map(({ row }) => row.split(" ")[0]).sort(), ["objects", "pages"])
      for (const { problem } of damaged)
        assert.match(problem, /^is missing, which `(pages \w{64}|conversations one)` refers to$/)
      const error = yield* Effect.flip(Conversation.messages("one"))
      assert.match(
        error.message,
        /^Could not read `one` in the store `miniagents_`: the row `pages \w{64}` is missing$/
      )
      assert.deepInclude(yield* Effect.flip(Store.collect()), { reason: "damaged" })
    }).pipe(Effect.provide(file(":memory:")))
  )

  it.effect("follows the transaction that it is used in, and knows what of it was undone", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const messages = texts(0, 40)
      const undone = Effect.gen(function* () {
        yield* Store.put(messages)
        yield* Conversation.append("one", messages)
        assert.strictEqual((yield* Conversation.messages("one")).length, 40)
        return yield* Effect.fail("undo")
      })
      assert.strictEqual(yield* Effect.flip(sql.withTransaction(undone)), "undo")
      assert.deepInclude(yield* Store.verify, { objects: 0, pages: 0, conversations: 0 })
      yield* Conversation.append("one", messages)
      yield* Conversation.append("two", messages)
      for (const name of ["one", "two"]) {
        assert.deepStrictEqual(keysOf(yield* Conversation.messages(name)), keysOf(messages))
      }
    }).pipe(Effect.provide(file(":memory:")))
  )

  it.effect("Law 22, Store: what is put again and again is not written again, and is never collected too early", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      let rows = 0
      const counting = Effect.provideService(Statement.CurrentTransformer, (statement) =>
        Effect.sync(() => {
          const [text, values] = statement.compile()
          if (text.includes("INSERT INTO")) rows += values.length / 5
          return statement
        })
      )
      const said: Array<Message.Message> = []
      for (let minute = 0; minute < 45; minute++) {
        said.push(...texts(minute, minute + 1))
        const record = new Message.CallRecord({ agent: "a", parameters: {}, messages: said })
        yield* counting(Store.put([record]))
        assert.deepStrictEqual(yield* Store.get(record.hashKey), record)
        yield* TestClock.adjust("1 minute")
        yield* Store.collect({ grace: "1 minute" })
        assert.deepStrictEqual(yield* Store.get(record.hashKey), record)
      }
      assert.deepStrictEqual((yield* Store.verify).damaged, [])
      // a message, its record and now and then a page; and all of them when they are ten minutes old
      assert.isBelow(rows, 45 * 2.1 + 5 * 45)
      assert.strictEqual(
        (yield* sql`SELECT count(*) AS texts FROM miniagents_objects WHERE tag = 'User'`)[0]!["texts"],
        45
      )
    }).pipe(Effect.provide(file(":memory:")))
  )

  it.effect("says that there is no space left, and keeps nothing of what did not fit", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* Conversation.append("one", texts(0, 10))
      yield* sql`PRAGMA max_page_count = 30`
      const large = Array.from({ length: 40 }, (_, i) => Message.user(`${i}`.repeat(10_000)))
      const errors = [
        yield* Effect.flip(Conversation.append("one", large)),
        yield* Effect.flip(Store.put(large)),
        yield* Effect.flip(Conversation.append("two", large))
      ]
      for (const error of errors) assert.deepInclude(error, { _tag: "StoreError", reason: "no space" })
      assert.include(
        errors[0]!.message,
        "Could not append to `one` in the store `miniagents_`: there is no space left: "
      )
      assert.deepStrictEqual(keysOf(yield* Conversation.messages("one")), keysOf(texts(0, 10)))
      assert.deepInclude(yield* Store.verify, { objects: 10, conversations: 1, damaged: [] })
      yield* sql`PRAGMA max_page_count = 3000`
      yield* Conversation.append("one", large)
    }).pipe(Effect.provide(file(":memory:")))
  )

  it.effect("says that it is read-only, and can be read", () =>
    Effect.gen(function* () {
      const filename = `${yield* Folder}/store.db`
      yield* Effect.provide(Conversation.append("one", texts(0, 10)), file(filename))
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(keysOf(yield* Conversation.messages("one")), keysOf(texts(0, 10)))
        const error = yield* Effect.flip(Conversation.append("one", texts(0, 1)))
        assert.deepInclude(error, { _tag: "StoreError", reason: "read-only" })
        assert.include(error.message, "Could not append to `one` in the store `miniagents_`: it is read-only: ")
      }).pipe(Effect.provide(file(filename, { readOnly: true })))
      chmodSync(filename, 0o444)
    }).pipe(Effect.provide(Folder.layer))
  )

  it.effect("refuses tables of another version, and no database at all, with a sentence", () =>
    Effect.gen(function* () {
      const filename = `${yield* Folder}/store.db`
      yield* Effect.provide(Conversation.append("one", texts(0, 10)), file(filename))
      new DatabaseSync(filename).exec("UPDATE miniagents_migrations SET migration_id = 7")
      const opened = (filename: string) => Effect.flip(Effect.provide(Effect.void, file(filename)))
      assert.strictEqual(
        (yield* opened(filename)).message,
        "Could not open tables in the store `miniagents_`: its tables are of version 7, and this library reads version 2: take the library they were made by"
      )
    }).pipe(Effect.provide(Folder.layer))
  )
})

interface Row {
  readonly rowid_: number | string
  readonly value: unknown
}

const placeOf = (table: string) => (table === "log" ? "ref || ' ' || version" : "rowid")
/** The log has no rowid, and a NULL, an empty text or no list have no byte to change. */
const numbered = (table: string, column: string) =>
  `SELECT ${placeOf(table)} AS rowid_, ${column} AS value FROM miniagents_${table}
   WHERE ${column} IS NOT NULL AND length(${column}) > 0`

/** The value with another byte, digit or character somewhere. */
const changedByte = (value: unknown) =>
  Effect.gen(function* () {
    if (typeof value === "number") return value + (yield* Random.nextIntBetween(1, 100))
    if (value instanceof Uint8Array) {
      const bytes = Uint8Array.from(value)
      bytes[yield* Random.nextIntBetween(0, bytes.length - 1)]! ^= yield* Random.nextIntBetween(1, 255)
      return bytes
    }
    const text = String(value)
    const at = yield* Random.nextIntBetween(0, text.length - 1)
    return `${text.slice(0, at)}${text[at] === "e" ? "f" : "e"}${text.slice(at + 1)}`
  })

const all = Effect.forEach(["one", "two"], (name) => knowing(Conversation.messages(name)))

it.live(
  `Law 22, Store: a process that appends, forks, rewinds and collects, killed at random moments, leaves nothing half done (SEED=${seed})`,
  () =>
    Effect.gen(function* () {
      const filename = `${yield* Folder}/store.db`
      let kept = 0
      for (let round = 0; round < 6; round++) {
        const statements = yield* Random.nextIntBetween(1, 400)
        const enough = yield* Random.nextIntBetween(1, 30)
        const byItself = round % 2 === 0
        const { ended, said } = yield* run(
          [filename, "all", kept, "Infinity", byItself ? statements : "Infinity"],
          (child, said) => {
            if (!byItself && said >= enough) child.kill("SIGKILL")
          }
        )
        assert.strictEqual(ended, "SIGKILL")
        kept = yield* Effect.gen(function* () {
          assert.deepStrictEqual((yield* Store.verify).damaged, [])
          const messages = (yield* Conversation.list()).length === 0 ? [] : yield* Conversation.messages("all")
          assert.isAtLeast(messages.length, kept + said)
          assert.isAtMost(messages.length, kept + said + 1)
          assert.deepStrictEqual(
            messages.map(String),
            messages.map((_, i) => `all ${i}`)
          )
          return messages.length
        }).pipe(Effect.provide(file(filename)))
      }
      assert.isAbove(kept, 6)
    }).pipe(Random.withSeed(seed), Effect.provide(Folder.layer)),
  120_000
)

it.live(
  "Law 22, Store: processes that append to one conversation, and fork, while another one collects, lose nothing",
  () =>
    Effect.gen(function* () {
      const filename = `${yield* Folder}/store.db`
      yield* Effect.provide(together(filename), file(filename))
    }).pipe(Effect.provide(Folder.layer)),
  120_000
)
