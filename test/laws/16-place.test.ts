import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, Message, MessagePromise, MessageSequence, MiniAgents, Observer } from "miniagents"
import * as CleanRuntime from "../CleanRuntime.ts"
import { law } from "./Law.ts"
import * as Program from "./Program.ts"

/** The paths of all calls of a program. */
const pathsOf = (root: Program.AgentNode) =>
  Effect.gen(function* () {
    const paths: Array<string> = []
    const watch = Observer.layer({ onCall: ({ path }) => Effect.sync(() => void paths.push(path)) })
    yield* Effect.flatMap(new Program.Run().trigger(root), Program.read).pipe(
      Effect.provide(MiniAgents.layer().pipe(Layer.provide(watch)))
    )
    return paths.toSorted()
  })

const relay = Agent.make("Relay", (ctx) => ctx.reply(ctx.messages))
const reader = Agent.make("Reader", (ctx) => Stream.runForEach(ctx.messages, (promise) => ctx.reply(promise)))
const merger = Agent.make("Merger", (ctx) => ctx.replyOutOfOrder([ctx.messages, []]))

describe("Law 16, Place", () => {
  law(
    "Law 16, Place: the same code that calls in the same order has the same paths, whatever the interleaving",
    { root: Program.programs({ ends: ["ok", "fail"], relaying: ["hand on", "read"] }) },
    ({ root }) =>
      Effect.gen(function* () {
        const paths = yield* pathsOf(root)
        assert.strictEqual(new Set(paths).size, paths.length)
        assert.deepStrictEqual(yield* pathsOf(root), paths)
      })
  )

  it.effect(
    "Law 16, Place: `path` is that of the call, for the agent, for its caller and for who looks from inside",
    () =>
      Effect.gen(function* () {
        const leaf = Agent.make("Le/af", (ctx) => ctx.reply(ctx.path))
        const root = Agent.make("Root", (ctx) =>
          Effect.gen(function* () {
            yield* ctx.reply([yield* leaf.trigger(), yield* leaf.trigger()])
            const call = yield* leaf.call()
            yield* ctx.reply([call.path, yield* call.replies(), ctx.path])
          })
        )
        const replies = yield* root.trigger()
        const said = yield* Effect.map(replies.messages, (messages) => messages.map(String))
        assert.deepStrictEqual(said, ["Root/0:Le%2Faf", "Root/1:Le%2Faf", "Root/2:Le%2Faf", "Root/2:Le%2Faf", "Root"])
        const again = yield* root.trigger()
        assert.deepStrictEqual((yield* again.messages).map(String), said)
      }).pipe(CleanRuntime.run)
  )

  for (const [name, through] of Object.entries({ relay, reader, merger })) {
    it.effect(`Law 16, Place: a message keeps its origin through any number of relays (${name})`, () =>
      Effect.gen(function* () {
        const author = Agent.make("Author", (ctx) =>
          Effect.gen(function* () {
            yield* ctx.reply(["text", { data: 1 }, Message.user("message"), Stream.make("of a stream")])
            yield* ctx.reply(yield* MessagePromise.fromStream(Stream.make("to", "ken")))
            yield* ctx.reply(MessagePromise.of(Message.text("of")))
          })
        )
        const root = Agent.make("Root", (ctx) =>
          Effect.gen(function* () {
            const first = yield* through.trigger(yield* author.trigger())
            yield* ctx.reply(["own", yield* through.trigger([first, "of Root, sent to a relay"])])
          })
        )
        const promises = yield* Stream.runCollect(yield* root.trigger())
        const origins = promises.map(({ origin }) => origin?.path)
        const author_ = "Root/0:Author"
        // the same elements in whatever order a merge gives them
        assert.sameMembers(origins, ["Root", ...Array.from({ length: 6 }, () => author_), "Root"])
        assert.isTrue(promises.every(({ origin }) => ["Author", "Root"].includes(origin?.agent ?? "")))
      }).pipe(CleanRuntime.run)
    )
  }

  it.effect("Law 16, Place: what no agent has made has no origin, whoever passes it on", () =>
    Effect.gen(function* () {
      const promise = MessagePromise.of(Message.text("outside"))
      const given = MessagePromise.of(Message.text("kept"), { origin: { path: "Old/0:Author", agent: "Author" } })
      const replies = yield* reader.trigger(yield* relay.trigger(["string", promise, given]))
      const origins = (yield* Stream.runCollect(replies)).map(({ origin }) => origin?.path)
      assert.deepStrictEqual(origins, [undefined, undefined, "Old/0:Author"])
    }).pipe(CleanRuntime.run)
  )

  it.effect("Law 16, Place: a failure taken as a message has the origin of what failed, and names the agents", () =>
    Effect.gen(function* () {
      const broken = Agent.make("Broken", (ctx) =>
        Effect.flatMap(MessagePromise.fromStream(Stream.concat(Stream.make("half"), Stream.fail("no"))), (promise) =>
          ctx.reply(promise)
        )
      )
      const root = Agent.make("Root", (ctx) => Effect.flatMap(broken.trigger(), (replies) => ctx.reply(replies)))
      const [failure] = yield* Stream.runCollect(yield* root.trigger())
      assert.strictEqual(failure?.origin?.path, "Root/0:Broken")
      const message = yield* failure!.message
      assert.deepStrictEqual(message instanceof Message.Failure && message.trace, ["Broken", "Root"])
    }).pipe((program) => CleanRuntime.run(program, { errorsAsMessages: true }))
  )

  it.effect("Law 16, Place: `parts` is the sequence as it was put together, and follows its branches at once", () =>
    Effect.gen(function* () {
      const slow = Agent.make("Slow", () => Effect.never)
      const quick = Agent.make("Quick", (ctx) => ctx.reply("quick"))
      const root = Agent.make("Root", (ctx) =>
        Effect.gen(function* () {
          yield* ctx.reply(["first", [yield* slow.trigger(), yield* quick.trigger()]])
        })
      )
      const replies = yield* root.trigger()
      const parts = yield* Stream.runCollect(Stream.take(replies.parts, 3))
      assert.deepStrictEqual(
        parts.map((part) => [MessageSequence.isMessageSequence(part), part.origin?.path]),
        [
          [false, "Root"],
          [true, "Root/0:Slow"],
          [true, "Root/1:Quick"]
        ]
      )
      const last = parts[2]
      assert(last !== undefined && MessageSequence.isMessageSequence(last))
      assert.strictEqual(yield* last.text, "quick")
    }).pipe((program) => CleanRuntime.abandon(program))
  )

  law(
    "Law 16, Place: the parts of a sequence, flattened, are the sequence",
    {
      root: Program.programs({ ends: ["ok", "fail"], modes: ["reply", "replyOutOfOrder"] }),
      errorsAsMessages: Schema.Boolean
    },
    ({ errorsAsMessages, root }) =>
      Effect.gen(function* () {
        const replies = yield* new Program.Run().trigger(root)
        const whole = yield* Effect.flatMap(Program.read(replies), Program.described)
        const read = (
          sequence: MessageSequence.MessageSequence<unknown>
        ): Stream.Stream<MessagePromise.MessagePromise<unknown>, unknown> =>
          Stream.flatMap(sequence.parts, (part) =>
            MessageSequence.isMessageSequence(part) ? read(part) : Stream.make(part)
          )
        const flat = yield* Effect.flatMap(Program.read(read(replies)), Program.described)
        // where elements are merged, or fail out of order, the parts have the order in which they were put
        if (whole.end === "ok") assert.sameMembers([...flat.elements], [...whole.elements])
        if (flat.end !== "ok") assert.notStrictEqual(whole.end, "ok")
      }).pipe((program) => CleanRuntime.run(program, { errorsAsMessages }))
  )
})
