/** Law 19, without a process: a journal that dies at every one of its writes. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { MiniAgents, type Transcript } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"
import { Interleaving } from "miniagents/testing"
import * as MemoryTables from "../../src/durable/memoryTables.ts"
import { everything, model, TheWorld, toolsLive, World } from "./World.ts"

const tablesOf = (store: Store.Service) => MemoryTables.of((store as Store.Internal).engine.tables)

/** The tables of runs of a store, whose writes can be made to fail: before they are done, or after. */
const breakable = (store: Store.Service) => {
  const tables = tablesOf(store)
  const write = tables.write.bind(tables)
  const state = { left: Number.POSITIVE_INFINITY, keeps: false }
  Object.assign(tables, {
    write: (writes: never) =>
      Effect.suspend(() => {
        if (state.left > 0) {
          state.left--
          return write(writes)
        }
        const died = Effect.die(new Error("the process has ended"))
        const lost = state.keeps && state.left === 0
        state.left--
        return lost ? Effect.andThen(write(writes), died) : died
      })
  })
  return state
}

const textsOf = (events: ReadonlyArray<Transcript.Event>) =>
  events.flatMap((event) => (event._tag === "text" ? [event.text] : [])).join("")

/** How many responses of models are kept. */
const keptIn = (store: Store.Service) =>
  Effect.map(
    tablesOf(store).log(1, 0, ["answer"]),
    (rows) => rows.filter(({ body }) => body.includes('"what":"model"')).length
  )

/** How many requests everything makes. */
const REQUESTS = 15

/** Runs everything to its end, in lives that end after so many writes each. */
const inLives = (writes: number, keeps: boolean, partial: "continue" | "restart") =>
  Effect.gen(function* () {
    const world = new World()
    const stores = yield* Layer.build(Store.layerMemory)
    const store = yield* Effect.provideContext(Store.Store, stores)
    const state = breakable(store)
    state.keeps = keeps
    const app = Layer.mergeAll(
      Layer.orDie(Layer.provide(DurableRuns.layer({ partial }), Layer.succeedContext(stores))),
      MiniAgents.layer(),
      Durable.model(model),
      toolsLive
    ).pipe(Layer.provideMerge(Layer.succeed(TheWorld, world)))
    const given: Array<string> = []
    let signals = 0
    for (let life = 1; life < 400; life++) {
      state.left = life === 1 ? writes : writes + 2 * life // each gets further than the one before
      const [kept, begun] = [yield* keptIn(store), world.begun.length]
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(app, scope)
      const read: Array<Transcript.Event> = []
      const program = Effect.gen(function* () {
        yield* Runs.start(everything, "hello", {}, { id: "r" })
        const note = (event: Transcript.Event) => Effect.sync(() => void read.push(event))
        yield* Effect.forkChild(Effect.ignore(Stream.runForEach(Runs.read("r"), note)))
        yield* Interleaving.idle
        yield* TestClock.adjust("1 minute")
        yield* Interleaving.idle
        if ((yield* Runs.get("r")).waiting.length > 0 && signals === 0 && state.left > 0) {
          signals++
          yield* Runs.signal("r", "approval", { by: "Ann" })
          yield* Interleaving.idle
        }
        return (yield* Runs.get("r")).status
      })
      const status = yield* Effect.provideContext(program, context)
      yield* Scope.close(scope, Exit.void)
      yield* Interleaving.idle
      assert.isFalse(read.some(({ _tag }) => _tag === "reset" && partial === "continue"))
      given.push(textsOf(read))
      assert.isAtMost(world.begun.length - begun, REQUESTS - kept) // what is kept is never asked again
      if (status !== "running") return { given, status }
    }
    return yield* Effect.die(new Error("it does not come to its end"))
  }).pipe(Effect.scoped)

describe("Law 19, Paid once", () => {
  for (const keeps of [false, true]) {
    it.effect(
      `a journal that dies at any write, ${keeps ? "which is kept" : "which is lost"}: the same end, and nothing kept is asked again`,
      () =>
        Effect.gen(function* () {
          for (let writes = 1; writes < 15; writes++) {
            const trial = Effect.gen(function* () {
              const { given, status } = yield* inLives(writes, keeps, "restart")
              assert.strictEqual(status, "succeeded")
              const whole = given.at(-1)!
              for (const some of given) assert.isTrue(whole.startsWith(some), `${some}\n---\n${whole}`)
            })
            yield* Interleaving.withSeed(trial, writes)
          }
        }),
      60_000
    )
  }
})
