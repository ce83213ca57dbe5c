import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, MessageSequence, type MessagePromise, type MiniAgents } from "miniagents"
import { Interleaving } from "miniagents/testing"
import * as CleanRuntime from "../CleanRuntime.ts"
import { law } from "./Law.ts"
import * as Program from "./Program.ts"

const Position = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 }))
const Small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))

/** What is replied one after the other: elements that are there only once a gate has opened. */
const Parts = Schema.Array(
  Schema.Struct({
    outOfOrder: Schema.Boolean,
    /** The number of elements, each behind a gate of its own. */
    length: Small,
    kind: Schema.Literals(["stream", "agent", "nested stream", "inner out of order"]),
    /** Whether a failure comes after them. */
    fails: Schema.Boolean
  })
).check(Schema.isMaxLength(6))
type Part = (typeof Parts.Type)[number]

/** One run of such parts: their gates, and what a reader must have by now. */
class Gated {
  readonly opened = new Set<string>()
  readonly gates = new Map<string, Deferred.Deferred<void>>()
  readonly parts: ReadonlyArray<Part>

  constructor(parts: ReadonlyArray<Part>) {
    this.parts = parts
    parts.forEach((part, index) => labels(part, index).forEach((at) => this.gates.set(at, Deferred.makeUnsafe())))
  }

  open(at: string): Effect.Effect<unknown> {
    this.opened.add(at)
    return Deferred.succeed(this.gates.get(at)!, undefined)
  }

  /** The input that gives the elements of a part as their gates open. */
  input(part: Part, index: number): Effect.Effect<Stream.Stream<string, Program.Broken>, never, MiniAgents.MiniAgents> {
    const at = `${index}`
    const end = part.fails ? Stream.fail(new Program.Broken({ at })) : Stream.empty
    const elements = Stream.fromIterable(labels(part, index)).pipe(
      Stream.mapEffect((label) => Effect.as(Deferred.await(this.gates.get(label)!), label)),
      Stream.concat(end)
    )
    if (part.kind === "stream") return Effect.succeed(elements)
    if (part.kind === "nested stream") {
      return Effect.map(MessageSequence.from([[elements]]), (sequence) => sequence as never)
    }
    const agent = Agent.make(`A${at}`, (ctx) =>
      part.kind === "agent" ? ctx.reply(elements) : ctx.replyOutOfOrder(elements)
    )
    return Effect.map(agent.trigger(), (sequence) => sequence as never)
  }

  /** The elements that can be delivered, by part: each part as far as its gates are open. */
  get available(): ReadonlyArray<string> {
    const ordered = { blocked: false }
    return this.parts
      .flatMap((part, index) => {
        const lane = part.outOfOrder ? { blocked: false } : ordered
        const given = labels(part, index).filter((label) => {
          lane.blocked ||= !this.opened.has(label)
          return !lane.blocked
        })
        lane.blocked ||= part.fails
        return given
      })
      .sort()
  }
}

const labels = (part: Part, index: number) => Array.from({ length: part.length }, (_, item) => `${index}.${item}`)

const ordered = (seen: ReadonlyArray<string>, parts: ReadonlyArray<Part>) => {
  const inner = (of: ReadonlyArray<number>) => seen.filter((label) => of.includes(Number(label.split(".")[0])))
  const expected = (of: ReadonlyArray<number>) => of.flatMap((index) => labels(parts[index], index))
  const lanes = parts.flatMap((part, index) => (part.outOfOrder ? [[index]] : []))
  const first = parts.flatMap((part, index) => (part.outOfOrder ? [] : [index]))
  for (const lane of [...lanes, first]) {
    const got = inner(lane)
    assert.deepStrictEqual(got, expected(lane).slice(0, got.length), "each nested sequence keeps its inner order")
  }
}

/** The labels that a reader has got so far. */
const reading = (sequence: Stream.Stream<MessagePromise.MessagePromise<unknown>, unknown>) =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    const take = (promise: MessagePromise.MessagePromise<unknown>) =>
      Effect.map(promise.message, (message) => void seen.push(String(message)))
    const fiber = yield* Effect.forkChild(Effect.exit(Stream.runForEach(sequence, take)))
    return { fiber, seen }
  })

/** The given order of the gates, by positions that are drawn without looking at how many there are. */
const permuted = (labels: ReadonlyArray<string>, positions: ReadonlyArray<number>): ReadonlyArray<string> => {
  const left = [...labels]
  return labels.map((_, index) => left.splice((positions[index % positions.length] ?? 0) % left.length, 1)[0])
}

const Fields = { parts: Parts, positions: Schema.Array(Position), lateReader: Schema.Boolean, deep: Schema.Boolean }

const give = (gated: Gated, fields: { readonly deep: boolean; readonly sent: boolean }) => {
  const agent = Agent.make("Giver", (ctx) =>
    Effect.forEach(
      gated.parts,
      (part, index) =>
        Effect.flatMap(gated.input(part, index), (input) =>
          part.outOfOrder ? ctx.replyOutOfOrder(input) : ctx.reply(input)
        ),
      { discard: true }
    )
  )
  const relay = Agent.make("Relay", (ctx) => ctx.reply(ctx.messages))
  return Effect.gen(function* () {
    if (fields.sent) {
      const call = yield* relay.call<Program.Broken>()
      for (const [index, part] of gated.parts.entries()) {
        const input = yield* gated.input(part, index)
        yield* part.outOfOrder ? call.sendOutOfOrder(input) : call.send(input)
      }
      return yield* call.replies()
    }
    const replies = yield* agent.trigger()
    return fields.deep ? yield* relay.trigger(yield* MessageSequence.from([[replies]])) : replies
  })
}

describe("Law 5, Out of order", () => {
  law(
    "Law 5, Out of order: an element is delivered as soon as it is there, whatever was replied or sent before it",
    { ...Fields, sent: Schema.Boolean, startSoon: Schema.Boolean },
    ({ deep, lateReader, parts: all, positions, sent, startSoon }) =>
      Effect.gen(function* () {
        const parts = all.map((part) => ({ ...part, fails: false }))
        const gated = new Gated(parts)
        const replies = yield* give(gated, { deep, sent })
        if (lateReader) yield* Interleaving.idle
        const { fiber, seen } = yield* reading(replies)
        yield* Interleaving.idle
        for (const label of permuted([...gated.gates.keys()], positions)) {
          yield* gated.open(label)
          yield* Interleaving.idle
          assert.deepStrictEqual(seen.toSorted(), gated.available)
          ordered(seen, parts)
        }
        assert.strictEqual(Program.exitKey(yield* Fiber.join(fiber)), "ok")
        assert.deepStrictEqual(seen.toSorted(), [...gated.gates.keys()].sort())
      }).pipe((program) => CleanRuntime.run(program, { startSoon })),
    { seeds: 300 }
  )

  law(
    "Law 5, Out of order: failures come after all that can be delivered, and all of them come",
    { ...Fields, sent: Schema.Boolean },
    ({ deep, parts, positions, sent }) =>
      Effect.gen(function* () {
        const gated = new Gated(parts)
        const replies = yield* give(gated, { deep, sent })
        // a reader who met a failure at its place before something was replied out of order has left for good
        yield* Interleaving.idle
        const { fiber, seen } = yield* reading(replies)
        for (const label of permuted([...gated.gates.keys()], positions)) {
          yield* gated.open(label)
          yield* Interleaving.idle
        }
        assert.deepStrictEqual(seen.toSorted(), gated.available)
        ordered(seen, parts)
        const failures = parts.flatMap((part, index) => (part.fails ? [{ index, part }] : []))
        const firstOrdered = failures.find(({ part }) => !part.outOfOrder)
        const met = failures.filter((failure) => failure.part.outOfOrder || failure === firstOrdered)
        const expected = met.map(({ index }) => `Broken:${index}`).sort()
        assert.strictEqual(Program.exitKey(yield* Fiber.join(fiber)), expected.length === 0 ? "ok" : expected.join(" "))
      }).pipe(CleanRuntime.run),
    { seeds: 300 }
  )

  law(
    "Law 5, Out of order: the elements are those of the ordered reply, whatever is nested in whatever",
    {
      root: Program.programs({ modes: ["reply", "replyOutOfOrder"] }),
      startSoon: Schema.Boolean,
      late: Schema.Boolean
    },
    ({ late, root, startSoon }) =>
      Effect.gen(function* () {
        const run = new Program.Run()
        const replies = yield* run.trigger(root)
        if (late) yield* Interleaving.idle
        const seen = yield* Program.described(yield* Program.read(replies))
        const { elements } = Program.expected(root)
        assert.deepStrictEqual([seen.elements.toSorted(), seen.end], [elements.toSorted(), "ok"])
        const inner = (sequence: Program.Expected) => seen.elements.filter((each) => sequence.elements.includes(each))
        for (const sequence of run.sequences.values()) {
          const nested = yield* Program.described(yield* Program.read(sequence))
          // what an agent was sent and did not use, no reader of its replies sees
          if (nested.elements.every((each) => seen.elements.includes(each))) {
            assert.deepStrictEqual(inner(nested), nested.elements)
          }
        }
      }).pipe((program) => CleanRuntime.run(program, { startSoon })),
    { seeds: 300 }
  )
})
