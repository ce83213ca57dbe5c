/**
 * A dialog between a person and a model of OpenAI's that improves sentences. It is kept in CHAT.md, so that it goes on
 * when it is started again, and each prompt with its response is a file in llm_logs/.
 *
 * Run: node --conditions=miniagents-source examples/models/dialog.ts
 *
 * It takes a key in OPENAI_API_KEY, or, for a server of your own such as Ollama, its address in OPENAI_BASE_URL and a
 * model it has in MINIAGENTS_MODEL.
 *
 * Prints, to someone who writes `hi` and `exit`:
 *   YOU ARE NOW IN A CHAT WITH AN AI ASSISTANT
 *
 *   Press Enter to send your message.
 *   Press Ctrl+C (or type "exit") to quit the conversation.
 *
 *   USER:
 *   OPENAI_AGENT: Hello! The greeting "hi" is casual and perfectly acceptable.
 *
 *   USER:
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Config, Console, Effect, Layer } from "effect"
import { Message, MiniAgents } from "miniagents"
import { ConsoleInput, ConsoleOutput, LineInput } from "miniagents/console"
import { Dialog, User } from "miniagents/agents"
import { MarkdownHistory } from "miniagents/history"
import { LlmLogger } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"

const prompt = Message.system(
  "Your job is to improve the styling and grammar of the sentences that the user throws at you. Leave the sentences " +
    "unchanged if they seem fine."
)

const layer = Layer.mergeAll(
  MiniAgents.layer(),
  OpenAi.layerConfig(),
  LlmLogger.layer(), // without it nothing is logged
  LineInput.layerTerminal
).pipe(Layer.provideMerge(NodeServices.layer))

export const program = Effect.gen(function* () {
  const model = yield* Config.withDefault(Config.String("MINIAGENTS_MODEL"), "gpt-4o-mini")
  const history = yield* MarkdownHistory.make() // in `CHAT.md`, unless it is told another file
  const user = User.make({ output: ConsoleOutput.make(), input: ConsoleInput.make(), history })
  const assistant = OpenAi.agent.fork({ parameters: { model, maxTokens: 1000 } })

  const dialog = yield* Dialog.make({ user, assistant }).trigger(prompt)
  yield* dialog.messages // none: a dialog talks to the user, and this waits until it is over
}).pipe(
  Effect.scoped,
  Effect.provide(layer),
  Effect.catchTag("ConfigError", () =>
    Console.log("Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, to run this example.")
  )
)

if (import.meta.main) NodeRuntime.runMain(program)
