import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Agent, type MessageSequence, MessagePromise, MiniAgents } from "miniagents"
import { Interleaving } from "miniagents/testing"
import * as CleanRuntime from "../CleanRuntime.ts"
import { law } from "./Law.ts"
import * as Program from "./Program.ts"

type Sequence = MessageSequence.MessageSequence<unknown>
type Make = (world: World) => Effect.Effect<Sequence, never, MiniAgents.MiniAgents>

/** What the things under way in a runtime share: the gate they wait for, and how many bodies began and ended. */
class World {
  readonly gate = Deferred.makeUnsafe<void>()
  began = 0
  ended = 0

  /** Waits for the gate as a body does, whose end is noted however it comes. */
  get wait(): Effect.Effect<void> {
    return Effect.acquireUseRelease(
      Effect.sync(() => void this.began++),
      () => Deferred.await(this.gate),
      () => Effect.sync(() => void this.ended++)
    )
  }

  get tokens(): Stream.Stream<string> {
    return Stream.concat(Stream.make("a"), Stream.fromEffect(Effect.as(this.wait, "b")))
  }
}

const relay = Agent.make("Relay", (ctx) => ctx.reply(ctx.messages))
const reader = Agent.make("Reader", (ctx) => Stream.runForEach(ctx.messages, (promise) => ctx.reply(promise)))
const gated = ({ wait }: World) =>
  Agent.make("Gated", (ctx) => ctx.reply("a").pipe(Effect.andThen(wait), Effect.andThen(ctx.reply("b"))))

const gatedKinds = {
  "a body": (world) => gated(world).trigger(),
  "a body three levels down": (world) => {
    const nest = (levels: number): Agent.Agent<{}, never, MiniAgents.MiniAgents> =>
      levels === 0
        ? gated(world)
        : Agent.make(`Level${levels}`, (ctx) => Effect.flatMap(nest(levels - 1).trigger(), (inner) => ctx.reply(inner)))
    return nest(3).trigger()
  },
  "a stream": (world) => relay.trigger(world.tokens),
  "an agent that reads a stream": (world) => reader.trigger(world.tokens),
  tokens: (world) =>
    Effect.flatMap(MessagePromise.fromStream(world.tokens), (promise) => relay.trigger(["a", promise])),
  "out of order": (world) =>
    Agent.make("OutOfOrder", (ctx) =>
      Effect.gen(function* () {
        yield* ctx.reply(yield* gated(world).trigger())
        yield* ctx.replyOutOfOrder(["x", yield* gated(world).trigger()])
      })
    ).trigger(),
  "`waitFor`": (world) =>
    Agent.make("WaitFor", (ctx) =>
      Effect.andThen(ctx.reply("a"), ctx.waitFor(Effect.andThen(world.wait, ctx.reply("b"))))
    ).trigger(),
  "an open call in a body": (world) =>
    Agent.make("Caller", (ctx) =>
      Effect.gen(function* () {
        const call = yield* reader.call()
        yield* call.send("a")
        yield* ctx.reply(yield* call.replies({ finish: false }))
        yield* world.wait
        yield* call.send("b")
      })
    ).trigger(),
  "a lazy call that is read": (world) => gated(world).trigger([], {}, { startSoon: false })
} satisfies Record<string, Make>

const otherKinds = {
  "one that ends": () => relay.trigger(["a", "b"]),
  "an open call that hands on": () =>
    Effect.flatMap(relay.call(), (call) => Effect.andThen(call.send(["a", "b"]), call.replies({ finish: false }))),
  "an open call that reads": () =>
    Effect.flatMap(reader.call(), (call) => Effect.andThen(call.send(["a", "b"]), call.replies({ finish: false }))),
  "an open call read by another": () =>
    Effect.gen(function* () {
      const call = yield* relay.call()
      yield* call.send(["a", "b"])
      return yield* reader.trigger(yield* call.replies({ finish: false }))
    })
} satisfies Record<string, Make>

const kinds = { ...gatedKinds, ...otherKinds }
type Kind = keyof typeof kinds
const gatedNames = Object.keys(gatedKinds) as ReadonlyArray<Kind>
const Kinds = Schema.Array(Schema.Literals(Object.keys(kinds) as ReadonlyArray<Kind>)).check(Schema.isMaxLength(6))

/** What each gives when its gate opens. */
const whole = (kind: Kind) =>
  kind === "out of order" ? ["a", "a", "b", "b", "x"] : kind === "tokens" ? ["a", "ab"] : ["a", "b"]

const Closing = Schema.Literals(["success", "failure", "interruption", "interrupted while draining"])

interface Opened {
  readonly scope: Scope.Closeable
  readonly runtime: MiniAgents.Runtime
}

const open = (options: MiniAgents.Options = {}): Effect.Effect<Opened> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const runtime = yield* Effect.provideService(CleanRuntime.make(options), Scope.Scope, scope)
    return { scope, runtime }
  })

const inside =
  ({ runtime }: Opened) =>
  <A, E>(effect: Effect.Effect<A, E, MiniAgents.MiniAgents>): Effect.Effect<A, E> =>
    Effect.provideService(effect, MiniAgents.MiniAgents, runtime)

/** Closes a runtime in one of the ways, and gives whether it waited for what still ran. */
const close = (opened: Opened, closing: typeof Closing.Type, world: World) =>
  Effect.gen(function* () {
    const exit = closing === "failure" ? Exit.fail("no") : closing === "interruption" ? Exit.interrupt() : Exit.void
    const fiber = yield* Effect.forkDetach(Scope.close(opened.scope, exit))
    yield* Effect.repeat(Interleaving.idle, { times: 3 })
    const waits = fiber.pollUnsafe() === undefined
    if (closing === "success") yield* Deferred.succeed(world.gate, undefined)
    if (closing === "interrupted while draining") yield* Fiber.interrupt(fiber)
    else yield* Fiber.join(fiber)
    assert.strictEqual(yield* opened.runtime.running, 0)
    assert.strictEqual(world.ended, world.began, "bodies that ended, of those that began")
    return waits
  })

/** All that there is to read, tokens included. */
const read = (sequence: Sequence) =>
  Effect.map(Effect.flatMap(Program.read(sequence), Program.described), ({ elements, end }) => ({
    elements: elements.toSorted(),
    end
  }))

describe("Law 8, Finalization", () => {
  law(
    "Law 8, Finalization: closing ends everything, waits for what can end after a success, and leaves no reader hanging",
    { kinds: Kinds, closing: Closing, startSoon: Schema.Boolean, unread: Schema.Boolean, early: Schema.Boolean },
    ({ closing, early, kinds: names, startSoon, unread }) =>
      Effect.gen(function* () {
        const world = new World()
        const opened = yield* open({ startSoon })
        const sequences = yield* Effect.forEach(names, (name) => inside(opened)(kinds[name](world)))
        const readers = unread ? [] : yield* Effect.forEach(sequences, (sequence) => Effect.forkDetach(read(sequence)))
        if (!early) yield* Effect.repeat(Interleaving.idle, { times: 3 })
        const waits = yield* close(opened, closing, world)
        for (const [index, name] of names.entries()) {
          const seen = yield* read(sequences[index])
          if (!unread) assert.deepStrictEqual(yield* Fiber.join(readers[index]), seen)
          // what is lazy runs when a reader came before the closing
          const runs = name === "a lazy call that is read" || !startSoon ? !unread && !early : true
          const ends = closing === "success" || (name === "one that ends" && !early)
          if (ends && runs) assert.deepStrictEqual(seen, { elements: whole(name), end: "ok" })
          if (gatedNames.includes(name) && closing !== "success") assert.include(JSON.stringify(seen), "interrupt")
        }
        const anyGated = names.some((name) => gatedNames.includes(name) && name !== "a lazy call that is read")
        if (anyGated && startSoon && !early) {
          assert.strictEqual(waits, closing === "success" || closing === "interrupted while draining")
        }
      }),
    { seeds: 400 }
  )

  law(
    "Law 8, Finalization: whatever program ran, nothing is left of it and nobody who reads it hangs",
    {
      root: Program.programs({
        ends: ["ok", "ok", "fail", "die", "interrupt"],
        modes: ["reply", "replyOutOfOrder"],
        startSoon: ["default", "yes", "no"]
      }),
      closing: Closing,
      startSoon: Schema.Boolean,
      turns: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 }))
    },
    ({ closing, root, startSoon, turns }) =>
      Effect.gen(function* () {
        const opened = yield* open({ startSoon })
        const run = new Program.Run()
        const replies = yield* inside(opened)(run.trigger(root))
        const early = yield* Effect.forkDetach(Program.read(replies))
        yield* CleanRuntime.turns(turns)
        yield* close(opened, closing, new World())
        assert.strictEqual(
          Program.exitKey((yield* Fiber.join(early)).exit),
          Program.exitKey((yield* Program.read(replies)).exit)
        )
        for (const sequence of run.sequences.values()) yield* Program.described(yield* Program.read(sequence))
        assert.strictEqual(yield* opened.runtime.running, 0)
      }),
    { seeds: 700 }
  )

  law(
    "Law 8, Finalization: what is asked of a closed runtime ends at once as interrupted, and runs nothing",
    { kinds: Kinds, closing: Closing, startSoon: Schema.Boolean },
    ({ closing, kinds: names, startSoon }) =>
      Effect.gen(function* () {
        const world = new World()
        const opened = yield* open({ startSoon })
        let ran = 0
        const agent = Agent.make("Late", () => Effect.sync(() => void ran++))
        const lazy = yield* inside(opened)(agent.trigger([], {}, { startSoon: false }))
        const openCall = yield* inside(opened)(reader.call())
        yield* close(opened, closing, world)
        for (const name of names) {
          const sequence = yield* Effect.exit(inside(opened)(kinds[name](world)))
          if (Exit.isSuccess(sequence))
            assert.strictEqual(Program.exitKey((yield* Program.read(sequence.value)).exit), "interrupt")
        }
        const late = yield* inside(opened)(agent.trigger())
        for (const sequence of [lazy, late]) {
          assert.strictEqual(Program.exitKey(yield* Effect.exit(sequence.messages)), "interrupt")
        }
        assert.isTrue(yield* openCall.isFinished)
        const openReplies = yield* openCall.replies()
        assert.include(["ok", "interrupt"], Program.exitKey(yield* Effect.exit(openReplies.messages)))
        assert.deepStrictEqual([ran, world.began, yield* opened.runtime.running], [0, 0, 0])
      })
  )
})
