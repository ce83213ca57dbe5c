/** Approvals in durable runs: waits that are seen with their place, and answered from anywhere, whenever. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Schema, Scope, Stream } from "effect"
import { type LanguageModel, Tool, Toolkit } from "effect/ai"
import { Agent, MiniAgents } from "miniagents"
import { Durable, DurableRuns } from "miniagents/durable"
import { LlmAgent } from "miniagents/llm"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"
import { Interleaving } from "miniagents/testing"
import { model, TheWorld, World, writer } from "./World.ts"

const remove = Tool.make("Remove", {
  parameters: Schema.Struct({ what: Schema.String }),
  success: Schema.String,
  needsApproval: true
})
const tools = Toolkit.make(remove)
const toolsLive = tools.toLayer(
  Effect.map(TheWorld, (world) => ({
    Remove: ({ what }) =>
      Effect.sync(() => {
        world.tools.push(what)
        return `removed ${what}`
      })
  }))
)
const clerk = LlmAgent.make("Clerk", { toolkit: Durable.toolkit(tools) })

type Needs = LanguageModel.LanguageModel | MiniAgents.MiniAgents | Tool.HandlersFor<typeof tools.tools>

/** A clerk so many agents below, each with a sibling that asks, too. */
const atDepth = (depth: number): Agent.Agent<{}, unknown, Needs> =>
  (depth === 1
    ? clerk
    : Agent.make(
        `Depth${depth}`,
        Effect.fnUntraced(function* (ctx) {
          yield* ctx.reply([yield* writer.trigger(`sibling ${depth}`), yield* atDepth(depth - 1).trigger(ctx.messages)])
        })
      )) as Agent.Agent<{}, unknown, Needs>

const answers = [
  { answer: { approved: true }, ran: ["tidy up"] },
  { answer: { approved: false, reason: "not on Fridays" }, ran: [] },
  { answer: { approved: true, parameters: { what: "the bin" } }, ran: ["the bin"] }
]

describe("approvals", () => {
  for (const depth of [1, 2, 3, 4, 5]) {
    const isOpen = depth % 2 === 1
    const when = isOpen ? "in another life than the question" : "between two lives"
    it.effect.each(answers)(`depth ${depth}: %j, ${when}`, ({ answer, ran }) =>
      Effect.gen(function* () {
        const world = new World()
        const store = yield* Layer.build(Store.layerMemory)
        const runs = Layer.orDie(Layer.provide(DurableRuns.layer(), Layer.succeedContext(store)))
        const app = Layer.mergeAll(runs, MiniAgents.layer(), Durable.model(model), toolsLive).pipe(
          Layer.provideMerge(Layer.succeed(TheWorld, world))
        )
        const inLife = <A, E>(program: Effect.Effect<A, E, Runs.Runs | Needs>) =>
          Effect.gen(function* () {
            const scope = yield* Scope.make()
            const context = yield* Layer.buildWithScope(app, scope)
            const start = Runs.start(atDepth(depth), "tidy up", {}, { id: "r" })
            const value = yield* Effect.andThen(Effect.andThen(start, Interleaving.idle), program).pipe(
              Effect.provideContext(context)
            )
            yield* Scope.close(scope, Exit.void)
            return value
          })
        const asked = yield* inLife(Effect.map(Runs.list, ([run]) => run!.waits))
        assert.strictEqual(asked.length, 1)
        const [{ asks, name, path }] = asked as [Runs.Wait]
        assert.deepStrictEqual(asks, { tool: "Remove", parameters: { what: "tidy up" } })
        assert.strictEqual(path.split("/").length, depth)
        const begun = world.begun.length
        assert.strictEqual(begun, depth)
        const answering = Effect.gen(function* () {
          assert.include((yield* Effect.flip(Runs.signal("r", name, { approved: "yes" }))).message, "does not fit")
          yield* Runs.signal("r", name, answer)
        })
        if (!isOpen) yield* Effect.provide(answering, runs, { local: true })
        const events = yield* inLife(
          Effect.andThen(isOpen ? answering : Effect.void, Stream.runCollect(Runs.read("r")))
        )
        assert.strictEqual(events.at(-1)?._tag, "end")
        assert.deepStrictEqual(world.tools, ran)
        assert.strictEqual(world.begun.length, begun + 1) // what the clerk says to the result, and nobody else again
        const parts = events.flatMap((event) =>
          event._tag === "message" && event.message._tag === "ResponsePart" ? [event.message.part] : []
        )
        assert.deepStrictEqual(
          parts.map((part) => (part as { readonly type: string }).type),
          ["tool-approval-request", "tool-approval-response"]
        )
      }).pipe(Interleaving.withSeed(depth), Effect.scoped)
    )
  }
})
