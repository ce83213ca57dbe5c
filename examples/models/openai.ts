/**
 * An agent that speaks with a model of OpenAI's. Its model is given by a fork, what else the API takes with a trigger
 * (or the other way round), and its answer is shown token by token, as it comes.
 *
 * Run: node --conditions=miniagents-source examples/models/openai.ts
 *
 * It takes a key in OPENAI_API_KEY, or, for a server of your own such as Ollama, its address in OPENAI_BASE_URL and a
 * model it has in MINIAGENTS_MODEL.
 *
 * Prints what the model answers, such as:
 *   Hello! I'm doing well, thank you for asking. How can I help you today?
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Config, Console, Effect, Stdio, Stream } from "effect"
import { MiniAgents } from "miniagents"
import { OpenAi } from "miniagents/openai"

export const program = Effect.gen(function* () {
  const model = yield* Config.withDefault(Config.String("MINIAGENTS_MODEL"), "gpt-4o-mini")
  const gpt = OpenAi.agent.fork({ parameters: { model } })

  const replies = yield* gpt.trigger("Hello, how are you?", {
    system: "You are a helpful assistant.",
    maxTokens: 50,
    temperature: 0.7
  })
  // one message will come, but an agent may reply with any number of them, and another agent could stand here
  const tokens = Stream.flatMap(replies, (message) => Stream.concat(message, Stream.make("\n\n")))
  const stdio = yield* Stdio.Stdio
  yield* Stream.run(tokens, stdio.stdout())
}).pipe(
  Effect.provide([MiniAgents.layer(), OpenAi.layerConfig(), NodeServices.layer]),
  Effect.catchTag("ConfigError", () =>
    Console.log("Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, to run this example.")
  )
)

if (import.meta.main) NodeRuntime.runMain(program)
