/**
 * Messages have the roles that models know: `Message.user`, `Message.system` and `Message.assistant`; any other message
 * comes from the user. An agent is sent a conversation as a list of them, and replies as an assistant.
 *
 * Run: node --conditions=miniagents-source examples/models/roles.ts
 *
 * It takes a key in OPENAI_API_KEY, or, for a server of your own such as Ollama, its address in OPENAI_BASE_URL and a
 * model it has in MINIAGENTS_MODEL.
 *
 * Prints, with what the model answers in the last line:
 *   user: Hello!
 *   system: Answer with one word.
 *   assistant: Hi.
 *   user: Which is the largest planet?
 *   assistant: Jupiter.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect } from "effect"
import { Message, MiniAgents } from "miniagents"
import { LlmPrompt } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"

const conversation = [
  Message.user("Hello!"),
  Message.system("Answer with one word."),
  Message.assistant("Hi."),
  Message.text("Which is the largest planet?")
]

const show = (message: Message.Message) => Console.log(`${LlmPrompt.roleOf(message)}: ${message}`)

export const program = Effect.gen(function* () {
  const model = yield* Config.withDefault(Config.String("MINIAGENTS_MODEL"), "gpt-4o-mini")
  const replies = yield* OpenAi.agent.trigger(conversation, { model })
  const answers = yield* replies.messages
  yield* Effect.forEach([...conversation, ...answers], show)
}).pipe(
  Effect.provide([MiniAgents.layer(), OpenAi.layerConfig()]),
  Effect.catchTag("ConfigError", () =>
    Console.log("Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, to run this example.")
  )
)

if (import.meta.main) NodeRuntime.runMain(program)
