/** Combinators on models: retries, time-outs, limits, and other models that go on where one broke off. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, ExecutionPlan, Exit, Fiber, Layer, Logger, Stream, Tracer } from "effect"
import { AiError, LanguageModel } from "effect/ai"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Message, MiniAgents } from "miniagents"
import { Budget, LlmAgent, ModelLayer } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const { always, text, tokens, turn } = ScriptedModel

const overloaded = new AiError.InternalProviderError({ description: "overloaded" })
const refused = new AiError.InvalidRequestError({ description: "no" })
const limited = new AiError.RateLimitError({ retryAfter: Duration.seconds(30) })

const requests = Effect.flatMap(ScriptedModel.ScriptedModel, (script) => script.requests)

/** What an agent says, with the errors as messages. */
const ask = Effect.gen(function* () {
  const replies = yield* LlmAgent.make("A").trigger("go", {}, { errorsAsMessages: true })
  return yield* replies.text
})

const provide = <A, E, R, A2, E2>(effect: Effect.Effect<A, E, R>, model: Layer.Layer<A2, E2>) =>
  Effect.provide(effect, [MiniAgents.layer(), model])

/** Runs a program while the clock goes on by a day. */
const inTime = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(program)
    yield* TestClock.adjust("1 day")
    return yield* Fiber.join(fiber)
  })

describe("ModelLayer.retry", () => {
  it.effect("asks again after a failure before the first token that may pass, waiting longer each time", () =>
    provide(
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(ask)
        const counts: Array<number> = []
        for (const seconds of [0, 1, 2, 4]) {
          yield* TestClock.adjust(Duration.seconds(seconds))
          counts.push((yield* requests).length)
        }
        assert.deepStrictEqual(counts, [1, 2, 3, 4])
        assert.strictEqual(yield* Fiber.join(fiber), "at last")
      }),
      ScriptedModel.layer([
        ...Array.from({ length: 3 }, () => turn(ScriptedModel.fail(overloaded))),
        turn(text("at last"))
      ]).pipe(ModelLayer.retry())
    )
  )

  it.effect("waits as long as the provider asks", () =>
    provide(
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(ask)
        yield* TestClock.adjust("29 seconds")
        assert.lengthOf(yield* requests, 1)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(fiber), "ok")
      }),
      ScriptedModel.layer([turn(ScriptedModel.fail(limited)), turn(text("ok"))]).pipe(ModelLayer.retry())
    )
  )

  const wait = new AiError.RateLimitError({ retryAfter: Duration.seconds(198_300) })

  it.effect("a provider that wants to wait longer than is allowed is a failure at once, which says how long", () =>
    provide(
      Effect.gen(function* () {
        assert.include(yield* ask, "Retry after 2d 7h 5m")
        const error = yield* Effect.flip(LanguageModel.generateText({ prompt: "go" }))
        assert.strictEqual(error.reason, wait)
        assert.lengthOf(yield* requests, 2)
      }),
      ScriptedModel.layer([always(turn(ScriptedModel.fail(wait)))]).pipe(ModelLayer.retry())
    )
  )

  it.effect("what a failed request holds is given back before the next one", () =>
    Effect.gen(function* () {
      const held: Array<string> = []
      const streamText = () =>
        Stream.unwrap(
          Effect.as(
            Effect.acquireRelease(
              Effect.sync(() => held.push("open")),
              () => Effect.sync(() => held.push("closed"))
            ),
            Stream.fail(AiError.make({ module: "x", method: "x", reason: overloaded }))
          )
        )
      const broken = LanguageModel.make({ streamText, generateText: () => Effect.never })
      const model = Layer.effect(LanguageModel.LanguageModel, broken).pipe(ModelLayer.retry({ times: 1 }))
      const fiber = yield* Effect.forkChild(Effect.exit(provide(ask, model)), { startImmediately: true })
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(held, ["open", "closed"])
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(held, ["open", "closed", "open", "closed"])
    })
  )

  it.effect("unless so much is allowed", () =>
    provide(
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(ask)
        yield* TestClock.adjust("3 days")
        assert.strictEqual(yield* Fiber.join(fiber), "ok")
      }),
      ScriptedModel.layer([turn(ScriptedModel.fail(wait)), turn(text("ok"))]).pipe(
        ModelLayer.retry({ maxWait: "198300 seconds" })
      )
    )
  )

  it.effect.each([
    ["after the first token", [text("par"), ScriptedModel.fail(overloaded)]],
    ["for a reason that does not pass", [ScriptedModel.fail(refused)]]
  ] as const)("does not ask again %s", ([, steps]) =>
    provide(
      Effect.gen(function* () {
        assert.include(yield* inTime(ask), "AiError")
        assert.lengthOf(yield* requests, 1)
      }),
      ScriptedModel.layer([turn(...steps)]).pipe(ModelLayer.retry())
    )
  )

  it.effect("gives up after so many times, with the last error; whole responses are retried as well", () =>
    provide(
      Effect.gen(function* () {
        assert.include(yield* inTime(ask), "overloaded")
        assert.lengthOf(yield* requests, 3)
        const error = yield* inTime(Effect.flip(LanguageModel.generateText({ prompt: "go" })))
        assert.strictEqual(error.reason, overloaded)
        assert.lengthOf(yield* requests, 6)
      }),
      ScriptedModel.layer([always(turn(ScriptedModel.fail(overloaded)))]).pipe(ModelLayer.retry({ times: 2 }))
    )
  )
})

/** What is logged, in the span and in the budget while a program runs. */
const noticed = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const logged: Array<string> = []
    const events: Array<readonly [string, unknown]> = []
    const logger = Logger.make(({ message }) => void logged.push(String(message)))
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        span.event = (name, _, attributes) => void events.push([name, attributes?.["error.type"]])
        return span
      }
    })
    const budget = yield* Budget.make({})
    yield* program.pipe(
      Budget.withBudget(budget),
      Effect.provide(Logger.layer([logger])),
      Effect.withTracer(tracer),
      Effect.withTracerEnabled(true)
    )
    return { logged, events, usage: yield* budget.usage }
  })

describe("what is seen of lost requests", () => {
  it.effect("a retry is a warning, an event of the agent's span, and a call in the budget", () =>
    provide(
      Effect.gen(function* () {
        const { events, logged, usage } = yield* noticed(inTime(ask))
        assert.deepStrictEqual(logged, [
          `A model failed, and the request is made again in 1s (1 of 3): ScriptedModel.streamText: ${overloaded.message}`,
          `A model failed, and the request is made again in 30s (2 of 3): ScriptedModel.streamText: ${limited.message}`
        ])
        assert.deepStrictEqual(events, [
          ["model.retry", "InternalProviderError"],
          ["model.retry", "RateLimitError"]
        ])
        assert.deepInclude(usage, { calls: 3, inputTokens: 1, outputTokens: 1 })
      }),
      ScriptedModel.layer([
        turn(ScriptedModel.fail(overloaded)),
        turn(ScriptedModel.fail(limited)),
        turn(text("ok"))
      ]).pipe(ModelLayer.retry())
    )
  )

  it.effect("so is another model that takes over, with what the one before it has cost", () =>
    Effect.gen(function* () {
      const one = ScriptedModel.layer([turn(tokens(["12345678"]), ScriptedModel.fail(overloaded))], { name: "one" })
      const two = ScriptedModel.layer([turn(text("x"), ScriptedModel.usage(100, 7))], { name: "two" })
      const model = ModelLayer.fallback(ExecutionPlan.make({ provide: one }, { provide: two }))
      const { events, logged, usage } = yield* noticed(provide(ask, model))
      assert.deepStrictEqual(logged, [
        `A model failed, and \`two\` takes over: ScriptedModel.streamText: ${overloaded.message}`
      ])
      assert.deepStrictEqual(events, [["model.fallback", "InternalProviderError"]])
      assert.deepInclude(usage, { calls: 2, inputTokens: 101, outputTokens: 9 })
    })
  )

  it.effect("whole responses as well", () =>
    Effect.gen(function* () {
      const one = ScriptedModel.layer([turn(ScriptedModel.fail(overloaded)), turn(ScriptedModel.fail(refused))])
      const two = ScriptedModel.layer([turn(text("x"))], { name: "two" })
      const model = ModelLayer.fallback(ExecutionPlan.make({ provide: one.pipe(ModelLayer.retry()) }, { provide: two }))
      const program = LanguageModel.generateText({ prompt: "x" }).pipe(Effect.provide(model))
      const { logged, usage } = yield* noticed(inTime(program))
      assert.deepStrictEqual(logged, [
        `A model failed, and the request is made again in 1s (1 of 3): ScriptedModel.streamText: ${overloaded.message}`,
        `A model failed, and \`two\` takes over: ScriptedModel.streamText: ${refused.message}`
      ])
      assert.strictEqual(usage.calls, 2)
    })
  )
})

describe("ModelLayer.timeouts", () => {
  const limits = ModelLayer.timeouts({ firstToken: "2 minutes", betweenTokens: "1 minute" })

  it.effect("gives up a model that says nothing, or nothing any more, with an error that may be retried", () =>
    provide(
      Effect.gen(function* () {
        assert.include(yield* inTime(ask), "nothing came within 2m")
        assert.match(yield* inTime(ask), /^par\n\nAiError.*nothing came within 1m/s)
      }),
      ScriptedModel.layer([turn(ScriptedModel.hang), turn(text("par"), ScriptedModel.hang)]).pipe(limits)
    )
  )

  it.effect("lets a slow but steady model speak", () =>
    provide(
      Effect.gen(function* () {
        assert.strictEqual(yield* inTime(ask), "abc")
      }),
      ScriptedModel.layer([turn(ScriptedModel.pause("1 minute"), tokens(["a", "b", "c"], "59 seconds"))]).pipe(limits)
    )
  )

  it.effect("and a retry asks again", () =>
    provide(
      Effect.gen(function* () {
        assert.strictEqual(yield* inTime(ask), "there")
      }),
      ScriptedModel.layer([turn(ScriptedModel.hang), turn(text("there"))]).pipe(limits, ModelLayer.retry())
    )
  )
})

describe("ModelLayer limits", () => {
  it.effect("so many requests run at the same time, and an interrupted one leaves its place", () =>
    provide(
      Effect.gen(function* () {
        const call = yield* LlmAgent.make("A").call()
        const replies = yield* call.replies()
        const others = yield* Effect.forkChild(Effect.all([ask, ask], { concurrency: "unbounded" }))
        yield* TestClock.adjust("1 second")
        assert.lengthOf(yield* requests, 1)
        yield* call.interrupt
        assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(replies.messages)))
        yield* TestClock.adjust("1 second")
        assert.lengthOf(yield* requests, 2)
        yield* TestClock.adjust("2 minutes")
        assert.deepStrictEqual(yield* Fiber.join(others), ["x", "x"])
      }),
      ScriptedModel.layer([turn(ScriptedModel.hang), always(turn(tokens(["x"], "1 minute")))]).pipe(
        ModelLayer.concurrency(1)
      )
    )
  )

  it.effect.each(["streamed", "whole"] as const)("a %s request that waits for its turn can be interrupted", (how) =>
    Effect.gen(function* () {
      const model = yield* LanguageModel.LanguageModel
      const running = yield* Effect.forkChild(Stream.runDrain(model.streamText({ prompt: "first" })), {
        startImmediately: true
      })
      const request =
        how === "whole" ? model.generateText({ prompt: "x" }) : Stream.runDrain(model.streamText({ prompt: "x" }))
      const queued = yield* Effect.forkChild(Effect.asVoid(request), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.lengthOf(yield* requests, 1)
      const interrupted = yield* Effect.forkChild(Fiber.interrupt(queued), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.isDefined(interrupted.pollUnsafe())
      yield* Fiber.interrupt(running)
      // its place was not taken, and the one that ran has left it
      yield* Stream.runDrain(model.streamText({ prompt: "last" }))
      assert.lengthOf(yield* requests, 2)
    }).pipe(
      Effect.provide(ScriptedModel.layer([turn(ScriptedModel.hang), turn(text("x"))]).pipe(ModelLayer.concurrency(1)))
    )
  )

  it.effect("the limit is shared by all that use the Layer, also where it is built anew", () =>
    Effect.gen(function* () {
      const model = ScriptedModel.layer([turn(tokens(["x"], "1 minute"))]).pipe(ModelLayer.concurrency(1))
      const agent = LlmAgent.make("A", { model })
      const all = yield* Effect.forEach([1, 2], () => agent.trigger("go"))
      const fiber = yield* Effect.forkChild(
        Effect.forEach(all, (replies) => Effect.timed(replies.messages), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("2 minutes")
      const times = (yield* Fiber.join(fiber)).map(([duration]) => Duration.toMinutes(duration))
      assert.deepStrictEqual(times, [1, 2])
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("so many requests in a time", () =>
    provide(
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Effect.all([ask, ask, ask], { concurrency: "unbounded" }))
        yield* TestClock.adjust("1 second")
        assert.lengthOf(yield* requests, 2)
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
      }),
      ScriptedModel.layer([always(turn(text("x")))]).pipe(
        ModelLayer.rateLimit({ key: "provider", limit: 2, window: "1 minute" }),
        Layer.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))
      )
    )
  )
})

describe("ModelLayer.fallback", () => {
  const script = (turns: ReadonlyArray<ScriptedModel.Turn>, name: string) =>
    Effect.map(ScriptedModel.make(turns, { name }), (script) => ({
      requests: script.requests,
      verify: script.verify,
      provide: Layer.succeed(LanguageModel.LanguageModel, script.model)
    }))

  it.effect("goes to the next model before the first token, as often as the plan says", () =>
    Effect.gen(function* () {
      const one = yield* script([turn(ScriptedModel.fail(overloaded)), turn(ScriptedModel.fail(refused))], "one")
      const two = yield* script([turn(text("from two"))], "two")
      const model = ModelLayer.fallback(
        ExecutionPlan.make({ provide: one.provide, attempts: 2 }, { provide: two.provide })
      )
      assert.strictEqual(yield* provide(ask, model), "from two")
      yield* Effect.all([one.verify, two.verify])
    })
  )

  it.effect("goes on in the middle, in the same message, with what was said given to the next", () =>
    Effect.gen(function* () {
      const one = yield* script([turn(tokens(["Once ", "upon "]), ScriptedModel.fail(overloaded))], "one")
      const two = yield* script([turn(tokens(["a ", "time"]), ScriptedModel.usage(7, 2))], "two")
      const model = ModelLayer.fallback(ExecutionPlan.make({ provide: one.provide }, { provide: two.provide }))
      yield* provide(
        Effect.gen(function* () {
          const replies = yield* LlmAgent.make("A").trigger("a story")
          const messages = yield* replies.messages
          assert.deepStrictEqual(messages.map(String), ["Once upon a time"])
          assert.isTrue(messages[0] instanceof Message.Assistant && messages[0].usage?.inputTokens === 7)
          const parts = yield* Stream.runCollect(replies)
          assert.lengthOf(parts, 1)
        }),
        model
      )
      assert.strictEqual((yield* two.requests)[0]?.text, "user: a story\nassistant: Once upon ")
    })
  )

  it.effect("the parts it gives make one text for anyone who reads them", () =>
    Effect.gen(function* () {
      const one = yield* script([turn(text("a"), ScriptedModel.fail(overloaded))], "one")
      const two = yield* script([turn(ScriptedModel.reasoning("hm"), text("b"))], "two")
      const model = ModelLayer.fallback(ExecutionPlan.make({ provide: one.provide }, { provide: two.provide }))
      const parts = yield* LanguageModel.streamText({ prompt: "x" }).pipe(Stream.runCollect, Effect.provide(model))
      assert.deepStrictEqual(
        parts.flatMap((part) => (part.type.startsWith("text") && "id" in part ? [`${part.type} ${part.id}`] : [])),
        ["text-start 0", "text-delta 0", "text-delta 0", "text-end 0"]
      )
    }).pipe(Effect.asVoid)
  )

  it.effect("fails with the last error when nobody is left, and never takes over after a tool call", () =>
    Effect.gen(function* () {
      const failing = (...steps: ReadonlyArray<ScriptedModel.Step>) =>
        script([turn(...steps, ScriptedModel.fail(refused))], "failing")
      const both = [yield* failing(text("a")), yield* failing(text("b"))] as const
      const model = ModelLayer.fallback(ExecutionPlan.make({ provide: both[0].provide }, { provide: both[1].provide }))
      assert.match(yield* provide(ask, model), /^ab\n\nAiError/)
      const called = yield* failing(ScriptedModel.toolCall("T", {}))
      const unused = yield* script([], "unused")
      const plan = ExecutionPlan.make({ provide: called.provide }, { provide: unused.provide })
      const stream = LanguageModel.streamText({
        prompt: "x",
        disableToolCallResolution: true,
        toolCallValidation: "deferred"
      })
      const error = yield* Effect.flip(Stream.runDrain(stream)).pipe(Effect.provide(ModelLayer.fallback(plan)))
      assert.strictEqual(error.reason, refused)
    })
  )

  it.effect("where going on is switched off, a failure after the first token is that of the request", () =>
    Effect.gen(function* () {
      const failing = (...steps: ReadonlyArray<ScriptedModel.Step>) => script([turn(...steps)], "failing")
      const unused = yield* script([], "unused")
      const said = yield* failing(tokens(["Once ", "upon "]), ScriptedModel.fail(overloaded))
      const thought = yield* failing(ScriptedModel.reasoning("hm"), ScriptedModel.fail(overloaded))
      for (const one of [said, thought]) {
        const plan = ExecutionPlan.make({ provide: one.provide }, { provide: unused.provide })
        assert.include(yield* provide(ask, ModelLayer.fallback(plan, { goesOn: false })), "AiError")
      }
      const silent = yield* failing(ScriptedModel.fail(overloaded))
      const next = yield* script([turn(text("two"))], "two")
      const plan = ExecutionPlan.make({ provide: silent.provide }, { provide: next.provide })
      assert.strictEqual(yield* provide(ask, ModelLayer.fallback(plan, { goesOn: false })), "two")
    })
  )

  it.effect("whole responses go to the next model as well", () =>
    Effect.gen(function* () {
      const one = yield* script([turn(ScriptedModel.fail(overloaded))], "one")
      const two = yield* script([turn(text("two"))], "two")
      const model = ModelLayer.fallback(ExecutionPlan.make({ provide: one.provide }, { provide: two.provide }))
      const response = yield* LanguageModel.generateText({ prompt: "x" }).pipe(Effect.provide(model))
      assert.strictEqual(response.text, "two")
    })
  )
})
