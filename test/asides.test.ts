/** Asides: what is shown but not said is in a sequence, and not in its text. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Equal, Schema, Stream } from "effect"
import type { MiniAgents } from "miniagents"
import { Agent, Message, MessagePromise, MessageSequence, Transcript } from "miniagents"
import * as CleanRuntime from "./CleanRuntime.ts"

class Progress extends Message.Class<Progress>()("Progress", { content: Schema.String }) {
  get [Message.AsideId](): true {
    return true
  }
}

/** Inputs, nested at will; a branch is given as an array, a Stream, a sequence, replies, or all of it as an aside. */
interface Input {
  readonly as: (typeof Kinds)[number]
  readonly children: ReadonlyArray<Input>
}
const Kinds = ["text", "progress", "promise", "array", "stream", "sequence", "replies", "aside"] as const
const Inputs = Schema.Array(
  Schema.Struct({ parent: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99 })), as: Schema.Literals(Kinds) })
).check(Schema.isMaxLength(20))

const treeOf = (nodes: typeof Inputs.Type): Input => {
  const root: Input = { as: "array", children: [] }
  const branches = [root]
  for (const { as, parent } of nodes) {
    const node: Input = { as, children: [] }
    ;(branches[parent % branches.length]!.children as Array<Input>).push(node)
    if (!["text", "progress", "promise"].includes(as)) branches.push(node)
  }
  return root
}

/** What has to come out: the texts in their order, and which of them are said. */
const expected = (input: Input, path = "", aside = false): ReadonlyArray<readonly [string, boolean]> => {
  if (input.as === "text" || input.as === "promise") return [[`t${path}`, !aside]]
  if (input.as === "progress") return [[`t${path}`, false]]
  return input.children.flatMap((child, i) => expected(child, `${path}.${i}`, aside || input.as === "aside"))
}

type Made = MessageSequence.MessageSequence | ReadonlyArray<unknown> | Stream.Stream<unknown> | string | Message.Message

const inputOf = (input: Input, path = ""): Effect.Effect<Made, never, MiniAgents.MiniAgents> =>
  Effect.gen(function* () {
    const text = `t${path}`
    if (input.as === "text") return text
    if (input.as === "progress") return new Progress({ content: text })
    if (input.as === "promise") return yield* MessagePromise.fromStream(Stream.fromIterable(text))
    const children = (yield* Effect.forEach(input.children, (child, i) => inputOf(child, `${path}.${i}`))) as []
    if (input.as === "array") return children
    if (input.as === "stream") return Stream.fromIterable(children)
    if (input.as === "sequence") return yield* MessageSequence.from(children)
    if (input.as === "aside") return yield* MessageSequence.aside(children)
    return yield* Agent.make("Inner", (ctx) => ctx.reply(children)).trigger()
  })

describe("asides", () => {
  it.effect.prop(
    "are in a sequence and its messages at their place, and not in its text and in what is made of it",
    { nodes: Inputs },
    ({ nodes }) =>
      Effect.gen(function* () {
        const tree = treeOf(nodes)
        const relay = Agent.make(
          "Relay",
          Effect.fnUntraced(function* (ctx) {
            yield* ctx.reply((yield* inputOf(tree)) as string)
          })
        )
        const given = yield* relay.trigger()
        // however it has come: as it was made, or out of another process
        const copied = yield* Transcript.decode(Transcript.encode(given), { classes: [Progress] })
        for (const sequence of [given, copied]) {
          const all = expected(tree)
          const said = all.flatMap(([text, isSaid]) => (isSaid ? [text] : []))
          assert.deepStrictEqual(
            (yield* sequence.messages).map(String),
            all.map(([text]) => text)
          )
          const promises = yield* Stream.runCollect(sequence)
          assert.deepStrictEqual(
            promises.map((promise) => promise.known.aside !== true),
            all.map(([, isSaid]) => isSaid)
          )
          assert.deepStrictEqual(yield* Stream.runCollect(sequence), promises)
          assert.strictEqual(yield* sequence.text, said.join("\n\n"))
          const single = sequence.single({ delimiter: "|", originals: true })
          assert.strictEqual(yield* Stream.mkString(single), said.join("|"))
          const joined = yield* single.message
          assert.strictEqual(String(joined), said.join("|"))
          assert.deepStrictEqual(joined instanceof Message.Joined && joined.originals.map(String), said)
        }
      }).pipe(CleanRuntime.run),
    { arbitrary: { runs: 150, size: 20 } }
  )

  it.effect("that fail are failures of whoever reads, and come out of order as all else does", () =>
    Effect.gen(function* () {
      const broken = yield* MessageSequence.aside(
        Stream.concat(Stream.make("on the way"), Stream.fail("lost" as const))
      )
      const sequence = yield* MessageSequence.from(["said", broken, "never"])
      assert.strictEqual(yield* Effect.flip(sequence.text), "lost")
      assert.strictEqual(yield* Effect.flip(sequence.single().message), "lost")
      assert.strictEqual(yield* Effect.flip(Stream.runDrain(sequence.single())), "lost")
      const late = Agent.make(
        "Late",
        Effect.fnUntraced(function* (ctx) {
          yield* ctx.replyOutOfOrder(yield* MessageSequence.aside(Stream.never))
          yield* ctx.replyOutOfOrder(yield* MessageSequence.aside(["shown"]))
          yield* ctx.reply("said")
        })
      )
      const call = yield* late.call()
      const replies = yield* call.replies()
      const [first, second] = yield* Stream.runCollect(Stream.take(replies, 2))
      assert.deepStrictEqual([first?.known.aside, second?.known.aside].sort(), [true, undefined])
      yield* call.interrupt
    }).pipe(CleanRuntime.run)
  )

  it.effect("are what they are where errors are messages, and in the parts of a sequence", () =>
    Effect.gen(function* () {
      const inside = yield* MessageSequence.from(["deep", Stream.fail("lost")])
      const sequence = yield* Agent.make(
        "A",
        Effect.fnUntraced(function* (ctx) {
          yield* ctx.reply(yield* MessageSequence.aside(["shown", inside]))
          yield* ctx.reply("said")
        })
      ).trigger("", {}, { errorsAsMessages: true })
      const known = yield* Stream.runCollect(Stream.map(sequence, ({ known }) => known.aside === true))
      assert.deepStrictEqual(known.slice(0, 2), [true, true])
      const [part] = yield* Stream.runCollect(sequence.parts)
      assert.isTrue(MessageSequence.isMessageSequence(part))
      if (!MessageSequence.isMessageSequence(part)) return
      const [shown] = yield* Stream.runCollect(part.parts)
      assert.isTrue(MessageSequence.isMessageSequence(shown))
      assert.isTrue((yield* Stream.runCollect(shown as typeof part))[0]?.known.aside)
      assert.strictEqual(yield* part.text, "Error: lost") // what went wrong is said
    }).pipe(CleanRuntime.run)
  )

  it("what a class says of its messages is no part of them", () => {
    const one = new Progress({ content: "half" })
    assert.isTrue(Message.isAside(one))
    assert.isFalse(Message.isAside(Message.text("half")))
    assert.deepStrictEqual(Object.keys(one), ["_tag", "content", "metadata"])
    const codec = Message.codec([Progress])
    assert.isTrue(Equal.equals(Schema.decodeSync(codec)(Schema.encodeSync(codec)(one)), one))
  })
})
