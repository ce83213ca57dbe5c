import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as SchemaBinary from "effect/encoding/SchemaBinary"
import { Agent, Message, MessagePromise, MessageSequence, MiniAgents, Transcript } from "miniagents"

describe("Transcript.Event", () => {
  it.effect.prop(
    "goes through JSON and through bytes unchanged",
    { events: Schema.Array(Transcript.Event) },
    ({ events }) =>
      Effect.gen(function* () {
        const json = Schema.fromJsonString(Schema.Array(Transcript.Event))
        assert.deepStrictEqual(
          yield* Schema.decodeEffect(json)(yield* Schema.encodeEffect(json)(events)),
          events.map((event) => JSON.parse(JSON.stringify(event)) as Transcript.Event)
        )
        // half a surrogate pair has no bytes of its own in UTF-8
        const formed = JSON.parse(JSON.stringify(events).replaceAll(/\\ud[89a-f]../gi, "?")) as typeof events
        const bytes = SchemaBinary.toCodec(Schema.Array(Transcript.Event))
        assert.deepStrictEqual(yield* Schema.decodeEffect(bytes)(yield* Schema.encodeEffect(bytes)(formed)), formed)
      })
  )
})

describe("Transcript.Position", () => {
  it.each(["0.0", "3.120", "12.x", "999999999.999999999999999"])("%s is one", (position) => {
    assert.isTrue(Schema.is(Transcript.Position)(position))
  })
  it.each(["", "3", "3.", ".x", "-1.0", "3.1x", "3.x\n", " 3.x", "1e3.0", "9999999999.0", "end"])(
    "%j is none",
    (text) => {
      assert.isFalse(Schema.is(Transcript.Position)(text))
    }
  )
  it("a reset moves a reader back to what is left", () => {
    const reset = (at: number, to: number) => Transcript.after("9.9", { _tag: "reset", at, to })
    assert.deepStrictEqual([reset(3, 2), reset(3, 0), reset(0, 0)], ["3.2", "2.x", undefined])
    assert.strictEqual(Transcript.after("9.9", { _tag: "end" }), "9.9")
  })
})

const textEvents = (events: ReadonlyArray<Transcript.Event>) =>
  events.flatMap((event) => (event._tag === "text" ? [event.text] : []))

/** Runs an effect, and gives what was logged beside what it gave. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ cause, message }) => void lines.push(`${String(message)} ${Cause.pretty(cause)}`))
    return Effect.map(Effect.provide(effect, Logger.layer([logger])), (result) => ({ result, lines }))
  })

const withRuntime = <A, E>(effect: Effect.Effect<A, E, MiniAgents.MiniAgents>) =>
  Effect.provide(effect, MiniAgents.layer())

const open = (at: number): Transcript.Event => ({ _tag: "open", at, known: { _tag: "Text" } })
const text = (at: number, to: number, text: string): Transcript.Event => ({ _tag: "text", at, to, text })
const whole = (at: number, content: string): Transcript.Event => {
  const { hashKey } = Message.text(content)
  return { _tag: "message", at, message: { _tag: "Text", metadata: {} }, hashKey }
}
const end: Transcript.Event = { _tag: "end" }

class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.String }) {
  override get message() {
    return `refused by ${this.by}`
  }
}

describe("Transcript.encode", () => {
  it.effect.prop(
    "gives at most 32 KiB of text an event and cuts no surrogate pair, however the tokens were cut",
    { seed: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30_000 })), parts: Schema.Array(Schema.String) },
    ({ parts, seed }) =>
      Effect.gen(function* () {
        const given = `${parts.join("")}a${"😀".repeat(seed)}é${"漢".repeat(seed)}`
        const tokens = [given.slice(0, seed), given.slice(seed, seed + 2), given.slice(seed + 2)]
        const promise = yield* MessagePromise.fromStream(Stream.fromIterable(tokens))
        const sequence = yield* MessageSequence.from([promise, given])
        const texts = textEvents(yield* Stream.runCollect(Transcript.encode(sequence)))
        assert.strictEqual(texts.join(""), given + given)
        for (const text of texts) {
          assert.isAtMost(new TextEncoder().encode(text).length, 32 * 1024)
          assert.isFalse(/[\ud800-\udbff]$/.test(text) && given.isWellFormed())
        }
      }).pipe(withRuntime)
  )

  it.effect("makes events as they are asked for", () =>
    Effect.gen(function* () {
      const sequence = yield* MessageSequence.from(["x".repeat(4_000_000), "y"])
      const sizes: Array<number> = []
      yield* Transcript.encode(sequence).pipe(
        Stream.runForEachArray((events) => Effect.sync(() => void sizes.push(textEvents(events).join("").length)))
      )
      assert.isAtMost(Math.max(...sizes), 32 * 1024)
    }).pipe(withRuntime)
  )

  it.effect("leaves out a content that is the text, and the text of a message that follows from its fields", () =>
    Effect.gen(function* () {
      const sequence = yield* MessageSequence.from([Message.user("hi"), { answer: 42 }])
      const events = yield* Stream.runCollect(Transcript.encode(sequence))
      const [user, data] = yield* sequence.messages
      assert.deepStrictEqual(events, [
        { _tag: "open", at: 0, known: { _tag: "User" } },
        { _tag: "text", at: 0, to: 2, text: "hi" },
        { _tag: "message", at: 0, message: { _tag: "User", metadata: {} }, hashKey: user.hashKey },
        { _tag: "open", at: 1, known: { _tag: "Data" } },
        {
          _tag: "message",
          at: 1,
          message: { _tag: "Data", data: { answer: 42 }, metadata: {} },
          hashKey: data.hashKey
        },
        { _tag: "end" }
      ])
    }).pipe(withRuntime)
  )

  it.effect("a defect leaves as an internal error whose id is logged once, never with its text", () =>
    Effect.gen(function* () {
      const agent = Agent.make("Leaky", () => Effect.die(new Error("postgres://me:secret@db")))
      const replies = yield* agent.trigger()
      const read = Stream.runCollect(Transcript.encode(replies))
      const { lines, result } = yield* logged(Effect.all([read, read]))
      const [event] = result[0]
      assert.deepStrictEqual(result[1], [event])
      assert.notInclude(JSON.stringify(event), "secret")
      const { failure } = event as Extract<Transcript.Event, { _tag: "failed" }>
      assert.deepInclude(failure, { error: "InternalError", reason: "internal error", trace: ["Leaky"] })
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], `Internal error ${failure.id}`)
      assert.include(lines[0], "secret")
    }).pipe(withRuntime)
  )

  it.effect.each(["the agent", "its message"])("a defect of %s that became a message says no more than that", (where) =>
    Effect.gen(function* () {
      const die = Effect.die(new Error("postgres://me:secret@db"))
      const tokens = Stream.concat(Stream.make("so far"), Stream.fromEffect(die))
      const agent = Agent.make("Leaky", (ctx) =>
        where === "the agent" ? die : Effect.flatMap(MessagePromise.fromStream(tokens), ctx.reply)
      )
      const replies = yield* agent.trigger([], {}, { errorsAsMessages: true })
      const { lines, result: events } = yield* logged(Stream.runCollect(Transcript.encode(replies)))
      assert.notInclude(JSON.stringify(events), "secret")
      assert.include(lines.join(), "secret")
      const [message] = yield* (yield* Transcript.decode(Stream.fromIterable(events))).messages
      const content = where === "the agent" ? "" : "so far"
      assert.deepInclude(JSON.parse(JSON.stringify(message)), { _tag: "Failure", content, error: "InternalError" })
      const id = /internal error \((.*)\)/.exec(String(message))![1]!
      assert.include(lines[0], id)
      assert.strictEqual(events.at(-1)?._tag, "end")
    }).pipe(withRuntime)
  )

  it.effect("a position that is none is a defect that says so", () =>
    Effect.gen(function* () {
      const sequence = yield* MessageSequence.from("x")
      const exit = yield* Effect.exit(Stream.runDrain(Transcript.encode(sequence, { from: "1" })))
      assert.include(String(exit), '`from` must be a position such as "3.120", got `1`')
    }).pipe(withRuntime)
  )

  it.effect("a reader that leaves while a message is under way leaves nothing behind", () =>
    Effect.gen(function* () {
      const promise = yield* MessagePromise.fromStream(Stream.concat(Stream.make("a"), Stream.never))
      const sequence = yield* MessageSequence.from(promise)
      const first = yield* Stream.runCollect(Stream.take(Transcript.encode(sequence), 2))
      assert.deepStrictEqual(
        first.map(({ _tag }) => _tag),
        ["open", "text"]
      )
      const fiber = yield* Effect.forkChild(Stream.runCollect(Transcript.encode(sequence)))
      yield* settled
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* MiniAgents.running, 1) // the message itself
      return yield* Effect.interrupt
    }).pipe(
      withRuntime,
      Effect.exit,
      Effect.map((exit) => assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)))
    )
  )
})

describe("Transcript.decode", () => {
  it.effect(
    "a typed failure is one again where its schema is known, and a TranscriptError elsewhere, also two processes on",
    () =>
      Effect.gen(function* () {
        const agent = Agent.make("Guard", () => new Refused({ by: "Ann" }))
        const events = yield* Stream.runCollect(Transcript.encode(yield* agent.trigger(), { error: Refused }))
        const known = yield* Transcript.decode(Stream.fromIterable(events), { error: Refused })
        assert.deepStrictEqual(yield* Effect.flip(known.messages), new Refused({ by: "Ann" }))
        const unknown = yield* Transcript.decode(Stream.fromIterable(events))
        const error = yield* Effect.flip(unknown.messages)
        assert.strictEqual(error.message, "Refused: refused by Ann")
        const onward = yield* Stream.runCollect(Transcript.encode(unknown))
        assert.deepStrictEqual(onward, events)
      }).pipe(withRuntime)
  )

  it.effect("an internal error comes as a defect with its id, and goes on with it", () =>
    Effect.gen(function* () {
      const failure = { error: "InternalError", reason: "internal error", trace: ["A"], id: "42" }
      const sequence = yield* Transcript.decode(Stream.make<Array<Transcript.Event>>({ _tag: "failed", failure }))
      const exit = yield* Effect.exit(sequence.messages)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.include(String(exit), "internal error (42)")
      assert.deepStrictEqual(yield* Stream.runCollect(Transcript.encode(sequence)), [{ _tag: "failed", failure }])
    }).pipe(withRuntime)
  )

  it.effect("does not wait for more events once the sequence has ended", () =>
    Effect.gen(function* () {
      const events = Stream.concat(Stream.make(open(0), text(0, 1, "a"), whole(0, "a"), end), Stream.never)
      const sequence = yield* Transcript.decode(events)
      assert.strictEqual(yield* sequence.text, "a")
      assert.strictEqual(yield* MiniAgents.running, 0)
    }).pipe(withRuntime)
  )

  it.effect("a text that was taken back fails who had read it, and no one else", () =>
    Effect.gen(function* () {
      const queue = yield* Queue.unbounded<Transcript.Event>()
      const sequence = yield* Transcript.decode(Stream.fromQueue(queue))
      const promiseOf = Effect.map(Stream.runHead(sequence), Option.getOrThrow)
      const tokens = (promise: MessagePromise.MessagePromise<unknown>) =>
        Effect.forkChild(Effect.exit(Stream.mkString(promise)))
      yield* Queue.offerAll(queue, [open(0), text(0, 2, "He")])
      const promise = yield* promiseOf
      const [had] = yield* Effect.map(Stream.runHead(promise), Option.toArray)
      assert.strictEqual(had, "He")
      const slow = yield* Stream.toPull(promise)
      assert.deepStrictEqual(yield* slow, ["He"])
      const fast = yield* tokens(promise)
      yield* Queue.offer(queue, text(0, 5, "llo"))
      yield* settled
      yield* Queue.offerAll(queue, [{ _tag: "reset", at: 0, to: 2 }, text(0, 4, "ar"), whole(0, "Hear"), end])
      yield* settled
      assert.deepStrictEqual(yield* slow, ["ar"])
      const late = yield* tokens(promise)
      assert.deepStrictEqual(yield* Fiber.join(late), Exit.succeed("Hear"))
      assert.include(String(yield* Fiber.join(fast)), "what was read after offset 2 of this message is taken back")
      assert.strictEqual(yield* sequence.text, "Hear")
      assert.strictEqual(String(yield* promise.message), "Hear")
    }).pipe(Effect.scoped, withRuntime)
  )

  it.effect.each<readonly [string, ReadonlyArray<Transcript.Event>, string]>([
    ["breaks off before its end", [open(0), text(0, 1, "a")], "broke off at message 0"],
    ["has no events at all", [], "broke off at message 0"],
    ["leaves out a text", [open(0), text(0, 5, "a")], "lacks what comes before offset 4"],
    ["leaves out a message", [open(1)], "Message 1"],
    ["has a text without a message", [text(0, 1, "a")], "before it is opened"],
    ["ends within a message", [open(0), end], "the sequence ends before it"],
    ["has a text that ends before it begins", [open(0), text(0, 1, "abc")], "lacks"],
    ["takes back what it never gave", [open(0), { _tag: "reset", at: 0, to: 3 }], "more is taken back"],
    ["has a message without a tag", [open(0), { _tag: "message", at: 0, message: {}, hashKey: "" }], "it has no tag"],
    [
      "has a message that claims another's hash key",
      [open(0), { _tag: "message", at: 0, message: { _tag: "Mine", hashKey: "x" }, hashKey: "x" }],
      "no message can have"
    ],
    [
      "gives another message in the place of one that was whole",
      [
        open(0),
        text(0, 1, "a"),
        whole(0, "a"),
        { _tag: "reset", at: 0, to: 0 },
        open(0),
        text(0, 1, "b"),
        whole(0, "b")
      ],
      "message 0 is not what it was before"
    ],
    [
      "does not give again what was whole",
      [open(0), text(0, 1, "a"), whole(0, "a"), { _tag: "reset", at: 0, to: 0 }, end],
      "message 0 is not what it was before"
    ]
  ])("a transcript that %s fails with a sentence", ([_, events, sentence]) =>
    Effect.gen(function* () {
      const sequence = yield* Transcript.decode(Stream.fromIterable(events))
      const error = yield* Effect.flip(sequence.messages)
      assert.instanceOf(error, Transcript.TranscriptError)
      assert.include(error.message, sentence)
    }).pipe(withRuntime)
  )
})

const settled = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })
