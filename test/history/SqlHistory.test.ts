/** The history in a database, on SQLite. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient } from "effect/sql"
import { Message, MessagePromise, MiniAgents } from "miniagents"
import { SqlHistory } from "miniagents/history"
import { SqliteClient } from "miniagents/sqlite"
import { Folder } from "../agents/Folder.ts"
import { Database, suite } from "./SqlHistory.contract.ts"

const connect = (filename: string) => Effect.provide(Effect.orDie(SqliteClient.make({ filename })), Reactivity.layer)
const tablePrefix = "miniagents_"
const inFile = Layer.effect(
  Database,
  Effect.map(Folder, (folder) => ({ connect: connect(`${folder}/chats.db`), tablePrefix }))
).pipe(Layer.provide(Folder.layer))
const inMemory = Layer.effect(
  Database,
  Effect.map(connect(":memory:"), (client) => ({ connect: Effect.succeed(client), tablePrefix }))
)

suite("SQLite", inFile, inMemory)

describe("SqlHistory on SQLite", () => {
  it.effect("a fork is one row, and shares the messages before it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const counts = Effect.map(
        sql`SELECT (SELECT count(*) FROM miniagents_objects), (SELECT count(*) FROM miniagents_pages)`.values,
        ([row]) => row
      )
      let history = yield* SqlHistory.makeHistory({ conversation: "one" })
      for (let i = 0; i < 50; i++) yield* history.append(MessagePromise.of(Message.user(`${i}`)))
      const before = yield* counts
      for (let i = 0; i < 50; i++) history = yield* history.fork({ at: 50 - i })
      assert.deepStrictEqual(yield* counts, before)
      assert.deepStrictEqual((yield* history.messages).map(String), ["0"])
    }).pipe(Effect.provide([SqliteClient.layer({ filename: ":memory:" }), MiniAgents.layer()]))
  )

  it.effect("says which row is damaged, that there is no space left, and that it is read-only", () =>
    Effect.gen(function* () {
      const filename = `${yield* Folder}/chats.db`
      const client = (options: { readonly readOnly?: boolean } = {}) => SqliteClient.layer({ filename, ...options })
      const open = SqlHistory.makeHistory({ conversation: "one" })
      const append = (history: SqlHistory.SqlHistory, text: string) =>
        history.append(MessagePromise.of(Message.user(text)))
      yield* Effect.flatMap(open, (history) => append(history, "a")).pipe(Effect.provide(client()))

      const readOnly = yield* Effect.flatMap(open, (history) =>
        Effect.gen(function* () {
          assert.deepStrictEqual((yield* history.messages).map(String), ["a"])
          return yield* Effect.flip(append(history, "b"))
        })
      ).pipe(Effect.provide(client({ readOnly: true })))
      assert.include(readOnly.message, "Could not append to the history `one (main)`: it is read-only: ")

      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const history = yield* open
        yield* sql`PRAGMA max_page_count = 30`
        const full = yield* Effect.flip(append(history, "x".repeat(200_000)))
        assert.include(full.message, "Could not append to the history `one (main)`: there is no space left: ")
        yield* sql`UPDATE miniagents_objects SET body = replace(body, '"a"', '"b"')`
        const damaged = yield* Effect.flip(history.messages)
        const row = `objects ${Message.user("a").hashKey}`
        assert.strictEqual(
          damaged.message,
          `Could not read the history \`one (main)\`: the row \`${row}\` was changed: its hash is not its key`
        )
        assert.deepInclude(damaged.cause as object, { _tag: "StoreError", reason: "damaged", row })
      }).pipe(Effect.provide(client()))
    }).pipe(Effect.provide([Folder.layer, MiniAgents.layer()]))
  )

  it.effect("says which databases it works on, to a client for another one", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const other: SqlClient.SqlClient = Object.assign((...args: Parameters<typeof sql>) => sql(...args), sql, {
        withoutTransforms: () => other,
        onDialectOrElse: (options: { readonly orElse: () => unknown }) => options.orElse()
      }) as never
      const opened = Effect.provideService(SqlHistory.makeHistory({ conversation: "one" }), SqlClient.SqlClient, other)
      assert.strictEqual(
        (yield* Effect.flip(opened)).message,
        "Could not open the history `one (main)`: it takes a `SqlClient` for SQLite or Postgres"
      )
    }).pipe(Effect.provide(SqliteClient.layer({ filename: ":memory:" })))
  )
})
