/**
 * A run is run again with one agent changed: only that agent is asked again, and what it saved is said.
 *
 * Run: node --conditions=miniagents-source examples/durable/rerun.ts
 *
 * Prints:
 *   asked 1, reused 2
 *   Report/1:Costs: "high" became "low"
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent, MiniAgents } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"

/** Looks something up that costs; a model behind `Durable.model` in its place is kept just so. */
const expert = (name: string, question: string, answer: string) =>
  Agent.make(name, (ctx) => Effect.flatMap(Durable.step(question, Schema.String, Effect.succeed(answer)), ctx.reply))

const report = (costs: Agent.Agent<{}, never, never>) =>
  Agent.make(
    "Report",
    Effect.fnUntraced(function* (ctx) {
      yield* ctx.reply([
        yield* expert("Sales", "how were sales?", "good").trigger(),
        yield* costs.trigger(),
        yield* expert("Staff", "how is everybody?", "well").trigger()
      ])
    })
  )

export const program = Effect.gen(function* () {
  yield* Runs.start(report(expert("Costs", "how are costs?", "high")), [], {}, { id: "r-1" })
  yield* Stream.runDrain(Runs.read("r-1"))

  const changed = report(expert("Costs", "how are costs without the fair?", "low"))
  yield* DurableRuns.rerun("r-1", { id: "r-2", agent: changed })
  yield* Stream.runDrain(Runs.read("r-2"))

  const { asked, reused } = yield* DurableRuns.report("r-2")
  yield* Console.log(`asked ${asked}, reused ${reused}`)
  const diff = yield* DurableRuns.diff("r-1", "r-2")
  for (const { left, path, right } of diff.changed) yield* Console.log(`${path}: ${left} became ${right}`)
}).pipe(Effect.provide([DurableRuns.layer(), MiniAgents.layer()]), Effect.provide(Store.layerMemory), Effect.orDie)

if (import.meta.main) NodeRuntime.runMain(program)
