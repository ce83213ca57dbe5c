/** A model that says what a test wrote down, records what it was asked, and complains about a script that does not fit. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Ref, Schema, Stream } from "effect"
import { AiError, LanguageModel, Model, Tool, Toolkit } from "effect/ai"
import { TestClock } from "effect/testing"
import { ScriptedModel } from "miniagents/testing"

const { text, tokens, turn } = ScriptedModel

/** The text of a stream so far, and how it ended. */
const read = (prompt: string) =>
  Effect.gen(function* () {
    const said = yield* Ref.make("")
    const fiber = yield* LanguageModel.streamText({ prompt }).pipe(
      Stream.runForEach((part) =>
        part.type === "text-delta" ? Ref.update(said, (text) => text + part.delta) : Effect.void
      ),
      Effect.exit,
      Effect.forkChild({ startImmediately: true })
    )
    return { said: Ref.get(said), exit: Fiber.join(fiber) }
  })

const overloaded = new AiError.InternalProviderError({ description: "overloaded" })

describe("ScriptedModel", () => {
  it.effect("answers each request with the next turn, streamed or whole", () =>
    Effect.gen(function* () {
      const first = yield* LanguageModel.generateText({ prompt: "one" })
      assert.deepStrictEqual([first.text, first.reasoningText, first.finishReason], ["Hello", "so", "stop"])
      assert.deepStrictEqual([first.usage.inputTokens.total, first.usage.outputTokens.total], [3, 5])
      const second = yield* read("two")
      assert.isTrue(Exit.isSuccess(yield* second.exit))
      assert.strictEqual(yield* second.said, "Hi there")
      assert.strictEqual(yield* Model.ModelName, "m")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer(
          [
            turn(ScriptedModel.reasoning("s", "o"), tokens(["Hel", "lo"]), ScriptedModel.usage(3, 5)),
            turn(text("Hi there"))
          ],
          { name: "m" }
        )
      )
    )
  )

  it.effect("a turn that stands there twice answers twice", () =>
    Effect.gen(function* () {
      const same = turn(text("again"))
      const twice = Effect.gen(function* () {
        const first = yield* LanguageModel.generateText({ prompt: "one" })
        const second = yield* LanguageModel.generateText({ prompt: "two" })
        return [first.text, second.text]
      })
      assert.deepStrictEqual(yield* Effect.provide(twice, ScriptedModel.layer([same, same])), ["again", "again"])
      const exit = yield* Effect.exit(Effect.provide(twice, ScriptedModel.layer([same, same, same])))
      assert.deepInclude(Exit.isFailure(exit) && Cause.squash(exit.cause), { requests: 2, left: [3] })
    })
  )

  it.effect("pauses by the Clock", () =>
    Effect.gen(function* () {
      const { exit, said } = yield* read("go")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* said, "a")
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* said, "abc")
      assert.isTrue(Exit.isSuccess(yield* exit))
    }).pipe(Effect.provide(ScriptedModel.layer([turn(tokens(["a", "b", "c"], "1 minute"))])))
  )

  it.effect("records the requests, with the tools they could call", () =>
    Effect.gen(function* () {
      const kit = Toolkit.make(Tool.make("Add", { parameters: Schema.Struct({ a: Schema.Int }), success: Schema.Int }))
      const response = yield* LanguageModel.generateText({
        prompt: [
          { role: "system", content: "Be short" },
          { role: "user", content: "1?" }
        ],
        toolkit: kit
      }).pipe(Effect.provide(kit.toLayer({ Add: ({ a }) => Effect.succeed(a + 1) })))
      assert.deepStrictEqual(
        response.toolResults.map((result) => result.result),
        [2]
      )
      assert.strictEqual(response.finishReason, "tool-calls")
      const [request] = yield* (yield* ScriptedModel.ScriptedModel).requests
      assert.deepStrictEqual(
        [request?.text, request?.tools, request?.responseFormat],
        ["system: Be short\nuser: 1?", ["Add"], "text"]
      )
    }).pipe(Effect.provide(ScriptedModel.layer([turn(ScriptedModel.toolCall("Add", { a: 1 }))])))
  )

  it.effect("fails before the first token or after some, and says what it had said", () =>
    Effect.gen(function* () {
      for (const expected of ["", "par"]) {
        const { exit, said } = yield* read("go")
        const failed = yield* Effect.flip(Effect.flatten(exit))
        assert.strictEqual(failed.reason, overloaded)
        assert.strictEqual(yield* said, expected)
      }
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([turn(ScriptedModel.fail(overloaded)), turn(text("par"), ScriptedModel.fail(overloaded))])
      )
    )
  )

  it.effect("numbers the calls of a turn that were given no id, and keeps those that were", () =>
    Effect.gen(function* () {
      const { calls } = yield* Effect.map(
        Stream.runCollect(
          LanguageModel.streamText({ prompt: "go", disableToolCallResolution: true, toolCallValidation: "deferred" })
        ),
        (parts) => ({ calls: parts.flatMap((part) => (part.type === "tool-call" ? [part.id] : [])) })
      )
      assert.deepStrictEqual(calls, ["call-1", "own", "call-3"])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          turn(
            ScriptedModel.toolCall("A", {}),
            text("x"),
            ScriptedModel.toolCall("B", {}, "own"),
            ScriptedModel.toolCall("A", {})
          )
        ])
      )
    )
  )

  it.effect("hangs until it is interrupted", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(LanguageModel.generateText({ prompt: "go" }), { startImmediately: true })
      yield* TestClock.adjust("1 day")
      assert.isUndefined(fiber.pollUnsafe())
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(ScriptedModel.layer([turn(text("wait"), ScriptedModel.hang)])))
  )

  it.effect("emits output that is no part of a response", () =>
    Effect.gen(function* () {
      const failed = yield* Effect.flip(LanguageModel.generateText({ prompt: "go" }))
      assert.strictEqual(failed.reason._tag, "InvalidOutputError")
      const { exit, said } = yield* read("go")
      assert.isTrue(Exit.isSuccess(yield* exit))
      assert.strictEqual(yield* said, "no end")
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          turn(ScriptedModel.malformed({ type: "text-delta", delta: 1 })),
          turn(text("no end"), ScriptedModel.cutOff)
        ])
      )
    )
  )

  it.effect("gives a turn to the request it is for, once or as often as it comes", () =>
    Effect.gen(function* () {
      const ask = (prompt: string) => Effect.map(LanguageModel.generateText({ prompt }), (response) => response.text)
      assert.deepStrictEqual(yield* Effect.forEach(["b", "a", "a"], ask), ["for b", "for a", "for a"])
    }).pipe(
      Effect.provide(
        ScriptedModel.layer([
          ScriptedModel.always(ScriptedModel.when(turn(text("for a")), (request) => request.text.includes("a"))),
          turn(text("for b"))
        ])
      )
    )
  )

  it.effect("dies with a sentence when it is asked for more than its script has", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(LanguageModel.generateText({ prompt: "more" }))
      assert.isTrue(Exit.hasDies(exit))
      if (Exit.isFailure(exit)) {
        assert.strictEqual(
          (Cause.squash(exit.cause) as Error).message,
          "`scripted` has no turn for request 1 (its script has 0): user: more"
        )
      }
    }).pipe(Effect.provide(ScriptedModel.layer([])))
  )

  it.effect("dies with a sentence when its script was not used up", () =>
    Effect.gen(function* () {
      const exit = yield* LanguageModel.generateText({ prompt: "one" }).pipe(
        Effect.provide(ScriptedModel.layer([turn(text("a")), turn(text("b")), turn(text("c"))])),
        Effect.exit
      )
      assert.isTrue(Exit.isFailure(exit))
      if (Exit.isFailure(exit)) {
        assert.strictEqual(
          (Cause.squash(exit.cause) as Error).message,
          "`scripted` got 1 request, and nothing asked for turns 2, 3 of its script"
        )
      }
    })
  )

  it.effect("keeps the failure of a test whose script was not used up", () =>
    Effect.gen(function* () {
      const failed = yield* Effect.fail("the test's own").pipe(
        Effect.provide(ScriptedModel.layer([turn(text("a"))])),
        Effect.flip
      )
      assert.strictEqual(failed, "the test's own")
    })
  )
})
