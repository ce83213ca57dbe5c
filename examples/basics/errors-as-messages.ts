/**
 * A model that breaks off in the middle of a sentence. By default the reader gets what came before it, then the error;
 * with `errorsAsMessages` the failure is a message at its place, and the sequence goes on.
 *
 * Run: node --conditions=miniagents-source examples/basics/errors-as-messages.ts
 *
 * Prints:
 *   As errors:
 *   - Asking the model
 *   ! Disconnected: the model hung up
 *   As messages:
 *   - Asking the model
 *   - Once upon a (Disconnected: the model hung up)
 *   - Anything else?
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent, Message, MessagePromise, MiniAgents } from "miniagents"

class Disconnected extends Schema.TaggedError<Disconnected>()("Disconnected", { message: Schema.String }) {}

const teller = Agent.make(
  "Teller",
  Effect.fnUntraced(function* (ctx) {
    const tokens = Stream.concat(
      Stream.make("Once", " upon", " a"),
      Stream.fail(new Disconnected({ message: "the model hung up" }))
    )
    yield* ctx.reply("Asking the model")
    yield* ctx.reply(yield* MessagePromise.fromStream(tokens))
    yield* ctx.reply("Anything else?")
  })
)

export const program = Effect.gen(function* () {
  yield* Console.log("As errors:")
  const replies = yield* teller.trigger() // MessageSequence<Disconnected>
  yield* Stream.runForEach(replies, ({ message }) =>
    Effect.flatMap(message, (reply) => Console.log(`- ${reply}`))
  ).pipe(Effect.catchTag("Disconnected", (error) => Console.log(`! Disconnected: ${error.message}`)))

  yield* Console.log("As messages:")
  const safe = yield* teller.trigger([], {}, { errorsAsMessages: true }) // MessageSequence<never>
  for (const reply of yield* safe.messages) {
    const failed = reply instanceof Message.Failure
    yield* Console.log(failed ? `- ${reply.content} (${reply.error}: ${reply.reason})` : `- ${reply}`)
  }
}).pipe(Effect.provide(MiniAgents.layer()))

if (import.meta.main) NodeRuntime.runMain(program)
