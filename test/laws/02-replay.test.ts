import { assert, describe } from "@effect/vitest"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Message, type MessagePromise, type MessageSequence, MiniAgents, Replay } from "miniagents"
import { Interleaving } from "miniagents/testing"
import * as CleanRuntime from "../CleanRuntime.ts"
import { law } from "./Law.ts"
import * as Program from "./Program.ts"

/** When a reader starts, and how many elements it reads before it leaves; `all` stays to the end. */
const Readers = Schema.Array(
  Schema.Struct({
    start: Schema.Literals(["at once", "soon", "last", "later"]),
    leaves: Schema.Literals(["never", "after one", "interrupted"])
  })
).check(Schema.isMaxLength(6))
type Reader = (typeof Readers.Type)[number]

const start = ({ start }: Reader) =>
  start === "at once"
    ? Effect.void
    : start === "soon"
      ? Effect.yieldNow
      : Effect.repeat(Interleaving.idle, { times: start === "last" ? 0 : 4 })

const read = (sequence: MessageSequence.MessageSequence<unknown>, reader: Reader) =>
  Effect.andThen(start(reader), Program.read(reader.leaves === "after one" ? Stream.take(sequence, 1) : sequence))

/** What an end consists of, the very errors, without what says where it was seen. */
const reasons = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<unknown> =>
  Exit.isSuccess(exit) ? ["ok"] : exit.cause.reasons.map(reason)

const reason = (reason: Cause.Reason<unknown>): unknown =>
  reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : "interrupt"

const assertSame = (some: ReadonlyArray<unknown>, others: ReadonlyArray<unknown>, what: string) => {
  assert.strictEqual(some.length, others.length, `how many ${what}`)
  for (const [index, each] of some.entries()) {
    // a message about a failure may be made anew, the same as before
    const same = Message.isMessage(each) ? Equal.equals(each, others[index]) : each === others[index]
    assert.isTrue(same, `${what} ${index} is another one`)
  }
}

const assertSameSeen = (some: Program.Seen, other: Program.Seen) => {
  assertSame(some.elements, other.elements, "element")
  assertSame(reasons(some.exit), reasons(other.exit), "reason")
}

/** Everything of an element: tokens, end, and the whole. */
const contentOf = (promise: MessagePromise.MessagePromise<unknown>) =>
  Effect.gen(function* () {
    const tokens: Array<string> = []
    const take = (token: string) => Effect.sync(() => void tokens.push(token))
    const exit = yield* Effect.exit(Stream.runForEach(promise, take))
    const whole = yield* Effect.exit(promise.message)
    return [...tokens, ...reasons(exit), ...(Exit.isSuccess(whole) ? [whole.value] : reasons(whole))]
  })

describe("Law 2, Replay", () => {
  law(
    "Law 2, Replay: every reader sees the same elements and the same end, early or late, and after the scope has closed",
    {
      root: Program.programs({
        ends: ["ok", "ok", "ok", "fail", "die", "interrupt"],
        modes: ["reply", "reply", "replyOutOfOrder"],
        startSoon: ["default", "yes", "no"],
        errorsAsMessages: ["default", "yes"]
      }),
      readers: Readers,
      closing: Schema.Literals(["at the end", "success", "failure", "interruption"]),
      startSoon: Schema.Boolean,
      errorsAsMessages: Schema.Boolean
    },
    ({ closing, errorsAsMessages, readers, root, startSoon }) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const runtime = yield* Effect.provideService(
          CleanRuntime.make({ startSoon, errorsAsMessages }),
          Scope.Scope,
          scope
        )
        const run = new Program.Run()
        const replies = yield* Effect.provideService(run.trigger(root), MiniAgents.MiniAgents, runtime)
        const early = yield* Effect.forEach(readers, (reader) => Effect.forkChild(read(replies, reader)))
        for (const [index, { leaves }] of readers.entries()) {
          if (leaves === "interrupted") yield* Fiber.interrupt(early[index])
        }
        if (closing === "at the end") yield* Interleaving.idle
        const exit =
          closing === "failure" ? Exit.fail("closed") : closing === "interruption" ? Exit.interrupt() : Exit.void
        yield* Scope.close(scope, exit)
        const late = yield* Program.read(replies)
        for (const [index, { leaves }] of readers.entries()) {
          const seen = yield* Fiber.await(early[index])
          if (leaves === "never") assertSameSeen(yield* seen, late)
          else if (Exit.isSuccess(seen))
            assertSame(seen.value.elements, late.elements.slice(0, seen.value.elements.length), "element")
        }
        assertSameSeen(yield* Program.read(replies), late)
        for (const element of late.elements)
          assertSame(yield* contentOf(element), yield* contentOf(element), "token or end")
        for (const sequence of run.sequences.values())
          assertSameSeen(yield* Program.read(sequence), yield* Program.read(sequence))
      }),
    { seeds: 500 }
  )

  law(
    "Law 2, Replay: readers of one message see the same tokens and the same whole, while it streams and afterwards",
    {
      root: Program.programs({ ends: ["ok", "fail", "die", "interrupt"], relaying: ["hand on"] }),
      readers: Readers,
      errorsAsMessages: Schema.Boolean
    },
    ({ errorsAsMessages, readers, root }) =>
      Effect.gen(function* () {
        const replies = yield* new Program.Run().trigger(root)
        const contents: Array<Array<unknown>> = []
        const fibers: Array<Fiber.Fiber<void>> = []
        yield* Effect.exit(
          Stream.runForEach(replies, (promise) =>
            Effect.forEach(readers, (reader) => {
              const content = Effect.andThen(start(reader), contentOf(promise))
              const compare = Effect.tap(content, (some) =>
                Effect.map(contentOf(promise), (other) => assertSame(some, other, "token or end"))
              )
              return Effect.map(
                Effect.forkDetach(Effect.map(compare, (content) => void contents.push(content))),
                (fiber) => void fibers.push(fiber)
              )
            })
          )
        )
        for (const fiber of fibers) yield* Fiber.join(fiber)
      }).pipe((program) => CleanRuntime.run(program, { errorsAsMessages }))
  )

  law(
    "Law 2, Replay: success, typed failure, defect and interruption are the same end to every reader",
    {
      end: Schema.Literals(["ok", "fail", "die", "interrupt"]),
      relayed: Schema.Boolean,
      outOfOrder: Schema.Boolean,
      readers: Readers
    },
    ({ end, outOfOrder, readers, relayed }) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const runtime = yield* Effect.provideService(CleanRuntime.make(), Scope.Scope, scope)
        const leaf = { _tag: "Leaf", kind: "string" } as const
        const list = { _tag: "List", kind: "array", items: [leaf, leaf] } as const
        const agent = (input: Program.Node, end: Program.End): Program.AgentNode => ({
          _tag: "Agent",
          steps: [{ mode: outOfOrder ? "replyOutOfOrder" : "reply", input }],
          pause: "yield",
          end,
          ahead: false,
          startSoon: "default",
          errorsAsMessages: "default"
        })
        const root = relayed ? agent(agent(list, end), "ok") : agent(list, end)
        const trigger = new Program.Run().trigger(root)
        const replies = yield* Effect.provideService(trigger, MiniAgents.MiniAgents, runtime)
        const early = yield* Effect.forEach(readers, (reader) =>
          Effect.forkChild(Effect.andThen(start(reader), Program.read(replies)))
        )
        const expected = Program.expected(root)
        for (const fiber of early) assert.deepStrictEqual(yield* Program.described(yield* Fiber.join(fiber)), expected)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* Program.described(yield* Program.read(replies)), expected)
      })
  )

  const Ends = Schema.Literals(["ok", "fail", "die", "interrupt", "never"])
  law(
    "Law 2, Replay: `Replay.make` replays any stream, eager or lazy, also after its scope has closed",
    {
      items: Schema.Array(Schema.Unknown),
      chunk: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })),
      end: Ends,
      lazy: Schema.Boolean,
      readers: Readers
    },
    ({ chunk, end, items, lazy, readers }) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        let runs = 0
        const last = { ok: Effect.void, fail: Effect.fail("no"), die: Effect.die("no"), interrupt: Effect.interrupt }
        const source = Stream.suspend(() => {
          runs++
          return Stream.fromIterable(items).pipe(
            Stream.rechunk(chunk),
            Stream.tap(() => Effect.yieldNow),
            Stream.concat(Stream.drain(Stream.fromEffect(end === "never" ? Effect.never : last[end])))
          )
        })
        const replay = yield* Effect.provideService(Replay.make(source, { lazy }), Scope.Scope, scope)
        const all = Effect.suspend(() => {
          const seen: Array<unknown> = []
          const exit = Effect.exit(Stream.runForEach(replay, (item) => Effect.sync(() => void seen.push(item))))
          return Effect.map(exit, (exit) => ({ seen, exit }))
        })
        yield* Interleaving.idle
        if (lazy) assert.strictEqual(runs, 0)
        const early = yield* Effect.forEach(readers, (reader) => Effect.forkChild(Effect.andThen(start(reader), all)))
        yield* Effect.repeat(Interleaving.idle, { times: 20 })
        yield* Scope.close(scope, Exit.void)
        const late = yield* all
        for (const fiber of early) {
          const { exit, seen } = yield* Fiber.join(fiber)
          assertSame(seen, late.seen, "item")
          assertSame(reasons(exit), reasons(late.exit), "reason")
        }
        const ran = !lazy || readers.length > 0
        assertSame(late.seen, ran ? items : [], "item")
        assertSame(
          reasons(late.exit),
          !ran || end === "interrupt" || end === "never" ? ["interrupt"] : [end === "ok" ? "ok" : "no"],
          "reason"
        )
        assert.strictEqual(runs, ran ? 1 : 0)
      })
  )
})
