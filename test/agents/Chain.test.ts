/** Chains: each agent reads what the one before it replies. */

import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Layer, Schema, Stream } from "effect"
import { Agent, type InteractionContext, type Message, MiniAgents } from "miniagents"
import { Chain } from "miniagents/agents"

class Odd extends Schema.TaggedError<Odd>()("Odd", { text: Schema.String }) {}
class Even extends Schema.TaggedError<Even>()("Even", {}) {}
class Suffix extends Context.Service<Suffix, string>()("test/Suffix") {}
class Shout extends Agent.Service<Shout>()("Shout", { error: Odd }) {}

const each = <E, R>(name: string, f: (text: string) => Effect.Effect<string, E, R>) =>
  Agent.make(
    name,
    Effect.fnUntraced(function* (ctx) {
      yield* Stream.runForEach(ctx.messages, (promise) =>
        Effect.flatMap(promise.message, (message) => Effect.flatMap(f(String(message)), (text) => ctx.reply(text)))
      )
    })
  )

const exclaim = each("Exclaim", (text) => Effect.succeed(`${text}!`))
const suffix = each("Suffix", (text) => Effect.map(Suffix, (end) => text + end))
const picky = each("Picky", (text) => (text.length % 2 === 0 ? Effect.succeed(text) : Effect.fail(new Odd({ text }))))
const constant = Agent.make("Constant", (ctx) => ctx.reply("constant"))
const failing = Agent.make("Failing", () => Effect.fail(new Even()))
const count = Agent.make(
  "Count",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(String((yield* ctx.messages.messages).length))
  })
)
const tuned = Agent.make("Tuned", { parameters: { by: Schema.Int } }, (ctx) => ctx.reply(String(ctx.parameters.by)))

const ShoutLive = Shout.toLayer(
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(`SHOUT ${yield* ctx.messages.text}`)
  })
)

const texts = (messages: ReadonlyArray<Message.Message>) => messages.map(String)
const runtime = MiniAgents.layer()

describe("Chain", () => {
  it.effect("passes messages through its members, and leaves out the absent ones", () =>
    Effect.gen(function* () {
      const replies = yield* Chain.make([exclaim, undefined, suffix, exclaim]).trigger(["a", "b"])
      assert.deepStrictEqual(texts(yield* replies.messages), ["a!?!", "b!?!"])
    }).pipe(Effect.provideService(Suffix, "?"), Effect.provide(runtime))
  )

  it.effect("without members passes its input on", () =>
    Effect.gen(function* () {
      const replies = yield* Chain.make([]).trigger(["a", "b"])
      assert.deepStrictEqual(texts(yield* replies.messages), ["a", "b"])
    }).pipe(Effect.provide(runtime))
  )

  it.effect("runs its members in parallel: the last one starts before the first one has ended", () =>
    Effect.gen(function* () {
      const seen = yield* Deferred.make<void>()
      const first = Agent.make("First", (ctx) =>
        Effect.andThen(ctx.reply("one"), Effect.andThen(Deferred.await(seen), ctx.reply("two")))
      )
      const second = each("Second", (text) => Effect.as(Deferred.succeed(seen, undefined), text))
      const replies = yield* Chain.make([first, second]).trigger()
      assert.deepStrictEqual(texts(yield* replies.messages), ["one", "two"])
    }).pipe(Effect.provide(runtime))
  )

  it.effect("AWAIT holds the next member back until the one before it has replied", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const slow = Agent.make("Slow", (ctx) =>
        ctx
          .reply("x")
          .pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(Effect.sync(() => void log.push("slow ended"))))
      )
      const next = Agent.make("Next", (ctx) =>
        Effect.andThen(
          Effect.sync(() => void log.push("next started")),
          ctx.reply(ctx.messages)
        )
      )
      const replies = yield* Chain.make([slow, Chain.AWAIT, next]).trigger()
      assert.deepStrictEqual(texts(yield* replies.messages), ["x"])
      assert.deepStrictEqual(log, ["slow ended", "next started"])
    }).pipe(Effect.provide(runtime))
  )

  it.effect("CLEAR drops what came before it", () =>
    Effect.gen(function* () {
      const replies = yield* Chain.make([exclaim, Chain.CLEAR, count]).trigger(["a", "b"])
      assert.deepStrictEqual(texts(yield* replies.messages), ["0"])
      assert.deepStrictEqual(yield* (yield* Chain.make([exclaim, Chain.CLEAR]).trigger("a")).messages, [])
    }).pipe(Effect.provide(runtime))
  )

  it.effect("fails with what its members fail with", () =>
    Effect.gen(function* () {
      const replies = yield* Chain.make([exclaim, picky, exclaim]).trigger(["a", "bb"])
      const exit = yield* Effect.exit(replies.messages)
      assert.deepStrictEqual(exit, Exit.fail(new Odd({ text: "bb!" })))
    }).pipe(Effect.provide(runtime))
  )

  it.effect("takes agents that are services, and forks whose parameters are given", () =>
    Effect.gen(function* () {
      const replies = yield* Chain.make([tuned.fork({ parameters: { by: 7 } }), Shout]).trigger()
      assert.deepStrictEqual(texts(yield* replies.messages), ["SHOUT 7"])
    }).pipe(Effect.provide([ShoutLive, runtime]))
  )

  it("its type has the errors that reach its end, and all requirements", () => {
    type Upstream = InteractionContext.Upstream
    expectTypeOf(Chain.make([])).toEqualTypeOf<Agent.Agent<{}, Upstream, never>>()
    expectTypeOf(Chain.make([exclaim, suffix])).toEqualTypeOf<Agent.Agent<{}, Upstream, Suffix>>()
    expectTypeOf(Chain.make([picky, exclaim])).toEqualTypeOf<Agent.Agent<{}, Odd | Upstream, never>>()
    // `constant` never reads what may fail
    expectTypeOf(Chain.make([picky, constant])).toEqualTypeOf<Agent.Agent<{}, never, never>>()
    // but `AWAIT` does
    expectTypeOf(Chain.make([picky, Chain.AWAIT, constant])).toEqualTypeOf<Agent.Agent<{}, Odd | Upstream, never>>()
    expectTypeOf(Chain.make([picky, Chain.CLEAR, count])).toEqualTypeOf<Agent.Agent<{}, never, never>>()
    expectTypeOf(Chain.make([Shout, exclaim])).toEqualTypeOf<Agent.Agent<{}, Odd | Upstream, Shout>>()
    const maybe = undefined as typeof failing | undefined
    expectTypeOf(Chain.make([exclaim, maybe])).toEqualTypeOf<Agent.Agent<{}, Even | Upstream, never>>()
    const several: ReadonlyArray<typeof failing | typeof suffix> = [failing]
    expectTypeOf(Chain.make(several)).toEqualTypeOf<Agent.Agent<{}, Even | Upstream, Suffix>>()
    // @ts-expect-error its parameters are missing
    Chain.make([tuned])
    // @ts-expect-error no member
    Chain.make([exclaim, "AWAIT"])
    expectTypeOf(Layer.succeed(Suffix, "")).not.toBeNever()
  })
})
