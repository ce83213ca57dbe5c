/**
 * Several agents answer at once: all of them are triggered before any has said a word, and their answers are shown in
 * the order of the code, or, with `replyOutOfOrder`, as soon as they are there.
 *
 * Run: node --conditions=miniagents-source examples/basics/several-agents-at-once.ts
 *
 * Prints:
 *   TORTOISE: I thought about it for 2 seconds.
 *
 *   HARE: I thought about it for 1 second.
 *
 *   HARE: I thought about it for 1 second.
 *
 *   TORTOISE: I thought about it for 2 seconds.
 *
 *   3 seconds of thought for each of 2 questions took 2 seconds
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Clock, Console, Effect, Schema } from "effect"
import { Agent, Message, MiniAgents } from "miniagents"
import { ConsoleOutput } from "miniagents/console"

const thinker = Agent.make(
  "Thinker",
  { parameters: { agent: Schema.String, seconds: Schema.Int } },
  Effect.fnUntraced(function* (ctx) {
    const { agent, seconds } = ctx.parameters
    yield* Effect.sleep(`${seconds} seconds`)
    const content = `I thought about it for ${seconds} second${seconds === 1 ? "" : "s"}.`
    yield* ctx.reply(new Message.Assistant({ agent, content }))
  })
)
const tortoise = thinker.fork({ name: "Tortoise", parameters: { agent: "Tortoise", seconds: 2 } })
const hare = thinker.fork({ name: "Hare", parameters: { agent: "Hare", seconds: 1 } })

const inOrder = Agent.make(
  "InOrder",
  Effect.fnUntraced(function* (ctx) {
    for (const agent of [tortoise, hare]) yield* ctx.reply(yield* agent.trigger(ctx.messages))
  })
)
const asTheyCome = Agent.make(
  "AsTheyCome",
  Effect.fnUntraced(function* (ctx) {
    for (const agent of [tortoise, hare]) yield* ctx.replyOutOfOrder(yield* agent.trigger(ctx.messages))
  })
)

export const program = Effect.gen(function* () {
  const start = yield* Clock.currentTimeMillis
  const answers = [yield* inOrder.trigger("Shall we race?"), yield* asTheyCome.trigger("Shall we race?")]
  yield* (yield* ConsoleOutput.make().trigger(answers)).messages
  const seconds = Math.round(((yield* Clock.currentTimeMillis) - start) / 1000)
  yield* Console.log(`3 seconds of thought for each of 2 questions took ${seconds} seconds`)
}).pipe(Effect.provide([MiniAgents.layer(), NodeServices.layer]))

if (import.meta.main) NodeRuntime.runMain(program)
