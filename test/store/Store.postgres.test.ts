/** The store, on Postgres. */

import { PgClient } from "@effect/sql-pg"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient } from "effect/sql"
import { Conversation, Store } from "miniagents/store"
import * as Postgres from "../history/Postgres.ts"
import { together } from "./Processes.ts"
import { keysOf, suite, texts } from "./Store.contract.ts"

let server: Postgres.Server | undefined
let schemas = 0

const client = Layer.effect(
  SqlClient.SqlClient,
  Effect.suspend(() => PgClient.make({ maxConnections: 4, ...server?.config }))
).pipe(Layer.provide(Reactivity.layer), Layer.orDie)

/** Gone when the test has ended. */
const ownSchema = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const schema = `miniagents_store_${process.pid}_${++schemas}`
  yield* Effect.acquireRelease(sql`CREATE SCHEMA ${sql(schema)}`, () =>
    Effect.orDie(sql`DROP SCHEMA ${sql(schema)} CASCADE`)
  )
  return schema
})
const layer = Layer.effect(
  Store.Store,
  Effect.flatMap(ownSchema, (schema) => Store.make({ tablePrefix: `${schema}.miniagents_` }))
).pipe(Layer.orDie, Layer.provideMerge(client))

describe("on Postgres", () => {
  beforeAll(async () => {
    server = await Postgres.start()
  })
  afterAll(async () => server?.stop())

  suite("Postgres", layer)

  it.effect("says that it is read-only, and can be read", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* Conversation.append("one", texts(0, 40))
      const readOnly = Effect.gen(function* () {
        yield* sql`SET TRANSACTION READ ONLY`
        assert.deepStrictEqual(keysOf(yield* Conversation.messages("one", { last: 5 })), keysOf(texts(35, 40)))
        return yield* Effect.flip(Conversation.append("one", texts(0, 1)))
      })
      assert.deepInclude(yield* sql.withTransaction(readOnly), { _tag: "StoreError", reason: "read-only" })
      assert.strictEqual((yield* Conversation.get("one"))?.length, 40)
    }).pipe(Effect.provide(layer))
  )

  it.live(
    "Law 22, Store: processes that append to one conversation, and fork, while another one collects, lose nothing",
    () =>
      Effect.gen(function* () {
        const tablePrefix = `${yield* ownSchema}.miniagents_`
        const { url, ...config } = server?.config ?? {}
        const database = JSON.stringify(url === undefined ? config : { url: Redacted.value(url) })
        const store = Layer.effect(Store.Store, Store.make({ tablePrefix }))
        yield* Effect.provide(together(database, tablePrefix), store)
      }).pipe(Effect.scoped, Effect.provide(client)),
    120_000
  )
})
