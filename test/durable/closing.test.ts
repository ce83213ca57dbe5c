/** What a process that ends in good order leaves to those that come after it. */

import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, MiniAgents } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"
import { Interleaving } from "miniagents/testing"
import * as MemoryTables from "../../src/durable/memoryTables.ts"

/** Processes that share a store, and are closed when a test says so. */
const processes = Effect.gen(function* () {
  const store = yield* Layer.build(Store.layerMemory)
  const open = (options: DurableRuns.Options = {}) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const runs = Layer.fresh(Layer.provide(DurableRuns.layer(options), Layer.succeedContext(store)))
      const context = yield* Layer.buildWithScope(Layer.merge(runs, MiniAgents.layer()), scope)
      return {
        run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideContext(effect, context),
        close: Scope.close(scope, Exit.void)
      }
    })
  return { store: yield* Effect.provideContext(Store.Store, store), open }
})

const textOf = (id: string) =>
  Effect.map(Stream.runCollect(Runs.read(id)), (events) =>
    events.flatMap((event) => (event._tag === "text" ? [event.text] : [])).join("/")
  )

/** An agent that takes a step which ends when it is let, and counts how often it was begun. */
const stepping = () => {
  const [gate, steps] = [Deferred.makeUnsafe<void>(), { begun: 0, ended: 0 }]
  const step = Effect.gen(function* () {
    steps.begun++
    yield* Deferred.await(gate)
    steps.ended++
    return "done"
  })
  const agent = Agent.make(
    "Stepping",
    Effect.fnUntraced(function* (ctx) {
      yield* ctx.reply("begun")
      yield* ctx.reply(yield* Durable.step("step", Schema.String, step))
    })
  )
  return { agent, gate, steps }
}

const start = (agent: ReturnType<typeof stepping>["agent"]) =>
  Effect.andThen(Runs.start(agent, "x", {}, { id: "r" }), Interleaving.idle)

describe("a process that ends in good order", () => {
  it.effect("leaves what was under way to be done by the next one, as if it had never begun", () =>
    Effect.gen(function* () {
      const { open } = yield* processes
      const { agent, gate, steps } = stepping()
      for (let life = 1; life <= 3; life++) {
        const { close, run } = yield* open()
        yield* run(start(agent))
        assert.strictEqual(steps.begun, life)
        yield* close
        yield* Interleaving.idle
      }
      yield* Deferred.succeed(gate, undefined)
      const { close, run } = yield* open()
      yield* run(start(agent))
      assert.strictEqual(yield* run(textOf("r")), "begun/done")
      assert.deepStrictEqual(steps, { begun: 4, ended: 1 })
      yield* close
    }).pipe(Interleaving.withSeed(1), Effect.scoped)
  )

  it.effect("first ends what it writes", () =>
    Effect.gen(function* () {
      const { open, store } = yield* processes
      const tables = MemoryTables.of((store as Store.Internal).engine.tables)
      const write = tables.write.bind(tables)
      const [writing, go] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const { agent, gate, steps } = stepping()
      const first = yield* open()
      yield* first.run(start(agent))
      Object.assign(tables, {
        write: (writes: never) =>
          Deferred.succeed(writing, undefined).pipe(Effect.andThen(Deferred.await(go)), Effect.andThen(write(writes)))
      })
      yield* Deferred.succeed(gate, undefined)
      yield* Deferred.await(writing)
      const closing = yield* Effect.forkChild(first.close)
      yield* Interleaving.idle
      assert.isUndefined(closing.pollUnsafe())
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(closing)
      const second = yield* open()
      yield* second.run(start(agent))
      assert.strictEqual(yield* second.run(textOf("r")), "begun/done")
      assert.deepStrictEqual(steps, { begun: 1, ended: 1 })
      yield* second.close
    }).pipe(Interleaving.withSeed(1), Effect.scoped)
  )

  it.effect("takes up no run for an agent that it serves no more", () =>
    Effect.gen(function* () {
      const { open } = yield* processes
      const { agent, steps } = stepping()
      const [first, second] = [yield* open(), yield* open()]
      yield* first.run(start(agent))
      yield* Effect.scoped(second.run(DurableRuns.serve(agent)))
      yield* first.close
      yield* TestClock.adjust("1 minute")
      yield* Interleaving.idle
      assert.strictEqual(steps.begun, 1)
      yield* second.run(DurableRuns.serve(agent))
      yield* Interleaving.idle
      assert.strictEqual(steps.begun, 2)
      yield* second.close
    }).pipe(Interleaving.withSeed(1), Effect.scoped)
  )

  it.effect("no longer says how long journals are kept", () =>
    Effect.gen(function* () {
      const { open, store } = yield* processes
      const { agent, gate, steps } = stepping()
      yield* Deferred.succeed(gate, undefined)
      const first = yield* open({ keep: "1 second" })
      yield* first.run(Effect.andThen(start(agent), textOf("r")))
      yield* first.close
      const collect = TestClock.adjust("1 minute").pipe(
        Effect.andThen(Effect.provideService(Store.collect(), Store.Store, store))
      )
      const rerun = (id: string) =>
        Effect.andThen(
          DurableRuns.rerun("r", { id, agent }),
          Effect.andThen(
            textOf(id),
            Effect.sync(() => steps.begun)
          )
        )
      yield* collect
      const second = yield* open()
      assert.strictEqual(yield* second.run(rerun("r 2")), 1)
      yield* second.close
      const third = yield* open({ keep: "1 second" })
      yield* collect
      assert.strictEqual(yield* third.run(rerun("r 3")), 2)
      yield* third.close
    }).pipe(Interleaving.withSeed(1), Effect.scoped)
  )

  it.effect("a run that has ended makes room for another one", () =>
    Effect.gen(function* () {
      const { open } = yield* processes
      const { agent, gate } = stepping()
      const { close, run } = yield* open({ max: 1 })
      const other = Runs.start(agent, "x", {}, { id: "other" })
      yield* run(start(agent))
      assert.deepInclude(yield* Effect.flip(run(other)), { _tag: "RunsError" })
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* run(textOf("r")), "begun/done")
      yield* Interleaving.idle
      yield* run(other)
      assert.strictEqual(yield* run(textOf("other")), "begun/done")
      yield* close
    }).pipe(Interleaving.withSeed(1), Effect.scoped)
  )
})
