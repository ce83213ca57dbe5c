/** Dialogs, users and prompts: who is sent what. */

import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Exit, Latch, Layer, type PlatformError, Schema, type Stdio } from "effect"
import { Agent, type InteractionContext, Message, MiniAgents } from "miniagents"
import { ConsoleInput, ConsoleOutput, type LineInput } from "miniagents/console"
import { Dialog, Loop, Prompt, User } from "miniagents/agents"
import { History, MemoryHistory } from "miniagents/history"
import * as Screen from "../console/Screen.ts"

class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}
class Model extends Context.Service<Model, string>()("test/Model") {}

const noEnv = ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} }))
const consoleUser = (history?: History.HistoryAgent) =>
  User.make({ output: ConsoleOutput.make(), input: ConsoleInput.make({ greeting: "" }), history })

/** Remembers what it is sent, and answers with a number. */
const recorder = (log: Array<ReadonlyArray<string>>) =>
  Agent.make(
    "Recorder",
    Effect.fnUntraced(function* (ctx) {
      log.push((yield* ctx.messages.messages).map((message) => `${message._tag}: ${message}`))
      yield* ctx.reply(Message.assistant(`answer ${log.length}`))
    })
  )

const talk = (lines: ReadonlyArray<string>, options: { readonly prompt?: "before" | "after" } = {}) => {
  const screen = Screen.make()
  const log: Array<ReadonlyArray<string>> = []
  return Effect.gen(function* () {
    const history = yield* MemoryHistory.makeHistory()
    const user = consoleUser(History.agent("Memory", history))
    const dialog = Dialog.make({ user, assistant: recorder(log), ...options })
    const replies = yield* dialog.trigger(Message.system("Be brief"))
    assert.deepStrictEqual(yield* replies.messages, [])
    assert.strictEqual(yield* MiniAgents.running, 0)
    return { log, screen: screen.text(), history: (yield* history.messages).map(String) }
  }).pipe(Effect.provide([Screen.layer(screen, lines), MiniAgents.layer(), noEnv]))
}

describe("Dialog", () => {
  it.effect("lets user and assistant take turns until the user ends it; the history has both", () =>
    Effect.gen(function* () {
      const { history, log, screen } = yield* talk(["one", "two", "exit"])
      assert.deepStrictEqual(log, [
        ["User: one", "System: Be brief"],
        ["User: one", "Assistant: answer 1", "User: two", "System: Be brief"]
      ])
      assert.deepStrictEqual(history, ["one", "answer 1", "two", "answer 2"])
      const turns = "USER: one\n\nASSISTANT: answer 1\n\nUSER: two\n\nASSISTANT: answer 2\n\nUSER: exit\n"
      assert.strictEqual(screen, turns)
    })
  )

  it.effect("sends its own input to the assistant alone, before the user's messages if told so", () =>
    Effect.gen(function* () {
      const { history, log } = yield* talk(["one"], { prompt: "before" })
      assert.deepStrictEqual(log, [["System: Be brief", "User: one"]])
      assert.deepStrictEqual(history, ["one", "answer 1"])
    })
  )

  it.effect("fails with what the assistant fails with, after its user has been shown nothing of it", () => {
    const screen = Screen.make()
    return Effect.gen(function* () {
      const assistant = Agent.make("Assistant", () => Effect.fail(new Broken()))
      const replies = yield* Dialog.make({ user: consoleUser(), assistant }).trigger()
      assert.deepStrictEqual(yield* Effect.exit(replies.messages), Exit.fail(new Broken()))
      assert.strictEqual(screen.text(), "USER: hi\n\n")
    }).pipe(Effect.provide([Screen.layer(screen, ["hi", "again"]), MiniAgents.layer(), noEnv]))
  })

  it.effect("where errors are messages the user is shown them, and the dialog goes on until the user ends it", () => {
    const screen = Screen.make()
    return Effect.gen(function* () {
      const assistant = Agent.make("Assistant", () => Effect.fail(new Broken()))
      const replies = yield* Dialog.make({ user: consoleUser(), assistant }).trigger()
      assert.deepStrictEqual(yield* replies.messages, [])
      assert.strictEqual(screen.text().split("ASSISTANT: Broken").length - 1, 2)
    }).pipe(
      Effect.provide([Screen.layer(screen, ["hi", "again"]), MiniAgents.layer({ errorsAsMessages: true }), noEnv])
    )
  })

  it.effect("interrupting it ends all that runs below it", () => {
    const screen = Screen.make()
    return Effect.gen(function* () {
      const parked = yield* Latch.make()
      let interrupted = 0
      const below = Agent.make("Below", () =>
        Effect.onInterrupt(Effect.andThen(parked.open, Effect.never), () => Effect.sync(() => void interrupted++))
      )
      const assistant = Agent.make(
        "Assistant",
        Effect.fnUntraced(function* (ctx) {
          yield* ctx.reply(yield* below.trigger())
        })
      )
      const call = yield* Dialog.make({ user: consoleUser(), assistant }).call()
      yield* call.finish
      yield* parked.await
      yield* call.interrupt
      assert.strictEqual(interrupted, 1)
      assert.strictEqual(yield* MiniAgents.running, 0)
    }).pipe(Effect.provide([Screen.layer(screen, ["hi"]), MiniAgents.layer(), noEnv]))
  })

  it("its type has the errors and requirements of both", () => {
    type Upstream = InteractionContext.Upstream
    const assistant = Agent.make("A", (ctx) => Effect.flatMap(Model, () => Effect.as(ctx.messages.text, undefined)))
    const failing = Agent.make("F", () => Effect.fail(new Broken()))
    const user = consoleUser()
    expectTypeOf(user).toEqualTypeOf<
      Agent.Agent<{}, Upstream | PlatformError.PlatformError, LineInput.LineInput | Stdio.Stdio>
    >()
    expectTypeOf(Dialog.make({ user, assistant })).toEqualTypeOf<
      Agent.Agent<{}, Upstream | PlatformError.PlatformError, LineInput.LineInput | Stdio.Stdio | Model>
    >()
    expectTypeOf(Dialog.make({ user: assistant, assistant: failing })).toEqualTypeOf<
      Agent.Agent<{}, Upstream | Broken, Model>
    >()
    expectTypeOf(User.make({})).toEqualTypeOf<Agent.Agent<{}, Upstream, never>>()
    // @ts-expect-error an agent without `returnFullHistory` is no history
    User.make({ history: assistant })
    const tuned = Agent.make("T", { parameters: { by: Schema.Int } }, (ctx) => ctx.reply(String(ctx.parameters.by)))
    // @ts-expect-error its parameters are missing
    Dialog.make({ user, assistant: tuned })
    expectTypeOf(Layer.succeed(Model, "")).not.toBeNever()
  })
})

describe("User", () => {
  it.effect("without a history replies with what it was sent and the answer", () => {
    const screen = Screen.make()
    return Effect.gen(function* () {
      const replies = yield* consoleUser().trigger("Welcome")
      assert.deepStrictEqual((yield* replies.messages).map(String), ["Welcome", "hi"])
      assert.strictEqual(screen.text(), "ASSISTANT: Welcome\n\nUSER: hi\n\n")
    }).pipe(Effect.provide([Screen.layer(screen, ["hi"]), MiniAgents.layer(), noEnv]))
  })

  it.effect("of nothing passes its input on", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* (yield* User.make({}).trigger("x")).messages).map(String), ["x"])
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it.effect("what was said before the user ended the loop is in the history, also when that only passes on", () => {
    const screen = Screen.make()
    return Effect.gen(function* () {
      const history = yield* MemoryHistory.makeHistory()
      const members = [
        ConsoleOutput.make(),
        ConsoleInput.make({ greeting: "" }),
        History.agent("Memory", history),
        Loop.AWAIT,
        recorder([])
      ] as const
      const replies = yield* Loop.make(members).trigger()
      yield* replies.messages
      yield* Effect.repeat(Effect.yieldNow, { times: 10 })
      assert.deepStrictEqual((yield* history.messages).map(String), ["hi", "answer 1"])
    }).pipe(Effect.provide([Screen.layer(screen, ["hi", "exit"]), MiniAgents.layer(), noEnv]))
  })
})

describe("Prompt", () => {
  const listing = Agent.make(
    "Listing",
    { parameters: { mark: Schema.String, times: Schema.optionalKey(Schema.Int) } },
    Effect.fnUntraced(function* (ctx) {
      const texts = (yield* ctx.messages.messages).map(String)
      yield* ctx.reply(texts.join(",") + ctx.parameters.mark.repeat(ctx.parameters.times ?? 1))
    })
  )

  it.effect("puts messages around what it is called with, and hands the parameters on", () =>
    Effect.gen(function* () {
      const prompted = Prompt.make(listing, { before: ["a", "b"], after: "z" })
      assert.strictEqual(prompted.name, "Listing")
      assert.strictEqual(yield* (yield* prompted.trigger("m", { mark: "!" })).text, "a,b,m,z!")
      assert.strictEqual(yield* (yield* prompted.trigger([], { mark: "!", times: 2 })).text, "a,b,z!!")
      const forked = Prompt.make(listing.fork({ parameters: { mark: "?" } }), { after: "z" })
      assert.strictEqual(yield* (yield* forked.trigger("m")).text, "m,z?")
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  it("its type is that of the original, with what the prompt may fail with", () => {
    type Parameters = { readonly mark: string; readonly times?: number }
    type Upstream = InteractionContext.Upstream
    const plain = Prompt.make(listing, { before: "x" })
    expectTypeOf(plain).toEqualTypeOf<Agent.Agent<Parameters, Upstream, never>>()
    const failing = Agent.make("F", () => Effect.fail(new Broken()))
    const prompted = Effect.map(failing.trigger(), (after) => Prompt.make(listing, { after }))
    type Prompted = Effect.Success<typeof prompted>
    expectTypeOf<Prompted>().toEqualTypeOf<Agent.Agent<Parameters, Upstream | Broken, never>>()
  })
})
