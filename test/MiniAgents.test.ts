import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Agent, MessagePromise, MessageSequence, MiniAgents } from "miniagents"
import * as CleanRuntime from "./CleanRuntime.ts"

const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))

const textOf = (input: string) => Effect.flatMap(echo.trigger(input), (replies) => replies.text)

/** An agent that waits for a gate, and says how it ended. */
const waiting = Effect.gen(function* () {
  const started = yield* Deferred.make<void>()
  const gate = yield* Deferred.make<void>()
  const ends: Array<string> = []
  const agent = Agent.make("Waiting", (ctx) =>
    Effect.gen(function* () {
      yield* ctx.reply("began")
      yield* Deferred.succeed(started, undefined)
      yield* Deferred.await(gate)
      yield* ctx.reply("ended")
    }).pipe(
      Effect.onExit((exit) => Effect.sync(() => void ends.push(Exit.hasInterrupts(exit) ? "interrupted" : "well")))
    )
  )
  return { agent, started, gate, ends }
})

const openRuntime = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const runtime = yield* Effect.provideService(CleanRuntime.make(), Scope.Scope, scope)
  return { scope, inside: Effect.provideService(MiniAgents.MiniAgents, runtime), runtime }
})

describe("MiniAgents", () => {
  it.effect("has the defaults it says it has, and takes others", () =>
    Effect.gen(function* () {
      const defaults = yield* MiniAgents.make()
      const { errorsAsMessages, startSoon, streamTokens } = defaults
      assert.deepStrictEqual(
        { errorsAsMessages, startSoon, streamTokens },
        {
          errorsAsMessages: false,
          startSoon: true,
          streamTokens: true
        }
      )
      const other = yield* MiniAgents.make({ errorsAsMessages: true, startSoon: false, streamTokens: false })
      assert.deepStrictEqual([other.errorsAsMessages, other.startSoon, other.streamTokens], [true, false, false])
      assert.strictEqual(yield* other.running, 0)
    })
  )

  describe("is used in three ways", () => {
    it.effect("as a Layer around a program, which waits for what still runs when the program has ended", () =>
      Effect.gen(function* () {
        const { agent, ends, gate, started } = yield* waiting
        const program = Effect.gen(function* () {
          yield* Effect.asVoid(agent.trigger())
          yield* Deferred.await(started)
          return yield* textOf("hello")
        })
        const fiber = yield* Effect.forkChild(Effect.provide(program, CleanRuntime.layer()))
        yield* CleanRuntime.turns()
        assert.deepStrictEqual(ends, [])
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* Fiber.join(fiber), "hello")
        assert.deepStrictEqual(ends, ["well"])
      })
    )

    it.effect("in a scope opened by hand, whose sequences can be read after it has closed", () =>
      Effect.gen(function* () {
        const { inside, scope } = yield* openRuntime
        const replies = yield* inside(echo.trigger(["a", "b"]))
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* replies.text, "a\n\nb")
        assert.strictEqual((yield* Stream.runCollect(replies)).length, 2)
      })
    )

    it.effect("in a ManagedRuntime that serves many requests, which do not harm each other", () =>
      Effect.gen(function* () {
        const managed = ManagedRuntime.make(CleanRuntime.layer())
        const failing = Agent.make("Failing", () => Effect.fail("no"))
        const request = (n: number) =>
          Effect.callback<Exit.Exit<string, string>>((resume) => {
            const handler = Effect.gen(function* () {
              yield* Effect.yieldNow
              if (n % 3 === 0) yield* (yield* failing.trigger()).messages
              return yield* textOf(`${n}`)
            })
            const fiber = managed.runFork(handler)
            if (n % 7 === 0) managed.runFork(Fiber.interrupt(fiber))
            fiber.addObserver((exit) => resume(Effect.succeed(exit)))
          })
        const exits = yield* Effect.forEach(
          Array.from({ length: 100 }, (_, n) => n),
          request,
          {
            concurrency: "unbounded"
          }
        )
        for (const [n, exit] of exits.entries()) {
          if (n % 7 === 0) assert.isTrue(Exit.hasInterrupts(exit), `${n}`)
          else if (n % 3 === 0) assert.isTrue(Exit.isFailure(exit) && !Exit.hasInterrupts(exit), `${n}`)
          else assert.deepStrictEqual(exit, Exit.succeed(`${n}`))
        }
        const left = yield* Effect.promise(() => managed.runPromise(CleanRuntime.settled))
        assert.strictEqual(left, 0)
        yield* Effect.promise(() => managed.dispose())
      })
    )

    it.effect("as a Layer shared by two programs, as one runtime", () =>
      Effect.gen(function* () {
        const runtimes: Array<MiniAgents.Runtime> = []
        const remember = Layer.effectDiscard(Effect.map(MiniAgents.MiniAgents, (runtime) => runtimes.push(runtime)))
        const shared = CleanRuntime.layer()
        yield* Effect.provide(
          Effect.void,
          Layer.merge(Layer.provide(remember, shared), Layer.provide(Layer.fresh(remember), shared))
        )
        assert.strictEqual(runtimes.length, 2)
        assert.strictEqual(runtimes[0], runtimes[1])
      })
    )
  })

  describe("closing", () => {
    const run = Effect.fnUntraced(function* (end: Exit.Exit<void, string>) {
      const { agent, ends, gate, started } = yield* waiting
      const { inside, scope, runtime } = yield* openRuntime
      const replies = yield* inside(agent.trigger())
      const lazy = yield* inside(agent.trigger([], {}, { startSoon: false }))
      const reader = yield* Effect.forkChild(Effect.exit(replies.messages))
      yield* Deferred.await(started)
      const closing = yield* Effect.forkChild(Scope.close(scope, end))
      yield* CleanRuntime.turns()
      return { closing, ends, gate, lazy, reader, replies, runtime }
    })

    it.effect("after success waits for what runs, and ends what never started as interrupted", () =>
      Effect.gen(function* () {
        const { closing, ends, gate, lazy, reader } = yield* run(Exit.void)
        assert.isUndefined(closing.pollUnsafe())
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(closing)
        assert.deepStrictEqual(ends, ["well"])
        assert.isTrue(Exit.isSuccess(yield* Fiber.join(reader)))
        assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(lazy.messages)))
      })
    )

    for (const [after, exit] of [
      ["failure", Exit.fail("no")],
      ["a defect", Exit.die("bug")],
      ["interruption", Exit.interrupt()]
    ] as const) {
      it.effect(`after ${after} interrupts everything at once, and no reader hangs`, () =>
        Effect.gen(function* () {
          const { closing, ends, lazy, reader, replies } = yield* run(exit)
          yield* Fiber.join(closing)
          assert.deepStrictEqual(ends, ["interrupted"])
          assert.isTrue(Exit.hasInterrupts(yield* Fiber.join(reader)))
          assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(lazy.messages)))
          assert.strictEqual((yield* Stream.runCollect(Stream.take(replies, 1))).length, 1)
        })
      )
    }

    it.effect("can be interrupted while it waits, and stops at once", () =>
      Effect.gen(function* () {
        const { agent, ends, started } = yield* waiting
        const program = Effect.andThen(Effect.asVoid(agent.trigger()), Deferred.await(started))
        const fiber = yield* Effect.forkChild(CleanRuntime.run(program))
        yield* CleanRuntime.turns()
        assert.isUndefined(fiber.pollUnsafe())
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(ends, ["interrupted"])
      })
    )

    it.effect("takes along what is triggered while it waits", () =>
      Effect.gen(function* () {
        const { agent, gate, started } = yield* waiting
        const replied: Array<string> = []
        const after = Agent.make("After", () =>
          Effect.gen(function* () {
            yield* (yield* agent.trigger()).messages
            replied.push(yield* textOf("while closing"))
          })
        )
        const fiber = yield* Effect.forkChild(
          CleanRuntime.run(Effect.andThen(Effect.asVoid(after.trigger()), Deferred.await(started)))
        )
        yield* CleanRuntime.turns()
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(replied, ["while closing"])
      })
    )
  })

  it.effect("a closed runtime hangs neither a caller nor a reader: what is asked of it ends as interrupted", () =>
    Effect.gen(function* () {
      for (const end of [Exit.void, Exit.fail("no")]) {
        const { inside, runtime, scope } = yield* openRuntime
        const open = yield* inside(echo.call())
        yield* Scope.close(scope, end)
        const exits = yield* inside(
          Effect.gen(function* () {
            const call = yield* echo.call()
            yield* call.send("x")
            const promise = yield* MessagePromise.fromStream(Stream.make("x"))
            const lazy = yield* echo.trigger("x", {}, { startSoon: false })
            return yield* Effect.forEach(
              [
                textOf("x"),
                Effect.flatMap(call.replies(), (replies) => replies.text),
                Effect.flatMap(open.replies(), (replies) => replies.text),
                Effect.map(promise.message, String),
                Stream.runCollect(promise),
                lazy.text,
                Effect.flatMap(MessageSequence.from(Stream.make("x")), (sequence) => sequence.text)
              ],
              (asked: Effect.Effect<unknown, never, MiniAgents.MiniAgents>) => Effect.exit(asked)
            )
          })
        )
        const interrupted = exits.map((exit) => Exit.hasInterrupts(exit))
        const openEnd = Exit.isFailure(end)
        assert.deepStrictEqual(interrupted, [true, true, openEnd, true, true, true, true])
        assert.strictEqual(yield* runtime.running, 0)
        assert.strictEqual(yield* inside(Effect.flatMap(MessageSequence.from(["a"]), ({ text }) => text)), "a")
      }
    })
  )

  it.effect("two runtimes side by side own what was triggered in each", () =>
    Effect.gen(function* () {
      const one = yield* openRuntime
      const two = yield* openRuntime
      const { agent, ends, gate, started } = yield* waiting
      yield* Effect.asVoid(one.inside(agent.trigger()))
      yield* Effect.asVoid(two.inside(agent.trigger([], {}, { startSoon: false })))
      yield* Deferred.await(started)
      yield* Scope.close(two.scope, Exit.fail("no"))
      yield* CleanRuntime.turns()
      assert.deepStrictEqual(ends, [])
      assert.strictEqual(yield* one.runtime.running, 1)
      yield* Deferred.succeed(gate, undefined)
      yield* Scope.close(one.scope, Exit.void)
      assert.deepStrictEqual(ends, ["well"])
    })
  )

  it.effect("`running` counts what runs, and is 0 when nothing is left", () =>
    Effect.gen(function* () {
      const { agent, gate, started } = yield* waiting
      assert.strictEqual(yield* MiniAgents.running, 0)
      const replies = yield* agent.trigger()
      assert.strictEqual(yield* MiniAgents.running, 1)
      yield* Effect.asVoid(agent.trigger([], {}, { startSoon: false }))
      yield* Deferred.await(started)
      assert.strictEqual(yield* MiniAgents.running, 1)
      yield* Deferred.succeed(gate, undefined)
      yield* replies.messages
      assert.strictEqual(yield* CleanRuntime.settled, 0)
    }).pipe(CleanRuntime.run)
  )
})
