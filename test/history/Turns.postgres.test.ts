/** Turns across machines, on Postgres. */

import { PgClient } from "@effect/sql-pg"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { Turns } from "miniagents/history"
import { Folder } from "../agents/Folder.ts"
import * as Postgres from "./Postgres.ts"
import { processes, suite } from "./Turns.contract.ts"

let server: Postgres.Server | undefined
let schemas = 0

describe("on Postgres", () => {
  beforeAll(async () => {
    server = await Postgres.start()
  }, 30_000)
  afterAll(() => server?.stop())
  const client = Layer.orDie(Layer.suspend(() => PgClient.layer({ maxConnections: 4, ...server?.config })))
  const layer = (lease: number) =>
    Layer.orDie(Layer.suspend(() => Turns.layerSql({ tablePrefix: `t${process.pid}_${++schemas}_`, lease })))

  suite("by Postgres", { layer: layer(10_000), own: client, live: true })

  it.live("an effect whose turn is taken away is interrupted, and another one has it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const begun = yield* Latch.make()
      const one = yield* Effect.forkChild(Turns.withTurn("c")(Effect.andThen(begun.open, Effect.never)))
      yield* begun.await
      yield* sql`DELETE FROM ${sql(`t${process.pid}_${schemas}_turns`)}`
      const exit = yield* Fiber.await(one)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      yield* Turns.withTurn("c")(Effect.void)
    }).pipe(Effect.provide(Layer.provideMerge(layer(600), client)))
  )

  it.live(
    "processes take turns, also after one that was killed in its own",
    () =>
      Effect.flatMap(Folder, (folder) => processes(folder, JSON.stringify(server?.config), 6)).pipe(
        Effect.scoped,
        Effect.provide(Folder.layer)
      ),
    60_000
  )
})
