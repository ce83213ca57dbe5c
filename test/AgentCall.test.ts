import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { Agent, Message, MessagePromise, MiniAgents } from "miniagents"
import * as CleanRuntime from "./CleanRuntime.ts"

const echo = Agent.make("Echo", (ctx) =>
  Stream.runForEach(ctx.messages, (promise) =>
    Effect.flatMap(promise.message, (message) => ctx.reply(`You said: ${message}`))
  )
)

describe("AgentCall", () => {
  it.effect("sends twice, and the agent sees one sequence", () =>
    Effect.gen(function* () {
      const call = yield* echo.call()
      yield* call.send("one")
      yield* call.send(["two", ["three"]])
      const replies = yield* call.replies()
      assert.deepStrictEqual((yield* replies.messages).map(String), [
        "You said: one",
        "You said: two",
        "You said: three"
      ])
    }).pipe(CleanRuntime.run)
  )

  it.effect("works in both directions at once: what is sent may depend on what was replied", () =>
    Effect.gen(function* () {
      const call = yield* echo.call()
      const replies = yield* call.replies({ finish: false })
      const heard = yield* Queue.unbounded<string>()
      const reader = yield* Effect.forkChild(
        Stream.runForEach(replies, (promise) =>
          Effect.flatMap(promise.message, (message) => Queue.offer(heard, String(message)))
        )
      )
      let said = "x"
      for (let i = 0; i < 5; i++) {
        yield* call.send(said)
        said = yield* Queue.take(heard)
      }
      assert.strictEqual(said, `${"You said: ".repeat(5)}x`)
      assert.isFalse(yield* call.isFinished)
      yield* call.finish
      yield* Fiber.join(reader)
    }).pipe(CleanRuntime.run)
  )

  it.effect("`sendOutOfOrder` lets the agent see what is there before what was sent earlier and is not", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const slow = Stream.fromEffect(Effect.as(Deferred.await(gate), "slow"))
      const call = yield* echo.call()
      const replies = yield* call.replies({ finish: false })
      yield* call.send(slow)
      yield* call.sendOutOfOrder("fast")
      const first = yield* Stream.runHead(replies)
      assert.strictEqual(first._tag === "Some" ? String(yield* first.value.message) : "", "You said: fast")
      yield* Deferred.succeed(gate, undefined)
      yield* call.finish
      assert.deepStrictEqual((yield* replies.messages).map(String), ["You said: fast", "You said: slow"])
    }).pipe(CleanRuntime.run)
  )

  it.effect("is finished by `finish` and by `replies`, and not by `replies({ finish: false })`", () =>
    Effect.gen(function* () {
      const calls = yield* Effect.replicateEffect(echo.call(), 3)
      const [one, two, three] = [calls[0]!, calls[1]!, calls[2]!]
      assert.deepStrictEqual(yield* Effect.forEach(calls, (call) => call.isFinished), [false, false, false])
      yield* one.finish
      yield* one.finish
      yield* Effect.asVoid(two.replies())
      yield* Effect.asVoid(three.replies({ finish: false }))
      assert.deepStrictEqual(yield* Effect.forEach(calls, (call) => call.isFinished), [true, true, false])
      yield* three.interrupt
      assert.isTrue(yield* three.isFinished)
    }).pipe(CleanRuntime.run)
  )

  it.effect("`send` after `finish` dies with one clear error, and harms neither the call nor another one", () =>
    Effect.gen(function* () {
      const other = yield* echo.call()
      for (const finish of ["finish", "replies", "interrupt"] as const) {
        const call = yield* echo.call()
        yield* call.send("before")
        yield* finish === "replies" ? Effect.asVoid(call.replies()) : call[finish]
        for (const send of ["send", "sendOutOfOrder"] as const) {
          const exit = yield* Effect.exit(call[send]("late"))
          const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
          assert.instanceOf(error, Message.InvalidMessage)
          assert.match(
            error.message,
            new RegExp(`^\`Echo.${send}\` got \`"late"\` at \`input\`: the call was finished`)
          )
        }
        if (finish !== "interrupt") assert.strictEqual(yield* (yield* call.replies()).text, "You said: before")
      }
      yield* other.send("well")
      assert.strictEqual(yield* (yield* other.replies()).text, "You said: well")
    }).pipe(CleanRuntime.run)
  )

  it.effect("fails for its readers with what was sent, after what came before", () =>
    Effect.gen(function* () {
      const call = yield* echo.call<"broken">()
      yield* call.send("one")
      yield* call.send(Stream.fail("broken" as const))
      yield* call.send("never seen")
      const replies = yield* call.replies()
      const [first] = yield* Stream.runCollect(Stream.take(replies, 1))
      assert.strictEqual(String(yield* first!.message), "You said: one")
      assert.strictEqual(yield* Effect.flip(replies.messages), "broken")
    }).pipe(CleanRuntime.run)
  )

  it.effect("gives the agent what fails as a message, in a runtime that takes errors so", () =>
    Effect.gen(function* () {
      const call = yield* echo.call<string>()
      yield* call.send(yield* MessagePromise.fromStream(Stream.concat(Stream.make("half"), Stream.fail("broken"))))
      yield* call.send("well")
      assert.strictEqual(yield* (yield* call.replies()).text, "You said: half\n\nError: broken\n\nYou said: well")
    }).pipe((program) => CleanRuntime.run(program, { errorsAsMessages: true }))
  )

  it.effect("is finished when the agent that opened it ends", () =>
    Effect.gen(function* () {
      const opener = Agent.make("Opener", (ctx) =>
        Effect.gen(function* () {
          const call = yield* echo.call()
          yield* call.send("left open")
          yield* ctx.reply(yield* call.replies({ finish: false }))
        })
      )
      assert.strictEqual(yield* (yield* opener.trigger()).text, "You said: left open")
    }).pipe(CleanRuntime.run)
  )

  it.effect("is kept open by the stream that opened it, after the agent's body has ended, and finished with it", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const runtime = yield* MiniAgents.MiniAgents
      const opener = Agent.make("Opener", (ctx) =>
        ctx.reply(
          Stream.fromEffect(echo.call()).pipe(
            Stream.provideService(MiniAgents.MiniAgents, runtime),
            Stream.mapEffect((call) =>
              Effect.gen(function* () {
                yield* call.send("before")
                yield* Deferred.await(gate)
                yield* call.send("after")
                return yield* call.replies({ finish: false })
              })
            )
          )
        )
      )
      const replies = yield* opener.trigger()
      yield* CleanRuntime.turns(5)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* replies.text, "You said: before\n\nYou said: after")
    }).pipe(CleanRuntime.run)
  )

  it.effect("takes its readers along when the agent that opened it fails, and says nothing more", () =>
    Effect.gen(function* () {
      const opener = Agent.make("Opener", (ctx) =>
        Effect.gen(function* () {
          const call = yield* echo.call()
          yield* call.send("left open")
          yield* ctx.reply(yield* call.replies({ finish: false }))
          return yield* Effect.fail("failed")
        })
      )
      const replies = yield* opener.trigger()
      const exit = yield* Effect.exit(replies.messages)
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(yield* CleanRuntime.settled, 0)
    }).pipe(CleanRuntime.run)
  )

  it.effect("is finished when the runtime closes", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const listener = Agent.make("Listener", (ctx) =>
        Effect.flatMap(ctx.messages.text, (text) => Effect.sync(() => void heard.push(text)))
      )
      yield* CleanRuntime.run(
        Effect.gen(function* () {
          const call = yield* listener.call()
          yield* call.send("left open")
        })
      )
      assert.deepStrictEqual(heard, ["left open"])
    })
  )

  it.effect("`interrupt` ends what was sent and is still under way, too", () =>
    Effect.gen(function* () {
      const ended: Array<string> = []
      const endless = (name: string) => Stream.onExit(Stream.never, () => Effect.sync(() => void ended.push(name)))
      const call = yield* echo.call()
      yield* call.send(endless("stream"))
      yield* CleanRuntime.turns(5)
      yield* call.interrupt
      assert.deepStrictEqual(ended, ["stream"])
      assert.strictEqual(yield* MiniAgents.running, 0)
      const exit = yield* Effect.exit((yield* call.replies()).messages)
      assert.isTrue(Exit.hasInterrupts(exit))
    }).pipe(CleanRuntime.run)
  )

  it.effect("lets tokens flow while the call is open", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const relay = Agent.make("Relay", (ctx) => ctx.reply(ctx.messages))
      const call = yield* relay.call()
      const promise = yield* MessagePromise.fromStream(
        Stream.concat(Stream.make("first "), Stream.fromEffect(Effect.as(Deferred.await(gate), "second")))
      )
      yield* call.send(promise)
      const replies = yield* call.replies({ finish: false })
      const token = yield* Stream.runHead(Stream.flatMap(replies, (promise) => promise))
      assert.deepStrictEqual(token._tag === "Some" ? token.value : undefined, "first ")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* (yield* call.replies()).text, "first second")
    }).pipe(CleanRuntime.run)
  )

  it.effect("takes a stream along with its caller when the agent it was sent to has ended", () =>
    Effect.gen(function* () {
      const sent = yield* Deferred.make<void>()
      const relay = Agent.make("Relay", (ctx) => ctx.reply(ctx.messages))
      const outer = Agent.make(
        "Outer",
        Effect.fnUntraced(function* () {
          const call = yield* relay.call()
          while ((yield* MiniAgents.running) > 1) yield* Effect.yieldNow
          yield* call.send(Stream.never)
          yield* Deferred.succeed(sent, undefined)
          return yield* Effect.never
        })
      )
      const call = yield* outer.call()
      yield* Deferred.await(sent)
      yield* call.interrupt
      assert.strictEqual(yield* MiniAgents.running, 0)
    }).pipe(CleanRuntime.run)
  )
})
