/** What a tree of agents may spend: reserved before each call, settled after it, and said as it goes. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schema, Stream } from "effect"
import { AiError } from "effect/ai"
import { TestClock } from "effect/testing"
import type { MessageSequence } from "miniagents"
import { Agent, MiniAgents } from "miniagents"
import { AgentTool, Budget, LlmAgent, LlmLogger } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

/** What is not counted here. */
const rest = { cacheReadTokens: 0, cacheWriteTokens: 0, cost: 0 }

const { always, text, tokens, turn, usage } = ScriptedModel

const provide = (turns: ReadonlyArray<ScriptedModel.Turn>) =>
  Effect.provide([MiniAgents.layer(), ScriptedModel.layer(turns, { name: "m" })])

const writer = LlmAgent.make("Writer")

/** Writes several times, one after the other. */
const many = (times: number) =>
  Agent.make(
    "Many",
    Effect.fnUntraced(function* (ctx) {
      for (let i = 0; i < times; i++) {
        const replies = yield* writer.trigger("x")
        yield* ctx.reply(replies)
        yield* Effect.ignore(replies.messages)
      }
    })
  )

/** What can be read, each message as its tag, and then what it fails with. */
const read = (replies: MessageSequence.MessageSequence<AiError.AiError | Budget.BudgetExceeded>) =>
  replies.pipe(
    Stream.mapEffect((promise) => promise.message),
    Stream.map((message) => message._tag),
    Stream.catch((error) => Stream.make(error instanceof Budget.BudgetExceeded ? error.message : "another")),
    Stream.runCollect
  )

describe("Budget", () => {
  it.effect("counts the calls and tokens of a whole tree, also of agents that are tools", () =>
    Effect.gen(function* () {
      const outer = LlmAgent.make("Outer", { toolkit: AgentTool.toolkit(AgentTool.make(writer)) })
      const budget = yield* Budget.make({})
      yield* (yield* outer.trigger("go").pipe(Budget.withBudget(budget))).messages
      assert.deepStrictEqual(yield* budget.usage, { calls: 3, inputTokens: 60, outputTokens: 6, ...rest })
    }).pipe(
      provide([
        turn(ScriptedModel.toolCall("Writer", { message: "a" }), usage(10, 1)),
        turn(text("b"), usage(20, 2)),
        turn(text("c"), usage(30, 3))
      ])
    )
  )

  it.effect("a call too many fails at its place, after what was said before", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ calls: 2 })
      const replies = yield* many(3).trigger().pipe(Budget.withBudget(budget))
      assert.deepStrictEqual(yield* read(replies), [
        "Assistant",
        "Assistant",
        "`Writer` needs 3 of `calls`, its budget allows 2"
      ])
      assert.strictEqual((yield* budget.usage).calls, 2)
    }).pipe(provide([always(turn(text("x")))]))
  )

  it.effect("calls at the same time cannot exceed it together", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ calls: 3 })
      const all = yield* Effect.forEach(Array.from({ length: 10 }), () => writer.trigger("x")).pipe(
        Budget.withBudget(budget)
      )
      const seen = yield* Effect.forEach(all, (replies) => Effect.exit(replies.messages), { concurrency: "unbounded" })
      assert.lengthOf(
        seen.filter((exit) => exit._tag === "Success"),
        3
      )
    }).pipe(provide([always(turn(text("x")))]))
  )

  it.effect("stops at so many tokens, as the provider says or, where it does not, as it seems", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ tokens: 100 })
      const replies = yield* many(3).trigger().pipe(Budget.withBudget(budget))
      assert.deepStrictEqual(yield* read(replies), [
        "Assistant",
        "Assistant",
        "`Writer` needs 101 of `tokens`, its budget allows 100"
      ])
    }).pipe(provide([turn(text("x"), usage(40, 10)), turn(text("x"), usage(40, 10))]))
  )

  it.effect("where the provider does not say, a piece of text is its length in tokens, streamed or whole", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({})
      const object = LlmAgent.makeObject("Object", { schema: Schema.Struct({ word: Schema.String }) })
      yield* (yield* writer.trigger("1234").pipe(Budget.withBudget(budget))).messages
      assert.strictEqual((yield* budget.usage).outputTokens, 10)
      yield* (yield* object.trigger("1234").pipe(Budget.withBudget(budget))).messages
      assert.strictEqual((yield* budget.usage).outputTokens, 20)
    }).pipe(provide([turn(text("1234".repeat(10))), turn(text(JSON.stringify({ word: "x".repeat(29) })))]))
  )

  it.effect("costs what the price says", () =>
    Effect.gen(function* () {
      const price: Budget.Price = ({ inputTokens, model, outputTokens }) =>
        model === "m" ? inputTokens * 2 + outputTokens * 10 : Number.NaN
      const budget = yield* Budget.make({ cost: 100 })
      const replies = yield* many(3)
        .trigger()
        .pipe(Budget.withBudget(budget), Effect.provideService(Budget.CurrentPrice, price))
      assert.deepStrictEqual(yield* read(replies), [
        "Assistant",
        "Assistant",
        "`Writer` needs 102 of `cost`, its budget allows 100"
      ])
      assert.strictEqual((yield* budget.usage).cost, 100)
    }).pipe(provide([turn(text("x"), usage(10, 3)), turn(text("x"), usage(10, 3))]))
  )

  it.effect("takes no price and no limit that is no number, which nothing would ever exceed", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ cost: 1 })
      const unknown: Budget.Price = ({ inputTokens }) => inputTokens * Number.NaN
      const replies = yield* writer
        .trigger("x")
        .pipe(Budget.withBudget(budget), Effect.provideService(Budget.CurrentPrice, unknown))
      const sentences = [yield* Effect.exit(replies.messages), yield* Effect.exit(Budget.make({ tokens: Number.NaN }))]
      assert.deepStrictEqual(
        sentences.map(
          (exit: Exit.Exit<unknown, unknown>) => Exit.isFailure(exit) && (Cause.squash(exit.cause) as Error).message
        ),
        ["`CurrentPrice` gave `NaN` for `m`: give a finite number", "`tokens` of a budget must be a number, got `NaN`"]
      )
    }).pipe(provide([]))
  )

  it.effect("cuts a stream off when its time is over, and keeps what was said", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ wallTime: "90 seconds" })
      const replies = yield* writer.trigger("x", {}, { errorsAsMessages: true }).pipe(Budget.withBudget(budget))
      const fiber = yield* Effect.forkChild(replies.text)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(
        yield* Fiber.join(fiber),
        "a\n\nBudgetExceeded: `Writer` needs 90000 ms of `wallTime`, its budget allows 90000 ms"
      )
      const late = yield* writer.trigger("x").pipe(Budget.withBudget(budget))
      assert.deepStrictEqual(yield* read(late), ["`Writer` needs 120000 ms of `wallTime`, its budget allows 90000 ms"])
    }).pipe(provide([turn(tokens(["a", "b", "c"], "1 minute"))]))
  )

  it.effect("stops agents that stand too deep", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({ depth: 1 })
      const replies = yield* many(1).trigger().pipe(Budget.withBudget(budget))
      assert.deepStrictEqual(yield* read(replies), ["`Writer` needs 2 of `depth`, its budget allows 1"])
      assert.deepStrictEqual(yield* read(yield* writer.trigger("x").pipe(Budget.withBudget(budget))), ["Assistant"])
    }).pipe(provide([turn(text("x"))]))
  )

  it.effect("a budget inside another is charged to both, and either can stop a call", () =>
    Effect.gen(function* () {
      const outer = yield* Budget.make({ calls: 3 })
      const inner = yield* Budget.make({ calls: 2 }).pipe(Budget.withBudget(outer))
      yield* read(yield* many(3).trigger().pipe(Budget.withBudget(inner)))
      assert.deepStrictEqual([(yield* inner.usage).calls, (yield* outer.usage).calls], [2, 2])
      const other = yield* Budget.make({}).pipe(Budget.withBudget(outer))
      assert.lengthOf(yield* read(yield* many(2).trigger().pipe(Budget.withBudget(other))), 2)
      assert.deepStrictEqual([(yield* other.usage).calls, (yield* outer.usage).calls], [1, 3])
    }).pipe(provide([always(turn(text("x")))]))
  )

  it.effect("says what is spent while a call still runs, and keeps it when the call fails or is interrupted", () =>
    Effect.gen(function* () {
      const budget = yield* Budget.make({})
      const call = yield* writer.call().pipe(Budget.withBudget(budget))
      yield* call.send("12345678")
      const replies = yield* call.replies()
      yield* TestClock.adjust("90 seconds")
      const running = { calls: 1, inputTokens: 2, outputTokens: 1, ...rest }
      assert.deepStrictEqual(yield* budget.usage, running)
      yield* call.interrupt
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(replies.messages)))
      assert.deepStrictEqual(yield* budget.usage, running)
      yield* read(yield* writer.trigger("1234").pipe(Budget.withBudget(budget)))
      assert.deepStrictEqual(yield* budget.usage, { calls: 2, inputTokens: 3, outputTokens: 2, ...rest })
    }).pipe(
      provide([
        turn(tokens(["a", "b", "c"], "1 minute")),
        turn(text("a"), ScriptedModel.fail(new AiError.InternalProviderError({ description: "x" })))
      ])
    )
  )

  it.effect("tokens that were cached reach the price and what is spent", () =>
    Effect.gen(function* () {
      const price: Budget.Price = ({ cacheReadTokens, cacheWriteTokens, inputTokens, outputTokens }) =>
        (inputTokens - cacheReadTokens - cacheWriteTokens) * 10 +
        cacheReadTokens +
        cacheWriteTokens * 12 +
        outputTokens * 50
      const budget = yield* Budget.make({})
      const asked = writer.trigger("x").pipe(Budget.withBudget(budget))
      yield* (yield* asked.pipe(Effect.provideService(Budget.CurrentPrice, price))).messages
      assert.deepStrictEqual(yield* budget.usage, {
        ...{ calls: 1, inputTokens: 100, outputTokens: 2, cacheReadTokens: 70, cacheWriteTokens: 10 },
        cost: 20 * 10 + 70 + 10 * 12 + 2 * 50
      })
    }).pipe(
      provide([
        turn(
          text("x"),
          ScriptedModel.cutOff,
          ScriptedModel.malformed({
            type: "finish",
            reason: "stop",
            usage: { inputTokens: { total: 100, cacheRead: 70, cacheWrite: 10 }, outputTokens: { total: 2 } }
          })
        )
      ])
    )
  )

  it.effect.each([
    [1, 5],
    [5, 1]
  ] as const)("of budgets of %d minutes around one of %d the nearer end counts", ([outside, inside]) =>
    Effect.gen(function* () {
      const outer = yield* Budget.make({ wallTime: `${outside} minutes` })
      const inner = yield* Budget.make({ wallTime: `${inside} minutes` }).pipe(Budget.withBudget(outer))
      const replies = yield* writer.trigger("x").pipe(Budget.withBudget(inner))
      const fiber = yield* Effect.forkChild(Effect.flip(replies.messages))
      yield* TestClock.adjust("59 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(fiber), { _tag: "BudgetExceeded", limit: "wallTime", allowed: 60_000 })
    }).pipe(provide([turn(ScriptedModel.hang)]))
  )

  const broken = new AiError.InternalProviderError({ description: "x" })

  /** Ways in which a request can end. */
  const ends: ReadonlyArray<readonly [string, ReadonlyArray<ScriptedModel.Step>, LlmLogger.Logger?]> = [
    ["it ends well", [text("x"), usage(5, 1)]],
    ["it fails before its first token", [ScriptedModel.fail(broken)]],
    ["it fails in the middle", [text("x"), ScriptedModel.fail(broken)]],
    ["it breaks off", [text("x"), ScriptedModel.cutOff]],
    ["it dies", [text("x"), ScriptedModel.malformed({ type: "text-delta" })]],
    ["it is interrupted", [text("x"), ScriptedModel.hang]],
    ["it is interrupted before it says anything", [ScriptedModel.hang]],
    ["its log cannot be opened", [], { open: () => Effect.die("no log") }],
    [
      "its log cannot be written",
      [text("x")],
      { open: () => Effect.succeed({ take: () => {}, end: () => Effect.die("no") }) }
    ]
  ]

  for (const [how, steps, logger] of ends) {
    it.effect(`no request is left open in a budget when ${how}`, () =>
      Effect.gen(function* () {
        // a price that can change tells what is settled, whose cost is final, from what is open
        let each = 1
        const budget = yield* Budget.make({})
        const call = yield* writer.call().pipe(
          Budget.withBudget(budget),
          Effect.provideService(Budget.CurrentPrice, () => each),
          Effect.provideService(LlmLogger.CurrentLoggers, logger === undefined ? [] : [logger])
        )
        const replies = yield* call.replies()
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* budget.usage).calls, 1)
        yield* call.interrupt
        yield* Effect.exit(replies.messages)
        each = 1000
        assert.strictEqual((yield* budget.usage).cost, 1)
      }).pipe(provide(steps.length === 0 ? [] : [turn(...steps)]))
    )
  }

  it.effect("as a Layer it is the budget of all that runs with it", () =>
    Effect.gen(function* () {
      const replies = yield* many(2).trigger()
      assert.lengthOf(yield* read(replies), 2)
      const budget = yield* Budget.CurrentBudget
      assert.strictEqual(budget && (yield* budget.usage).calls, 1)
    }).pipe(provide([turn(text("x"))]), Effect.provide(Budget.layer({ calls: 1 })))
  )
})
