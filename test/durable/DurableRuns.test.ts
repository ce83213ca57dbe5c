/** Durable runs, in memory and in SQLite: what all runs do, and what is left of one that was cut off. */

import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Deferred, Effect, Exit, Fiber, Layer, Schema, Scope, Stream } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { Agent, MiniAgents, type Transcript } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { SqliteClient } from "miniagents/sqlite"
import { Store } from "miniagents/store"
import { Interleaving } from "miniagents/testing"
import { suite } from "../runs/Runs.contract.ts"
import { everything, model, TheWorld, toolsLive, World } from "./World.ts"

const sqlite = Layer.orDie(Layer.provide(Store.layer(), SqliteClient.layer({ filename: ":memory:" })))
const durable = (store: Layer.Layer<Store.Store>) => Layer.orDie(Layer.provide(DurableRuns.layer(), store))

suite("durable, in memory", durable(Store.layerMemory))
suite("durable, in SQLite", durable(sqlite))

/** What a reader has of the texts; what was taken back shows. */
const textsOf = (events: ReadonlyArray<Transcript.Event>) =>
  events
    .map((event) =>
      event._tag === "open" ? "/" : event._tag === "text" ? event.text : event._tag === "reset" ? "<" : ""
    )
    .join("")

/** Runs everything, in as many processes as it takes: each is left when nothing more happens in it. */
const inLives = (layer: Layer.Layer<Store.Store>, lives: number) =>
  Effect.gen(function* () {
    const world = new World()
    const store = yield* Layer.build(layer)
    const app = Layer.mergeAll(
      durable(Layer.succeedContext(store)),
      MiniAgents.layer(),
      Durable.model(model),
      toolsLive
    ).pipe(Layer.provideMerge(Layer.succeed(TheWorld, world)))
    const given: Array<string> = []
    for (let life = 1; life <= lives; life++) {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(app, scope)
      const read: Array<Transcript.Event> = []
      const program = Effect.gen(function* () {
        yield* Runs.start(everything, "hello", {}, { id: "r" })
        const reader = yield* Effect.forkChild(
          Stream.runForEach(Runs.read("r"), (event) => Effect.sync(() => void read.push(event)))
        )
        yield* Interleaving.idle
        yield* TestClock.adjust("1 minute")
        yield* Interleaving.idle
        if (life < lives) return
        yield* Runs.signal("r", "approval", { by: "Ann" })
        yield* Fiber.join(reader)
      })
      yield* Effect.provideContext(program, context)
      given.push(textsOf(read))
      yield* Scope.close(scope, Exit.void)
    }
    return { given, world }
  }).pipe(Interleaving.withSeed(1), Effect.scoped)

describe("DurableRuns.layer", () => {
  for (const [name, store] of [
    ["in memory", Store.layerMemory],
    ["in SQLite", sqlite]
  ] as const) {
    it.effect(`a run that is left three times, ${name}, ends as one that is not, and asks nothing twice`, () =>
      Effect.gen(function* () {
        const { given, world } = yield* inLives(store, 4)
        const whole = given[3]!
        assert.include(whole, "approved by Ann")
        for (const some of given) assert.isTrue(some !== "" && whole.startsWith(some))
        assert.deepStrictEqual([world.begun.length, world.ended.length], [15, 15])
        assert.deepStrictEqual([world.tools.length, world.steps.length], [1, 1])
      })
    )
  }
})

describe("tables of an older version", () => {
  it.effect("are brought up to this one: events were rows of their own", () =>
    Effect.gen(function* () {
      const client = yield* Layer.build(SqliteClient.layer({ filename: ":memory:" }))
      const tables = Layer.orDie(Layer.provide(Store.layer(), Layer.succeedContext(client)))
      const inProcess = <A, E>(program: Effect.Effect<A, E, Runs.Runs | MiniAgents.MiniAgents>) =>
        Effect.provide(program, Layer.fresh(Layer.merge(durable(tables), MiniAgents.layer())))
      const talker = Agent.make("Talker", (ctx) => ctx.reply([ctx.messages, "and more"]))
      yield* inProcess(Effect.andThen(Runs.start(talker, "hello", {}, { id: "r" }), Stream.runDrain(Runs.read("r"))))
      const sql = Context.get(client, SqlClient.SqlClient)
      const log = yield* sql<{ run: number; seq: number; kind: string; body: string }>`SELECT * FROM miniagents_run_log`
      yield* sql`DELETE FROM miniagents_run_log`
      let seq = 0
      for (const { body, kind, run } of log) {
        const rows = kind === "events" ? (JSON.parse(body) as Array<unknown>) : [JSON.parse(body)]
        for (const row of rows) {
          const old = { run, seq: ++seq, kind: kind === "events" ? "event" : kind, body: JSON.stringify(row) }
          yield* sql`INSERT INTO miniagents_run_log ${sql.insert(old)}`
        }
      }
      yield* sql`DELETE FROM miniagents_run_migrations WHERE migration_id = 2`
      const events = yield* inProcess(Stream.runCollect(Runs.read("r")))
      assert.strictEqual(textsOf(events), "/hello/and more")
    }).pipe(Effect.scoped)
  )
})

/** Which of two processes an agent runs in, and what it waits for there. */
class Where extends Context.Service<Where, { readonly name: string; readonly gate: Deferred.Deferred<void> }>()(
  "Where"
) {}

const asking = Agent.make(
  "Asking",
  Effect.fnUntraced(function* (ctx) {
    const { gate, name } = yield* Where
    yield* ctx.reply("begun")
    yield* ctx.reply(yield* Durable.step("who", Schema.String, Effect.as(Deferred.await(gate), `by ${name}`)))
  })
)

/** The clock of a process that has stopped for a while: it does not hold its runs. */
const stopped: Clock.Clock = Object.assign(Object.create(Effect.runSync(Clock.Clock)) as Clock.Clock, {
  currentTimeMillisUnsafe: () => 0,
  currentTimeMillis: Effect.succeed(0),
  sleep: () => Effect.never
})

describe("two owners", () => {
  for (const isLate of [true, false]) {
    const when = isLate ? "after another one has taken the run up" : "before another one takes the run up"
    it.effect(`a process that comes back writes ${when}: one of them is in the run, nothing is mixed`, () =>
      Effect.gen(function* () {
        const shared = durable(Layer.succeedContext(yield* Layer.build(sqlite)))
        const process = (name: string) =>
          Effect.gen(function* () {
            const gate = yield* Deferred.make<void>()
            const here = Layer.succeed(Where, { name, gate })
            return {
              gate,
              context: yield* Layer.build(Layer.mergeAll(shared.pipe(Layer.fresh), MiniAgents.layer(), here))
            }
          })
        const start = Effect.asVoid(Runs.start(asking, "x", {}, { id: "r" }))
        const first = yield* Effect.provideService(process("first"), Clock.Clock, stopped)
        yield* start.pipe(Effect.provideContext(first.context), Effect.provideService(Clock.Clock, stopped))
        yield* Interleaving.idle
        if (!isLate) {
          yield* Deferred.succeed(first.gate, undefined)
          yield* Interleaving.idle
        }
        const second = yield* process("second")
        yield* TestClock.adjust("1 minute")
        yield* Effect.provideContext(start, second.context)
        yield* Interleaving.idle
        yield* Deferred.succeed(first.gate, undefined)
        yield* Interleaving.idle
        yield* Deferred.succeed(second.gate, undefined)
        yield* Interleaving.idle
        const events = yield* Stream.runCollect(Runs.read("r")).pipe(Effect.provideContext(second.context))
        assert.strictEqual(textsOf(events), `/begun/by ${isLate ? "second" : "first"}`)
      }).pipe(Interleaving.withSeed(1), Effect.scoped)
    )
  }
})
