/** What every implementation of `Runs` does. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { Agent, MessagePromise, MiniAgents, type Transcript } from "miniagents"
import { Runs } from "miniagents/runs"

class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.String }) {}
class Greeting extends Context.Service<Greeting, string>()("Greeting") {}

/** Says "a", and "b" when the gate opens. */
const gated = (gate: Deferred.Deferred<void>, onStart: Effect.Effect<void> = Effect.void) =>
  Agent.make(
    "Gated",
    Effect.fnUntraced(function* (ctx) {
      yield* onStart
      const tokens = Stream.concat(Stream.make("a"), Stream.fromEffect(Effect.as(Deferred.await(gate), "b")))
      yield* ctx.reply(yield* MessagePromise.fromStream(tokens))
    })
  )
const never = Agent.make("Never", (ctx) => Effect.andThen(ctx.reply("x"), Effect.never))

const reasonOf = <A, R>(effect: Effect.Effect<A, Runs.RunsError, R>) =>
  Effect.map(Effect.flip(effect), ({ reason }) => reason)

const tags = (events: ReadonlyArray<Transcript.Event>) => events.map(({ _tag }) => _tag)

export const suite = (name: string, layer: Layer.Layer<Runs.Runs>): void => {
  const test = <E>(title: string, body: Effect.Effect<void, E, Runs.Runs | MiniAgents.MiniAgents>) =>
    it.effect(title, () => Effect.provide(body, [layer, MiniAgents.layer()]))

  describe(`Runs, ${name}`, () => {
    test(
      "the same id is the same run: the agent runs once, and everybody reads the same",
      Effect.gen(function* () {
        let started = 0
        const gate = yield* Deferred.make<void>()
        const agent = gated(
          gate,
          Effect.sync(() => void started++)
        )
        const one = yield* Runs.start(agent, "x", {}, { id: "r-1" })
        const two = yield* Runs.start(agent, "y", {}, { id: "r-1" })
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual([one.id, two.id], ["r-1", "r-1"])
        assert.strictEqual(yield* (yield* one.replies).text, "ab")
        assert.strictEqual(yield* (yield* two.replies).text, "ab")
        assert.strictEqual(started, 1)
      })
    )

    it.effect("a runtime that closes well does not wait for runs, which are their Layer's", () =>
      Effect.gen(function* () {
        const runs = yield* Layer.build(layer)
        const waiting = Agent.make("Waiting", (ctx) => Effect.flatMap(Runs.wait("never", Schema.String), ctx.reply))
        const scope = yield* Scope.make()
        const runtime = yield* Layer.buildWithScope(MiniAgents.layer(), scope)
        yield* Runs.start(waiting, [], {}, { id: "r-1" }).pipe(Effect.provide(runs), Effect.provide(runtime))
        yield* Effect.repeat(Effect.andThen(Effect.yieldNow, Runs.get("r-1")), {
          until: ({ waiting }) => waiting.length > 0
        }).pipe(Effect.provide(runs))
        yield* Scope.close(scope, Exit.void)
      }).pipe(Effect.scoped)
    )

    test(
      "a run goes on as long as one of its messages does, and interrupting it ends that",
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const { id } = yield* Runs.start(gated(gate), "x")
        const cut = yield* Runs.start(gated(yield* Deferred.make<void>()), "y")
        const beginning = (id: string) =>
          Stream.runDrain(Stream.takeUntil(Runs.read(id), ({ _tag }) => _tag === "text"))
        const status = (id: string) => Effect.map(Runs.get(id), (info) => info.status)
        yield* Effect.forEach([id, cut.id], beginning)
        assert.deepStrictEqual(yield* Effect.forEach([id, cut.id], status), ["running", "running"])
        yield* Runs.interrupt(cut.id)
        yield* Deferred.succeed(gate, undefined)
        yield* Stream.runDrain(Runs.read(id))
        assert.strictEqual(yield* status(id), "succeeded")
        assert.notStrictEqual(yield* status(cut.id), "running")
      })
    )

    test(
      "a run is interrupted that had no reader for as long as it was said to linger, and no other",
      Effect.gen(function* () {
        const [read, left] = [yield* Runs.start(never, [], {}, { linger: "3 seconds" }), yield* Runs.start(never)]
        const status = (id: string) => Effect.map(Runs.get(id), (info) => info.status)
        const ended = Effect.repeat(Effect.andThen(Effect.yieldNow, status(read.id)), {
          until: (status) => status !== "running"
        })
        const said = yield* Deferred.make<void>()
        const reader = yield* Effect.forkChild(
          Stream.runForEach(Runs.read(read.id), () => Deferred.succeed(said, undefined))
        )
        yield* Deferred.await(said)
        yield* TestClock.adjust("4 seconds")
        yield* Fiber.interrupt(reader)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* status(read.id), "running")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* ended, "interrupted")
        assert.strictEqual(yield* status(left.id), "running")
        yield* Runs.interrupt(left.id)
      })
    )

    test(
      "a run without a given id gets one of its own",
      Effect.gen(function* () {
        const agent = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
        const ids = yield* Effect.forEach(["a", "b"], (input) => Effect.map(Runs.start(agent, input), ({ id }) => id))
        assert.strictEqual(new Set(ids).size, 2)
        assert.deepStrictEqual(
          (yield* Runs.list).map(({ id }) => id),
          ids
        )
      })
    )

    test(
      "it is read from any position by any number of readers, while it goes on and afterwards, and leaving ends nothing",
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const { id } = yield* Runs.start(gated(gate))
        const first = yield* Stream.runCollect(Stream.take(Runs.read(id), 2))
        assert.deepStrictEqual(tags(first), ["open", "text"])
        const rest = yield* Effect.forkChild(Stream.runCollect(Runs.read(id, { from: "0.1" })))
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual(tags(yield* Fiber.join(rest)), ["text", "message", "end"])
        const all = yield* Stream.runCollect(Runs.read(id))
        assert.deepStrictEqual(tags(all), ["open", "text", "message", "end"])
        assert.deepStrictEqual(tags(yield* Stream.runCollect(Runs.read(id, { from: "0.x" }))), ["end"])
      })
    )

    test(
      "it goes on when who started it has ended or was interrupted",
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const started = yield* Deferred.make<string>()
        const starter = Agent.make(
          "Starter",
          Effect.fnUntraced(function* () {
            const { id } = yield* Runs.start(gated(gate))
            yield* Deferred.succeed(started, id)
            return yield* Effect.never
          })
        )
        const call = yield* starter.call()
        const id = yield* Deferred.await(started)
        yield* call.interrupt
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual((yield* Stream.runCollect(Runs.read(id))).at(-1)?._tag, "end")
        assert.strictEqual((yield* Runs.get(id)).status, "succeeded")
      })
    )

    test(
      "interrupting ends all that is below it, and is seen by its readers; of a run that has ended it changes nothing",
      Effect.gen(function* () {
        const [started, stopped] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const below = Agent.make("Below", () =>
          Effect.onInterrupt(Effect.andThen(Deferred.succeed(started, undefined), Effect.never), () =>
            Deferred.succeed(stopped, undefined)
          )
        )
        const agent = Agent.make(
          "Above",
          Effect.fnUntraced(function* (ctx) {
            yield* ctx.reply("x")
            yield* ctx.reply(yield* below.trigger())
          })
        )
        const { id } = yield* Runs.start(agent)
        yield* Stream.runCollect(Stream.take(Runs.read(id), 3))
        yield* Deferred.await(started)
        yield* Runs.interrupt(id)
        yield* Deferred.await(stopped)
        assert.strictEqual((yield* Runs.get(id)).status, "interrupted")
        assert.deepStrictEqual(tags(yield* Stream.runCollect(Runs.read(id, { from: "0.x" }))), ["interrupted"])
        yield* Runs.interrupt(id)
        assert.strictEqual((yield* Runs.get(id)).status, "interrupted")
      })
    )

    test(
      "a failure is the run's end, as it is where its schema is given",
      Effect.gen(function* () {
        const agent = Agent.make("Guard", () => Effect.fail(new Refused({ by: "Ann" })))
        const run = yield* Runs.start(agent, [], {}, { error: Refused })
        const events = yield* Stream.runCollect(Runs.read(run.id))
        assert.deepStrictEqual(events, [
          {
            _tag: "failed",
            failure: { error: "Refused", reason: 'by: "Ann"', trace: ["Guard"], value: { _tag: "Refused", by: "Ann" } }
          }
        ])
        assert.strictEqual((yield* Effect.flip((yield* run.replies).messages)).by, "Ann")
        assert.strictEqual((yield* Runs.get(run.id)).status, "failed")
      })
    )

    test(
      "what an agent requires is taken from where the run is started",
      Effect.gen(function* () {
        const agent = Agent.make("Greeter", (ctx) => Effect.flatMap(Greeting, (greeting) => ctx.reply(greeting)))
        const run = yield* Effect.provideService(Runs.start(agent), Greeting, "hello")
        assert.strictEqual(yield* (yield* run.replies).text, "hello")
      })
    )

    test(
      "a run in a scope is interrupted with it",
      Effect.gen(function* () {
        const id = yield* Effect.scoped(Effect.map(Runs.startScoped(never), ({ id }) => id))
        assert.strictEqual((yield* Runs.get(id)).status, "interrupted")
      })
    )

    test(
      "signals reach who waits for them, in order, also when they come first; one of the wrong shape is refused",
      Effect.gen(function* () {
        const Approval = Schema.Struct({ by: Schema.String })
        const agent = Agent.make(
          "Careful",
          Effect.fnUntraced(function* (ctx) {
            yield* ctx.reply("may I?")
            const { by } = yield* Runs.wait("approval", Approval)
            yield* ctx.reply(`approved by ${by}`)
            const count = yield* Runs.wait("count", Schema.Int)
            yield* ctx.reply(`counted ${count}`)
          })
        )
        const { id } = yield* Runs.start(agent)
        yield* Runs.signal(id, "count", 3)
        yield* Stream.runCollect(Stream.take(Runs.read(id), 3))
        yield* Effect.yieldNow
        assert.deepStrictEqual((yield* Runs.get(id)).waiting, ["approval"])
        const refused = yield* Effect.flip(Runs.signal(id, "approval", { by: 7 }))
        assert.include(refused.message, "`by` got `7`")
        assert.strictEqual((yield* Runs.get(id)).status, "running")
        yield* Runs.signal(id, "approval", { by: "Ann" })
        const messages = yield* Stream.runCollect(Runs.read(id))
        assert.deepStrictEqual(
          messages.flatMap((event) => (event._tag === "text" ? [event.text] : [])),
          ["may I?", "approved by Ann", "counted 3"]
        )
        assert.deepStrictEqual((yield* Runs.get(id)).waiting, [])
      })
    )

    test(
      "an id of another agent, and one of no run, are refused with a sentence",
      Effect.gen(function* () {
        const { id } = yield* Runs.start(never)
        const agent = Agent.make("Other", () => Effect.void)
        assert.deepStrictEqual(yield* reasonOf(Runs.start(agent, [], {}, { id })), {
          _tag: "OtherAgent",
          id,
          agent: "Never"
        })
        const unknown = { _tag: "NotFound", id: "none" } as const
        assert.deepStrictEqual(yield* reasonOf(Runs.get("none")), unknown)
        assert.deepStrictEqual(yield* reasonOf(Runs.interrupt("none")), unknown)
        assert.deepStrictEqual(yield* reasonOf(Runs.signal("none", "a", 1)), unknown)
        assert.deepStrictEqual(yield* reasonOf(Stream.runDrain(Runs.read("none"))), unknown)
        yield* Runs.interrupt(id)
      })
    )

    test(
      "what the agent cannot be sent is a defect of who starts it, and leaves no run",
      Effect.gen(function* () {
        const exit = yield* Effect.exit(Runs.start(never, [(() => 1) as never], {}, { id: "r-1" }))
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
        assert.deepStrictEqual(yield* Runs.list, [])
      })
    )
  })
}
