import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, type MessageSequence } from "miniagents"
import { Interleaving } from "miniagents/testing"
import * as CleanRuntime from "../CleanRuntime.ts"
import { law } from "./Law.ts"
import * as Program from "./Program.ts"

const Counts = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))).check(Schema.isMaxLength(6))

/** An input that notes when it is taken, the step in which `reply` looks into it; half of it is there only later. */
const noting = (order: Array<string>, label: string): Iterable<string | Stream.Stream<string>> => ({
  *[Symbol.iterator]() {
    order.push(label, `${label} later`)
    yield label
    yield Stream.fromEffect(Effect.as(Interleaving.idle, `${label} later`))
  }
})

/** Fibers that each give a number of inputs one after the other, in an order that only the scheduler decides. */
const inParallel = <R>(counts: ReadonlyArray<number>, give: (label: string) => Effect.Effect<void, never, R>) =>
  Effect.forEach(
    counts,
    (count, fiber) => Effect.forEach(Array.from({ length: count }).keys(), (index) => give(`${fiber}.${index}`)),
    { concurrency: "unbounded", discard: true }
  )

const texts = <E>(sequence: MessageSequence.MessageSequence<E>) =>
  Effect.map(sequence.messages, (messages) => messages.map(String))

describe("Law 1, Order", () => {
  law(
    "Law 1, Order: a reader sees what the tree says, depth first, whatever the interleaving and however it starts",
    {
      root: Program.programs({ startSoon: ["default", "yes", "no"] }),
      startSoon: Schema.Boolean,
      streamTokens: Schema.Boolean
    },
    ({ root, startSoon, streamTokens }) =>
      Effect.gen(function* () {
        const replies = yield* new Program.Run().trigger(root)
        const { elements } = Program.expected(root)
        const seen = yield* Program.described(yield* Program.read(replies))
        assert.deepStrictEqual(seen, { elements, end: "ok" })
        assert.deepStrictEqual(yield* texts(replies), elements)
        assert.strictEqual(yield* replies.text, elements.join("\n\n"))
        assert.strictEqual(String(yield* replies.single().message), elements.join("\n\n"))
      }).pipe((program) => CleanRuntime.run(program, { startSoon, streamTokens })),
    { seeds: 400 }
  )

  law(
    "Law 1, Order: what fibers of one body reply in parallel comes out in the order of the calls to `reply`",
    { counts: Counts },
    ({ counts }) =>
      Effect.gen(function* () {
        const order: Array<string> = []
        const agent = Agent.make("Many", (ctx) => inParallel(counts, (label) => ctx.reply(noting(order, label))))
        const replies = yield* agent.trigger()
        assert.deepStrictEqual(yield* texts(replies), order)
        assert.lengthOf(
          order,
          counts.reduce((sum, count) => sum + 2 * count, 0)
        )
      }).pipe(CleanRuntime.run)
  )

  law(
    "Law 1, Order: what is sent to an open call reaches the agent in the order of the calls to `send`",
    { counts: Counts, handedOn: Schema.Boolean },
    ({ counts, handedOn }) =>
      Effect.gen(function* () {
        const order: Array<string> = []
        const relay = Agent.make("Relay", (ctx) =>
          handedOn ? ctx.reply(ctx.messages) : Stream.runForEach(ctx.messages, (promise) => ctx.reply(promise))
        )
        const call = yield* relay.call()
        yield* inParallel(counts, (label) => call.send(noting(order, label)))
        assert.deepStrictEqual(yield* texts(yield* call.replies()), order)
      }).pipe(CleanRuntime.run)
  )
})
