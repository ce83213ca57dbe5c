import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { Agent, MessageSequence, MiniAgents } from "miniagents"
import { Interleaving } from "miniagents/testing"
import * as CleanRuntime from "../CleanRuntime.ts"
import { law } from "./Law.ts"

type Sequence = MessageSequence.MessageSequence<unknown>

/** The ways in which a sequence can be led back into the call it came from. */
const wirings: Readonly<Record<string, (back: Sequence) => unknown>> = {
  "as it is": (back) => back,
  "in a list": (back) => ["before", [back], "after"],
  "as one message": (back) => back.single(),
  "in a sequence": (back) => new Set([back])
}
const Wiring = Schema.Literals(Object.keys(wirings) as ReadonlyArray<string>)

const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
const merging = Agent.make("Merging", (ctx) => ctx.replyOutOfOrder([ctx.messages, []]))

describe("Law 17, No ring", () => {
  law(
    "Law 17, No ring: a ring of relays ends with one error that names the agents, for every reader, whatever runs first",
    {
      agents: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
      wiring: Wiring,
      merges: Schema.Boolean,
      said: Schema.Literals(["", "go"]),
      late: Schema.Boolean
    },
    ({ agents, late, merges, said, wiring }) =>
      Effect.gen(function* () {
        const first = yield* (merges ? merging : echo).call<unknown>()
        const replies: Sequence = yield* first.replies({ finish: false })
        let last: Sequence = replies
        for (let i = 1; i < agents; i++) last = yield* echo.trigger(last)
        if (said !== "") yield* first.send(said)
        if (late) yield* CleanRuntime.turns(50)
        yield* first.send(wirings[wiring]!(last) as Sequence)
        yield* first.finish
        const exits = yield* Effect.forEach([last, replies, last], (each) => Effect.exit(each.text))
        for (const exit of exits) {
          assert(Exit.isFailure(exit), "who reads a ring learns of it")
          const error = Cause.squash(exit.cause)
          assert.instanceOf(error, MessageSequence.CircularSequence)
          assert.isTrue(error.agents.length > 0 && error.agents.every((name) => ["Echo", "Merging"].includes(name)))
          assert.include(error.message, error.agents[0])
        }
      }).pipe(CleanRuntime.run)
  )

  it.effect("Law 17, No ring: an agent that replies with its own replies", () =>
    Effect.gen(function* () {
      const promised: Array<Sequence> = []
      const own = Agent.make("Own", (ctx) =>
        Effect.gen(function* () {
          yield* ctx.reply("before")
          yield* Effect.yieldNow
          yield* ctx.reply(promised[0] as MessageSequence.MessageSequence)
          yield* ctx.reply("after")
        })
      )
      const replies = yield* own.trigger()
      promised.push(replies)
      const said: Array<string> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(replies, ({ message }) => Effect.map(message, (each) => void said.push(String(each))))
      )
      assert.deepStrictEqual(said, ["before"])
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof MessageSequence.CircularSequence)
    }).pipe(CleanRuntime.run)
  )

  it.effect("Law 17, No ring: what is nested twice, or handed on many times, is no ring", () =>
    Effect.gen(function* () {
      const shared = yield* echo.trigger("shared")
      let nested: Sequence = yield* MessageSequence.from([shared, shared, [shared]])
      for (let i = 0; i < 100; i++) nested = yield* echo.trigger([nested])
      assert.strictEqual(yield* nested.text, "shared\n\nshared\n\nshared")
    }).pipe(CleanRuntime.run)
  )

  for (const depth of [400, 20_000]) {
    it.effect(`Law 17, No ring: input ${depth} levels deep works or is refused in one sentence`, () =>
      Effect.gen(function* () {
        let deep: unknown = "deep"
        for (let i = 0; i < depth; i++) deep = [deep]
        const exit = yield* Effect.exit(
          Effect.flatMap(echo.trigger(deep as ReadonlyArray<string>), (replies) => replies.text)
        )
        if (depth < 500) return assert.deepStrictEqual(exit, Exit.succeed("deep"))
        assert(Exit.isFailure(exit))
        assert.match(String(Cause.squash(exit.cause)), /nested more than 500 levels deep/)
      }).pipe(CleanRuntime.run)
    )
  }

  /** Each of `waits` is a call that reads what the given one replies before it says anything; `-1` waits for nothing. */
  const wired = (waits: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const replies: Array<Sequence> = []
      const ready = yield* Deferred.make<void>()
      for (const [index, other] of waits.entries()) {
        const agent = Agent.make(`A${index}`, (ctx) =>
          Effect.gen(function* () {
            yield* Deferred.await(ready)
            if (other >= 0) yield* Effect.exit(replies[other % waits.length]!.messages)
            yield* ctx.reply(`${index}`)
          })
        )
        replies.push(yield* agent.trigger())
      }
      yield* Deferred.succeed(ready, undefined)
      return replies
    })

  /** The calls that are on a ring of those that wait, by the model. */
  const stuck = (waits: ReadonlyArray<number>) =>
    waits.flatMap((_, start) => {
      let at = start
      for (let steps = 0; steps < waits.length; steps++) {
        const next = waits[at]!
        if (next < 0) return []
        at = next % waits.length
        if (at === start) return [`A${start}`]
      }
      return []
    })

  law(
    "Law 17, No ring: calls that wait for each other are known, and no others",
    {
      waits: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: -1, maximum: 6 }))).check(Schema.isMaxLength(7))
    },
    ({ waits }) =>
      Effect.gen(function* () {
        yield* wired(waits)
        yield* Interleaving.idle
        const blocked = yield* MiniAgents.blocked
        assert.sameMembers(
          blocked.map(({ agent }) => agent),
          stuck(waits)
        )
        for (const { agent, waitsFor } of blocked) {
          const other = waits[Number(agent.slice(1))]!
          assert.strictEqual(waitsFor.agent, `A${other % waits.length}`)
        }
      }).pipe((program) => CleanRuntime.abandon(program))
  )

  it.effect("Law 17, No ring: calls that wait for each other are named in the log once, after `deadlockAfter`", () =>
    Effect.gen(function* () {
      const logs = yield* Effect.gen(function* () {
        const [, lines] = yield* CleanRuntime.logged(
          CleanRuntime.abandon(
            Effect.gen(function* () {
              const [first] = yield* wired([1, 0, 0])
              const reader = yield* Effect.forkChild(Effect.exit(first!.messages))
              yield* TestClock.adjust("9 seconds")
              const [early] = yield* MiniAgents.blocked
              assert.strictEqual(early?.since, 9_000)
              yield* TestClock.adjust("1 minute")
              yield* Fiber.interrupt(reader)
            })
          )
        )
        return lines
      })
      const named = logs.filter((line) => line.includes("wait for each other"))
      assert.lengthOf(named, 1)
      assert.include(named[0], "A0 waits for A1")
      assert.include(named[0], "A1 waits for A0")
      assert.notInclude(named[0], "A2")
    })
  )

  it.effect("Law 17, No ring: an open call that waits for more while its caller waits for its end is found", () =>
    Effect.gen(function* () {
      const asks = Agent.make("Asks", (ctx) =>
        Effect.flatMap(ctx.messages.messages, (all) => ctx.reply(`${all.length}`))
      )
      const caller = Agent.make("Caller", (ctx) =>
        Effect.gen(function* () {
          const call = yield* asks.call()
          const replies = yield* call.replies({ finish: false })
          yield* ctx.reply(yield* replies.text)
        })
      )
      yield* Effect.asVoid(caller.trigger())
      yield* CleanRuntime.turns()
      const blocked = yield* MiniAgents.blocked
      assert.sameMembers(
        blocked.map(({ path }) => path),
        ["Caller", "Caller/0:Asks"]
      )
    }).pipe((program) => CleanRuntime.abandon(program))
  )

  it.effect("Law 17, No ring: a call is not stuck while anything else can still go on with what it waits for", () =>
    Effect.gen(function* () {
      const replies: Array<Sequence> = []
      const ready = yield* Deferred.make<void>()
      const waits = Agent.make("Waits", (ctx) =>
        Effect.gen(function* () {
          yield* Deferred.await(ready)
          yield* Effect.exit(replies[1]!.messages)
          yield* ctx.reply("never")
        })
      )
      const merges = Agent.make("Merges", (ctx) =>
        Effect.gen(function* () {
          yield* ctx.replyOutOfOrder([replies[0] as MessageSequence.MessageSequence])
          yield* ctx.replyOutOfOrder([Stream.never])
        })
      )
      replies.push(yield* waits.trigger())
      replies.push(yield* merges.trigger())
      yield* Deferred.succeed(ready, undefined)
      yield* CleanRuntime.turns()
      assert.deepStrictEqual(yield* MiniAgents.blocked, [])
    }).pipe((program) => CleanRuntime.abandon(program))
  )

  law(
    "Law 17, No ring: a call that was just given something is not stuck",
    { calls: Schema.Literals([1, 2, 3]) },
    ({ calls }) =>
      Effect.gen(function* () {
        for (let i = 0; i < calls; i++) {
          const replies: Array<Sequence> = []
          const ready = yield* Deferred.make<void>()
          const first = Agent.make("First", (ctx) =>
            Effect.andThen(
              Deferred.await(ready),
              Effect.andThen(
                Stream.runDrain(Stream.take(replies[1] as MessageSequence.MessageSequence, 1)),
                ctx.reply("seen")
              )
            )
          )
          const second = Agent.make("Second", (ctx) =>
            Effect.gen(function* () {
              yield* CleanRuntime.turns(20)
              yield* ctx.reply("something")
              yield* Effect.exit(replies[0]!.messages)
            })
          )
          replies.push(yield* first.trigger())
          replies.push(yield* second.trigger())
          yield* Deferred.succeed(ready, undefined)
          while ((yield* MiniAgents.running) > 0) {
            assert.deepStrictEqual(yield* MiniAgents.blocked, [])
            yield* Effect.yieldNow
          }
        }
      }).pipe(CleanRuntime.run)
  )
})
