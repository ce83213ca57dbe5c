/**
 * With a tracer every call is a span, below the span of the call that triggered it, with the names that OpenTelemetry's
 * conventions for generative AI give them. In an application the tracer is `Otlp.layerJson` of `effect/observability`.
 *
 * Run: node --conditions=miniagents-source examples/operations/spans.ts
 *
 * Prints:
 *   request
 *     invoke_agent Research
 *       invoke_agent Search (Finds pages)
 *         invoke_agent Reader
 *       invoke_agent Search (Finds pages)
 *         invoke_agent Reader
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Option, Tracer } from "effect"
import { Agent, MiniAgents } from "miniagents"

const reader = Agent.make("Reader", (ctx) => ctx.reply(["read", ctx.messages]))

const search = Agent.make(
  "Search",
  { description: "Finds pages" },
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(yield* reader.trigger(ctx.messages))
  })
)

const research = Agent.make(
  "Research",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply([yield* search.trigger("effect"), yield* search.trigger("stream")])
  })
)

const print = (spans: ReadonlyArray<Tracer.Span>, parent?: Tracer.AnySpan, indent = ""): Effect.Effect<void> =>
  Effect.forEach(
    spans.filter((span) => Option.getOrUndefined(span.parent) === parent),
    (span) => {
      const description = span.attributes.get("gen_ai.agent.description")
      const line = `${indent}${span.name}${description === undefined ? "" : ` (${description})`}`
      return Effect.andThen(Console.log(line), print(spans, span, `${indent}  `))
    },
    { discard: true }
  )

export const program = Effect.gen(function* () {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({ span: (options) => spans[spans.push(new Tracer.NativeSpan(options)) - 1]! })
  yield* Effect.flatMap(research.trigger(), (replies) => replies.messages).pipe(
    Effect.withSpan("request"),
    Effect.provide(MiniAgents.layer()),
    Effect.withTracer(tracer)
  )
  yield* print(spans)
})

if (import.meta.main) NodeRuntime.runMain(program)
