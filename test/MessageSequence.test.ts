import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, Message, MessagePromise, MessageSequence } from "miniagents"
import * as CleanRuntime from "./CleanRuntime.ts"

/** Inputs, nested at will: a leaf is a text, a branch is given as an array, as a Stream, or as a sequence. */
interface Input {
  readonly as: "text" | "array" | "stream" | "sequence" | "promise"
  readonly children: ReadonlyArray<Input>
}
const Inputs = Schema.Array(
  Schema.Struct({
    parent: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99 })),
    as: Schema.Literals(["text", "array", "stream", "sequence", "promise"])
  })
).check(Schema.isMaxLength(20))

const treeOf = (nodes: typeof Inputs.Type): Input => {
  const root: Input = { as: "array", children: [] }
  const branches = [root]
  for (const { as, parent } of nodes) {
    const node: Input = { as, children: [] }
    ;(branches[parent % branches.length]!.children as Array<Input>).push(node)
    if (as !== "text" && as !== "promise") branches.push(node)
  }
  return root
}

describe("MessageSequence", () => {
  it.effect("is a Stream that is known as a sequence", () =>
    Effect.gen(function* () {
      const sequence = yield* MessageSequence.from("x")
      assert.isTrue(MessageSequence.isMessageSequence(sequence))
      assert.isTrue(Stream.isStream(sequence))
      assert.isFalse(MessageSequence.isMessageSequence(Stream.make("x")))
      assert.isFalse(MessageSequence.isMessageSequence(["x"]))
      assert.strictEqual(yield* MessageSequence.from(sequence), sequence)
    }).pipe(CleanRuntime.run)
  )

  it.effect.prop("is flat and in order, whatever it was made of", { nodes: Inputs }, ({ nodes }) =>
    Effect.gen(function* () {
      const texts: Array<string> = []
      const make = (node: Input): Effect.Effect<unknown, never, never> =>
        Effect.suspend(() => {
          if (node.as === "text" || node.as === "promise") {
            const text = `${texts.push("")}`
            texts[texts.length - 1] = text
            return node.as === "text"
              ? Effect.succeed(text)
              : CleanRuntime.run(MessagePromise.fromStream(Stream.fromIterable(text)))
          }
          return Effect.flatMap(Effect.forEach(node.children, make), (children): Effect.Effect<unknown> => {
            if (node.as === "array") return Effect.succeed(children)
            const stream = Stream.fromIterable(children as ReadonlyArray<string>).pipe(
              Stream.rechunk(1),
              Stream.tap(() => Effect.yieldNow)
            )
            return node.as === "stream" ? Effect.succeed(stream) : CleanRuntime.run(MessageSequence.from(stream))
          })
        })
      const input = yield* make(treeOf(nodes))
      const sequence = yield* MessageSequence.from(input as string)
      assert.deepStrictEqual((yield* sequence.messages).map(String), texts)
      assert.strictEqual(yield* sequence.text, texts.join("\n\n"))
      assert.strictEqual((yield* Stream.runCollect(sequence)).length, texts.length)
    }).pipe(CleanRuntime.run)
  )

  it.effect("gives what is there while the rest is still to come", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const late = Stream.fromEffect(Effect.as(Deferred.await(gate), "late"))
      const sequence = yield* MessageSequence.from(["first", [late], "last"])
      assert.strictEqual((yield* Stream.runCollect(Stream.take(sequence, 1))).length, 1)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* sequence.text, "first\n\nlate\n\nlast")
    }).pipe(CleanRuntime.run)
  )

  it.effect("has what was put into it as its parts, as it is where it stands for itself", () =>
    Effect.gen(function* () {
      const inside = yield* MessageSequence.from(["b", "c"])
      const promise = MessagePromise.of(Message.text("a"))
      const sequence = yield* MessageSequence.from([promise, inside])
      assert.deepStrictEqual([...(yield* Stream.runCollect(sequence.parts))], [promise, inside])
      assert.strictEqual([...(yield* Stream.runCollect(sequence.parts))][1], inside)
    }).pipe(CleanRuntime.run)
  )

  it.effect("fails where a stream in it failed, and `messages`, `text` and `single` with it", () =>
    Effect.gen(function* () {
      const sequence = yield* MessageSequence.from(["a", Stream.concat(Stream.make("b"), Stream.fail("no")), "c"])
      assert.strictEqual((yield* Stream.runCollect(Stream.take(sequence, 2))).length, 2)
      const ends = [sequence.messages, sequence.text, sequence.single().message, Stream.runCollect(sequence)]
      for (const end of ends) assert.strictEqual(yield* Effect.flip<unknown, string, never>(end), "no")
      const tokens: Array<string> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(sequence.single(), (token) => Effect.sync(() => void tokens.push(token)))
      )
      assert.deepStrictEqual([tokens.join(""), exit], ["a\n\nb", Exit.fail("no")])
    }).pipe(CleanRuntime.run)
  )

  it.effect("goes on after a failure where failures are messages", () =>
    Effect.gen(function* () {
      const failing = Stream.concat(Stream.make("b"), Stream.fail("no"))
      const promise = yield* MessagePromise.fromStream(Stream.concat(Stream.make("d", "e"), Stream.fail("cut")))
      const sequence = yield* MessageSequence.from(["a", failing, "c", promise, "f"])
      const messages = yield* sequence.messages
      assert.deepStrictEqual(
        messages.map(({ _tag }) => _tag),
        ["Text", "Text", "Failure", "Text", "Failure", "Text"]
      )
      assert.strictEqual((messages[4] as Message.Failure).content, "de")
      assert.strictEqual(yield* sequence.messages.pipe(Effect.map((again) => again[2])), messages[2])
    }).pipe((program) => CleanRuntime.run(program, { errorsAsMessages: true }))
  )

  describe("single", () => {
    it.effect("joins with a blank line, or what is given, and streams as the messages do", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const promise = yield* MessagePromise.fromStream(
          Stream.concat(Stream.make("to", "kens"), Stream.fromEffect(Effect.as(Deferred.await(gate), "!")))
        )
        const sequence = yield* MessageSequence.from(["first", promise, "last"])
        const single = sequence.single()
        assert.isTrue(MessagePromise.isMessagePromise(single))
        assert.deepStrictEqual(single.known, { _tag: "Text" })
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(single, 4)), ["first", "\n\n", "to", "kens"])
        yield* Deferred.succeed(gate, undefined)
        assert.deepStrictEqual(yield* single.message, Message.text("first\n\ntokens!\n\nlast"))
        assert.strictEqual(String(yield* sequence.single({ delimiter: "" }).message), "firsttokens!last")
        assert.strictEqual(String(yield* sequence.single({ delimiter: ", " }).message), "first, tokens!, last")
      }).pipe(CleanRuntime.run)
    )

    it.effect("of nothing is an empty message", () =>
      Effect.gen(function* () {
        const single = (yield* MessageSequence.from([])).single()
        assert.deepStrictEqual(yield* single.message, Message.text(""))
        assert.deepStrictEqual(yield* Stream.runCollect(single), [])
      }).pipe(CleanRuntime.run)
    )

    it.effect("with `originals` holds the messages it was made of", () =>
      Effect.gen(function* () {
        const sequence = yield* MessageSequence.from([Message.user("a"), { b: 1 }])
        const single = sequence.single({ originals: true, delimiter: "|" })
        assert.deepStrictEqual(single.known, { _tag: "Joined" })
        const message = yield* single.message
        assert.instanceOf(message, Message.Joined)
        assert.deepStrictEqual(message.originals, yield* sequence.messages)
        assert.strictEqual(String(message), (yield* sequence.messages).map(String).join("|"))
        assert.deepStrictEqual(
          Message.serialize(message)["originals__hash_keys"],
          message.originals.map(({ hashKey }) => hashKey)
        )
      }).pipe(CleanRuntime.run)
    )

    it.effect("can be sent on as one message", () =>
      Effect.gen(function* () {
        const count = Agent.make("Count", (ctx) =>
          Effect.flatMap(ctx.messages.messages, ({ length }) => ctx.reply(`${length}`))
        )
        const sequence = yield* MessageSequence.from(["a", "b"])
        assert.strictEqual(yield* (yield* count.trigger(sequence.single())).text, "1")
        assert.strictEqual(yield* (yield* count.trigger([sequence.single(), sequence])).text, "3")
      }).pipe(CleanRuntime.run)
    )
  })

  it.effect(
    "`single` makes a message of any class, without leading line breaks, with what all had in their metadata",
    () =>
      Effect.gen(function* () {
        const sequence = yield* MessageSequence.from([
          Message.user("\n\none", { a: 1, b: 1 }),
          yield* MessagePromise.fromStream(Stream.make("\n", "\r\n", "two\n"), { known: { metadata: { b: 2 } } })
        ])
        const promise = sequence.single({
          delimiter: "|",
          trimStart: true,
          mergeMetadata: true,
          known: { _tag: "Assistant", agent: "Joiner", metadata: { c: 3 } }
        })
        const message = yield* promise.message
        assert.instanceOf(message, Message.Assistant)
        assert.strictEqual(message.content, "one|two\n")
        assert.strictEqual((yield* Stream.runCollect(promise)).join(""), message.content)
        assert.strictEqual(message.agent, "Joiner")
        assert.deepStrictEqual(message.metadata, { a: 1, b: 2, c: 3 })
      }).pipe(CleanRuntime.run)
  )
})
