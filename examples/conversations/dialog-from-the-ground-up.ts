/**
 * A dialog from the ground up: two agents and a loop. `AWAIT` makes the loop wait for the user before it goes on;
 * without one it would start turns without end, and is refused.
 *
 * Run: node --conditions=miniagents-source examples/conversations/dialog-from-the-ground-up.ts
 *
 * Prints, to someone who writes `hi`, `nice!` and `bye`, and then ends the input:
 *   USER: ASSISTANT: You said "hi"
 *   USER: ASSISTANT: You said "nice!"
 *   USER: ASSISTANT: You said "bye"
 *   USER:
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Effect, Stream, Terminal } from "effect"
import { Agent, MiniAgents } from "miniagents"
import { Loop } from "miniagents/agents"

const user = Agent.make(
  "User",
  Effect.fnUntraced(function* (ctx) {
    const terminal = yield* Terminal.Terminal
    yield* Stream.runForEach(ctx.messages, (promise) =>
      terminal
        .display("ASSISTANT: ")
        .pipe(
          Effect.andThen(Stream.runForEach(promise, (token) => terminal.display(token))),
          Effect.andThen(terminal.display("\n"))
        )
    )
    yield* terminal.display("USER: ")
    // Ctrl+C, or the end of the input, ends the loop
    yield* ctx.reply(yield* Effect.catchTag(terminal.readLine, "QuitError", () => Loop.end))
  })
)

const assistant = Agent.make(
  "Assistant",
  Effect.fnUntraced(function* (ctx) {
    // one message of all there are, with blank lines between them
    yield* ctx.reply(`You said "${yield* ctx.messages.single().message}"`)
  })
)

export const program = Effect.gen(function* () {
  const loop = yield* Loop.make([user, Loop.AWAIT, assistant]).trigger()
  yield* loop.messages
}).pipe(Effect.provide([MiniAgents.layer(), NodeServices.layer]))

if (import.meta.main) NodeRuntime.runMain(program)
