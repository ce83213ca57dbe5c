/** Durable runs, on Postgres: what all runs do. */

import { PgClient } from "@effect/sql-pg"
import { afterAll, beforeAll, describe } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient } from "effect/sql"
import { DurableRuns } from "miniagents/durable"
import { Store } from "miniagents/store"
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

  suite("durable, in Postgres", Layer.orDie(Layer.provide(DurableRuns.layer(), store)))
})
