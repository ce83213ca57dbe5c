/**
 * When agents run: not while they are triggered, but as soon as their caller gives way. Whatever order they finish in,
 * the reader sees one flat sequence, in the order of the replies.
 *
 * Run: node --conditions=miniagents-source examples/basics/parallelism.ts
 *
 * Prints what each agent does between `SLEEPING FOR ONE SECOND` and `SLEEPING DONE`, then the five messages.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { Agent, MiniAgents } from "miniagents"

const agent1 = Agent.make(
  "Agent1",
  Effect.fnUntraced(function* (ctx) {
    yield* Console.log("Agent 1 started")
    yield* ctx.reply("*** MESSAGE #1 from Agent 1 ***")
    yield* Console.log("Agent 1 still working")
    yield* ctx.reply("*** MESSAGE #2 from Agent 1 ***")
    yield* Console.log("Agent 1 finished")
  })
)

const agent2 = Agent.make(
  "Agent2",
  Effect.fnUntraced(function* (ctx) {
    yield* Console.log("Agent 2 started")
    yield* ctx.reply("*** MESSAGE from Agent 2 ***")
    yield* Console.log("Agent 2 finished")
  })
)

const aggregator = Agent.make(
  "Aggregator",
  Effect.fnUntraced(function* (ctx) {
    yield* Console.log("Aggregator started")
    yield* ctx.reply(["*** AGGREGATOR MESSAGE #1 ***", yield* agent1.trigger(), yield* agent2.trigger()])
    yield* Console.log("Aggregator still working")
    yield* ctx.reply("*** AGGREGATOR MESSAGE #2 ***")
    yield* Console.log("Aggregator finished")
  })
)

export const program = Effect.gen(function* () {
  yield* Console.log("TRIGGERING AGGREGATOR")
  const replies = yield* aggregator.trigger()
  yield* Console.log("TRIGGERING AGGREGATOR DONE\n")

  yield* Console.log("SLEEPING FOR ONE SECOND")
  yield* Effect.sleep("1 second") // here the agents run
  yield* Console.log("SLEEPING DONE\n")

  yield* Console.log("PREPARING TO GET MESSAGES FROM AGGREGATOR")
  yield* Stream.runForEach(replies, ({ message }) => Effect.flatMap(message, (reply) => Console.log(String(reply))))
  const messages = yield* replies.messages // read again: the same messages
  yield* Console.log(`TOTAL NUMBER OF MESSAGES FROM AGGREGATOR: ${messages.length}`)
}).pipe(Effect.provide(MiniAgents.layer()))

if (import.meta.main) NodeRuntime.runMain(program)
