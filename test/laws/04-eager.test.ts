import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Scheduler from "effect/Scheduler"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, MessagePromise, MessageSequence, MiniAgents } from "miniagents"
import { Interleaving } from "miniagents/testing"
import * as CleanRuntime from "../CleanRuntime.ts"
import { law } from "./Law.ts"

const Choice = Schema.Literals(["default", "yes", "no"])
const options = (startSoon: typeof Choice.Type) => (startSoon === "default" ? {} : { startSoon: startSoon === "yes" })

/** Agents that note that they run, when they have ended, and wait for a gate in between. */
const noting = Effect.gen(function* () {
  const gate = yield* Deferred.make<void>()
  const notes: Array<string> = []
  const note = (text: string) => Effect.sync(() => void notes.push(text))
  const agent = Agent.make("Noting", (ctx) =>
    note("runs").pipe(
      Effect.andThen(ctx.reply("first")),
      Effect.andThen(Deferred.await(gate)),
      Effect.andThen(ctx.reply("second")),
      Effect.andThen(note("ended"))
    )
  )
  return { agent, gate, notes }
})

type Sequence = MessageSequence.MessageSequence

const relay = Agent.make("Relay", (ctx) => ctx.reply(ctx.messages))
const first = (sequence: Stream.Stream<unknown>) => Stream.runDrain(Stream.take(sequence, 1))

/** The ways to be the first who reads. */
const ways = {
  elements: first,
  messages: (sequence: Sequence) => Effect.forkChild(sequence.messages),
  text: (sequence: Sequence) => Effect.forkChild(sequence.text),
  "tokens of `single`": (sequence: Sequence) => first(sequence.single()),
  "`single` as a whole": (sequence: Sequence) => Effect.forkChild(sequence.single().message),
  "a sequence that holds it": (sequence: Sequence) =>
    Effect.flatMap(MessageSequence.from(["x", [sequence]]), (all) => Stream.runDrain(Stream.take(all, 2))),
  "the replies of an agent that hands it on": (sequence: Sequence) => Effect.flatMap(relay.trigger(sequence), first)
}
const Way = Schema.Literals(Object.keys(ways) as ReadonlyArray<keyof typeof ways>)

describe("Law 4, Eager", () => {
  law(
    "Law 4, Eager: `trigger` and `call` return before the body runs",
    { runtime: Schema.Boolean, startSoon: Choice, open: Schema.Boolean },
    ({ open, runtime, startSoon }) =>
      Effect.gen(function* () {
        const { agent, gate, notes } = yield* noting
        const call: Effect.Effect<unknown, never, MiniAgents.MiniAgents> = open
          ? agent.call({}, options(startSoon))
          : agent.trigger([], {}, options(startSoon))
        // nothing else can run between the return of the call and the look at what ran
        const seen = yield* Effect.map(call, () => [...notes]).pipe(
          Effect.provideService(Scheduler.PreventSchedulerYield, true)
        )
        assert.deepStrictEqual(seen, [])
        yield* Deferred.succeed(gate, undefined)
      }).pipe((program) => CleanRuntime.run(program, { startSoon: runtime }))
  )

  law(
    "Law 4, Eager: the body runs whether or not anyone reads, or from the first read on, as the call and the runtime say",
    { runtime: Schema.Boolean, startSoon: Choice, open: Schema.Boolean, way: Way },
    ({ open, runtime, startSoon, way }) =>
      Effect.gen(function* () {
        const eager = startSoon === "default" ? runtime : startSoon === "yes"
        const { agent, gate, notes } = yield* noting
        const replies = open
          ? yield* Effect.flatMap(agent.call({}, options(startSoon)), (call) => call.replies())
          : yield* agent.trigger([], {}, options(startSoon))
        yield* Interleaving.idle
        assert.deepStrictEqual(notes, eager ? ["runs"] : [])
        assert.strictEqual(yield* MiniAgents.running, eager ? 1 : 0)
        yield* ways[way](replies)
        yield* Interleaving.idle
        assert.deepStrictEqual(notes, ["runs"])
        yield* Deferred.succeed(gate, undefined)
        assert.strictEqual(yield* replies.text, "first\n\nsecond")
        yield* Interleaving.idle
        assert.deepStrictEqual(notes, ["runs", "ended"])
      }).pipe((program) => CleanRuntime.run(program, { startSoon: runtime })),
    { seeds: 250 }
  )

  law(
    "Law 4, Eager: the body runs to its end with no reader at all, unless it is lazy",
    { runtime: Schema.Boolean, startSoon: Choice },
    ({ runtime, startSoon }) =>
      Effect.gen(function* () {
        const { agent, gate, notes } = yield* noting
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.asVoid(agent.trigger([], {}, options(startSoon)))
        yield* Interleaving.idle
        const eager = startSoon === "default" ? runtime : startSoon === "yes"
        assert.deepStrictEqual(notes, eager ? ["runs", "ended"] : [])
      }).pipe((program) => CleanRuntime.run(program, { startSoon: runtime }))
  )

  law(
    "Law 4, Eager: a lazy call inside an eager one waits for who reads that far, and nobody else starts it",
    { before: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 })), reads: Schema.Boolean },
    ({ before, reads }) =>
      Effect.gen(function* () {
        const { agent, gate, notes } = yield* noting
        const outer = Agent.make("Outer", (ctx) =>
          Effect.gen(function* () {
            yield* ctx.reply(Array.from({ length: before }, String))
            yield* ctx.reply(yield* agent.trigger([], {}, { startSoon: false }))
          })
        )
        const replies = yield* outer.trigger()
        yield* Interleaving.idle
        assert.deepStrictEqual(notes, [])
        yield* Stream.runDrain(Stream.take(replies, before))
        yield* Interleaving.idle
        assert.deepStrictEqual(notes, [])
        if (!reads) return
        yield* Deferred.succeed(gate, undefined)
        assert.lengthOf(yield* replies.messages, before + 2)
        assert.deepStrictEqual(notes, ["runs", "ended"])
      }).pipe(CleanRuntime.run)
  )

  law(
    "Law 4, Eager: token sources and streams of inputs start as the runtime says",
    { startSoon: Schema.Boolean, whole: Schema.Boolean },
    ({ startSoon, whole }) =>
      Effect.gen(function* () {
        const notes: Array<string> = []
        const source = (name: string) =>
          Stream.suspend(() => {
            notes.push(name)
            return Stream.make("a", "b")
          })
        const promise = yield* MessagePromise.fromStream(source("tokens"))
        const sequence = yield* MessageSequence.from(source("inputs"))
        yield* Interleaving.idle
        assert.deepStrictEqual(notes.toSorted(), startSoon ? ["inputs", "tokens"] : [])
        yield* whole ? promise.message : first(promise)
        yield* whole ? sequence.messages : first(sequence)
        yield* Interleaving.idle
        assert.deepStrictEqual(notes.toSorted(), ["inputs", "tokens"])
        assert.strictEqual(yield* sequence.text, "a\n\nb")
        assert.strictEqual(String(yield* promise.message), "ab")
      }).pipe((program) => CleanRuntime.run(program, { startSoon }))
  )
})
