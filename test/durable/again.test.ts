/** Runs that go on after they were cut off find their place again: choices, times, paths, and what is left over. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema, Scope, Stream } from "effect"
import type { LanguageModel } from "effect/ai"
import { TestClock } from "effect/testing"
import { Agent, MiniAgents } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { Budget, Race } from "miniagents/llm"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"
import { Interleaving } from "miniagents/testing"
import { model, TheWorld, World, writer } from "./World.ts"

type Services = DurableRuns.DurableRuns | Runs.Runs | MiniAgents.MiniAgents | TheWorld | LanguageModel.LanguageModel

/** Processes one after the other, over one store; each is left when nothing more happens in it. */
const lives = <A, E>(
  body: (
    inLife: <B, F>(program: Effect.Effect<B, F, Services>) => Effect.Effect<B, F>,
    world: World
  ) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const world = new World()
    const store = yield* Layer.build(Store.layerMemory)
    const app = Layer.mergeAll(
      Layer.orDie(Layer.provide(DurableRuns.layer(), Layer.succeedContext(store))),
      MiniAgents.layer(),
      Durable.model(model)
    ).pipe(Layer.provideMerge(Layer.succeed(TheWorld, world)))
    const inLife = <B, F>(program: Effect.Effect<B, F, Services>) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(app, scope)
        const value = yield* Effect.provideContext(Effect.tap(program, Interleaving.idle), context)
        yield* Scope.close(scope, Exit.void)
        return value
      })
    return yield* body(inLife, world)
  }).pipe(Interleaving.withSeed(1), Effect.scoped)

const textOf = (id: string) =>
  Effect.map(Stream.runCollect(Runs.read(id)), (events) =>
    events.flatMap((event) => (event._tag === "text" ? [event.text] : [])).join("")
  )

const start = <E>(agent: Agent.Agent<{}, E, MiniAgents.MiniAgents | TheWorld | LanguageModel.LanguageModel>) =>
  Effect.andThen(Runs.start(agent, "x", {}, { id: "r" }), Interleaving.idle)

/** Replies once it has been told to. */
const gated = (name: string, text: string) =>
  Agent.make(
    name,
    Effect.fnUntraced(function* (ctx) {
      const { begun } = yield* TheWorld
      begun.push(name)
      yield* Durable.wait(name, Schema.Null)
      yield* ctx.reply(text)
      yield* Durable.wait(`${name} again`, Schema.Null)
      yield* ctx.reply("!")
    })
  )

describe("a run that goes on after it was cut off", () => {
  it.effect("hears the agent that won a `Race.agents` before, and does not begin the others", () =>
    lives((inLife, world) =>
      Effect.gen(function* () {
        const either = Race.agents("Either", [gated("Slow", "slow"), gated("Fast", "fast")])
        yield* inLife(Effect.andThen(start(either), Runs.signal("r", "Fast", null)))
        assert.deepStrictEqual(world.begun, ["Slow", "Fast"])
        const said = yield* inLife(
          Effect.gen(function* () {
            yield* start(either)
            const { waits } = yield* Runs.get("r")
            assert.deepStrictEqual(waits, [{ name: "Fast again", path: "Either/1:Fast" }])
            yield* Runs.signal("r", "Fast again", null)
            return yield* textOf("r")
          })
        )
        assert.strictEqual(said, "fast!")
        assert.deepStrictEqual(world.begun, ["Slow", "Fast", "Fast"])
      })
    )
  )

  it.effect(
    "gives its calls the paths that they had, although the branches of a race that lost are not gone again",
    () =>
      lives((inLife, world) =>
        Effect.gen(function* () {
          const racing = Agent.make(
            "Racing",
            Effect.fnUntraced(function* (ctx) {
              const ask = (text: string) => Effect.flatMap(writer.trigger(text), (replies) => replies.text)
              const never = Effect.andThen(ask("loser"), Effect.never)
              const nested = Durable.race("inner", [never, Effect.andThen(ask("one"), ask("two"))])
              yield* ctx.reply(yield* writer.trigger("before"))
              yield* ctx.reply(yield* Durable.race("outer", [Effect.andThen(ask("other"), Effect.never), nested]))
              yield* Durable.wait("go on", Schema.Null)
              yield* ctx.reply(yield* writer.trigger("after"))
            })
          )
          yield* inLife(Effect.andThen(start(racing), TestClock.adjust("1 second")))
          const { begun } = world
          const before = begun.length
          // the branch that lost may not have come to begin
          const begunByWinners = begun.filter((text) => text !== "loser")
          assert.deepStrictEqual(begunByWinners.toSorted(), ["before", "one", "other", "two"])
          const calls = yield* inLife(
            Effect.gen(function* () {
              yield* start(racing)
              yield* Runs.signal("r", "go on", null)
              yield* textOf("r")
              return (yield* DurableRuns.calls("r")).map(({ path }) => path)
            })
          )
          assert.deepStrictEqual(begun.slice(before), ["after"])
          // those of the branches that lost may have been answered before they did
          const lost = ["Racing/r0.0.0:Writer", "Racing/r0.1.r0.0.0:Writer"]
          assert.deepStrictEqual(calls.filter((path) => !lost.includes(path)).toSorted(), [
            ...["Racing", "Racing/0:Writer", "Racing/1:Writer"],
            ...["Racing/r0.1.r0.1.0:Writer", "Racing/r0.1.r0.1.1:Writer"]
          ])
        })
      )
  )

  it.effect("counts the wall time of a budget from where it was made first; a rerun has time of its own", () =>
    lives((inLife, world) =>
      Effect.gen(function* () {
        const careful = Agent.make(
          "Careful",
          Effect.fnUntraced(function* (ctx) {
            const budget = yield* Budget.make({ wallTime: "1 minute" })
            const ask = (text: string) => Budget.withBudget(budget)(writer.trigger(text))
            yield* ctx.reply(yield* ask("one"))
            yield* Durable.wait("go on", Schema.Null)
            yield* ctx.reply(yield* ask("two"))
          })
        )
        yield* inLife(start(careful))
        yield* TestClock.adjust("50 seconds")
        yield* inLife(start(careful))
        yield* TestClock.adjust("50 seconds")
        const last = yield* inLife(
          Effect.gen(function* () {
            yield* start(careful)
            yield* Runs.signal("r", "go on", null)
            yield* textOf("r")
            yield* DurableRuns.rerun("r", { id: "again", agent: careful })
            yield* textOf("again")
            return [(yield* Runs.get("r")).status, (yield* Runs.get("again")).status]
          })
        )
        assert.deepStrictEqual(last, ["failed", "succeeded"])
        assert.deepStrictEqual(world.begun, ["one", "two"])
      })
    )
  )

  it.effect("lists what was answered and is asked by nobody any more", () =>
    lives((inLife) =>
      Effect.gen(function* () {
        const asking = (words: ReadonlyArray<string>) =>
          Agent.make(
            "Asking",
            Effect.fnUntraced(function* (ctx) {
              for (const word of words) yield* Effect.flatMap(writer.trigger(word), (replies) => replies.text)
              yield* Durable.wait("go on", Schema.Null)
              yield* ctx.reply("done")
            })
          )
        yield* inLife(start(asking(["one", "two", "three"])))
        const { asked, unused } = yield* inLife(
          Effect.gen(function* () {
            yield* start(asking(["one", "four"]))
            yield* Runs.signal("r", "go on", null)
            assert.strictEqual(yield* textOf("r"), "done")
            return yield* DurableRuns.report("r")
          })
        )
        assert.strictEqual(asked, 5)
        assert.deepStrictEqual(unused, [
          { path: "Asking/1:Writer", what: "model" },
          { path: "Asking/2:Writer", what: "model" }
        ])
      })
    )
  )
})
