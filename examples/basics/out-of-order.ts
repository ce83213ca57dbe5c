/**
 * The same three searches, replied in their order and out of order: then each is delivered as soon as it is there. They
 * run in parallel either way.
 *
 * Run: node --conditions=miniagents-source examples/basics/out-of-order.ts
 *
 * Prints:
 *   In order:
 *   slow search done
 *   quick search done
 *   other search done
 *   Out of order:
 *   quick search done
 *   other search done
 *   slow search done
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import { Agent, MiniAgents } from "miniagents"

const search = Agent.make(
  "Search",
  { parameters: { takes: Schema.Int } },
  Effect.fnUntraced(function* (ctx) {
    yield* Effect.sleep(ctx.parameters.takes)
    yield* ctx.reply(`${yield* ctx.messages.text} done`)
  })
)

const searches = Effect.all([
  search.trigger("slow search", { takes: 300 }),
  search.trigger("quick search", { takes: 100 }),
  search.trigger("other search", { takes: 200 })
])

const ordered = Agent.make(
  "Ordered",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply("In order:")
    yield* ctx.reply(yield* searches)
  })
)

const unordered = Agent.make(
  "Unordered",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply("Out of order:")
    yield* ctx.replyOutOfOrder(yield* searches)
  })
)

export const program = Effect.gen(function* () {
  const both = [yield* ordered.trigger(), yield* unordered.trigger()]
  for (const replies of both) {
    yield* Stream.runForEach(replies, ({ message }) => Effect.flatMap(message, (reply) => Console.log(String(reply))))
  }
}).pipe(Effect.provide(MiniAgents.layer()))

if (import.meta.main) NodeRuntime.runMain(program)
