/**
 * An object that is read while the model writes it: a recipe whose steps appear one by one.
 *
 * Run: node --conditions=miniagents-source examples/models/objects.ts
 *
 * It takes a key in OPENAI_API_KEY, or the address of a server of your own in OPENAI_BASE_URL.
 *
 * Prints something like:
 *   Lentil soup
 *   1. Rinse the lentils.
 *   2. Cook them with an onion.
 *   3. Season with cumin and lemon.
 *   (25 minutes)
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { Message, MiniAgents } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"

class Recipe extends Message.Class<Recipe>()("Recipe", {
  title: Schema.String,
  steps: Schema.Array(Schema.String),
  minutes: Schema.Int
}) {}

const cook = LlmAgent.makeObject("Cook", { schema: Recipe, system: "Write a short recipe." })

export const program = Effect.gen(function* () {
  const replies = yield* cook.trigger("Something with lentils")
  let shown: ReadonlyArray<string> = []
  yield* Stream.runForEach(replies.partial, ({ minutes, steps = [], title = "" }) => {
    // the last line may still grow, unless something follows it
    const lines = [title, ...steps.map((step, i) => `${i + 1}. ${step}`)]
    const whole = minutes === undefined ? lines.slice(0, -1) : lines
    const more = whole.slice(shown.length)
    shown = whole
    return Effect.forEach(more, (line) => Console.log(line), { discard: true })
  })
  const recipe = yield* replies.object // a `Recipe`, without a look at the classes of messages
  yield* Console.log(`(${recipe.minutes} minutes)`)
}).pipe(
  Effect.provide([MiniAgents.layer(), Layer.provide(OpenAi.model("gpt-5.2"), OpenAi.layerConfig())]),
  Effect.catchTag("ConfigError", () => Console.log("Set OPENAI_API_KEY or OPENAI_BASE_URL to run this example."))
)

if (import.meta.main) NodeRuntime.runMain(program)
