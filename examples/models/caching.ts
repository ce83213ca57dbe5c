/**
 * A conversation with Claude that Anthropic keeps for the next turn: how many tokens were read anew, and how many from
 * its cache.
 *
 * Run: node --conditions=miniagents-source examples/models/caching.ts
 *
 * It takes a key in ANTHROPIC_API_KEY.
 *
 * Prints something like:
 *   turn 1: 0 tokens from the cache, 3021 into it
 *   turn 2: 3021 tokens from the cache, 48 into it
 *   turn 3: 3069 tokens from the cache, 51 into it
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { Message, MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { LlmAgent } from "miniagents/llm"

const model = Layer.provide(
  Anthropic.model("claude-sonnet-5-5", { cache: "5m", max_tokens: 200 }), // "1h" for slower conversations
  Anthropic.layerConfig()
)

// What is shorter than some thousand tokens is not kept.
const rules = Array.from({ length: 300 }, (_, i) => `Rule ${i + 1}: say nothing about rule ${i}.`).join("\n")
const assistant = LlmAgent.make("Assistant", { system: `You are brief.\n${rules}` })

export const program = Effect.gen(function* () {
  const conversation: Array<Message.Message> = []
  for (const [i, question] of ["Name a river.", "And another one?", "Which is longer?"].entries()) {
    conversation.push(Message.user(question))
    const replies = yield* assistant.trigger(conversation)
    const messages = yield* replies.messages
    conversation.push(...messages)
    const usage = messages.findLast((message) => message instanceof Message.Assistant)?.usage
    const [read, written] = [usage?.cacheReadTokens ?? 0, usage?.cacheWriteTokens ?? 0]
    yield* Console.log(`turn ${i + 1}: ${read} tokens from the cache, ${written} into it`)
  }
}).pipe(
  Effect.provide([MiniAgents.layer(), model]),
  Effect.catchTag("ConfigError", () => Console.log("Set ANTHROPIC_API_KEY to run this example."))
)

if (import.meta.main) NodeRuntime.runMain(program)
