/**
 * Two agents for the program `miniagents serve`, which serves every agent that a file exports, in every protocol, with a
 * page to try them.
 *
 * Run: npx miniagents serve examples/serving/agents.ts
 *
 * Prints where everything is:
 *   Story Teller
 *     native  http://127.0.0.1:4000/agents/story-teller
 *     …
 */
import { Effect, Schema, Stream } from "effect"
import { Agent, MessagePromise } from "miniagents"

/** It speaks slowly, a word at a time. */
export const storyTeller = Agent.make(
  "Story Teller",
  { description: "Tells what it was told, as a story" },
  Effect.fnUntraced(function* (ctx) {
    const told = yield* (yield* echo.trigger(ctx.messages, { times: 1 })).text
    const words = `Once upon a time somebody said: ${told}`.split(/(?<= )/)
    const slowly = Stream.tap(Stream.rechunk(Stream.fromIterable(words), 1), () => Effect.sleep("80 millis"))
    yield* ctx.reply(yield* MessagePromise.fromStream(slowly))
  })
)

export const echo = Agent.make(
  "Echo",
  { description: "Says it again", parameters: { times: Schema.Int } },
  Effect.fnUntraced(function* (ctx) {
    for (let i = 0; i < ctx.parameters.times; i++) yield* ctx.reply(ctx.messages)
  })
)
