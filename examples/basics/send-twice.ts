/**
 * Opens a call and sends to it message by message, instead of all at once with `trigger`.
 *
 * Run: node --conditions=miniagents-source examples/basics/send-twice.ts
 *
 * Prints:
 *   Echo: Hello
 *   Echo: World
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { Agent, MiniAgents } from "miniagents"

const echo = Agent.make(
  "Echo",
  Effect.fnUntraced(function* (ctx) {
    yield* Stream.runForEach(ctx.messages, ({ message }) =>
      Effect.flatMap(message, (said) => ctx.reply(`Echo: ${said}`))
    )
  })
)

export const program = Effect.gen(function* () {
  const call = yield* echo.call()
  yield* call.send("Hello")
  yield* call.send("World")
  const replies = yield* call.replies() // nothing more will be sent
  yield* Stream.runForEach(replies, ({ message }) => Effect.flatMap(message, (reply) => Console.log(String(reply))))
}).pipe(Effect.provide(MiniAgents.layer()))

if (import.meta.main) NodeRuntime.runMain(program)
