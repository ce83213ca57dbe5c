/** The model that providers make gives what a model of `effect/ai` gives, and asks for the same, whatever it is asked. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema, Stream } from "effect"
import { LanguageModel, Prompt, Response, ResponseIdTracker, Telemetry, Tool, Toolkit } from "effect/ai"
import type { AiError } from "effect/ai"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as DirectModel from "../../src/llm/provider/directModel.ts"

const Weather = Tool.make("weather", { parameters: Schema.Struct({ city: Schema.String }), success: Schema.String })
const Clock = Tool.make("clock", { success: Schema.String })
const toolkit = Toolkit.make(Weather, Clock)
const deferred = { disableToolCallResolution: true, toolCallValidation: "deferred" } as const

const Part = Schema.Union([Schema.toEncoded(Response.StreamPart(toolkit)), Schema.toEncoded(Response.StreamPart())])
const Parts = Schema.Array(Schema.NonEmptyArray(Part))

/** A provider that streams these parts, chunk by chunk, and keeps what it was asked. */
const providerOf = (chunks: typeof Parts.Type) => {
  const asked: Array<object> = []
  return {
    asked,
    codecTransformer: LanguageModel.defaultCodecTransformer,
    generateText: () => Effect.die("this test streams"),
    streamText: ({ span: _, ...request }: LanguageModel.ProviderOptions) =>
      Effect.sync((): DirectModel.Parts => {
        asked.push(request)
        let next = 0
        return Effect.suspend(() => {
          const chunk = chunks[next++]
          return chunk === undefined
            ? Cause.done()
            : Effect.succeed(chunk as NonEmptyReadonlyArray<Response.StreamPartEncoded>)
        })
      })
  }
}

type Options = Parameters<LanguageModel.LanguageModel["streamText"]>[0]

const hear = (model: LanguageModel.LanguageModel, options: Options) =>
  Effect.suspend(() => {
    const parts: Array<unknown> = []
    const stream = model.streamText(options) as Stream.Stream<unknown, AiError.AiError>
    return Stream.runForEach(stream, (part) => Effect.sync(() => parts.push(part))).pipe(
      Effect.exit,
      Effect.map((exit) => ({ parts, end: Exit.isSuccess(exit) ? "end" : Cause.pretty(exit.cause).split("\n")[0] }))
    )
  })

const approval = Prompt.make([
  { role: "user", content: "Hi" },
  {
    role: "assistant",
    content: [
      { type: "tool-call", id: "1", name: "clock", params: {}, providerExecuted: false },
      { type: "tool-approval-request", approvalId: "a", toolCallId: "1" }
    ]
  },
  { role: "tool", content: [{ type: "tool-approval-response", approvalId: "a", approved: true }] }
])

const questions: ReadonlyArray<readonly [name: string, options: object]> = [
  ["without tools", {}],
  ["without tools, calls to be checked later", deferred],
  ["with no tool", { toolkit: Toolkit.empty }],
  ["with tools, calls to be checked later", { toolkit, ...deferred }],
  ["with one of the tools", { toolkit, ...deferred, toolChoice: { oneOf: ["clock"] } }],
  ["with a tool that must be called", { toolkit, ...deferred, toolChoice: { tool: "clock" }, concurrency: 2 }],
  ["with tools that are not to be run", { toolkit, disableToolCallResolution: true }],
  ["with tools that are to be run", { toolkit }],
  ["with an approval and no tools", { prompt: approval }],
  ["with a prompt of messages", { prompt: [{ role: "user", content: "Hi" }] }]
]

const withHandlers = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provide(
    effect,
    toolkit.toLayer({ weather: () => Effect.succeed("rain"), clock: () => Effect.succeed("noon") })
  )

/** Asks a model, and again with what was said since: whoever follows its responses may have something to add to it. */
const askTwice = (make: Effect.Effect<LanguageModel.LanguageModel>, options: Options) =>
  Effect.gen(function* () {
    const model = yield* make
    const prompt = Prompt.make(options.prompt)
    const more = Prompt.make([
      { role: "assistant", content: [{ type: "text", text: "Hello" }] },
      { role: "user", content: "Bye" }
    ])
    return [
      yield* hear(model, { ...options, prompt } as Options),
      yield* hear(model, { ...options, prompt: Prompt.concat(prompt, more) } as Options)
    ]
  })

/** Asks the model of this module and that of `effect/ai`, each on a provider of its own that streams the same. */
const compare = (
  chunks: typeof Parts.Type,
  options: Options,
  around: <A>(effect: Effect.Effect<A>) => Effect.Effect<unknown> = (effect) => effect
) =>
  Effect.gen(function* () {
    const [direct, whole] = [providerOf(chunks), providerOf(chunks)]
    const reference = LanguageModel.make({
      ...whole,
      streamText: (request) => Stream.scoped(Stream.fromPull(whole.streamText(request)))
    })
    assert.deepStrictEqual(
      yield* around(askTwice(DirectModel.make(direct), options)),
      yield* around(askTwice(reference, options))
    )
    assert.deepStrictEqual(direct.asked, whole.asked)
  })

for (const [name, options] of questions) {
  it.effect.prop(`streams what \`LanguageModel.make\` does when asked ${name}`, { chunks: Parts }, ({ chunks }) =>
    withHandlers(
      Effect.gen(function* () {
        yield* compare(chunks, { prompt: "Hi", ...options } as Options)
        if ("toolkit" in options) {
          // the same with its handlers, as whoever looked for them has it
          const resolved = yield* options.toolkit as typeof toolkit
          yield* compare(chunks, { prompt: "Hi", ...options, toolkit: resolved } as Options)
        }
      })
    )
  )
}

it.effect.prop("remembers the ids of responses for who tracks them", { id: Schema.String, chunks: Parts }, (given) =>
  compare(
    [[{ type: "response-metadata", id: given.id }], ...given.chunks],
    { prompt: "Hi" } as Options,
    Effect.provideServiceEffect(ResponseIdTracker.ResponseIdTracker, ResponseIdTracker.make)
  )
)

it.effect.prop("shows its responses to who transforms spans", { chunks: Parts }, ({ chunks }) =>
  compare(chunks, { prompt: "Hi" } as Options, (effect) =>
    Effect.suspend(() => {
      const seen: Array<unknown> = []
      const see: Telemetry.SpanTransformer = ({ response }) => void seen.push(response)
      return Effect.map(Effect.provideService(effect, Telemetry.CurrentSpanTransformer, see), (heard) => [heard, seen])
    })
  )
)
