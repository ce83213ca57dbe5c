/** Agents that speak with a model: what they send, what they reply while it streams, and how they fail. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Context, DateTime, Effect, Exit, Fiber, Layer, Logger, Schema, Stream } from "effect"
import { AiError, LanguageModel, Model } from "effect/ai"
import { TestClock } from "effect/testing"
import type { InteractionContext, MessageSequence } from "miniagents"
import { Agent, Message, MessagePromise, MiniAgents } from "miniagents"
import type { Budget } from "miniagents/llm"
import { LlmAgent, LlmMessage, LlmPrompt } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const { reasoning, text, tokens, turn, usage } = ScriptedModel

const run = <A, E>(
  turns: ReadonlyArray<ScriptedModel.Turn>,
  program: Effect.Effect<A, E, MiniAgents.MiniAgents | LanguageModel.LanguageModel | ScriptedModel.ScriptedModel>,
  options?: MiniAgents.Options
) => program.pipe(Effect.provide([MiniAgents.layer(options), ScriptedModel.layer(turns, { name: "m" })]))

const requests = Effect.flatMap(ScriptedModel.ScriptedModel, (script) => script.requests)

const overloaded = new AiError.InternalProviderError({ description: "overloaded" })

/** A message as its tag and its text. */
const brief = (message: Message.Message) => `${message._tag}: ${message}`

describe("LlmAgent", () => {
  it.effect("replies with the tokens of the model as they come, known to be of the agent and the model", () =>
    run(
      [turn(tokens(["Hel", "lo"], "1 minute"), usage(3, 5))],
      Effect.gen(function* () {
        const replies = yield* LlmAgent.make("Poet").trigger("Hi")
        const heads = yield* Effect.forkChild(Stream.runHead(replies), { startImmediately: true })
        yield* TestClock.adjust("1 second")
        const first = yield* Fiber.join(heads)
        assert.isTrue(first._tag === "Some")
        if (first._tag !== "Some") return
        assert.deepStrictEqual(first.value.known, { _tag: "Assistant", agent: "Poet", model: "m", step: 1 })
        const fiber = yield* Effect.forkChild(Stream.runCollect(first.value))
        yield* TestClock.adjust("2 minutes")
        assert.deepStrictEqual(yield* Fiber.join(fiber), ["Hel", "lo"])
        const [message] = yield* replies.messages
        assert.deepStrictEqual(
          { ...message },
          {
            _tag: "Assistant",
            content: "Hello",
            agent: "Poet",
            model: "m",
            step: 1,
            responseId: "m-1",
            finishReason: "stop",
            usage: { inputTokens: 3, outputTokens: 5 },
            metadata: {}
          }
        )
        assert.instanceOf(message, Message.Assistant)
      })
    )
  )

  it.effect("sends the system text of the agent, or of the call, and the messages with their roles", () =>
    run(
      [ScriptedModel.always(turn(text("ok")))],
      Effect.gen(function* () {
        const agent = LlmAgent.make("A", { system: "Be short" })
        yield* (yield* agent.trigger([Message.user("u"), Message.assistant("a"), "t", { n: 1 }])).messages
        yield* (yield* agent.trigger("x", { system: "Be long" })).messages
        yield* (yield* agent.fork({ parameters: { system: "Forked" } }).trigger("x")).messages
        yield* (yield* agent
          .trigger([Message.assistant("a"), Message.assistant("b")])
          .pipe(LlmPrompt.withRule(LlmPrompt.anthropic))).messages
        assert.deepStrictEqual(
          (yield* requests).map((request) => request.text.replaceAll(/\s+/g, " ")),
          [
            'system: Be short user: u assistant: a user: t user: ```json { "n": 1 } ```',
            "system: Be long user: x",
            "system: Forked user: x",
            "system: Be short user: /start assistant: a b"
          ]
        )
      })
    )
  )

  it.effect("replies with reasoning and each text as messages of their own, the usage on the last text", () =>
    run(
      [turn(reasoning("h", "m"), text("one"), text("two"), usage(1, 2))],
      Effect.gen(function* () {
        const replies = yield* LlmAgent.make("A").trigger("go")
        const promises = yield* Stream.runCollect(replies)
        assert.deepStrictEqual(
          promises.map((promise) => promise.known._tag),
          ["Reasoning", "Assistant", "Assistant"]
        )
        const messages = yield* replies.messages
        assert.deepStrictEqual(messages.map(brief), ["Reasoning: hm", "Assistant: one", "Assistant: two"])
        assert.instanceOf(messages[0], LlmMessage.Reasoning)
        assert.deepStrictEqual(
          messages.map((message) => message instanceof Message.Assistant && message.usage?.outputTokens),
          [false, undefined, 2]
        )
      })
    )
  )

  it.effect("says why the model said nothing", () =>
    run(
      [turn(ScriptedModel.finish("content-filter"))],
      Effect.gen(function* () {
        const [message] = yield* (yield* LlmAgent.make("A").trigger("go")).messages
        assert.instanceOf(message, Message.Assistant)
        assert.deepInclude({ ...message }, { content: "", finishReason: "content-filter" })
      })
    )
  )

  it.effect("fails before the first token with the model's own error, and with nothing else", () =>
    run(
      [turn(ScriptedModel.fail(overloaded))],
      Effect.gen(function* () {
        const replies = yield* LlmAgent.make("A").trigger("go")
        const error = yield* Effect.flip(replies.messages)
        assert.isTrue(error._tag === "AiError" && error.reason === overloaded)
      })
    )
  )

  it.effect("keeps the tokens before a failure in the middle, which stands in that message once", () =>
    run(
      [turn(text("before"), tokens(["par", "tial"]), ScriptedModel.fail(overloaded))],
      Effect.gen(function* () {
        const messages = yield* (yield* LlmAgent.make("A").trigger("go", {}, { errorsAsMessages: true })).messages
        assert.deepStrictEqual(messages.map(brief), [
          "Assistant: before",
          "Failure: partial\n\nAiError: ScriptedModel.streamText: Internal provider error: overloaded"
        ])
      })
    )
  )

  type Replies = MessageSequence.MessageSequence<AiError.AiError | Budget.BudgetExceeded>
  const ways: Record<string, readonly [(replies: Replies) => Effect.Effect<unknown, unknown>, reports: number]> = {
    "nobody reads it": [() => Effect.void, 1],
    "only the replies are drained": [Stream.runDrain, 0],
    "only the message is read": [
      (replies) =>
        Effect.flatMap(Stream.runHead(replies), (head) =>
          Effect.fromOption(head).pipe(Effect.flatMap(Stream.runDrain))
        ),
      0
    ],
    "all of it is read": [(replies) => replies.messages, 0]
  }

  for (const [how, [read, reports]] of Object.entries(ways)) {
    it.effect(
      `a failure in the middle of a text is that of the run as well, and is reported ${reports} times when ${how}`,
      () =>
        Effect.gen(function* () {
          const logged: Array<string> = []
          const logger = Logger.make(({ message }) => void logged.push(String(message)))
          yield* run(
            [turn(text("half a "), ScriptedModel.fail(new AiError.InternalProviderError({ description: "down" })))],
            Effect.gen(function* () {
              const replies = yield* LlmAgent.make("A").trigger("go")
              const exit = yield* Effect.exit(read(replies))
              if (reports === 0) assert.include(String(exit), "down")
              yield* MiniAgents.running.pipe(Effect.repeat({ until: (running) => running === 0 }))
            })
          ).pipe(Effect.provide(Logger.layer([logger])))
          assert.lengthOf(
            logged.filter((line) => line.startsWith("Nobody read this failure")),
            reports
          )
        })
    )
  }

  it.effect("fails with what its input fails with", () =>
    run(
      [],
      Effect.gen(function* () {
        const input = Stream.concat(Stream.make("a"), Stream.fail("no input" as const))
        const replies = yield* LlmAgent.make("A").trigger(input)
        expectTypeOf(Effect.flip(replies.messages)).toEqualTypeOf<
          Effect.Effect<AiError.AiError | Budget.BudgetExceeded | "no input", ReadonlyArray<Message.Message>>
        >()
        assert.strictEqual(yield* Effect.flip(replies.messages), "no input")
      })
    )
  )

  it.effect("ends the request when it is interrupted, and leaves no fiber", () =>
    run(
      [turn(text("wait"), ScriptedModel.hang)],
      Effect.gen(function* () {
        const call = yield* LlmAgent.make("A").call()
        yield* call.send("go")
        const replies = yield* call.replies()
        const head = yield* Stream.runHead(replies)
        assert.isTrue(head._tag === "Some")
        yield* call.interrupt
        const exit = yield* Effect.exit(replies.messages)
        assert.isTrue(Exit.hasInterrupts(exit))
        assert.strictEqual(yield* MiniAgents.running, 0)
      })
    )
  )

  it.effect("ends with a defect of the model, and no reader hangs", () =>
    run(
      [],
      Effect.gen(function* () {
        const exit = yield* Effect.exit((yield* LlmAgent.make("A").trigger("go")).messages)
        assert.isTrue(Exit.hasDies(exit))
      })
    )
  )

  it.effect("takes its model from its options, for each call", () =>
    Effect.gen(function* () {
      const model = ScriptedModel.layer([turn(text("mine"))], { name: "own" })
      const agent = LlmAgent.make("A", { model })
      expectTypeOf(agent).toEqualTypeOf<
        Agent.Agent<LlmAgent.Parameters, AiError.AiError | Budget.BudgetExceeded | InteractionContext.Upstream, never>
      >()
      const all = [yield* agent.trigger("a"), yield* agent.trigger("b")]
      const messages = (yield* Effect.forEach(all, (replies) => replies.messages)).flat()
      assert.deepStrictEqual(
        messages.map((message) => message instanceof Message.Assistant && message.model),
        ["own", "own"]
      )
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("can choose its model by its parameters", () =>
    Effect.gen(function* () {
      class Name extends Context.Service<Name, string>()("Name") {}
      const agent = LlmAgent.makeWith("A", {
        parameters: { model: Schema.String },
        model: ({ model }) =>
          Layer.unwrap(Effect.map(Name, (name) => ScriptedModel.layer([turn(text(name))], { name: model })))
      })
      const mine = agent.fork({ parameters: { model: "m2" } })
      const replies = yield* mine.trigger("go").pipe(Effect.provideService(Name, "Ann"))
      assert.deepInclude({ ...(yield* replies.messages)[0] } as object, { content: "Ann", model: "m2" })
      // @ts-expect-error the model has to be given
      const wrong = () => agent.trigger("go")
      assert.isFunction(wrong)
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("works with any LanguageModel, also one that says no more than its deltas", () =>
    Effect.gen(function* () {
      const replies = yield* LlmAgent.make("A").trigger("go")
      assert.deepStrictEqual(
        (yield* replies.messages).map((message) => ({ ...message })),
        [{ _tag: "Assistant", content: "ab", agent: "A", step: 1, metadata: {} } as never]
      )
    }).pipe(
      Effect.provide([
        MiniAgents.layer(),
        Layer.effect(
          LanguageModel.LanguageModel,
          LanguageModel.make({
            generateText: () => Effect.succeed([]),
            streamText: () =>
              Stream.fromIterable(["a", "b"]).pipe(
                Stream.map((delta) => ({ type: "text-delta" as const, id: "1", delta }))
              )
          })
        )
      ])
    )
  )

  it.effect("keeps what came together with an error, and the error", () =>
    Effect.gen(function* () {
      const replies = yield* LlmAgent.make("A").trigger("go")
      const seen: Array<string> = []
      const read = Stream.runForEach(replies, (promise) =>
        Stream.runForEach(promise, (token) => Effect.sync(() => seen.push(token)))
      )
      const error = yield* Effect.flip(read)
      assert.isTrue(error._tag === "AiError" && error.reason._tag === "UnknownError")
      assert.deepStrictEqual(seen, ["half"])
    }).pipe(
      Effect.provide([
        MiniAgents.layer(),
        Layer.effect(
          LanguageModel.LanguageModel,
          LanguageModel.make({
            generateText: () => Effect.never,
            streamText: () =>
              Stream.fromArray([
                { type: "text-start", id: "1" },
                { type: "text-delta", id: "1", delta: "half" },
                { type: "error", error: "broken" }
              ])
          })
        )
      ])
    )
  )

  it.effect("a part of the stream that is an error is the failure", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip((yield* LlmAgent.make("A").trigger("go")).messages)
      assert.isTrue(error._tag === "AiError" && error.reason._tag === "UnknownError")
    }).pipe(
      Effect.provide([
        MiniAgents.layer(),
        ScriptedModel.layer([turn(text("a"), ScriptedModel.malformed({ type: "error", error: { code: 7 } }))])
      ])
    )
  )

  it.effect("does nothing before it is read in a lazy runtime, and whoever reads only promises gets all of them", () =>
    run(
      [turn(text("one"), text("two"))],
      Effect.gen(function* () {
        const replies = yield* LlmAgent.make("A").trigger("go")
        yield* TestClock.adjust("1 minute")
        assert.lengthOf(yield* requests, 0)
        const promises = yield* Stream.runCollect(replies)
        assert.deepStrictEqual(yield* Effect.forEach(promises, Stream.mkString), ["one", "two"])
        assert.strictEqual(yield* replies.text, "one\n\ntwo")
      }),
      { startSoon: false }
    )
  )

  it.effect("runs inside other agents, whose types carry what it fails with and requires", () =>
    run(
      [turn(text("deep"))],
      Effect.gen(function* () {
        const inner = LlmAgent.make("Inner")
        const outer = Agent.make(
          "Outer",
          Effect.fnUntraced(function* (ctx) {
            yield* ctx.reply(yield* inner.trigger(ctx.messages))
          })
        )
        expectTypeOf(outer).toEqualTypeOf<
          Agent.Agent<
            {},
            AiError.AiError | Budget.BudgetExceeded | InteractionContext.Upstream,
            LanguageModel.LanguageModel | MiniAgents.MiniAgents
          >
        >()
        assert.strictEqual(yield* (yield* outer.trigger("go")).text, "deep")
      })
    )
  )

  it.effect("a model of effect/ai with a name is known before it speaks", () =>
    Effect.gen(function* () {
      const named = Model.make("openai", "gpt", ScriptedModel.layer([turn(text("x"))]))
      const replies = yield* LlmAgent.make("A", { model: named }).trigger("go")
      const [promise] = yield* Stream.runCollect(replies)
      assert.isTrue(MessagePromise.isMessagePromise(promise))
      assert.strictEqual(promise?.known.model, "gpt")
    }).pipe(Effect.provide(MiniAgents.layer()))
  )
})

describe("LlmAgent.makeObject", () => {
  class Review extends Message.Class<Review>()("Review", { stars: Schema.Int, why: Schema.String }) {}

  it.effect("replies with a message of the class whose fields the model filled in", () =>
    run(
      [turn(text('{"stars":2,'), text('"why":"dull"}'))],
      Effect.gen(function* () {
        const [review] = yield* (yield* LlmAgent.makeObject("Critic", { schema: Review }).trigger("draft")).messages
        assert.instanceOf(review, Review)
        assert.deepEqual({ ...review }, { _tag: "Review", stars: 2, why: "dull", metadata: {} })
        assert.strictEqual((yield* requests)[0]?.responseFormat, "json")
      })
    )
  )

  it.effect("its object is read in its type, without a look at the classes of messages", () =>
    run(
      [
        turn(text('{"stars":2,"why":"dull"}')),
        turn(text('{"at":"2024-01-01T00:00:00.000Z"}')),
        turn(text('{"stars":1,"why":"-"}'))
      ],
      Effect.gen(function* () {
        const critic = LlmAgent.makeObject("Critic", { schema: Review })
        const review = yield* Effect.flatMap(critic.trigger("draft"), LlmAgent.objectOf(Review))
        expectTypeOf(review).toEqualTypeOf<Review>()
        assert.strictEqual(review.stars, 2)
        const schema = Schema.Struct({ at: Schema.DateTimeUtcFromString })
        const { at } = yield* Effect.flatMap(
          LlmAgent.makeObject("When", { schema }).trigger("go"),
          LlmAgent.objectOf(schema)
        )
        assert.strictEqual(DateTime.toEpochMillis(at), Date.UTC(2024, 0, 1))
        const none = Effect.flatMap(critic.trigger("draft"), LlmAgent.objectOf(schema))
        const error = yield* Effect.flip(none)
        assert.strictEqual(error._tag, "NoObject")
      })
    )
  )

  it.effect("replies with data for any other schema", () =>
    run(
      [turn(text('{"at":"2024-01-01T00:00:00.000Z"}'))],
      Effect.gen(function* () {
        const schema = Schema.Struct({ at: Schema.DateTimeUtcFromString })
        const [data] = yield* (yield* LlmAgent.makeObject("When", { schema }).trigger("go")).messages
        assert.deepEqual(
          { ...data },
          {
            _tag: "Data",
            data: { at: "2024-01-01T00:00:00.000Z" },
            metadata: { agent: "When", model: "m" }
          }
        )
      })
    )
  )

  it.effect.each(['{"stars":"many"}', "I would rather not", ""])(
    "fails for %j with an error that holds the text",
    (said) =>
      run(
        [turn(text(said))],
        Effect.gen(function* () {
          const error = yield* Effect.flip(
            (yield* LlmAgent.makeObject("Critic", { schema: Review }).trigger("x")).messages
          )
          assert.isTrue(error._tag === "AiError" && error.reason._tag === "StructuredOutputError")
          if (error._tag !== "AiError" || error.reason._tag !== "StructuredOutputError") return
          assert.strictEqual(error.reason.responseText, said)
        })
      )
  )
})
