/**
 * An agent that is a service: named in one place, implemented by a Layer, and replaced in a test without a change to
 * who calls it.
 *
 * Run: node --conditions=miniagents-source examples/basics/agent-as-a-service.ts
 *
 * Prints:
 *   live: Published: A gloomy text about rain
 *   test: Published: the gloomy writer was asked for "rain"
 *   test: Nothing to publish, too cheerful: sunshine
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Agent, MiniAgents } from "miniagents"

class Refused extends Schema.TaggedError<Refused>()("Refused", { reason: Schema.String }) {}

class Writer extends Agent.Service<Writer>()("Writer", {
  description: "Writes a text about what it is sent",
  parameters: { tone: Schema.String },
  error: Refused
}) {}

const WriterLive = Writer.toLayer(
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(`A ${ctx.parameters.tone} text about ${yield* ctx.messages.text}`) // a model would write it
  })
)

const WriterTest = Writer.toLayer(
  Effect.fnUntraced(function* (ctx) {
    const topic = yield* ctx.messages.text
    if (topic === "sunshine") return yield* new Refused({ reason: `too cheerful: ${topic}` })
    yield* ctx.reply(`the ${ctx.parameters.tone} writer was asked for "${topic}"`)
  })
)

// Agent.Agent<{}, Upstream, Writer>: it requires the writer, and takes care of the writer's errors itself
const publisher = Agent.make(
  "Publisher",
  Effect.fnUntraced(function* (ctx) {
    const { text } = yield* Writer.trigger(ctx.messages, { tone: "gloomy" })
    yield* text.pipe(
      Effect.flatMap((draft) => ctx.reply(`Published: ${draft}`)),
      Effect.catchTag("Refused", ({ reason }) => ctx.reply(`Nothing to publish, ${reason}`))
    )
  })
)

const publish = (topic: string) => Effect.flatMap(publisher.trigger(topic), ({ text }) => text)

export const program = Effect.gen(function* () {
  yield* Console.log(`live: ${yield* Effect.provide(publish("rain"), WriterLive)}`)
  yield* Console.log(`test: ${yield* Effect.provide(publish("rain"), WriterTest)}`)
  yield* Console.log(`test: ${yield* Effect.provide(publish("sunshine"), WriterTest)}`)
}).pipe(Effect.provide(MiniAgents.layer()))

if (import.meta.main) NodeRuntime.runMain(program)
