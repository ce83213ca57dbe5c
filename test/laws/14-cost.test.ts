import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scheduler from "effect/Scheduler"
import * as Stream from "effect/Stream"
import { Agent, type InteractionContext, Message, MessagePromise, MessageSequence, MiniAgents } from "miniagents"
import * as CleanRuntime from "../CleanRuntime.ts"

const relay = Agent.make("Relay", (ctx) => ctx.reply(ctx.messages))

/** Sends an input through a number of agents, each of which replies with what it was sent. */
const through = Effect.fnUntraced(function* <E>(sequence: MessageSequence.MessageSequence<E>, depth: number) {
  let last = sequence
  for (let i = 0; i < depth; i++) last = yield* relay.trigger(last)
  return last
})

/** Counts the steps that all fibers take together: what work costs, without a clock. */
class CountingScheduler extends Scheduler.MixedScheduler {
  steps = 0
  override shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    this.steps++
    return super.shouldYield(fiber)
  }
}

const stepsOf = <E>(program: Effect.Effect<unknown, E>) =>
  Effect.suspend(() => {
    const scheduler = new CountingScheduler()
    return Effect.map(
      Effect.callback<void, E>((resume) => {
        const fiber = Effect.runFork(Effect.provideService(Effect.asVoid(program), Scheduler.Scheduler, scheduler))
        fiber.addObserver((exit) => resume(exit))
      }),
      () => scheduler.steps
    )
  })

const collectGarbage: Effect.Effect<void> = Effect.suspend(() => {
  setFlagsFromString("--expose-gc")
  const gc = runInNewContext("gc") as () => void
  return Effect.repeat(
    Effect.callback<void>((resume) => {
      setImmediate(() => {
        gc()
        resume(Effect.void)
      })
    }),
    { times: 3 }
  )
})

describe("Law 14, Cost", () => {
  it.effect("Law 14, Cost: 10,000 messages through 512 agents reach the reader as the promises they are", () =>
    Effect.gen(function* () {
      const promises = Array.from({ length: 10_000 }, (_, i) => MessagePromise.of(Message.text(`${i}`)))
      const last = yield* through(yield* MessageSequence.from(promises), 512)
      const read = yield* Stream.runCollect(last)
      assert.strictEqual(read.length, promises.length)
      assert.isTrue(read.every((promise, i) => promise === promises[i]))
    }).pipe(CleanRuntime.run)
  )

  it.effect("Law 14, Cost: reading m messages through d agents takes steps for m and for d, not for m times d", () =>
    Effect.gen(function* () {
      const program = (count: number, depth: number) =>
        CleanRuntime.run(
          Effect.gen(function* () {
            const texts = Array.from({ length: count }, (_, i) => `${i}`)
            const source = Stream.fromIterable(texts).pipe(
              Stream.rechunk(1),
              Stream.tap(() => Effect.yieldNow)
            )
            const last = yield* through(yield* MessageSequence.from(source), depth)
            assert.strictEqual((yield* last.messages).length, count)
            assert.strictEqual((yield* Stream.runCollect(last)).length, count)
          })
        )
      const both = yield* stepsOf(program(400, 200))
      const flat = yield* stepsOf(program(400, 0))
      const deep = yield* stepsOf(program(0, 200))
      assert.isAtMost(both, 1.5 * (flat + deep))
    })
  )

  it.effect("Law 14, Cost: what arrives while it is read costs each of d nested sequences one step in all", () =>
    Effect.gen(function* () {
      const nest: Agent.Agent<{ readonly depth: number }, InteractionContext.Upstream, MiniAgents.MiniAgents> =
        Agent.make("Nest", { parameters: { depth: Schema.Int } }, (ctx) =>
          Effect.gen(function* () {
            const { depth } = ctx.parameters
            if (depth === 0) yield* ctx.reply(ctx.messages)
            else yield* ctx.reply(yield* nest.trigger(ctx.messages, { depth: depth - 1 }))
          })
        )
      const program = (count: number, depth: number) =>
        CleanRuntime.run(
          Effect.gen(function* () {
            const call = yield* relay.call()
            const sent = yield* call.replies({ finish: false })
            const replies = yield* nest.trigger(sent, { depth })
            let seen = 0
            yield* Effect.all(
              [
                Stream.runForEach(replies, () => Effect.sync(() => void seen++)),
                Effect.andThen(
                  Effect.forEach(
                    Array.from({ length: count }, (_, i) => `${i}`),
                    (text) => Effect.andThen(call.send(text), CleanRuntime.turns(3)),
                    { discard: true }
                  ),
                  call.finish
                )
              ],
              { concurrency: "unbounded" }
            )
            assert.strictEqual(seen, count)
          })
        )
      const both = yield* stepsOf(program(300, 150))
      const flat = yield* stepsOf(program(300, 0))
      const deep = yield* stepsOf(program(0, 150))
      assert.isAtMost(both, 1.5 * (flat + deep))
    })
  )

  it.effect("Law 14, Cost: n readers share one buffer: they get the same promises and messages, early and late", () =>
    Effect.gen(function* () {
      const source = Stream.fromIterable(Array.from({ length: 500 }, (_, i) => `${i}`)).pipe(Stream.rechunk(7))
      const replies = yield* through(yield* MessageSequence.from(source), 3)
      const early = yield* Effect.all(
        Array.from({ length: 50 }, () => Effect.zip(Stream.runCollect(replies), replies.messages)),
        { concurrency: "unbounded" }
      )
      const late = yield* Effect.zip(Stream.runCollect(replies), replies.messages)
      for (const [promises, messages] of early) {
        assert.strictEqual(promises.length, 500)
        assert.isTrue(promises.every((promise, i) => promise === late[0][i]))
        assert.isTrue(messages.every((message, i) => message === late[1][i]))
      }
    }).pipe(CleanRuntime.run)
  )

  it.effect("Law 14, Cost: readers of a token stream share its tokens, and the source is pulled once", () =>
    Effect.gen(function* () {
      let pulled = 0
      const source = Stream.fromIterable(Array.from({ length: 1000 }, (_, i) => `${i} `)).pipe(
        Stream.rechunk(1),
        Stream.tap(() => Effect.sync(() => void pulled++))
      )
      const promise = yield* MessagePromise.fromStream(source)
      const texts = yield* Effect.all(
        Array.from({ length: 20 }, () =>
          Stream.runFold(
            promise,
            () => 0,
            (length, token) => length + token.length
          )
        ),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(texts).size, 1)
      assert.strictEqual(pulled, 1000)
      assert.strictEqual(yield* promise.message, yield* promise.message)
    }).pipe(CleanRuntime.run)
  )

  const turns = 10_000
  const agent = Agent.make("Turn", (ctx) => ctx.reply(["seen", ctx.messages]))

  it.effect("Law 14, Cost: a loop of 10,000 turns keeps neither fibers nor the messages of past turns", () =>
    Effect.gen(function* () {
      const past: Array<WeakRef<object>> = []
      let most = 0
      for (let i = 0; i < turns; i++) {
        const replies = yield* agent.trigger(`turn ${i}`)
        const messages = yield* replies.messages
        if (i % 100 === 0) past.push(new WeakRef(replies), new WeakRef(messages[1]!))
        most = Math.max(most, yield* MiniAgents.running)
      }
      assert.isAtMost(most, 2)
      yield* collectGarbage
      assert.isAtMost(past.filter((ref) => ref.deref() !== undefined).length, 4)
    }).pipe(CleanRuntime.run)
  )

  it.effect(
    "Law 14, Cost: an agent that loops over others keeps nothing of past turns either, failed ones included",
    () =>
      Effect.gen(function* () {
        const past: Array<WeakRef<object>> = []
        let most = 0
        const failing = Agent.make("Failing", () => Effect.fail("as usual"))
        const done = yield* Deferred.make<void>()
        const end = yield* Deferred.make<void>()
        const loop = Agent.make("Loop", (ctx) =>
          Effect.gen(function* () {
            for (let i = 0; i < turns / 4; i++) {
              const replies = yield* agent.trigger(`turn ${i}`)
              const failed = yield* failing.trigger(`turn ${i}`)
              const call = yield* agent.call()
              yield* call.send(`turn ${i}`)
              const called = yield* call.replies()
              yield* Effect.all([replies.messages, called.messages, Effect.flip(failed.messages)])
              yield* ctx.waitFor(Effect.void)
              if (i % 100 === 0)
                past.push(new WeakRef(replies), new WeakRef(failed), new WeakRef(called), new WeakRef(call))
              most = Math.max(most, yield* MiniAgents.running)
            }
            yield* Deferred.succeed(done, undefined)
            yield* Deferred.await(end)
          })
        )
        const replies = yield* loop.trigger()
        yield* Deferred.await(done)
        assert.isAtMost(most, 8)
        yield* collectGarbage
        assert.isAtMost(past.filter((ref) => ref.deref() !== undefined).length, 8)
        yield* Deferred.succeed(end, undefined)
        assert.deepStrictEqual(yield* replies.messages, [])
      }).pipe(CleanRuntime.run)
  )

  it.effect("Law 14, Cost: agents that hand on to the next and end, 10,000 times, keep nothing of past turns", () =>
    Effect.gen(function* () {
      const past: Array<WeakRef<object>> = []
      const end = yield* Deferred.make<number>()
      let most = 0
      const next: Agent.Agent<{ readonly turn: number }, never, MiniAgents.MiniAgents> = Agent.make(
        "Next",
        { parameters: { turn: Schema.Int } },
        (ctx) =>
          Effect.gen(function* () {
            const { turn } = ctx.parameters
            most = Math.max(most, yield* MiniAgents.running)
            if (turn === turns) return yield* Effect.asVoid(Deferred.succeed(end, turn))
            const replies = yield* next.trigger(`turn ${turn}`, { turn: turn + 1 })
            if (turn % 100 === 0) past.push(new WeakRef(replies))
          })
      )
      yield* Effect.asVoid(next.trigger([], { turn: 0 }))
      assert.strictEqual(yield* Deferred.await(end), turns)
      assert.strictEqual(yield* CleanRuntime.settled, 0)
      assert.isAtMost(most, 3)
      yield* collectGarbage
      assert.isAtMost(past.filter((ref) => ref.deref() !== undefined).length, 4)
    }).pipe(CleanRuntime.run)
  )

  it.effect("Law 14, Cost: 10,000 concurrent calls run within the default heap, and can be interrupted", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const waiting = Agent.make("Waiting", (ctx) =>
        Effect.flatMap(ctx.messages.text, (text) => Effect.andThen(Deferred.await(gate), ctx.reply(text)))
      )
      const calls = yield* Effect.forEach(
        Array.from({ length: 10_000 }, (_, i) => `${i}`),
        (text) => waiting.trigger(text)
      )
      yield* CleanRuntime.turns(5)
      assert.strictEqual(yield* MiniAgents.running, 10_000)
      yield* Deferred.succeed(gate, undefined)
      const texts = yield* Effect.forEach(calls, (replies) => replies.text)
      assert.deepStrictEqual(
        texts,
        Array.from({ length: 10_000 }, (_, i) => `${i}`)
      )
      let interrupted = 0
      let started = 0
      const all = yield* Deferred.make<void>()
      const never = Agent.make("Never", () =>
        Effect.suspend(() => {
          if (++started === 10_000) Deferred.doneUnsafe(all, Exit.void)
          return Effect.never
        }).pipe(Effect.onInterrupt(() => Effect.sync(() => void interrupted++)))
      )
      const many = Agent.make("Many", () =>
        Effect.andThen(Effect.replicateEffect(never.trigger(), 10_000), Effect.never)
      )
      const call = yield* many.call()
      yield* Deferred.await(all)
      assert.strictEqual(yield* MiniAgents.running, 10_001)
      yield* call.interrupt
      assert.strictEqual(interrupted, 10_000)
      assert.strictEqual(yield* CleanRuntime.settled, 0)
    }).pipe(CleanRuntime.run)
  )

  it.effect("Law 14, Cost: a chain 1,000 agents deep works, and can be interrupted, in every way it may be built", () =>
    Effect.gen(function* () {
      const reached = yield* Deferred.make<void>()
      const down: Agent.Agent<{ readonly left: number; readonly stay: boolean }, never, MiniAgents.MiniAgents> =
        Agent.make("Down", { parameters: { left: Schema.Int, stay: Schema.Boolean } }, (ctx) =>
          Effect.gen(function* () {
            const { left, stay } = ctx.parameters
            if (left > 0) {
              const replies = yield* down.trigger([], { left: left - 1, stay })
              if (left % 3 === 0) yield* ctx.replyOutOfOrder(["-", replies])
              else if (left % 3 === 1) yield* ctx.reply([replies])
              else yield* ctx.reply(yield* replies.messages)
            } else if (stay) {
              yield* Deferred.succeed(reached, undefined)
              return yield* Effect.never
            } else yield* ctx.reply("bottom")
          })
        )
      const replies = yield* down.trigger([], { left: 999, stay: false })
      const messages = yield* replies.messages
      assert.strictEqual(messages.length, 1 + 333)
      assert.strictEqual(messages.filter((message) => String(message) === "bottom").length, 1)
      const relayed = yield* through(yield* MessageSequence.from("through"), 1000)
      assert.strictEqual(yield* relayed.text, "through")
      const call = yield* down.call({ left: 999, stay: true })
      yield* Deferred.await(reached)
      yield* call.interrupt
      assert.strictEqual(yield* CleanRuntime.settled, 0)
    }).pipe(CleanRuntime.run)
  )
})
