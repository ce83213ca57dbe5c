/**
 * Runs a test under 200 seeds, each of which makes another interleaving of the same program, and finds what a single
 * run does not: an agent that relies on the order in which others happen to finish.
 *
 * Run: node --conditions=miniagents-source examples/testing/seeds.ts
 *
 * Prints:
 *   one run: Ordered passed
 *   one run: Unordered passed
 *   200 seeds: Ordered passed
 *   200 seeds: Unordered failed, `second` came first
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Agent, MiniAgents } from "miniagents"
import { Interleaving } from "miniagents/testing"

class WrongOrder extends Schema.TaggedError<WrongOrder>()("WrongOrder", { first: Schema.String }) {}

const reader = Agent.make("Reader", (ctx) => ctx.reply(ctx.messages))

const both = Effect.all([reader.trigger("first"), reader.trigger("second")])

const ordered = Agent.make(
  "Ordered",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(yield* both)
  })
)

const unordered = Agent.make(
  "Unordered",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.replyOutOfOrder(yield* both) // which of them is there first, nobody knows
  })
)

const test = (agent: typeof ordered) =>
  Effect.gen(function* () {
    const [first] = yield* (yield* agent.trigger()).messages
    if (String(first) !== "first") return yield* new WrongOrder({ first: String(first) })
  }).pipe(Effect.provide(MiniAgents.layer()))

const report = (name: string, passed: Effect.Effect<unknown, WrongOrder | Interleaving.SeedFailed>) =>
  Effect.matchEffect(passed, {
    onSuccess: () => Console.log(`${name} passed`),
    onFailure: ({ cause }) =>
      Console.log(`${name} failed, \`${cause instanceof WrongOrder && cause.first}\` came first`)
  })

export const program = Effect.gen(function* () {
  for (const agent of [ordered, unordered]) yield* report(`one run: ${agent.name}`, test(agent))
  for (const agent of [ordered, unordered]) {
    // a test awaits this effect itself: it fails with the seed, and `MINIAGENTS_SEED` replays that one
    yield* report(
      `200 seeds: ${agent.name}`,
      Interleaving.forAllSeeds({ seeds: 200 })(() => test(agent))
    )
  }
})

if (import.meta.main) NodeRuntime.runMain(program)
