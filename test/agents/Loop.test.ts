/** Loops: chains that begin anew with what they came to. */

import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Latch, Schema } from "effect"
import { Agent, type InteractionContext, Message, MiniAgents } from "miniagents"
import { Chain, Loop } from "miniagents/agents"

class Tired extends Schema.TaggedError<Tired>()("Tired", { turns: Schema.Int }) {}
class Limit extends Context.Service<Limit, number>()("test/Limit") {}

const runtime = MiniAgents.layer()

/** Replies with the number it is sent, plus one, and ends the loop at the limit. */
const increment = Agent.make(
  "Increment",
  Effect.fnUntraced(function* (ctx) {
    const number = Number(yield* ctx.messages.text)
    if (number === (yield* Limit)) return yield* Loop.end
    yield* ctx.reply(String(number + 1))
  })
)
const pass = Agent.make("Pass", (ctx) => ctx.reply(ctx.messages))
const tired = Agent.make("Tired", () => Effect.fail(new Tired({ turns: 3 })))
const constant = Agent.make("Constant", (ctx) => ctx.reply("0"))

describe("Loop", () => {
  it.effect("feeds what the last agent replies to the first one, until an agent ends it; it replies nothing", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const watch = Agent.make(
        "Watch",
        Effect.fnUntraced(function* (ctx) {
          seen.push(yield* ctx.messages.text)
          yield* ctx.reply(ctx.messages)
        })
      )
      const replies = yield* Loop.make([undefined, watch, Loop.AWAIT, increment]).trigger("0")
      assert.deepStrictEqual(yield* replies.messages, [])
      assert.deepStrictEqual(seen.slice(0, 4), ["0", "1", "2", "3"])
    }).pipe(Effect.provideService(Limit, 3), Effect.provide(runtime))
  )

  it.effect.each([
    ["nothing at all", []],
    ["no agent", [Loop.AWAIT]],
    ["no AWAIT", [pass]],
    ["a CLEAR between the agent and the AWAIT", [Loop.AWAIT, pass, Loop.CLEAR]]
  ] as ReadonlyArray<[string, ReadonlyArray<typeof pass | typeof Loop.AWAIT | typeof Loop.CLEAR>]>)(
    "is refused with %s, for it would spin",
    ([, members]) =>
      Effect.gen(function* () {
        const replies = yield* Loop.make(members, { name: "Spinner" }).trigger()
        const exit = yield* Effect.exit(replies.messages)
        assert(Exit.isFailure(exit))
        const defect = Cause.squash(exit.cause)
        assert.instanceOf(defect, Loop.WouldSpin)
        assert.include(defect.message, "`Spinner` would start turns without end")
      }).pipe(Effect.provide(runtime))
  )

  it.effect("an AWAIT before the only agent is enough: it waits for the turn before", () =>
    Effect.gen(function* () {
      const replies = yield* Loop.make([Loop.AWAIT, increment]).trigger("0")
      assert.deepStrictEqual(yield* replies.messages, [])
    }).pipe(Effect.provideService(Limit, 5), Effect.provide(runtime))
  )

  it.effect("fails with what an awaited agent fails with", () =>
    Effect.gen(function* () {
      const replies = yield* Loop.make([tired, pass, Loop.AWAIT]).trigger()
      assert.deepStrictEqual(yield* Effect.exit(replies.messages), Exit.fail(new Tired({ turns: 3 })))
    }).pipe(Effect.provide(runtime))
  )

  it.effect("ends only the innermost loop", () =>
    Effect.gen(function* () {
      let rounds = 0
      const inner = Loop.make([Loop.AWAIT, increment])
      const outer = Agent.make(
        "Outer",
        Effect.fnUntraced(function* (ctx) {
          yield* (yield* inner.trigger("0")).messages
          if (++rounds === 3) return yield* Loop.end
          yield* ctx.reply("again")
        })
      )
      const replies = yield* Loop.make([outer, Loop.AWAIT]).trigger()
      assert.deepStrictEqual(yield* replies.messages, [])
      assert.strictEqual(rounds, 3)
    }).pipe(Effect.provideService(Limit, 2), Effect.provide(runtime))
  )

  it.effect("ends in a runtime that takes errors as messages, too, in which other failures go round", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const user = Agent.make(
        "User",
        Effect.fnUntraced(function* (ctx) {
          seen.push(yield* ctx.messages.text)
          if (seen.length === 3) return yield* Loop.end
          yield* ctx.reply("hello")
        })
      )
      const replies = yield* Loop.make([user, Loop.AWAIT, tired]).trigger()
      assert.deepStrictEqual(yield* replies.messages, [])
      assert.match(seen[2] ?? "", /^Tired: /)
    }).pipe(Effect.provide(MiniAgents.layer({ errorsAsMessages: true })))
  )

  it.effect("a member that was interrupted by others interrupts the loop", () =>
    Effect.gen(function* () {
      const interrupted = Agent.make("Interrupted", () => Effect.interrupt)
      const replies = yield* Loop.make([interrupted, Loop.AWAIT]).trigger()
      const exit = yield* Effect.exit(replies.messages)
      assert(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }).pipe(Effect.provide(runtime))
  )

  it.effect("outside of a loop `Loop.end` is an interruption", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit((yield* Agent.make("Ender", () => Loop.end).trigger()).messages)
      assert(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }).pipe(Effect.provide(runtime))
  )

  it.effect("interrupting it interrupts the members that run, all the way down", () =>
    Effect.gen(function* () {
      const parked = yield* Latch.make()
      let released = 0
      const park = Agent.make("Park", () =>
        Effect.onInterrupt(Effect.andThen(parked.open, Effect.never), () => Effect.sync(() => void released++))
      )
      const outer = Agent.make(
        "Outer",
        Effect.fnUntraced(function* (ctx) {
          yield* ctx.reply(yield* park.trigger())
        })
      )
      const call = yield* Loop.make([outer, pass, Loop.AWAIT]).call()
      yield* call.finish
      yield* parked.await
      yield* call.interrupt
      assert.strictEqual(released, 1)
      assert.strictEqual(yield* MiniAgents.running, 0)
    }).pipe(Effect.provide(runtime))
  )

  it.effect("when what triggered it is interrupted, so is it", () =>
    Effect.gen(function* () {
      const parked = yield* Latch.make()
      const park = Agent.make("Park", () => Effect.andThen(parked.open, Effect.never))
      const program = Effect.flatMap(Loop.make([park, Loop.AWAIT]).trigger(), (replies) => replies.messages)
      const fiber = yield* Effect.forkChild(program)
      yield* parked.await
      yield* Fiber.interrupt(fiber)
      yield* Effect.yieldNow
      assert.strictEqual(yield* MiniAgents.running, 0)
    }).pipe(Effect.provide(runtime))
  )

  it.live(
    "10,000 turns leave nothing behind: neither fibers, nor messages",
    () =>
      Effect.gen(function* () {
        const alive: Array<WeakRef<Message.Message>> = []
        const running: Array<number> = []
        const speak = Agent.make(
          "Speak",
          Effect.fnUntraced(function* (ctx) {
            const [last] = yield* ctx.messages.messages
            const turn = last === undefined ? 0 : Number(String(last))
            if (turn === 10_000) return yield* Loop.end
            const message = Message.text(String(turn + 1))
            if (turn % 100 === 0) {
              alive.push(new WeakRef(message))
              running.push(yield* MiniAgents.running)
            }
            yield* ctx.reply(message)
          })
        )
        const replies = yield* Loop.make([Chain.make([speak, pass]), Loop.AWAIT, pass]).trigger()
        assert.deepStrictEqual(yield* replies.messages, [])
        assert.strictEqual(alive.length, 100)
        assert.isAtMost(Math.max(...running), 10)
        yield* collectGarbage
        const left = alive.filter((ref) => ref.deref() !== undefined).length
        assert.isAtMost(left, 10)
        assert.strictEqual(yield* MiniAgents.running, 0)
      }).pipe(Effect.provide(runtime)),
    30_000
  )

  it("its type has what its awaits meet, in the first turn and later", () => {
    type Upstream = InteractionContext.Upstream
    expectTypeOf(Loop.make([pass, Loop.AWAIT, pass])).toEqualTypeOf<Agent.Agent<{}, Upstream, never>>()
    expectTypeOf(Loop.make([pass, Loop.AWAIT, increment])).toEqualTypeOf<Agent.Agent<{}, Upstream, Limit>>()
    // what `tired` fails with is met in the second turn
    expectTypeOf(Loop.make([pass, Loop.AWAIT, tired])).toEqualTypeOf<Agent.Agent<{}, Upstream | Tired, never>>()
    // nobody reads it
    expectTypeOf(Loop.make([constant, Loop.AWAIT, tired])).toEqualTypeOf<Agent.Agent<{}, never, never>>()
    expectTypeOf(Loop.make([tired, Loop.AWAIT])).toEqualTypeOf<Agent.Agent<{}, Tired, never>>()
    expectTypeOf(Loop.end).toEqualTypeOf<Effect.Effect<never>>()
  })
})

/** Waits until what nothing holds is gone: the weak references of a job live on until it ends. */
const collectGarbage = Effect.promise(async () => {
  const { setFlagsFromString } = await import("node:v8")
  const { runInNewContext } = await import("node:vm")
  setFlagsFromString("--expose-gc")
  const gc = runInNewContext("gc") as () => void
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve))
    gc()
  }
})
