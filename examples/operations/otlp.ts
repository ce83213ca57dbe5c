/**
 * What agents and their models do, as OpenTelemetry spans that are sent to a collector: which agent called which, which
 * model it asked, how many tokens that took and why the model stopped. No prompt, no answer and no key is in them.
 *
 * Run: node --conditions=miniagents-source examples/operations/otlp.ts
 *
 * It takes the address of a collector in OTEL_EXPORTER_OTLP_ENDPOINT (http://localhost:4318 for one on this machine),
 * and a key in OPENAI_API_KEY, or, for a server of your own such as Ollama, its address in OPENAI_BASE_URL and a model it
 * has in MINIAGENTS_MODEL.
 *
 * Prints what the agents say, and sends:
 *   visit
 *     invoke_agent Guide
 *       invoke_agent Historian
 *         LanguageModel.streamText
 *       invoke_agent Cook
 *         LanguageModel.streamText
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { Agent, MiniAgents } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"

const historian = LlmAgent.make("Historian", { system: "Say one sentence about the history of the city." })
const cook = LlmAgent.make("Cook", { system: "Say one sentence about the food of the city." })

const guide = Agent.make(
  "Guide",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply([yield* historian.trigger(ctx.messages), yield* cook.trigger(ctx.messages)])
  })
)

const visit = Effect.gen(function* () {
  const baseUrl = yield* Config.String("OTEL_EXPORTER_OTLP_ENDPOINT")
  const name = yield* Config.withDefault(Config.String("MINIAGENTS_MODEL"), "gpt-4o-mini")
  const telemetry = Otlp.layerJson({ baseUrl, resource: { serviceName: "guide" } })
  const agents = Layer.merge(MiniAgents.layer(), Layer.provide(OpenAi.model(name), OpenAi.layerConfig()))
  const replies = Effect.flatMap(guide.trigger("Naples"), (replies) => replies.text)
  return yield* replies.pipe(
    Effect.withSpan("visit"),
    // the agents end first, so that all of their spans are sent
    Effect.provide(Layer.provideMerge(agents, Layer.provide(telemetry, FetchHttpClient.layer)))
  )
})

export const program = visit.pipe(
  Effect.catchTag("ConfigError", () =>
    Effect.succeed(
      "Set OTEL_EXPORTER_OTLP_ENDPOINT to the address of a collector, such as http://localhost:4318, and OPENAI_API_KEY " +
        "(or OPENAI_BASE_URL, for a server of your own) to run this example."
    )
  ),
  Effect.flatMap(Console.log)
)

if (import.meta.main) NodeRuntime.runMain(program)
