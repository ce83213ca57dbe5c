/**
 * A run that is cut off goes on where it was: the step that was taken before is not taken again. Both lives share a store;
 * `Store.layer` over a `SqlClient` in the place of `Store.layerMemory` would keep it for another process.
 *
 * Run: node --conditions=miniagents-source examples/durable/cut-off.ts
 *
 * Prints:
 *   first life
 *   paid 10 for the picture
 *   second life
 *   a picture for 10, approved by Ann
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Agent, MiniAgents } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"

const painter = Agent.make(
  "Painter",
  Effect.fnUntraced(function* (ctx) {
    const pay = Effect.as(Console.log("paid 10 for the picture"), 10)
    const price = yield* Durable.step("pay", Schema.Int, pay)
    const { by } = yield* Durable.wait("approval", Schema.Struct({ by: Schema.String }))
    yield* ctx.reply(`a picture for ${price}, approved by ${by}`)
  })
)

const start = Runs.start(painter, [], {}, { id: "picture-1" })

/** Waits until the run waits. */
const waiting = Effect.repeat(Effect.andThen(Effect.yieldNow, Runs.get("picture-1")), {
  until: (run) => run.waiting.length > 0
})

/** A life of the process: what is built for it goes with it, but the store. */
const life = <A, E>(effect: Effect.Effect<A, E, Runs.Runs | MiniAgents.MiniAgents>) =>
  Effect.provide(effect, [DurableRuns.layer(), MiniAgents.layer()], { local: true })

export const program = Effect.gen(function* () {
  yield* Console.log("first life")
  yield* life(Effect.andThen(start, waiting))
  yield* Console.log("second life")
  const text = Effect.gen(function* () {
    const run = yield* start
    yield* Runs.signal("picture-1", "approval", { by: "Ann" })
    return yield* (yield* run.replies).text
  })
  yield* Console.log(yield* life(text))
}).pipe(Effect.orDie, Effect.provide(Store.layerMemory))

if (import.meta.main) NodeRuntime.runMain(program)
