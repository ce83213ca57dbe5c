/**
 * A conversation that outgrows its model: the middle is summarized by another agent before a request would be too long,
 * and nothing of it is lost.
 *
 * Run: node --conditions=miniagents-source examples/models/compaction.ts
 *
 * Prints:
 *   asked with at most 400 tokens, 12 times
 *   the last prompt begins with: You are a guide | Day 1: river ...
 *   what was summarized is still there: true
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { Agent, Message, MiniAgents } from "miniagents"
import { Compaction, LlmAgent, LlmMessage, TokenCount } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const guide = LlmAgent.make("Guide", { system: "You are a guide" })

// A real one asks a model: `Compaction.summarizer`
const summarizer = Agent.make("Summarizer", (ctx) => ctx.reply(Message.assistant("We have seen many rivers.")))

const compaction = Compaction.layer({
  window: 500,
  reserve: 100, // for the answer
  policies: [Compaction.summarize({ agent: summarizer, keepFirst: 1, keepLast: 2 })]
})

const model = ScriptedModel.layer([ScriptedModel.always(ScriptedModel.turn(ScriptedModel.text("On we go.")))])

export const program = Effect.gen(function* () {
  const conversation: Array<Message.Message> = []
  for (let day = 1; day <= 12; day++) {
    conversation.push(Message.user(`Day ${day}: ${"river ".repeat(50)}`))
    const replies = yield* guide.trigger(conversation)
    conversation.push(...(yield* replies.messages)) // with the summaries, so that they are made once
  }
  const { requests } = yield* ScriptedModel.ScriptedModel
  const prompts = (yield* requests).map(({ prompt }) => prompt)
  const longest = Math.max(...prompts.map(TokenCount.estimate))
  yield* Console.log(`asked with at most ${longest <= 400 ? 400 : longest} tokens, ${prompts.length} times`)
  const [system, first] = (yield* requests)
    .at(-1)!
    .text.split("\n")
    .map((line) => line.replace(/^\w+: /, ""))
  yield* Console.log(`the last prompt begins with: ${system} | ${first?.slice(0, 12)} ...`)
  const summaries = conversation.filter((message) => message instanceof LlmMessage.Compacted)
  const originals = summaries.flatMap((summary) => Compaction.originals(summary, conversation))
  const isThere = originals.length > 0 && originals.every((message) => conversation.includes(message))
  yield* Console.log(`what was summarized is still there: ${isThere}`)
}).pipe(Effect.provide(Layer.mergeAll(MiniAgents.layer(), model, compaction)), Effect.orDie)

if (import.meta.main) NodeRuntime.runMain(program)
