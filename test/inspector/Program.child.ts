/** A program that knows nothing of the inspector. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Agent, MessagePromise, MiniAgents } from "miniagents"

const hangs = process.argv.includes("hang")
const tokens = hangs ? Stream.concat(Stream.make("half ", "an"), Stream.never) : Stream.make("the ", "answer")
const answerer = Agent.make("Answerer", (ctx) =>
  Effect.flatMap(MessagePromise.fromStream(tokens), (promise) => ctx.reply(promise))
)
const asker = Agent.make("Asker", (ctx) =>
  Effect.flatMap(answerer.trigger(ctx.messages), (replies) => ctx.reply(replies))
)

asker.trigger("question").pipe(
  Effect.tap(() => (hangs ? Console.log("said") : Effect.void)),
  Effect.flatMap((replies) => replies.text),
  Effect.flatMap(Console.log),
  Effect.provide(MiniAgents.layer()),
  NodeRuntime.runMain
)
