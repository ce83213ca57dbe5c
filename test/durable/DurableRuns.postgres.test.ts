/** Durable runs, on Postgres: what all runs do. */

import { PgClient } from "@effect/sql-pg"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schema } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import { SqlClient } from "effect/sql"
import { Agent, Message, MiniAgents } from "miniagents"
import { DurableRuns } from "miniagents/durable"
import { Inspector } from "miniagents/inspector"
import { Runs } from "miniagents/runs"
import { Conversation, Store } from "miniagents/store"
import { operate, type Order } from "../../src/cli/operate.ts"
import * as ServeStore from "../../src/cli/serveStore.ts"
import type { About } from "../../src/inspector/wire.ts"
import * as Postgres from "../history/Postgres.ts"
import { Served, silent } from "../inspector/Shown.ts"
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

/** How another process reaches the server. */
const address = (): string => {
  const { database, host, url, username } = server!.config
  return url === undefined ? `postgres://${username}@localhost/${database}?host=${host}` : Redacted.value(url)
}

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
      const failed = (order: Order, prefix: string) =>
        Effect.promise(() => operate({ store: address(), prefix, json: true, order }, new AbortController().signal))
      assert.isUndefined(yield* failed({ what: "list" }, prefix))
      assert.deepInclude(yield* failed({ what: "show", id: "x" }, prefix), { message: "There is no run `x`" })
      assert.match((yield* failed({ what: "list" }, "none_"))!.message, /relation "none_runs" does not exist/)
    }).pipe(Effect.scoped, Effect.provide(client))
  )

  it.live(
    "an inspector opens the store by the address of the server, follows a run of another process, and answers it",
    () =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const schema = `miniagents_inspected_${process.pid}`
        yield* Effect.acquireRelease(sql`CREATE SCHEMA ${sql(schema)}`, () =>
          Effect.orDie(sql`DROP SCHEMA ${sql(schema)} CASCADE`)
        )
        const asks = Agent.make("Asks", (ctx) =>
          Effect.flatMap(Runs.wait("go", Schema.Int), (n) => ctx.reply(`it was ${n}`))
        )
        const program = Effect.gen(function* () {
          const run = yield* Runs.start(asks, "well?", {}, { id: "asking" })
          yield* Conversation.append("support/1", [Message.user("Hello")])
          const { url } = yield* Inspector.Inspector
          yield* Effect.promise(async () => {
            const served = new Served({ url, record: undefined })
            const shown = await served.json<ReadonlyArray<About>>("/api/runs")
            assert.deepStrictEqual(
              shown.map(({ id }) => id),
              ["run:asking", "conversation:support/1"]
            )
            const statuses: Array<string> = []
            for await (const { focus, rows } of served.updates("/api/updates?run=run:asking&focus=0")) {
              statuses.push(...rows.map(({ asks, status }) => (asks === 1 ? "asks" : status)))
              if (statuses.at(-1) === "asks") {
                assert.deepStrictEqual(focus!.messages[0]!.text, "well?")
                await served.post("/api/answer?run=run:asking", { call: 0, name: "go", value: 7 })
              }
              if (statuses.at(-1) !== "done") continue
              assert.strictEqual(focus!.messages.at(-1)!.text, "it was 7")
              break
            }
            assert.includeMembers(statuses, ["asks", "done"])
          })
          assert.strictEqual(yield* (yield* run.replies).text, "it was 7")
        })
        const prefix = `${schema}.miniagents_`
        const own = DurableRuns.layer().pipe(
          Layer.provideMerge(Store.layer({ tablePrefix: prefix })),
          Layer.provide(Layer.succeed(SqlClient.SqlClient, sql))
        )
        const inspector = Inspector.layerStore([]).pipe(
          Layer.provide([ServeStore.layer(address(), prefix), MiniAgents.layer(), silent])
        )
        yield* Effect.provide(program, [Layer.provideMerge(inspector, own), MiniAgents.layer()])
      }).pipe(Effect.scoped, Effect.provide(client))
  )

  suite("durable, in Postgres", Layer.orDie(Layer.provide(DurableRuns.layer(), store)))
})
