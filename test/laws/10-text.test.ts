import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, Message, MessagePromise, MessageSequence } from "miniagents"
import * as CleanRuntime from "../CleanRuntime.ts"

const Tokens = Schema.Array(Schema.String).check(Schema.isMaxLength(20))
const ChunkSize = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 }))
const Readers = Schema.Array(Schema.Literals(["tokens", "whole", "late tokens"])).check(Schema.isMaxLength(5))

class Broken extends Schema.TaggedError<Broken>()("Broken", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

const textOf = <E>(promise: MessagePromise.MessagePromise<E>) =>
  Effect.map(Stream.runCollect(promise), (tokens) => tokens.join(""))

describe("Law 10, Text", () => {
  it.effect.prop(
    "Law 10, Text: the tokens, joined, are the text of the message, however chunked and read, in every kind of runtime",
    {
      tokens: Tokens,
      size: ChunkSize,
      readers: Readers,
      startSoon: Schema.Boolean,
      streamTokens: Schema.Boolean,
      tag: Schema.Literals(["Text", "User", "System", "Assistant"])
    },
    ({ readers, size, startSoon, streamTokens, tag, tokens }) =>
      Effect.gen(function* () {
        const source = Stream.rechunk(Stream.fromIterable(tokens), size).pipe(Stream.tap(() => Effect.yieldNow))
        const promise = yield* MessagePromise.fromStream(source, { known: { _tag: tag } })
        const early = yield* Effect.forEach(readers, (reader) =>
          Effect.forkChild(
            reader === "tokens"
              ? textOf(promise)
              : reader === "whole"
                ? Effect.map(promise.message, String)
                : Effect.andThen(promise.message, textOf(promise))
          )
        )
        const texts = yield* Effect.forEach(early, Fiber.join)
        const message = yield* promise.message
        assert.deepStrictEqual(
          texts,
          readers.map(() => tokens.join(""))
        )
        assert.strictEqual(message._tag, tag)
        assert.strictEqual(String(message), tokens.join(""))
        assert.strictEqual(yield* textOf(promise), tokens.join(""))
        assert.strictEqual(yield* textOf(MessagePromise.of(message)), tokens.join(""))
      }).pipe((program) => CleanRuntime.run(program, { startSoon, streamTokens }))
  )

  it.effect.prop(
    "Law 10, Text: the tokens of a message that is already there are its text, whatever its class",
    [
      Arbitrary.schema(
        Schema.Union([
          Message.Text,
          Message.User,
          Message.System,
          Message.Assistant,
          Message.Failure,
          Message.Data,
          Message.Embedding
        ])
      )
    ],
    ([message]) =>
      Effect.gen(function* () {
        const promise = MessagePromise.of(message)
        assert.strictEqual(yield* textOf(promise), String(message))
        assert.strictEqual(yield* promise.message, message)
      })
  )

  it.effect.prop(
    "Law 10, Text: the tokens of a sequence joined into one message are that message's text",
    {
      messages: Schema.Array(Tokens).check(Schema.isMaxLength(6)),
      delimiter: Schema.String,
      originals: Schema.Boolean,
      streamTokens: Schema.Boolean
    },
    ({ delimiter, messages, originals, streamTokens }) =>
      Effect.gen(function* () {
        const promises = yield* Effect.forEach(messages, (tokens) =>
          MessagePromise.fromStream(Stream.rechunk(Stream.fromIterable(tokens), 1))
        )
        const single = (yield* MessageSequence.from(promises)).single({ delimiter, originals })
        const expected = messages.map((tokens) => tokens.join("")).join(delimiter)
        assert.strictEqual(yield* textOf(single), expected)
        assert.strictEqual(String(yield* single.message), expected)
      }).pipe((program) => CleanRuntime.run(program, { streamTokens }))
  )

  it.effect.prop(
    "Law 10, Text: a failure taken as a message keeps the tokens before it, and its tokens are its text",
    { tokens: Tokens, reason: Schema.String, streamTokens: Schema.Boolean },
    ({ reason, streamTokens, tokens }) =>
      Effect.gen(function* () {
        const source = Stream.concat(Stream.fromIterable(tokens), Stream.fail(new Broken({ reason })))
        const promise = yield* MessagePromise.fromStream(source)
        const sequence = yield* MessageSequence.from([promise])
        const [absorbed] = yield* Stream.runCollect(sequence)
        assert.isDefined(absorbed)
        const message = yield* absorbed.message
        assert.instanceOf(message, Message.Failure)
        assert.strictEqual(message.content, tokens.join(""))
        assert.strictEqual(message.reason, reason === "" ? 'reason: ""' : reason)
        assert.strictEqual(yield* textOf(absorbed), String(message))
      }).pipe((program) => CleanRuntime.run(program, { errorsAsMessages: true, streamTokens }))
  )

  it.effect("Law 10, Text: a token can be read while the rest is still to come, and later readers see it too", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const source = Stream.concat(
        Stream.make("Hel", "lo"),
        Stream.fromEffect(Effect.as(Deferred.await(gate), ", world"))
      )
      const promise = yield* MessagePromise.fromStream(source)
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(promise, 2)), ["Hel", "lo"])
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(promise, 1)), ["Hel"])
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(String(yield* promise.message), "Hello, world")
      assert.deepStrictEqual(yield* Stream.runCollect(promise), ["Hel", "lo", ", world"])
    }).pipe(CleanRuntime.run)
  )

  it.effect(
    "Law 10, Text: without token streaming the text comes at once, at its end, and what came before a failure too",
    () =>
      Effect.gen(function* () {
        const whole = yield* MessagePromise.fromStream(Stream.make("a", "b", "c"))
        assert.deepStrictEqual(yield* Stream.runCollect(whole), ["abc"])
        const none = yield* MessagePromise.fromStream(Stream.empty)
        assert.deepStrictEqual(yield* Stream.runCollect(none), [])
        assert.strictEqual(String(yield* none.message), "")
        const failed = yield* MessagePromise.fromStream(Stream.concat(Stream.make("a", "b"), Stream.fail("no")))
        const seen: Array<string> = []
        const error = yield* Effect.flip(Stream.runForEach(failed, (token) => Effect.sync(() => void seen.push(token))))
        assert.deepStrictEqual([seen, error], [["ab"], "no"])
      }).pipe((program) => CleanRuntime.run(program, { streamTokens: false }))
  )

  it.effect("Law 10, Text: a text of an agent's reply is the same through any number of relays", () =>
    Effect.gen(function* () {
      const relay = Agent.make("Relay", (ctx) => ctx.reply(ctx.messages))
      const promise = yield* MessagePromise.fromStream(Stream.make("to", "ken", "s"))
      const first = yield* relay.trigger([promise])
      const second = yield* relay.trigger(first)
      const [relayed] = yield* Stream.runCollect(second)
      assert.strictEqual(relayed, promise)
      assert.strictEqual(yield* second.text, "tokens")
    }).pipe(CleanRuntime.run)
  )
})
