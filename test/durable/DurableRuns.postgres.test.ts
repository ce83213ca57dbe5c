/** Durable runs, on Postgres: what all runs do. */

import { PgClient } from "@effect/sql-pg"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient } from "effect/sql"
import { DurableRuns } from "miniagents/durable"
import { Store } from "miniagents/store"
import { operate, type Order } from "../../src/cli/operate.ts"
import * as Postgres from "../history/Postgres.ts"
import { suite } from "../runs/Runs.contract.ts"

let server: Postgres.Server | undefined
let schemas = 0

const client = Layer.effect(
  SqlClient.SqlClient,
  Effect.suspend(() => PgClient.make({ maxConnections: 4, ...server?.config }))
).pipe(Layer.provide(Reactivity.layer))

/** A store in a schema of its own, which is gone when the test has ended. */
const store = Layer.effect(
  Store.Store,
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const schema = `miniagents_durable_${process.pid}_${++schemas}`
    yield* Effect.acquireRelease(sql`CREATE SCHEMA ${sql(schema)}`, () =>
      Effect.orDie(sql`DROP SCHEMA ${sql(schema)} CASCADE`)
    )
    return yield* Store.make({ tablePrefix: `${schema}.miniagents_` })
  })
).pipe(Layer.provide(client))

describe("on Postgres", () => {
  beforeAll(async () => {
    server = await Postgres.start()
  }, 30_000)
  afterAll(async () => server?.stop())

  it.effect("the program `miniagents runs` reads them by the address of the server", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const schema = `miniagents_program_${process.pid}`
      yield* Effect.acquireRelease(sql`CREATE SCHEMA ${sql(schema)}`, () =>
        Effect.orDie(sql`DROP SCHEMA ${sql(schema)} CASCADE`)
      )
      const prefix = `${schema}.miniagents_`
      const stored = Layer.provide(Store.layer({ tablePrefix: prefix }), Layer.succeed(SqlClient.SqlClient, sql))
      yield* Effect.scoped(Layer.build(Layer.provide(DurableRuns.layer(), stored)))
      const { database, host, url, username } = server!.config
      const address =
        url === undefined ? `postgres://${username}@localhost/${database}?host=${host}` : Redacted.value(url)
      const failed = (order: Order, prefix: string) =>
        Effect.promise(() => operate({ store: address, prefix, json: true, order }, new AbortController().signal))
      assert.isUndefined(yield* failed({ what: "list" }, prefix))
      assert.deepInclude(yield* failed({ what: "show", id: "x" }, prefix), { message: "There is no run `x`" })
      assert.match((yield* failed({ what: "list" }, "none_"))!.message, /relation "none_runs" does not exist/)
    }).pipe(Effect.scoped, Effect.provide(client))
  )

  suite("durable, in Postgres", Layer.orDie(Layer.provide(DurableRuns.layer(), store)))
})
