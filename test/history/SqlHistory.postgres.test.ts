/** The history in a database, on Postgres. */

import { PgClient } from "@effect/sql-pg"
import { afterAll, beforeAll, describe } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Postgres from "./Postgres.ts"
import { Database, suite } from "./SqlHistory.contract.ts"

let server: Postgres.Server | undefined
let schemas = 0

const connect = Effect.suspend(() => PgClient.make({ maxConnections: 4, ...server?.config })).pipe(
  Effect.orDie,
  Effect.provide(Reactivity.layer)
)

const inSchema = (schema: string) =>
  Effect.gen(function* () {
    const sql = yield* connect
    yield* Effect.acquireRelease(Effect.orDie(sql`CREATE SCHEMA ${sql(schema)}`), () =>
      Effect.orDie(sql`DROP SCHEMA ${sql(schema)} CASCADE`)
    )
    return { connect, tablePrefix: `${schema}.miniagents_` }
  })
/** Gone when the test has ended. */
const own = Layer.effect(
  Database,
  Effect.suspend(() => inSchema(`miniagents_test_${process.pid}_${++schemas}`))
)
/** Gone when all of them have ended. */
const scope = Scope.makeUnsafe()
const shared = Layer.effect(
  Database,
  Effect.suspend(() => database)
)
let database = Effect.die("not started") as Effect.Effect<Database["Service"]>

describe("on Postgres", () => {
  beforeAll(async () => {
    server = await Postgres.start()
    const client = await Effect.runPromise(Scope.provide(connect, scope))
    const place = await Effect.runPromise(Scope.provide(inSchema(`miniagents_test_${process.pid}`), scope))
    database = Effect.succeed({ ...place, connect: Effect.succeed(client) })
  })
  afterAll(async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await server?.stop()
  })
  suite("Postgres", own, shared)
})
