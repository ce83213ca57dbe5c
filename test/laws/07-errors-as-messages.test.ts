import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { Message } from "miniagents"
import { Interleaving } from "miniagents/testing"
import * as CleanRuntime from "../CleanRuntime.ts"
import { law } from "./Law.ts"
import * as Program from "./Program.ts"

const Ends = ["ok", "ok", "fail", "die"] as const

describe("Law 7, Errors as messages", () => {
  law(
    "Law 7, Errors as messages: a failure becomes a message at its place, and the enclosing sequence goes on",
    {
      root: Program.programs({ ends: Ends, errorsAsMessages: ["default", "yes", "no"] }),
      runtime: Schema.Boolean,
      startSoon: Schema.Boolean,
      late: Schema.Boolean
    },
    ({ late, root, runtime, startSoon }) =>
      Effect.gen(function* () {
        const replies = yield* new Program.Run().trigger(root)
        if (late) yield* Interleaving.idle
        const seen = yield* Program.described(yield* Program.read(replies))
        assert.deepStrictEqual(seen, Program.expected(root, runtime))
      }).pipe((program) => CleanRuntime.run(program, { errorsAsMessages: runtime, startSoon })),
    { seeds: 500 }
  )

  law(
    "Law 7, Errors as messages: in a runtime that says so nothing is lost, and each failure says where it came from",
    { root: Program.programs({ ends: Ends, relaying: ["hand on"], calls: ["trigger"] }) },
    ({ root }) =>
      Effect.gen(function* () {
        const replies = yield* new Program.Run().trigger(root)
        const messages = yield* replies.messages
        const failures = messages.filter((message) => message instanceof Message.Failure)
        assert.deepStrictEqual(
          failures.map(({ error, reason, trace }) => ({ key: `${error}:${reason}`, trace })),
          Program.failures(root).map(({ key, trace }) => ({ key, trace }))
        )
      }).pipe((program) => CleanRuntime.run(program, { errorsAsMessages: true })),
    { seeds: 250 }
  )

  law(
    "Law 7, Errors as messages: in a call that says so each failure below it says where it came from too",
    { root: Program.programs({ ends: Ends, relaying: ["hand on"], calls: ["trigger"], errorsAsMessages: ["yes"] }) },
    ({ root }) =>
      Effect.gen(function* () {
        const replies = yield* new Program.Run().trigger(root)
        const traces = new Map(Program.failures(root).map(({ key, trace }) => [key, trace]))
        for (const message of yield* replies.messages) {
          if (!(message instanceof Message.Failure)) continue
          assert.deepStrictEqual(message.trace, traces.get(`${message.error}:${message.reason}`))
        }
      }).pipe(CleanRuntime.run)
  )

  law(
    "Law 7, Errors as messages: out of order too, no failure ends the replies and none is lost",
    {
      root: Program.programs({ ends: Ends, relaying: ["hand on"], modes: ["reply", "replyOutOfOrder"] }),
      late: Schema.Boolean
    },
    ({ late, root }) =>
      Effect.gen(function* () {
        const replies = yield* new Program.Run().trigger(root)
        if (late) yield* Interleaving.idle
        const seen = yield* Program.described(yield* Program.read(replies))
        const expected = Program.expected(root, true)
        assert.deepStrictEqual([seen.elements.toSorted(), seen.end], [expected.elements.toSorted(), "ok"])
      }).pipe((program) => CleanRuntime.run(program, { errorsAsMessages: true })),
    { seeds: 250 }
  )

  law(
    "Law 7, Errors as messages: an interruption stays one",
    {
      root: Program.programs({ ends: ["interrupt"], relaying: ["hand on"], errorsAsMessages: ["yes"] }),
      runtime: Schema.Boolean
    },
    ({ root, runtime }) =>
      Effect.gen(function* () {
        const replies = yield* new Program.Run().trigger(root)
        const seen = yield* Program.read(replies)
        assert.isTrue(Exit.hasInterrupts(seen.exit))
        const { elements } = yield* Program.described(seen)
        assert.isFalse(elements.some((key) => key.includes("~")))
      }).pipe((program) => CleanRuntime.run(program, { errorsAsMessages: runtime }))
  )
})
