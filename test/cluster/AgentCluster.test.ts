import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestRunner from "effect/cluster/TestRunner"
import { Agent, Message, MessagePromise, MiniAgents } from "miniagents"
import { AgentCluster } from "miniagents/cluster"
import { DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { query: Schema.String }) {}
class Mine extends Schema.TaggedError<Mine>()("Mine", { of: Schema.Unknown }) {}
class Review extends Message.Class<Review>()("Review", { stars: Schema.Int }) {}

class Writer extends Agent.Service<Writer>()("Writer", {
  parameters: { tone: Schema.String, at: Schema.optionalKey(Schema.DateTimeUtc) },
  error: NotFound,
  messages: [Review]
}) {}

const below = Agent.make("Below", (ctx) => ctx.reply("from below"))
const WriterLive = Writer.toLayer(
  Effect.fnUntraced(function* (ctx) {
    const { tone } = ctx.parameters
    yield* ctx.reply([`a ${tone} text`, ctx.messages, yield* below.trigger(), new Review({ stars: tone.length })])
    if (tone === "missing") return yield* new NotFound({ query: tone })
  })
)

/** The service over a cluster of this process alone. */
const through = <Self, P, E, Err extends Schema.Constraint, Classes extends ReadonlyArray<Message.AnyClass>, R>(
  service: Agent.ServiceClass<Self, P, E, Err, Classes>,
  live: Layer.Layer<Self, never, R>,
  options?: AgentCluster.Options<P>
) =>
  Layer.merge(AgentCluster.clientLayer(service), AgentCluster.layer(service, options).pipe(Layer.provide(live))).pipe(
    Layer.provideMerge(MiniAgents.layer()),
    Layer.provide(TestRunner.layer)
  )

const read = <E>(sequence: Stream.Stream<MessagePromise.MessagePromise<E>, E>) =>
  Effect.gen(function* () {
    const promises: Array<MessagePromise.MessagePromise<E>> = []
    const exit = yield* Effect.exit(
      Stream.runForEach(sequence, (promise) => Effect.sync(() => void promises.push(promise)))
    )
    const messages = yield* Effect.forEach(promises, ({ message }) => Effect.exit(message))
    return { messages, exit, origins: promises.map(({ origin }) => origin && [origin.path, origin.agent]) }
  })

describe("AgentCluster", () => {
  const caller = Agent.make(
    "Caller",
    { parameters: { tone: Schema.String } },
    Effect.fnUntraced(function* (ctx) {
      yield* ctx.reply(yield* below.trigger())
      const input = ["hi", { n: 1 }, Message.user("u"), new Review({ stars: 1 })]
      yield* ctx.reply(yield* Writer.fork({ name: "Name/with slash" }).trigger(input, ctx.parameters))
    })
  )
  it.live.each(["dry", "missing"])("is called as it is here: messages, failure, origins and trace (%s)", (tone) =>
    Effect.gen(function* () {
      const seen = Effect.flatMap(caller.trigger([], { tone }), read)
      const here = yield* Effect.provide(seen, [WriterLive, MiniAgents.layer()])
      const there = yield* Effect.provide(seen, through(Writer, WriterLive))
      assert.deepStrictEqual(there, here)
      const trace = ({ exit }: typeof here) => Exit.isFailure(exit) && MiniAgents.traceOf(exit.cause)
      assert.deepStrictEqual(trace(there), trace(here))
      assert.strictEqual(Exit.isFailure(here.exit), tone === "missing")
    })
  )

  it.live("what the input fails with comes back as it was, and so does a failure below that the agent passes on", () =>
    Effect.gen(function* () {
      const error = new Mine({ of: Symbol("no schema has this") })
      const promise = yield* MessagePromise.fromStream(Stream.concat(Stream.make("half "), Stream.fail(error)))
      const replies = yield* Writer.trigger([promise, Stream.fail(error)], { tone: "dry" })
      const { exit, messages } = yield* read(replies)
      assert.deepStrictEqual(exit, Exit.fail(error))
      assert.deepStrictEqual<unknown>(messages[1], Exit.fail(error))
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === error)
    }).pipe(Effect.provide(through(Writer, WriterLive)))
  )

  it.live("tokens and input go back and forth while the call goes on", () =>
    Effect.gen(function* () {
      class Echo extends Agent.Service<Echo>()("Echo") {}
      const live = Echo.toLayer((ctx) => ctx.reply(ctx.messages))
      yield* Effect.gen(function* () {
        const call = yield* Echo.call()
        const tokens = yield* Queue.unbounded<string, Cause.Done>()
        yield* call.send(yield* MessagePromise.fromStream(Stream.fromQueue(tokens)))
        const replies = yield* call.replies({ finish: false })
        const [promise] = yield* Stream.runCollect(Stream.take(replies, 1))
        const got = yield* Queue.unbounded<string>()
        yield* Effect.forkChild(Stream.runForEach(promise, (token) => Queue.offer(got, token)))
        for (const token of ["one ", "two ", "three"]) {
          yield* Queue.offer(tokens, token)
          assert.strictEqual(yield* Queue.take(got), token)
        }
        yield* Queue.end(tokens)
        yield* call.send("more")
        yield* call.finish
        assert.deepStrictEqual((yield* replies.messages).map(String), ["one two three", "more"])
      }).pipe(Effect.provide(through(Echo, live)))
    })
  )

  it.live("interrupting a call returns when all of it has ended there", () =>
    Effect.gen(function* () {
      class Silent extends Agent.Service<Silent>()("Silent") {}
      const log: Array<string> = []
      const child = Agent.make("Child", () =>
        Effect.onInterrupt(Effect.never, () =>
          Effect.andThen(
            Effect.sleep(20),
            Effect.sync(() => log.push("child ended"))
          )
        )
      )
      const live = Silent.toLayer(
        Effect.fnUntraced(function* (ctx) {
          const replies = yield* child.trigger()
          yield* ctx.reply(["here", replies])
        })
      )
      yield* Effect.gen(function* () {
        const call = yield* Silent.call()
        const replies = yield* call.replies()
        yield* Stream.runDrain(Stream.take(replies, 1))
        yield* call.interrupt
        log.push("interrupted")
        const exit = yield* Effect.exit(replies.messages)
        assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      }).pipe(Effect.provide(through(Silent, live)))
      assert.deepStrictEqual(log, ["child ended", "interrupted"])
    })
  )

  it.live("an agent that interrupts itself there is interrupted here", () =>
    Effect.gen(function* () {
      class Gone extends Agent.Service<Gone>()("Gone") {}
      const live = Gone.toLayer((ctx) => Effect.andThen(ctx.reply("last words"), Effect.interrupt))
      const { exit, messages } = yield* Effect.provide(Effect.flatMap(Gone.trigger(), read), through(Gone, live))
      assert.lengthOf(messages, 1)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    })
  )

  it.live("a call whose replies are finished early goes on there, and is waited for here", () =>
    Effect.gen(function* () {
      class Early extends Agent.Service<Early>()("Early") {}
      const going = yield* Deferred.make<void>()
      let done = false
      const live = Early.toLayer(
        Effect.fnUntraced(function* (ctx) {
          yield* ctx.reply("soon")
          yield* ctx.finishEarly
          yield* Deferred.await(going)
          done = true
        })
      )
      yield* Effect.gen(function* () {
        const replies = yield* Early.trigger()
        assert.strictEqual(yield* replies.text, "soon")
        assert.isFalse(done)
        yield* Deferred.succeed(going, undefined)
        yield* MiniAgents.idle
        assert.isTrue(done)
      }).pipe(Effect.provide(through(Early, live)))
    })
  )

  it.live.each([1, 2])(
    "calls with one key run in turn, %i at a time, and those with another beside them",
    (concurrency) =>
      Effect.gen(function* () {
        class Keyed extends Agent.Service<Keyed>()("Keyed", {
          parameters: { customer: Schema.String, n: Schema.Int }
        }) {}
        const started = yield* Queue.unbounded<string>()
        const leave = new Map<string, Deferred.Deferred<void>>()
        const live = Keyed.toLayer(
          Effect.fnUntraced(function* ({ parameters: { customer, n }, reply }) {
            const name = `${customer}${n}`
            const left = Deferred.makeUnsafe<void>()
            leave.set(name, left)
            yield* Queue.offer(started, name)
            yield* Deferred.await(left)
            yield* reply(name)
          })
        )
        yield* Effect.gen(function* () {
          const call = (customer: string, n: number) => Keyed.trigger([], { customer, n })
          const anns = yield* Effect.forEach([1, 2, 3], (n) => call("ann", n))
          const bob = yield* call("bob", 1)
          const first = yield* Effect.forEach(Array.from({ length: concurrency + 1 }), () => Queue.take(started))
          assert.deepStrictEqual(first.toSorted(), ["ann1", "ann2"].slice(0, concurrency).concat("bob1"))
          assert.strictEqual(yield* Queue.size(started), 0)
          yield* Deferred.succeed(leave.get("ann1")!, undefined)
          assert.strictEqual(yield* Queue.take(started), `ann${concurrency + 1}`)
          for (const name of ["ann2", "ann3", "bob1"]) {
            if (!leave.has(name)) yield* Queue.take(started)
            yield* Deferred.succeed(leave.get(name)!, undefined)
          }
          assert.deepStrictEqual(yield* Effect.forEach([...anns, bob], ({ text }) => text), [
            "ann1",
            "ann2",
            "ann3",
            "bob1"
          ])
        }).pipe(Effect.provide(through(Keyed, live, { key: ({ customer }) => customer, concurrency })))
      })
  )

  it.live("a process that has as many calls as it may have begins no other", () =>
    Effect.gen(function* () {
      class Busy extends Agent.Service<Busy>()("Busy", { error: AgentCluster.AgentLost }) {}
      const live = Busy.toLayer((ctx) => Effect.andThen(ctx.reply("begun"), ctx.messages.messages))
      yield* Effect.gen(function* () {
        const call = yield* Busy.call()
        const replies = yield* call.replies({ finish: false })
        yield* Stream.runDrain(Stream.take(replies, 1))
        for (let i = 0; i < 3; i++) {
          const exit = yield* Effect.exit((yield* Busy.trigger()).messages)
          assert.deepStrictEqual(exit, Exit.fail(new AgentCluster.AgentLost({ agent: "Busy", reason: "full" })))
        }
        yield* call.finish
        yield* replies.messages
        yield* MiniAgents.idle
        assert.strictEqual(yield* (yield* Busy.trigger()).text, "begun")
      }).pipe(Effect.provide(through(Busy, live, { max: 1 })))
    })
  )

  it.live("a durable call is a run, read as any other call is", () =>
    Effect.gen(function* () {
      const runs = DurableRuns.layer().pipe(Layer.provide(Store.layerMemory), Layer.orDie)
      const durable = Layer.merge(
        AgentCluster.clientLayer(Writer),
        AgentCluster.layer(Writer, { durable: true }).pipe(Layer.provide(WriterLive))
      ).pipe(Layer.provideMerge([MiniAgents.layer(), runs]), Layer.provide(TestRunner.layer))
      yield* Effect.gen(function* () {
        for (const tone of ["dry", "missing"]) {
          const seen = Effect.flatMap(caller.trigger([], { tone }), read)
          const here = yield* Effect.provide(seen, [WriterLive, MiniAgents.layer()])
          const there = yield* seen
          assert.deepStrictEqual([there.messages, there.exit], [here.messages, here.exit])
        }
        assert.deepStrictEqual((yield* Runs.list).map(({ agent, status }) => `${agent} ${status}`).toSorted(), [
          "Writer failed",
          "Writer succeeded"
        ])
        // one call of one run is one run
        const outer = Agent.make("Outer", (ctx) =>
          Effect.flatMap(Writer.trigger("x", { tone: "dry" }), (replies) => ctx.reply(replies))
        )
        yield* (yield* (yield* Runs.start(outer, [], {}, { id: "r" })).replies).messages
        assert.include((yield* Runs.get("r/Outer/0:Writer")).status, "succeeded")
      }).pipe(Effect.provide(durable))
    })
  )

  it.live("who calls with parameters of another version is told so, and other calls go on", () =>
    Effect.gen(function* () {
      class Old extends Agent.Service<Old>()("Same", { parameters: { n: Schema.Int } }) {}
      class New extends Agent.Service<New>()("Same", { parameters: { n: Schema.String } }) {}
      const live = New.toLayer((ctx) => ctx.reply(ctx.parameters.n))
      const cluster = Layer.merge(
        AgentCluster.clientLayer(Old),
        AgentCluster.layer(New).pipe(Layer.provide(live))
      ).pipe(Layer.provideMerge(MiniAgents.layer()), Layer.provide(TestRunner.layer))
      const exit = yield* Effect.provide(
        Effect.exit(Effect.flatMap(Old.trigger([], { n: 1 }), ({ text }) => text)),
        cluster
      )
      assert.include(String(exit), "another version")
    })
  )
})
