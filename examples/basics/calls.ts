/**
 * Defines an agent, calls it with two messages, and prints its replies as they come.
 *
 * Run: node --conditions=miniagents-source examples/basics/calls.ts
 *
 * Prints:
 *   You said: Hello
 *   You said: World
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { Agent, MiniAgents } from "miniagents"

const echo = Agent.make(
  "Echo",
  Effect.fnUntraced(function* (ctx) {
    yield* Stream.runForEach(ctx.messages, ({ message }) =>
      Effect.flatMap(message, (said) => ctx.reply(`You said: ${said}`))
    )
  })
)

export const program = Effect.gen(function* () {
  const replies = yield* echo.trigger(["Hello", "World"]) // returns at once, the agent runs in the background
  yield* Stream.runForEach(replies, ({ message }) => Effect.flatMap(message, (reply) => Console.log(String(reply))))
}).pipe(Effect.provide(MiniAgents.layer()))

if (import.meta.main) NodeRuntime.runMain(program)
