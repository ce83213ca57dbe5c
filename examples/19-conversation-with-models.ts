/**
 * A conversation with several models at once: what the favourite says is the answer, and part of the history; what the
 * others say is written to a file each. The turn is over when all of them have finished.
 *
 * Run: node --conditions=miniagents-source examples/19-conversation-with-models.ts
 * It takes keys in OPENAI_API_KEY and ANTHROPIC_API_KEY, or addresses in OPENAI_BASE_URL and ANTHROPIC_BASE_URL.
 *
 * Prints what the favourite answers, such as, to someone who writes `hello` and `exit`, below the greeting:
 *   USER:
 *   GPT-4O-MINI: Hello! How can I help you today?
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { Agent, MiniAgents } from "miniagents"
import { ConsoleInput, ConsoleOutput, LineInput } from "miniagents/console"
import { Dialog, User } from "miniagents/agents"
import { MarkdownHistory } from "miniagents/history"
import { Anthropic } from "miniagents/anthropic"
import { LlmLogger } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"

const favourite = OpenAi.agent.fork({ name: "gpt-4o-mini", parameters: { model: "gpt-4o-mini" } })
const others = [
  Anthropic.agent.fork({ name: "claude-sonnet-5-5", parameters: { model: "claude-sonnet-5-5", maxTokens: 4096 } })
]

const layer = Layer.mergeAll(
  MiniAgents.layer(),
  OpenAi.layerConfig(),
  Anthropic.layerConfig(),
  LlmLogger.layer(),
  LineInput.layerTerminal
).pipe(Layer.provideMerge(NodeServices.layer))

export const program = Effect.gen(function* () {
  const files = yield* Effect.forEach(others, (agent) =>
    Effect.map(MarkdownHistory.make({ file: `ALT__${agent.name}.md` }), (file) => ({ agent, file }))
  )
  const everyone = Agent.make(
    "Everyone",
    Effect.fnUntraced(function* (ctx) {
      yield* ctx.reply(yield* favourite.trigger(ctx.messages))
      for (const { agent, file } of files) {
        const written = yield* file.trigger(yield* agent.trigger(ctx.messages))
        yield* ctx.waitFor(written.messages)
      }
    })
  )
  const history = yield* MarkdownHistory.make()
  const user = User.make({ output: ConsoleOutput.make(), input: ConsoleInput.make(), history })
  yield* (yield* Dialog.make({ user, assistant: everyone }).trigger()).messages
}).pipe(
  Effect.scoped,
  Effect.provide(layer),
  Effect.catchTag("ConfigError", () =>
    Console.log("Set OPENAI_API_KEY and ANTHROPIC_API_KEY, or addresses of your own, to run this example.")
  )
)

if (import.meta.main) NodeRuntime.runMain(program)
