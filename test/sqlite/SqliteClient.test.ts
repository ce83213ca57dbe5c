/** The driver for the SQLite of Node. */

import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, FileSystem, type Scope, Stream } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { SqliteClient } from "miniagents/sqlite"
import { Folder } from "../agents/Folder.ts"

const inMemory = SqliteClient.layer({ filename: ":memory:" })
const inFile = (options: Omit<SqliteClient.Options, "filename"> = {}) =>
  Folder.pipe(
    Effect.flatMap((folder) => SqliteClient.make({ filename: `${folder}/a.db`, ...options })),
    Effect.provide(Reactivity.layer)
  )
const withFolder = <A, E>(effect: Effect.Effect<A, E, Folder | FileSystem.FileSystem | Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), Folder.layer)
const plain = (rows: ReadonlyArray<object>) => rows.map((row) => ({ ...row }))

/** The numbers from 1 to `last`. */
const numbers = (sql: SqlClient.SqlClient, last: number) => sql<{ n: number }>`
  WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < ${last}) SELECT n FROM counter`

describe("SqliteClient", () => {
  it.effect.each([
    [null, null],
    [undefined, null],
    [7, 7],
    [-0.5, -0.5],
    [2 ** 53 - 1, 2 ** 53 - 1],
    ["a\u0000ü🚀", "a\u0000ü🚀"],
    [true, 1],
    [false, 0],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [7n, 7],
    [new Uint8Array([0, 255]), new Uint8Array([0, 255])]
  ])("binds and gives back %o", ([value, expected]) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(plain(yield* sql`SELECT ${value} AS value`), [{ value: expected }])
      assert.deepStrictEqual(yield* sql`SELECT ${value} AS value, 1 AS one`.values, [[expected, 1]])
    }).pipe(Effect.provide(inMemory))
  )

  it.effect("refuses what it cannot bind, and integers that a number cannot hold, unless they are to be bigints", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      for (const value of [{ a: 1 }, {}, [], () => 1]) {
        assert.include((yield* Effect.flip(sql`SELECT ${value} AS value`)).message, "cannot be bound")
      }
      const large = sql<{ value: bigint }>`SELECT 9007199254740993 AS value`
      assert.include((yield* Effect.flip(large)).message, "too large")
      const safe = Effect.provideService(large, SqlClient.SafeIntegers, true)
      assert.deepStrictEqual(plain(yield* safe), [{ value: 9_007_199_254_740_993n }])
      assert.include((yield* Effect.flip(large)).message, "too large") // the statement is the same one
    }).pipe(Effect.provide(inMemory))
  )

  it.effect("a reader in another process's place does not stop a writer, and sees what was there when it began", () =>
    withFolder(
      Effect.gen(function* () {
        const folder = yield* Folder
        const open = SqliteClient.make({ filename: `${folder}/a.db`, timeout: "0 seconds" })
        const [writer, reader] = yield* Effect.provide(Effect.all([open, open]), Reactivity.layer)
        yield* writer`CREATE TABLE words (word TEXT)`
        const count = reader<{ n: number }>`SELECT count(*) AS n FROM words`
        const seen = yield* reader.withTransaction(
          Effect.gen(function* () {
            const before = yield* count
            yield* writer`INSERT INTO words VALUES ('a')`
            return [before[0].n, (yield* count)[0].n]
          })
        )
        assert.deepStrictEqual([...seen, (yield* count)[0].n], [0, 0, 1])
      })
    )
  )

  it.effect("gives rows or, of what has none, how many were changed", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`CREATE TABLE t (a)`, [])
      assert.include(yield* sql`INSERT INTO t VALUES (1), (2)`.raw, { changes: 2, lastInsertRowid: 2 })
      assert.deepStrictEqual(plain(yield* sql`INSERT INTO t VALUES (3) RETURNING a`), [{ a: 3 }])
      assert.deepStrictEqual(yield* sql`SELECT a FROM t`.values, [[1], [2], [3]])
      assert.deepStrictEqual(plain(yield* sql`SELECT a FROM t`.unprepared), [{ a: 1 }, { a: 2 }, { a: 3 }])
      assert.strictEqual(sql.driver, "node-sqlite")
    }).pipe(Effect.provide(inMemory))
  )

  it.effect.each([
    ["SELEC", "UnknownError", `near "SELEC": syntax error`],
    ["INSERT INTO t VALUES (1)", "UniqueViolation", "UNIQUE constraint failed: t.a"],
    ["INSERT INTO t VALUES (NULL)", "ConstraintError", "NOT NULL constraint failed: t.a"],
    ["SELECT * FROM nowhere", "UnknownError", "no such table: nowhere"]
  ])("%s fails with %s", ([statement, tag, message]) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (a UNIQUE NOT NULL)`
      yield* sql`INSERT INTO t VALUES (1)`
      const error = yield* Effect.flip(sql.unsafe(statement))
      assert.deepStrictEqual([error.reason._tag, error.message], [tag, message])
    }).pipe(Effect.provide(inMemory))
  )

  it.effect("keeps what a transaction did when it succeeds, and nothing of it when it fails, however deep", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (a)`
      const insert = (a: number) => sql`INSERT INTO t VALUES (${a})`
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* insert(1)
          yield* Effect.exit(sql.withTransaction(Effect.andThen(insert(2), Effect.fail("no"))))
          yield* sql.withTransaction(insert(3))
        })
      )
      yield* Effect.exit(sql.withTransaction(Effect.andThen(insert(4), Effect.fail("no"))))
      assert.deepStrictEqual(yield* sql`SELECT a FROM t`.values, [[1], [3]])
    }).pipe(Effect.provide(inMemory))
  )

  it.effect("a transaction has the connection to itself, and gives it back when it is interrupted", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE t (a)`
      const inside = yield* Deferred.make<void>()
      const transaction = yield* Effect.forkChild(
        sql.withTransaction(
          sql`INSERT INTO t VALUES (1)`.pipe(
            Effect.andThen(Deferred.succeed(inside, undefined)),
            Effect.andThen(Effect.never)
          )
        )
      )
      yield* Deferred.await(inside)
      const other = yield* Effect.forkChild(sql`SELECT a FROM t`, { startImmediately: true })
      assert.isUndefined(other.pollUnsafe())
      yield* Fiber.interrupt(transaction)
      assert.deepStrictEqual(yield* Fiber.join(other), [])
    }).pipe(Effect.provide(inMemory))
  )

  it.effect("streams rows as they are asked for, and goes on after a reader that leaves", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      // to the last row it would take longer than anyone waits
      yield* sql`CREATE TABLE t AS SELECT n FROM (${numbers(sql, 1_000)})`
      assert.strictEqual(yield* sql<{ n: number }>`SELECT n FROM t`.stream.pipe(Stream.take(3), Stream.runCount), 3)
      yield* sql`DROP TABLE t` // which nobody reads any more
      const some = yield* numbers(sql, 10 ** 12).stream.pipe(Stream.take(3), Stream.runCollect)
      assert.deepStrictEqual(
        some.map(({ n }) => n),
        [1, 2, 3]
      )
      const all = yield* Stream.runFold(
        numbers(sql, 1_000).stream,
        () => 0,
        (sum, { n }) => sum + n
      )
      assert.strictEqual(all, 500_500)
    }).pipe(Effect.provide(inMemory))
  )

  it.effect("streams on while the same statement is run in between", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const streamed = numbers(sql, 600).stream.pipe(
        Stream.mapEffect(({ n }) => (n % 250 === 0 ? Effect.as(numbers(sql, 600), n) : Effect.succeed(n))),
        Stream.runCollect
      )
      assert.strictEqual((yield* sql.withTransaction(streamed)).length, 600)
    }).pipe(Effect.provide(inMemory))
  )

  it.effect("a stream fails where its statement does", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const begin = yield* Effect.flip(Stream.runDrain(sql`SELEC`.stream))
      assert.strictEqual(begin.message, `near "SELEC": syntax error`)
      const midway = sql`SELECT abs(CASE n WHEN 300 THEN -9223372036854775808 ELSE n END) FROM (${numbers(sql, 500)})`
      let seen = 0
      const exit = yield* Effect.exit(Stream.runForEach(midway.stream, () => Effect.sync(() => void seen++)))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(seen, 256)
    }).pipe(Effect.provide(inMemory))
  )

  it.effect("takes any number of different statements", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 300; i++) assert.deepStrictEqual(yield* sql.unsafe(`SELECT ${i}`).values, [[i]])
      }
    }).pipe(Effect.provide(inMemory))
  )

  it.effect("says which file it cannot open, and why", () =>
    withFolder(
      Effect.gen(function* () {
        const filename = `${yield* Folder}/none/a.db`
        const error = yield* Effect.flip(Effect.provide(SqliteClient.make({ filename }), Reactivity.layer))
        assert.strictEqual(error.reason._tag, "ConnectionError")
        assert.strictEqual(error.message, `Could not open the database \`${filename}\`: unable to open database file`)
        assert.strictEqual((yield* Effect.flip(inFile({ readOnly: true }))).reason._tag, "ConnectionError")
      })
    )
  )

  it.effect("closes the file with its scope, and reads it again, only that if it is told so", () =>
    withFolder(
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* Folder
        yield* Effect.scoped(Effect.flatMap(inFile(), (sql) => sql`CREATE TABLE t AS SELECT 1 AS a`))
        assert.deepStrictEqual(yield* fs.readDirectory(folder), ["a.db"]) // SQLite's own files are gone
        const sql = yield* inFile({ readOnly: true })
        assert.deepStrictEqual(yield* sql`SELECT a FROM t`.values, [[1]])
        assert.include((yield* Effect.flip(sql`DELETE FROM t`)).message, "readonly")
      })
    )
  )

  it.effect("waits for another writer as long as it was told, while everything else goes on", () =>
    withFolder(
      Effect.gen(function* () {
        const [one, two] = [yield* inFile(), yield* inFile({ timeout: "1 second" })]
        yield* one`CREATE TABLE t (a)`
        const release = yield* Deferred.make<void>()
        const inside = yield* Deferred.make<void>()
        const writer = yield* Effect.forkChild(
          one.withTransaction(
            one`INSERT INTO t VALUES (1)`.pipe(
              Effect.andThen(Deferred.succeed(inside, undefined)),
              Effect.andThen(Deferred.await(release))
            )
          )
        )
        yield* Deferred.await(inside)
        assert.deepStrictEqual(yield* two`SELECT a FROM t`, []) // who reads does not wait
        const insert = two`INSERT INTO t VALUES (2)`
        const impatient = yield* Effect.forkChild(Effect.flip(insert), { startImmediately: true })
        yield* TestClock.adjust("999 millis")
        assert.isUndefined(impatient.pollUnsafe())
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Fiber.join(impatient)).reason._tag, "LockTimeoutError")
        const patient = yield* Effect.forkChild(insert, { startImmediately: true })
        yield* TestClock.adjust("500 millis")
        assert.isUndefined(patient.pollUnsafe())
        yield* Deferred.succeed(release, undefined)
        yield* Fiber.join(writer)
        yield* TestClock.adjust("500 millis")
        yield* Fiber.join(patient)
        assert.deepStrictEqual(yield* one`SELECT a FROM t`.values, [[1], [2]])
      })
    )
  )
})
