/** What is left of runs that ended long ago. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, MiniAgents } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { SqliteClient } from "miniagents/sqlite"
import { Store } from "miniagents/store"
import { model, TheWorld, World, writer } from "./World.ts"

const stores = [
  ["in memory", Store.layerMemory],
  ["in SQLite", Layer.provide(Store.layer(), SqliteClient.layer({ filename: ":memory:" }))]
] as const

const asking = Agent.make(
  "Asking",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply([yield* writer.trigger("one"), yield* writer.trigger("two")])
    yield* Durable.wait("end", Schema.Null)
  })
)

describe("journals of runs that have ended", () => {
  for (const [name, store] of stores) {
    it.effect(
      `go with \`Store.collect\` after \`keep\`, ${name}: messages, calls and costs stay, and a rerun asks`,
      () =>
        Effect.gen(function* () {
          const { begun } = yield* TheWorld
          const all = (id: string) => Stream.runCollect(Runs.read(id))
          const end = (id: string) => Effect.andThen(Runs.signal(id, "end", null), all(id))
          for (const id of ["old", "source"]) {
            yield* Runs.start(asking, [], {}, { id })
            yield* end(id)
          }
          // a rerun that goes on still takes from what it is one of
          const open = Agent.make(
            "Asking",
            Effect.fnUntraced(function* (ctx) {
              yield* Durable.wait("go on", Schema.Null)
              yield* ctx.reply(yield* writer.trigger("one"))
            })
          )
          yield* DurableRuns.rerun("source", { id: "going on", agent: open })
          yield* TestClock.adjust("2 seconds")
          yield* Runs.start(asking, [], {}, { id: "new" })
          yield* end("new")
          const about = (id: string) =>
            Effect.all([
              Runs.get(id),
              DurableRuns.calls(id),
              DurableRuns.report(id),
              all(id),
              DurableRuns.diff(id, "new")
            ])
          const before = yield* Effect.forEach(["old", "source", "new"], about)
          assert.isAtLeast((yield* Store.collect()).removed, 0)
          const asked = begun.length
          assert.deepStrictEqual(yield* Effect.forEach(["old", "source", "new"], about), before)
          const call = before[0]![1].find(({ path }) => path === "Asking/0:Writer")
          assert.deepInclude(call, { asked: 1, reused: 0, tokens: { input: 3, output: 5 } })
          const rerun = (id: string) =>
            Effect.gen(function* () {
              const already = begun.length
              yield* DurableRuns.rerun(id, { id: `${id} again`, agent: asking })
              yield* Runs.signal(`${id} again`, "end", null)
              yield* all(`${id} again`)
              return begun.length - already
            })
          assert.strictEqual(begun.length, asked)
          assert.deepStrictEqual(yield* Effect.forEach(["old", "source", "new"], rerun), [2, 0, 0])
        }).pipe(
          Effect.provide(
            Layer.mergeAll(DurableRuns.layer({ keep: "1 second" }), MiniAgents.layer(), Durable.model(model)).pipe(
              Layer.provideMerge(
                Layer.mergeAll(
                  store,
                  Layer.sync(TheWorld, () => new World())
                )
              )
            )
          )
        )
    )
  }
})

describe("DurableRuns.delete", () => {
  for (const [name, store] of stores) {
    it.effect(`takes a run away that has ended, ${name}, and leaves one that has not; its id is free`, () =>
      Effect.gen(function* () {
        const waiting = Agent.make(
          "Waiting",
          Effect.fnUntraced(function* (ctx) {
            yield* ctx.reply("hello")
            yield* ctx.reply(yield* Durable.wait("end", Schema.String))
          })
        )
        const texts = Effect.map(Stream.runCollect(Runs.read("r")), (events) =>
          events.flatMap((event) => (event._tag === "text" ? [event.text] : []))
        )
        for (const end of ["one", "two"]) {
          yield* Runs.start(waiting, [], {}, { id: "r" })
          const { message } = yield* Effect.flip(DurableRuns.delete("r"))
          assert.strictEqual(message, "`r` has not ended: interrupt it first")
          yield* Runs.signal("r", "end", end)
          assert.deepStrictEqual(yield* texts, ["hello", end])
          yield* DurableRuns.delete("r")
          assert.deepStrictEqual(yield* Runs.list, [])
          assert.strictEqual((yield* Effect.flip(texts)).message, "There is no run `r`")
        }
      }).pipe(Effect.provide(Layer.mergeAll(DurableRuns.layer(), MiniAgents.layer()).pipe(Layer.provide(store))))
    )
  }
})
