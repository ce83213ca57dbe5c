/** A tree of agents as another package would export it: not one of its types is written down. */

import { Context, Effect, Schema, Stream } from "effect"
import { Agent, Message } from "miniagents"
import { Chain, Dialog } from "miniagents/agents"
import { ConsoleOutput } from "miniagents/console"
import { MemoryHistory } from "miniagents/history"
import { AgentTool, LlmAgent } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { query: Schema.String }) {}
export class Index extends Context.Service<Index, { readonly find: (query: string) => Effect.Effect<string> }>()(
  "Index"
) {}
export class Review extends Message.Class<Review>()("Review", { stars: Schema.Int }) {}

export const echo = Agent.make("Echo", (ctx) =>
  Stream.runForEach(ctx.messages, ({ message }) => Effect.flatMap(message, (said) => ctx.reply(String(said))))
)
export const search = Agent.make(
  "Search",
  { description: "Finds pages", parameters: { query: Schema.String, limit: Schema.Int } },
  Effect.fnUntraced(function* (ctx) {
    const { query } = ctx.parameters
    if (query === "") return yield* new NotFound({ query })
    yield* ctx.reply([yield* (yield* Index).find(query), new Review({ stars: 5 })])
  })
)
export const searchOne = search.fork({ name: "SearchOne", parameters: { limit: 1 } })
export const research = Agent.make(
  "Research",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply([yield* echo.trigger(ctx.messages), [yield* searchOne.trigger("x", { query: "effect" })]])
  })
)
export class Writer extends Agent.Service<Writer>()("Writer", {
  parameters: { tone: Schema.String },
  error: NotFound
}) {}
export const WriterLive = Writer.toLayer((ctx) =>
  Effect.flatMap(searchOne.trigger(ctx.messages, { query: ctx.parameters.tone }), ctx.reply)
)

export const chain = Chain.make([echo, research, Writer.fork({ parameters: { tone: "dry" } })])
export const tools = AgentTool.toolkit(AgentTool.make(searchOne))
export const assistant = LlmAgent.make("Assistant", { toolkit: tools })
export const dialog = Dialog.make({ user: echo, assistant })
export const output = ConsoleOutput.make()
export const history = MemoryHistory.make()
export const scripted = ScriptedModel.layer([])

export const replies = research.trigger("x")
export const safe = research.trigger("x", {}, { errorsAsMessages: true })
export const opened = research.call<NotFound>()
export const read = Effect.gen(function* () {
  const sequence = yield* assistant.trigger("x")
  return { sequence, single: sequence.single(), messages: yield* sequence.messages }
})
