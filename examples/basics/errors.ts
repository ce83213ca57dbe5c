/**
 * A failure stands in the type of the agent, and surfaces where its replies are read: not where it is triggered.
 *
 * Run: node --conditions=miniagents-source examples/basics/errors.ts
 *
 * Prints:
 *   Exception while iterating over response: Something went wrong in callee agent
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent, MiniAgents } from "miniagents"

class WentWrong extends Schema.TaggedError<WentWrong>()("WentWrong", { message: Schema.String }) {}

const faulty = Agent.make("Faulty", () => new WentWrong({ message: "Something went wrong in callee agent" }))

const caller = Agent.make(
  "Caller",
  Effect.fnUntraced(function* (ctx) {
    const replies = yield* faulty.trigger("Hello") // does not fail here
    yield* Stream.runForEach(replies, ({ message }) => message).pipe(
      // without this line the type of `caller` says that it fails with `WentWrong`
      Effect.catchTag("WentWrong", (error) => ctx.reply(`Exception while iterating over response: ${error.message}`))
    )
  })
)

export const program = Effect.gen(function* () {
  const replies = yield* caller.trigger("Start")
  yield* Stream.runForEach(replies, ({ message }) => Effect.flatMap(message, (reply) => Console.log(String(reply))))
}).pipe(Effect.provide(MiniAgents.layer()))

if (import.meta.main) NodeRuntime.runMain(program)
