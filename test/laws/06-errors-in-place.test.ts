import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, MessagePromise, MiniAgents } from "miniagents"
import { Interleaving } from "miniagents/testing"
import * as CleanRuntime from "../CleanRuntime.ts"
import { law, settled } from "./Law.ts"
import * as Program from "./Program.ts"

/** Runs a program in a runtime of its own, and gives what was logged about failures: the agents, and the failure. */
const reported = (program: Effect.Effect<unknown, unknown, MiniAgents.MiniAgents>) =>
  Effect.suspend(() => {
    const reports: Array<string> = []
    const collector = Logger.make<unknown, void>(({ cause, message }) => {
      const text = Array.isArray(message) ? message.map(String).join(" ") : String(message)
      reports.push(`${text}: ${Program.causeKey(cause)}`)
    })
    return CleanRuntime.run(program).pipe(Effect.provide(Logger.layer([collector])), Effect.as(reports))
  })

const report = ({ key, trace }: Program.Failing) => `Nobody read this failure of ${trace.join(" <- ")}: ${key}`

const Ends = ["ok", "ok", "ok", "fail", "die"] as const

describe("Law 6, Errors in place", () => {
  law(
    "Law 6, Errors in place: a failure comes after all that was replied before it, and ends the reading there",
    { root: Program.programs({ ends: Ends }), late: Schema.Boolean },
    ({ late, root }) =>
      Effect.gen(function* () {
        const triggered = yield* Effect.exit(new Program.Run().trigger(root))
        assert.isTrue(Exit.isSuccess(triggered))
        const replies = yield* triggered
        if (late) yield* Interleaving.idle
        const seen = yield* Program.described(yield* Program.read(replies))
        const expected = Program.expected(root)
        assert.deepStrictEqual(seen, expected)
        const failed = expected.elements.find((key) => key.includes("!"))?.split("!")[1] ?? expected.end
        assert.strictEqual(Program.exitKey(yield* Effect.exit(replies.messages)), failed)
        assert.strictEqual(Program.exitKey(yield* Effect.exit(replies.text)), failed)
        assert.strictEqual(Program.exitKey(yield* Effect.exit(replies.single().message)), failed)
      }).pipe(CleanRuntime.run),
    { seeds: 400 }
  )

  law(
    "Law 6, Errors in place: a failure is seen by those who read what holds it, and nowhere else",
    { root: Program.programs({ ends: Ends, relaying: ["hand on"] }) },
    ({ root }) =>
      Effect.gen(function* () {
        const run = new Program.Run()
        yield* Effect.asVoid(run.trigger(root))
        assert.strictEqual(yield* settled, 0)
        for (const [at, node] of Program.agents(root)) {
          const sequence = run.sequences.get(at)
          assert.isDefined(sequence)
          const seen = yield* Program.described(yield* Program.read(sequence))
          assert.deepStrictEqual(seen, Program.expected(node, false, at))
        }
      }).pipe(CleanRuntime.run),
    { seeds: 200 }
  )

  law(
    "Law 6, Errors in place: what nobody read is logged once with the agents it came through, what was read is not",
    {
      root: Program.programs({ ends: Ends, relaying: ["hand on"], calls: ["trigger"] }),
      reader: Schema.Literals(["none", "elements", "messages", "both", "all"]),
      twice: Schema.Boolean
    },
    ({ reader, root, twice }) =>
      Effect.gen(function* () {
        const failures = Program.failures(root)
        const reports = yield* reported(
          Effect.gen(function* () {
            const run = new Program.Run()
            const replies = yield* run.trigger(root)
            for (let time = 0; time < (twice ? 2 : 1); time++) {
              if (reader === "elements" || reader === "both") yield* Program.read(replies)
              if (reader === "messages" || reader === "both") yield* Effect.exit(replies.messages)
              if (reader === "all") yield* Program.described(yield* Program.read(replies))
            }
          })
        )
        const end = failures.find(({ kind }) => kind === "sequence")
        const seen: Readonly<Record<typeof reader, ReadonlyArray<Program.Failing | undefined>>> = {
          none: [],
          elements: [end],
          messages: [failures[0]],
          both: [end, failures[0]],
          all: failures.filter(
            (each, index) =>
              each === end || (each.kind === "element" && (end === undefined || index < failures.indexOf(end)))
          )
        }
        const unread = failures.filter((failure) => !seen[reader].includes(failure))
        assert.deepStrictEqual(reports.toSorted(), unread.map(report).sort())
      }),
    { seeds: 400 }
  )

  law(
    "Law 6, Errors in place: an agent that reads what fails and does not care has read it; one that fails of it passes it on",
    {
      root: Program.programs({ ends: Ends, relaying: ["hand on"], calls: ["trigger"] }),
      cares: Schema.Boolean,
      reads: Schema.Boolean
    },
    ({ cares, reads, root }) =>
      Effect.gen(function* () {
        const agent = Agent.make("Reader", (ctx): Effect.Effect<void, unknown> => {
          const read = Stream.runDrain(ctx.messages)
          return cares ? read : Effect.asVoid(Effect.exit(read))
        })
        const reports = yield* reported(
          Effect.gen(function* () {
            const replies = yield* agent.trigger(yield* new Program.Run().trigger(root))
            if (reads) yield* Effect.exit(replies.messages)
          })
        )
        const failures = Program.failures(root)
        const end = failures.find(({ kind }) => kind === "sequence")
        const passedOn = end !== undefined && cares && !reads ? [{ ...end, trace: [...end.trace, "Reader"] }] : []
        const unread = [...failures.filter((failure) => failure !== end), ...passedOn]
        assert.deepStrictEqual(reports.toSorted(), unread.map(report).sort())
      }),
    { seeds: 200 }
  )

  for (const read of [false, true]) {
    it.effect(`Law 6, Errors in place: a failure three levels down that ${read ? "was" : "nobody"} read`, () =>
      Effect.gen(function* () {
        const promised = yield* Deferred.make<MessagePromise.MessagePromise<string>>()
        const search = Agent.make("Search", () => Effect.fail("no hits"))
        const research = Agent.make("Research", (ctx) =>
          Effect.gen(function* () {
            yield* ctx.reply(yield* search.trigger())
            yield* Deferred.succeed(promised, yield* MessagePromise.fromStream(Stream.fail("cut off")))
          })
        )
        const root = Agent.make("Root", (ctx) => Effect.flatMap(research.trigger(), (replies) => ctx.reply(replies)))
        const reports = yield* reported(
          Effect.gen(function* () {
            const replies = yield* root.trigger()
            const promise = yield* Deferred.await(promised)
            if (!read) return
            assert.strictEqual(yield* Effect.flip(replies.text), "no hits")
            assert.strictEqual(yield* Effect.flip(promise.message), "cut off")
          })
        )
        const lines = ["Search <- Research <- Root: Error:no hits", "Research <- Root: Error:cut off"]
        assert.deepStrictEqual(
          reports.toSorted(),
          read ? [] : lines.map((line) => `Nobody read this failure of ${line}`).sort()
        )
      })
    )
  }

  it.effect("Law 6, Errors in place: a failure names its agents also to who reads it inside of a span", () =>
    CleanRuntime.run(
      Effect.gen(function* () {
        const inner = Agent.make("Inner", () => Effect.fail("no"))
        const outer = Agent.make("Outer", (ctx) => Effect.flatMap(inner.trigger(), (replies) => ctx.reply(replies)))
        const replies = yield* outer.trigger()
        const cause = yield* Effect.flip(Effect.sandbox(Effect.withSpan(replies.messages, "a span")))
        assert.deepStrictEqual(MiniAgents.traceOf(cause), ["Inner", "Outer"])
      })
    )
  )

  it.effect("Law 6, Errors in place: an interruption is no failure to report", () =>
    Effect.gen(function* () {
      const reports = yield* reported(
        Effect.gen(function* () {
          const agent = Agent.make("Interrupted", () => Effect.interrupt)
          const replies = yield* agent.trigger()
          const exit = yield* Effect.exit(replies.messages)
          assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
          yield* Effect.asVoid(agent.trigger())
          yield* Effect.asVoid(MessagePromise.fromStream(Stream.fromEffect(Effect.interrupt)))
        })
      )
      assert.deepStrictEqual(reports, [])
    })
  )
})
