import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { Agent, MiniAgents } from "miniagents"
import { Runs } from "miniagents/runs"
import { Interleaving } from "miniagents/testing"
import { suite } from "./Runs.contract.ts"

suite("in memory", Runs.layerMemory())

const never = Agent.make("Never", (ctx) => Effect.andThen(ctx.reply("x"), Effect.never))
const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))

const test = <E>(
  title: string,
  options: Runs.MemoryOptions,
  body: Effect.Effect<void, E, Runs.Runs | MiniAgents.MiniAgents>
) =>
  it.effect(title, () =>
    body.pipe(Effect.provide([Runs.layerMemory(options), MiniAgents.layer()]), Interleaving.withSeed(1))
  )

const status = (id: string) => Effect.map(Runs.get(id), (info) => info.status)

describe("Runs.layerMemory", () => {
  test(
    "keeps a run that has ended for a while",
    { keep: "1 minute" },
    Effect.gen(function* () {
      const { id } = yield* Runs.start(echo, "hi")
      yield* Stream.runDrain(Runs.read(id))
      yield* Interleaving.idle
      yield* TestClock.adjust("59 seconds")
      assert.deepInclude(yield* Runs.get(id), { agent: "Echo", status: "succeeded", startedAt: 0, endedAt: 0 })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Runs.list, [])
      assert.strictEqual((yield* Effect.flip(Runs.get(id))).message, `There is no run \`${id}\``)
    })
  )

  test(
    "interrupts a run that has no reader for as long as it may linger",
    { linger: "10 seconds" },
    Effect.gen(function* () {
      const { id } = yield* Runs.start(never)
      yield* TestClock.adjust("9 seconds")
      const reader = yield* Effect.forkChild(Stream.runDrain(Runs.read(id)))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* status(id), "running")
      yield* Fiber.interrupt(reader)
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(yield* status(id), "running")
      yield* TestClock.adjust("1 second")
      yield* Interleaving.idle
      assert.strictEqual(yield* status(id), "interrupted")
      const unread = yield* Runs.start(never)
      yield* TestClock.adjust("10 seconds")
      yield* Interleaving.idle
      assert.strictEqual(yield* status(unread.id), "interrupted")
    })
  )

  test(
    "refuses more runs at once than it may have, until one has ended",
    { max: 2 },
    Effect.gen(function* () {
      const one = yield* Runs.start(never)
      yield* Runs.start(never)
      const refused = yield* Effect.flip(Runs.start(never))
      assert.deepStrictEqual(refused.reason, { _tag: "TooMany", max: 2 })
      assert.strictEqual((yield* Runs.start(never, [], {}, { id: one.id })).id, one.id)
      yield* Runs.interrupt(one.id)
      const { id } = yield* Runs.start(never)
      yield* Effect.forEach(yield* Runs.list, ({ id }) => Runs.interrupt(id), { discard: true })
      assert.strictEqual(yield* status(id), "interrupted")
    })
  )

  it.effect("closing the Layer interrupts all runs and ends their readers", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Runs.layerMemory(), scope)
      const { id } = yield* Effect.provideContext(Runs.start(never), context)
      const reader = yield* Effect.forkChild(Effect.provideContext(Stream.runCollect(Runs.read(id)), context))
      yield* Interleaving.idle
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(reader)).at(-1)?._tag, "interrupted")
      yield* Interleaving.idle
      assert.strictEqual(yield* MiniAgents.running, 0)
    }).pipe(Effect.provide(MiniAgents.layer()), Interleaving.withSeed(1))
  )

  it.effect("outside of a run there is nobody to wait for", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Runs.wait("approval", Schema.String))
      assert.include(String(exit), "`Runs.wait` for `approval` is called outside of a run")
    })
  )
})
