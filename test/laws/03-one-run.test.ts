import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, type MessageSequence, MiniAgents } from "miniagents"
import { Interleaving } from "miniagents/testing"
import * as CleanRuntime from "../CleanRuntime.ts"
import { law, settled } from "./Law.ts"
import * as Program from "./Program.ts"

const relay = Agent.make("Relay", (ctx) => ctx.reply(ctx.messages))
const reader = Agent.make("Reader", (ctx) =>
  Effect.asVoid(Effect.exit(Stream.runForEach(ctx.messages, (promise) => Effect.exit(promise.message))))
)

type Sequence = MessageSequence.MessageSequence<unknown>

type Way = (typeof wayNames)[number]
const wayNames = [
  "elements",
  "messages",
  "text",
  "single",
  "an agent that reads it",
  "an agent that hands it on"
] as const

/** The ways to read a sequence and all that is in it. */
const ways: Readonly<Record<Way, (sequence: Sequence) => Effect.Effect<unknown, never, MiniAgents.MiniAgents>>> = {
  elements: (sequence: Sequence) => Effect.flatMap(Program.read(sequence), Program.described),
  messages: (sequence: Sequence) => Effect.exit(sequence.messages),
  text: (sequence: Sequence) => Effect.exit(sequence.text),
  single: (sequence: Sequence) => Effect.exit(Stream.runDrain(sequence.single())),
  "an agent that reads it": (sequence: Sequence) =>
    Effect.flatMap(reader.trigger(sequence), (replies) => Effect.exit(replies.messages)),
  "an agent that hands it on": (sequence: Sequence) =>
    Effect.flatMap(relay.trigger(sequence), (replies) => Effect.exit(replies.messages))
}
const Ways = Schema.Array(Schema.Literals(wayNames)).check(Schema.isMaxLength(6))

const places = (node: Program.Node, at: string): ReadonlyArray<readonly [kind: "body" | "source", at: string]> => {
  const below = (items: ReadonlyArray<Program.Node>) => items.flatMap((item, index) => places(item, `${at}.${index}`))
  switch (node._tag) {
    case "Leaf":
      return []
    case "Promise":
      return [["source", at]]
    case "Stream":
      return [["source", at], ...below(node.items)]
    case "List":
    case "Sequence":
      return below(node.items)
    case "Relay":
      return [["body", at], ...places(node.input, `${at}.0`)]
    case "Agent":
      return [["body", at], ...below(node.steps.map((step) => step.input))]
  }
}

const keys = (run: Program.Run, kind: "body" | "source") =>
  [...(kind === "body" ? run.bodies : run.sources).keys()].sort()

const assertOnce = (run: Program.Run) => {
  for (const [at, times] of [...run.bodies, ...run.sources]) assert.strictEqual(times, 1, `runs of ${at}`)
}

describe("Law 3, One run", () => {
  law(
    "Law 3, One run: bodies and token sources run once, however many read them, and in whichever way",
    {
      root: Program.programs({
        ends: ["ok", "ok", "fail", "die"],
        modes: ["reply", "replyOutOfOrder"],
        relaying: ["hand on", "read"],
        startSoon: ["default", "yes", "no"]
      }),
      early: Ways,
      late: Ways,
      startSoon: Schema.Boolean,
      errorsAsMessages: Schema.Boolean
    },
    ({ early, errorsAsMessages, late, root, startSoon }) =>
      Effect.gen(function* () {
        const run = new Program.Run()
        const replies = yield* run.trigger(root)
        const fibers = yield* Effect.forEach(early, (way) => Effect.forkChild(ways[way](replies)))
        yield* Interleaving.idle
        yield* Effect.forEach(late, (way) => ways[way](replies))
        for (const fiber of fibers) yield* Fiber.join(fiber)
        assert.strictEqual(yield* settled, 0)
        assertOnce(run)
      }).pipe((program) => CleanRuntime.run(program, { startSoon, errorsAsMessages })),
    { seeds: 200 }
  )

  law(
    "Law 3, One run: everything of an eager program runs once, with no reader and with many",
    { root: Program.programs({ modes: ["reply", "replyOutOfOrder"], relaying: ["hand on", "read"] }), readers: Ways },
    ({ readers, root }) =>
      Effect.gen(function* () {
        const run = new Program.Run()
        const replies = yield* run.trigger(root)
        yield* Effect.forEach(readers, (way) => ways[way](replies), { concurrency: "unbounded" })
        assert.strictEqual(yield* settled, 0)
        assertOnce(run)
        const all = places(root, "0")
        for (const kind of ["body", "source"] as const) {
          assert.deepStrictEqual(keys(run, kind), all.flatMap(([of, at]) => (of === kind ? [at] : [])).sort())
        }
      }).pipe(CleanRuntime.run),
    { seeds: 200 }
  )

  law(
    "Law 3, One run: a lazy program that nobody reads never runs, not even when its runtime closes",
    { root: Program.programs({ modes: ["reply", "replyOutOfOrder"] }) },
    ({ root }) =>
      Effect.gen(function* () {
        const run = new Program.Run()
        const trigger = Effect.andThen(run.trigger(root), Interleaving.idle)
        yield* CleanRuntime.run(
          Effect.andThen(
            trigger,
            Effect.map(MiniAgents.running, (n) => assert.strictEqual(n, 0))
          ),
          {
            startSoon: false
          }
        )
        assert.deepStrictEqual([keys(run, "body"), keys(run, "source")], [[], []])
      })
  )
})
