/** Several agents or models with the same task: the first to produce a token is heard. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schema, Stream } from "effect"
import { AiError, LanguageModel } from "effect/ai"
import { TestClock } from "effect/testing"
import type { InteractionContext } from "miniagents"
import { Agent, MiniAgents } from "miniagents"
import { Budget, LlmAgent, Race } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

/** What is not counted here. */
const rest = { cacheReadTokens: 0, cacheWriteTokens: 0, cost: 0 }

const { pause, text, tokens, turn } = ScriptedModel

const overloaded = ScriptedModel.fail(new AiError.InternalProviderError({ description: "overloaded" }))

const agent = (name: string, ...steps: ReadonlyArray<ScriptedModel.Step>) =>
  LlmAgent.make(name, { model: ScriptedModel.layer([turn(...steps)]) })

class Lost extends Schema.TaggedError<Lost>()("Lost", {}) {}

describe("Race.agents", () => {
  it.effect("replies with the replies of the first that says anything, to the end", () =>
    Effect.gen(function* () {
      const slow = agent("Slow", pause("5 minutes"), text("slow"))
      const fast = agent("Fast", tokens(["fa", "st"], "1 minute"))
      const budget = yield* Budget.make({})
      const replies = yield* Race.agents("Either", [slow, fast]).trigger("12345678").pipe(Budget.withBudget(budget))
      const fiber = yield* Effect.forkChild(replies.text)
      yield* TestClock.adjust("90 seconds")
      assert.deepStrictEqual(yield* budget.usage, { calls: 2, inputTokens: 4, outputTokens: 1, ...rest })
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* Fiber.join(fiber), "fast")
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("interrupts the others when it has heard the first", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const silent = Agent.make("Silent", () =>
        Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
      )
      const talker = agent("Talker", text("here"), ScriptedModel.hang)
      const call = yield* Race.agents("Either", [silent, talker]).call()
      const replies = yield* call.replies()
      yield* Deferred.await(interrupted)
      yield* call.interrupt
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(replies.messages)))
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("one that fails before it says anything does not win, and its type is in the type", () =>
    Effect.gen(function* () {
      const lost = Agent.make("Lost", () => Effect.fail(new Lost()))
      const slow = Agent.make("Slow", (ctx) => Effect.andThen(Effect.sleep("1 minute"), ctx.reply("here")))
      const either = Race.agents("Either", [lost, slow])
      expectTypeOf(either).toExtend<Agent.Agent<{}, Lost | InteractionContext.Upstream, MiniAgents.MiniAgents>>()
      const fiber = yield* Effect.forkChild(Effect.flatMap(either.trigger("go"), (replies) => replies.text))
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* Fiber.join(fiber), "here")
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("fails when all of them do", () =>
    Effect.gen(function* () {
      const either = Race.agents("Either", [agent("A", overloaded), agent("B", overloaded)])
      const error = yield* Effect.flip((yield* either.trigger("go")).messages)
      assert.strictEqual(error._tag, "AiError")
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("interrupting it interrupts all of them", () =>
    Effect.gen(function* () {
      const call = yield* Race.agents("Either", [agent("A", ScriptedModel.hang), agent("B", ScriptedModel.hang)]).call()
      const replies = yield* call.replies()
      yield* TestClock.adjust("1 minute")
      yield* call.interrupt
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(replies.messages)))
      yield* Effect.yieldNow
      assert.strictEqual(yield* MiniAgents.running, 0)
    }).pipe(Effect.provide(MiniAgents.layer()))
  )
})

describe("Race.models", () => {
  const scripted = (...steps: ReadonlyArray<ScriptedModel.Step>) =>
    Effect.map(ScriptedModel.make([turn(...steps)]), (script) => ({
      ...script,
      layer: Layer.succeed(LanguageModel.LanguageModel, script.model)
    }))

  it.effect("is one model, that of the first token, and the others are charged with their prompt", () =>
    Effect.gen(function* () {
      const slow = yield* scripted(pause("5 minutes"), text("slow"))
      const failed = yield* scripted(overloaded)
      const fast = yield* scripted(tokens(["fa", "st"], "1 minute"), ScriptedModel.usage(9, 9))
      const budget = yield* Budget.make({})
      const program = LlmAgent.make("A")
        .trigger("12345678")
        .pipe(
          Budget.withBudget(budget),
          Effect.flatMap((replies) => replies.text),
          Effect.provide([MiniAgents.layer(), Race.models([slow.layer, failed.layer, fast.layer])])
        )
      const fiber = yield* Effect.forkChild(program)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(yield* Fiber.join(fiber), "fast")
      assert.deepStrictEqual(yield* budget.usage, { calls: 3, inputTokens: 13, outputTokens: 9, ...rest })
      yield* Effect.all([slow.verify, failed.verify, fast.verify])
    })
  )

  it.effect("interrupts the requests of the others while the first goes on", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const end = Effect.asVoid(Deferred.succeed(interrupted, undefined))
      const streamText = () =>
        Stream.unwrap(
          Effect.as(
            Effect.addFinalizer(() => end),
            Stream.never
          )
        )
      const silent = Layer.effect(
        LanguageModel.LanguageModel,
        LanguageModel.make({ streamText, generateText: () => Effect.never })
      )
      const talker = yield* scripted(text("here"), ScriptedModel.hang)
      const fiber = yield* LanguageModel.streamText({ prompt: "x" }).pipe(
        Stream.runDrain,
        Effect.provide(Race.models([silent, talker.layer])),
        Effect.forkChild
      )
      yield* Deferred.await(interrupted)
      assert.isUndefined(fiber.pollUnsafe())
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("fails when all of them do", () =>
    Effect.gen(function* () {
      const all = [yield* scripted(overloaded), yield* scripted(overloaded)] as const
      const error = yield* LlmAgent.make("A")
        .trigger("go")
        .pipe(
          Effect.flatMap((replies) => Effect.flip(replies.messages)),
          Effect.provide([MiniAgents.layer(), Race.models([all[0].layer, all[1].layer])])
        )
      assert.strictEqual(error._tag, "AiError")
    })
  )
})
