/**
 * Keeps a call open in both directions: each message is sent after the reply to the one before it has been read.
 *
 * Run: node --conditions=miniagents-source examples/basics/full-duplex.ts
 *
 * Prints:
 *   sending hello
 *   you said: hello
 *   sending world
 *   you said: world
 *   the call has ended after 2 replies
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { Agent, MiniAgents } from "miniagents"

const echo = Agent.make(
  "Echo",
  Effect.fnUntraced(function* (ctx) {
    yield* Stream.runForEach(ctx.messages, ({ message }) =>
      Effect.flatMap(message, (said) => ctx.reply(`you said: ${said}`))
    )
  })
)

export const program = Effect.gen(function* () {
  const call = yield* echo.call()
  const replies = yield* call.replies({ finish: false }) // more will be sent

  for (const [turn, word] of ["hello", "world"].entries()) {
    yield* Console.log(`sending ${word}`)
    yield* call.send(word)
    // a sequence is read from its start by whoever reads it, so the reply of this turn comes after those before it
    yield* replies.pipe(
      Stream.drop(turn),
      Stream.take(1),
      Stream.runForEach(({ message }) => Effect.flatMap(message, (reply) => Console.log(String(reply))))
    )
  }

  yield* call.finish // now the agent sees the end of its messages, and its replies end too
  yield* Console.log(`the call has ended after ${(yield* replies.messages).length} replies`)
}).pipe(Effect.provide(MiniAgents.layer()))

if (import.meta.main) NodeRuntime.runMain(program)
