/** What every model does that agents can be given, whoever made it: a provider's, or a scripted one. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Schema, Stream } from "effect"
import type { Layer, Scope } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import type { AiError, Model, Response } from "effect/ai"
import { Message, MiniAgents } from "miniagents"
import { LlmAgent } from "miniagents/llm"

/** What a model answers to one request, in this order. */
export interface Turn {
  readonly reasoning?: ReadonlyArray<string>
  readonly text?: ReadonlyArray<string>
  readonly calls?: ReadonlyArray<{ readonly id: string; readonly name: string; readonly params: Schema.Json }>
  /** Why it finishes; because it is done, or calls tools, unless said. */
  readonly reason?: "length" | "content-filter"
  /** The numbers of tokens in and out. */
  readonly usage?: readonly [number, number]
  /** What happens instead of a finish: the provider breaks down, or says no more. */
  readonly ends?: "overloaded" | "hang"
  /** What happens instead of an answer: too many requests, to be tried again after 7 seconds, or a key that is refused. */
  readonly refuses?: "rate limit" | "key"
}

export interface Subject {
  readonly name: string
  /** A model named `test-model`, which answers each request with the next turn. */
  readonly layer: (
    turns: ReadonlyArray<Turn>
  ) => Effect.Effect<
    Layer.Layer<LanguageModel.LanguageModel | Model.ModelName | Model.ProviderName>,
    never,
    Scope.Scope
  >
}

const Weather = Tool.make("weather", { parameters: Schema.Struct({ city: Schema.String }), success: Schema.String })
const Clock = Tool.make("clock", { success: Schema.String })
const toolkit = Toolkit.make(Weather, Clock)
const handlers = toolkit.toLayer({
  weather: ({ city }) => Effect.succeed(`rain in ${city}`),
  clock: () => Effect.succeed("noon")
})

const Person = Schema.Struct({ name: Schema.String, tags: Schema.Array(Schema.String) })

const rome = { id: "1", name: "weather", params: { city: "Rome" } }

export const suite = (subject: Subject): void => {
  /** Runs a program with a model that answers so. */
  const answering = <A, E>(turns: ReadonlyArray<Turn>, program: Effect.Effect<A, E, LanguageModel.LanguageModel>) =>
    Effect.flatMap(subject.layer(turns), (layer) => Effect.provide(program, layer))

  /** All the parts that were streamed, and how it ended. */
  const hear = <R>(stream: Stream.Stream<Response.AnyPart, AiError.AiError, R>) =>
    Effect.suspend(() => {
      const parts: Array<Response.AnyPart> = []
      return Stream.runForEach(stream, (part) => Effect.sync(() => parts.push(part))).pipe(
        Effect.result,
        Effect.map((result) => ({ parts, error: result._tag === "Failure" ? result.failure : undefined }))
      )
    })
  const ask = hear(LanguageModel.streamText({ prompt: "Hi" }))

  describe(`the model of ${subject.name}`, () => {
    it.effect("streams text piece by piece, between what says where it begins and how it ends", () =>
      answering(
        [{ text: ["Grö", "ße ", "🌊"], usage: [7, 3] }],
        Effect.gen(function* () {
          const { error, parts } = yield* ask
          assert.isUndefined(error)
          assert.deepStrictEqual(parts.map(brief), [
            "response-metadata",
            "text-start",
            "text-delta Grö",
            "text-delta ße ",
            "text-delta 🌊",
            "text-end",
            "finish stop"
          ])
          const [first, ...rest] = parts
          assert.isTrue(first?.type === "response-metadata" && first.id !== undefined && first.modelId !== undefined)
          assert.strictEqual(new Set(rest.slice(0, 5).map((part) => "id" in part && part.id)).size, 1)
        })
      )
    )

    it.effect("says how many tokens it took, or nothing where nobody counted", () =>
      answering(
        [{ text: ["a"], usage: [7, 3] }, { text: ["b"] }],
        Effect.gen(function* () {
          for (const expected of [
            [7, 3],
            [undefined, undefined]
          ]) {
            const { parts } = yield* ask
            const { usage } = parts.at(-1) as Response.FinishPart
            assert.deepStrictEqual([usage.inputTokens.total, usage.outputTokens.total], expected)
          }
        })
      )
    )

    it.effect("says why it finished", () =>
      answering(
        [{ text: ["a"] }, { text: ["a"], reason: "length" }, { text: ["a"], reason: "content-filter" }],
        Effect.gen(function* () {
          const reasons = [yield* ask, yield* ask, yield* ask].map(({ parts }) => brief(parts.at(-1)))
          assert.deepStrictEqual(reasons, ["finish stop", "finish length", "finish content-filter"])
        })
      )
    )

    it.effect("thinks before it speaks", () =>
      answering(
        [{ reasoning: ["h", "m"], text: ["a"] }],
        Effect.gen(function* () {
          const { parts } = yield* ask
          assert.deepStrictEqual(parts.map(brief), [
            "response-metadata",
            "reasoning-start",
            "reasoning-delta h",
            "reasoning-delta m",
            "reasoning-end",
            "text-start",
            "text-delta a",
            "text-end",
            "finish stop"
          ])
        })
      )
    )

    it.effect("gives a response in one piece that is the streamed one", () =>
      answering(
        [{ reasoning: ["h", "m"], text: ["a", "b"], calls: [rome], usage: [7, 3] }],
        Effect.gen(function* () {
          const response = yield* LanguageModel.generateText({ prompt: "Hi", toolkit })
          assert.deepStrictEqual(
            [response.reasoningText, response.text, response.finishReason, response.usage.outputTokens.total],
            ["hm", "ab", "tool-calls", 3]
          )
          assert.deepStrictEqual(
            response.content.map((part) => part.type),
            ["response-metadata", "reasoning", "text", "tool-call", "finish", "tool-result"]
          )
        }).pipe(Effect.provide(handlers))
      )
    )

    it.effect("calls tools, several at once, and their results follow", () =>
      answering(
        [{ text: ["Let me see."], calls: [rome, { id: "2", name: "clock", params: {} }] }],
        Effect.gen(function* () {
          const { error, parts } = yield* hear(LanguageModel.streamText({ prompt: "Hi", toolkit }))
          assert.isUndefined(error)
          const calls = parts.flatMap((part) => (part.type === "tool-call" ? [[part.id, part.name, part.params]] : []))
          assert.deepStrictEqual(calls, [
            ["1", "weather", { city: "Rome" }],
            ["2", "clock", {}]
          ])
          const results = parts.flatMap((part) => (part.type === "tool-result" ? [[part.id, part.result]] : []))
          assert.deepStrictEqual(results.sort(), [
            ["1", "rain in Rome"],
            ["2", "noon"]
          ])
          assert.include(parts.map(brief), "finish tool-calls")
        }).pipe(Effect.provide(handlers))
      )
    )

    it.effect.each([
      ["that is not there", { id: "1", name: "sing", params: {} }, "InvalidOutputError"],
      ["with parameters that do not fit", { ...rome, params: { city: 7 } }, "ToolParameterValidationError"]
    ] as const)("calls a tool %s: a typed error that can be tried again", ([, call, tag]) =>
      answering(
        [{ text: ["a"], calls: [call] }],
        Effect.gen(function* () {
          const { error, parts } = yield* hear(LanguageModel.streamText({ prompt: "Hi", toolkit }))
          assert.deepStrictEqual([error?.reason._tag, error?.isRetryable], [tag, true])
          assert.include(parts.map(brief), "text-delta a")
        }).pipe(Effect.provide(handlers))
      )
    )

    it.effect("fills in a schema, and what does not fit is a typed error that holds the text", () =>
      answering(
        [{ text: ['{"name":"Ada",', '"tags":["a"]}'] }, { text: ['{"name":1}'] }, { text: ["Ada, I think"] }],
        Effect.gen(function* () {
          const fill = LanguageModel.generateObject({ prompt: "Hi", schema: Person })
          assert.deepStrictEqual((yield* fill).value, { name: "Ada", tags: ["a"] })
          for (const text of ['{"name":1}', "Ada, I think"]) {
            const { reason } = yield* Effect.flip(fill)
            assert.strictEqual(reason._tag, "StructuredOutputError")
            assert.strictEqual(reason._tag === "StructuredOutputError" && reason.responseText, text)
          }
        })
      )
    )

    it.effect("refuses before the first token, and says whether and when to try again", () =>
      answering(
        [{ refuses: "rate limit" }, { refuses: "key" }],
        Effect.gen(function* () {
          const limited = yield* ask
          assert.deepStrictEqual(
            limited.parts.filter((part) => part.type === "text-delta"),
            []
          )
          assert.deepStrictEqual([limited.error?.reason._tag, limited.error?.isRetryable], ["RateLimitError", true])
          assert.strictEqual(limited.error?.retryAfter && Duration.toSeconds(limited.error.retryAfter), 7)
          const { error } = yield* ask
          assert.deepStrictEqual([error?.reason._tag, error?.isRetryable], ["AuthenticationError", false])
        })
      )
    )

    it.effect("fails in the middle: the tokens so far, then a typed error, and no finish", () =>
      answering(
        [{ text: ["a", "b"], ends: "overloaded" }],
        Effect.gen(function* () {
          const { error, parts } = yield* ask
          assert.deepStrictEqual([error?.reason._tag, error?.isRetryable], ["InternalProviderError", true])
          assert.deepStrictEqual(parts.map(brief), ["response-metadata", "text-start", "text-delta a", "text-delta b"])
        })
      )
    )

    it.effect("can be interrupted while it says nothing, after the tokens so far", () =>
      answering(
        [{ text: ["a", "b"], ends: "hang" }, { text: ["c"] }],
        Effect.gen(function* () {
          const model = yield* LanguageModel.LanguageModel
          const heard: Array<string> = []
          const fiber = yield* Effect.forkChild(
            Stream.runForEach(model.streamText({ prompt: "Hi" }), (part) => Effect.sync(() => heard.push(brief(part))))
          )
          while (!heard.includes("text-delta b")) yield* turnOfTheEventLoop
          yield* Fiber.interrupt(fiber)
          const exit = yield* Fiber.await(fiber)
          assert.isTrue(Exit.isFailure(exit) && Exit.hasInterrupts(exit))
          assert.deepStrictEqual(heard, ["response-metadata", "text-start", "text-delta a", "text-delta b"])
          // and is there for the next request
          const { parts } = yield* ask
          assert.include(parts.map(brief), "text-delta c")
        })
      )
    )

    it.effect("answers many at once, each with its own", () =>
      answering(
        Array.from({ length: 20 }, (_, i) => ({ text: [`${i}:`, String(i)] })),
        Effect.gen(function* () {
          const model = yield* LanguageModel.LanguageModel
          const texts = yield* Effect.forEach(
            Array.from({ length: 20 }),
            () => Effect.map(model.generateText({ prompt: "Hi" }), ({ text }) => text),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(texts.sort(), Array.from({ length: 20 }, (_, i) => `${i}:${i}`).sort())
        })
      )
    )

    it.effect("gives an agent the messages that any other model would", () =>
      Effect.gen(function* () {
        const layer = yield* subject.layer([
          { reasoning: ["hm"], text: ["Let me see."], calls: [rome], usage: [1, 2] },
          { text: ["It ", "rains."], usage: [3, 4] }
        ])
        const agent = LlmAgent.make("Forecaster", { toolkit, model: layer })
        const replies = yield* agent.trigger("How is it in Rome?")
        const known = yield* Stream.runCollect(Stream.map(replies, (promise) => promise.known))
        const messages = yield* replies.messages
        assert.deepStrictEqual(
          messages.map((message) => `${message._tag}: ${message}`),
          [
            "Reasoning: hm",
            "Assistant: Let me see.",
            'ToolCall: weather({"city":"Rome"})',
            "ToolResult: rain in Rome",
            "Assistant: It rains."
          ]
        )
        assert.deepStrictEqual(
          known.map(({ agent, model }) => [agent, model]).filter(([, model]) => model !== undefined),
          [
            ["Forecaster", "test-model"],
            ["Forecaster", "test-model"],
            ["Forecaster", "test-model"],
            ["Forecaster", "test-model"]
          ]
        )
        const assistants = messages.filter((message) => message instanceof Message.Assistant)
        assert.deepStrictEqual(
          assistants.map(({ finishReason, usage }) => [finishReason, usage]),
          [
            ["tool-calls", { inputTokens: 1, outputTokens: 2 }],
            ["stop", { inputTokens: 3, outputTokens: 4 }]
          ]
        )
      }).pipe(Effect.provide([MiniAgents.layer(), handlers]))
    )
  })
}

/** A part in a few words; the pieces of a call's parameters are the providers' own affair. */
const brief = (part: Response.AnyPart | undefined): string => {
  if (part === undefined) return "nothing"
  if ("delta" in part) return `${part.type} ${part.delta}`
  return part.type === "finish" ? `finish ${part.reason}` : part.type
}

/** Sockets are read between turns. */
const turnOfTheEventLoop: Effect.Effect<void> = Effect.callback(
  (resume) => void setImmediate(() => resume(Effect.void))
)
