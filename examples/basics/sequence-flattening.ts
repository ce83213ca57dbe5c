/**
 * Agents that reply with the replies of other agents, two levels deep: the reader sees one flat sequence, which fills
 * up while it is read, and can be read again.
 *
 * Run: node --conditions=miniagents-source examples/basics/sequence-flattening.ts
 *
 * Prints the 13 messages as they come, then once more from the replay.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema, Stream } from "effect"
import type { MessageSequence } from "miniagents"
import { Agent, MiniAgents } from "miniagents"

const scraper = Agent.make(
  "Scraper",
  { parameters: { url: Schema.String, takes: Schema.Int } },
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(`${ctx.parameters.url} - SCRAPING`)
    yield* Effect.sleep(ctx.parameters.takes)
    yield* ctx.reply(`${ctx.parameters.url} - DONE`)
  })
)

const search = Agent.make(
  "Search",
  { parameters: { query: Schema.String, takes: Schema.Int } },
  Effect.fnUntraced(function* (ctx) {
    const { query, takes } = ctx.parameters
    yield* ctx.reply(`${query} - SEARCHING`)
    yield* Effect.sleep(takes)
    yield* ctx.reply(`${query} - SEARCH DONE`)
    for (const page of [1, 2]) {
      const url = `https://dummy.com/${query.replace(" ", "-")}/page-${page}`
      yield* ctx.replyOutOfOrder(yield* scraper.trigger(ctx.messages, { url, takes: takes / page }))
    }
  })
)

const research = Agent.make(
  "Research",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(`RESEARCHING: ${yield* ctx.messages.text}`)
    yield* ctx.replyOutOfOrder(yield* search.trigger(ctx.messages, { query: "query 1", takes: 400 }))
    yield* ctx.replyOutOfOrder(yield* search.trigger(ctx.messages, { query: "query 2", takes: 100 }))
  })
)

const print = (replies: MessageSequence.MessageSequence) =>
  Stream.runForEach(replies, ({ known, message }) =>
    Effect.flatMap(message, (reply) => Console.log(`${known._tag}: ${reply}`))
  )

export const program = Effect.gen(function* () {
  const replies = yield* research.trigger("Tell me about sequence flattening")
  yield* print(replies)
  yield* Console.log("=== REPLAYING MESSAGES ===")
  yield* print(replies)
}).pipe(Effect.provide(MiniAgents.layer()))

if (import.meta.main) NodeRuntime.runMain(program)
