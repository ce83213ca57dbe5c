import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Message, MessageSequence, MiniAgents, Transcript } from "miniagents"
import { LlmMessage } from "miniagents/llm"
import { law } from "./Law.ts"
import * as Program from "./Program.ts"

type Sequence = MessageSequence.MessageSequence<unknown>
type Events = ReadonlyArray<Transcript.Event>

class Review extends Message.Class<Review>()("Review", {
  draft: Message.Any,
  others: Schema.Array(Message.Any),
  stars: Schema.Int,
  content: Schema.optionalKey(Schema.String)
}) {}
class Shout extends Message.Class<Shout>()("Shout", { word: Schema.String }) {
  override toString() {
    return `${this.word}!`
  }
}

const known = { error: Program.Broken, classes: [Review, Shout] }

/** As they come out of a wire. */
const wire = Schema.fromJsonString(Transcript.Event)
const sent = (events: Events): Events => events.map((event) => Schema.decodeSync(wire)(Schema.encodeSync(wire)(event)))

const eventsOf = (sequence: Sequence, from?: Transcript.Position): Effect.Effect<Events> =>
  Effect.map(Stream.runCollect(Transcript.encode(sequence as never, { from, error: Program.Broken })), sent)

const decoded = (events: Events, size = 3) =>
  Transcript.decode(Stream.rechunk(Stream.fromIterable(events), size), known) as Effect.Effect<
    Sequence,
    never,
    MiniAgents.MiniAgents
  >

const position = (events: Events) =>
  events.reduce<string | undefined>((had, event) => Transcript.after(had, event), undefined)

const pick = (at: number, length: number) => (length === 0 ? 0 : at % length)

const root = Program.programs({
  ends: ["ok", "ok", "ok", "fail", "die", "interrupt"],
  modes: ["reply", "replyOutOfOrder"]
})
const absorbing = Program.programs({
  ends: ["ok", "ok", "fail", "interrupt"],
  modes: ["reply", "replyOutOfOrder"],
  errorsAsMessages: ["default", "yes"]
})
const Place = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000 }))

describe("law 18, Transcript", () => {
  law("what is made of a sequence's events, read while both fill up, equals the sequence", { root }, ({ root }) =>
    Effect.gen(function* () {
      const sequence = yield* new Program.Run().trigger(root)
      const again = yield* Transcript.decode(Transcript.encode(sequence as never, { error: Program.Broken }), known)
      assert.deepStrictEqual(yield* Program.seen(again as Sequence), yield* Program.seen(sequence))
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  law("where failures are messages they come through as such", { root: absorbing }, ({ root }) =>
    Effect.gen(function* () {
      const sequence = yield* new Program.Run().trigger(root)
      const again = yield* Transcript.decode(Transcript.encode(sequence as never, { error: Program.Broken }), known)
      assert.deepStrictEqual(yield* Program.seen(again as Sequence), yield* Program.seen(sequence))
    }).pipe(Effect.provide(MiniAgents.layer()))
  )

  law(
    "a reader that was cut anywhere goes on there: nothing is missing and no position is given twice",
    { root, places: Schema.Array(Place), size: Place },
    ({ places, root, size }) =>
      Effect.gen(function* () {
        const sequence = yield* new Program.Run().trigger(root)
        const expected = yield* Program.seen(sequence)
        let had: Events = []
        for (const place of [...places.slice(0, 3), undefined]) {
          const rest = yield* eventsOf(sequence, position(had))
          had = [...had, ...(place === undefined ? rest : halved(rest.slice(0, pick(place, rest.length))))]
        }
        const positions = had.slice(0, -1).map((_, i) => position(had.slice(0, i + 1)))
        assert.strictEqual(new Set(positions).size, positions.length)
        assert.deepStrictEqual(yield* Program.seen(yield* decoded(had, 1 + (size % 5))), expected)
      }).pipe(Effect.provide(MiniAgents.layer()))
  )

  law(
    "however often the producer died and began anew, the end is the same",
    { root, deaths: Schema.Array(Schema.Struct({ after: Place, back: Place, other: Schema.Boolean })), size: Place },
    ({ deaths, root, size }) =>
      Effect.gen(function* () {
        const sequence = yield* new Program.Run().trigger(root)
        const expected = yield* Program.seen(sequence)
        let all: Events = []
        let had: Events = []
        for (const { after, back, other } of deaths.slice(0, 2)) {
          const rest = yield* eventsOf(sequence, position(had))
          const given = rest.slice(0, pick(after, rest.length))
          // what the dead one said of the message under way need not be what the next one says
          all = [...all, ...(other ? differing(given) : given)]
          had = [...had, ...given]
          had = had.slice(0, Math.min(pick(back, had.length + 1), other ? beginning(had) : Infinity))
          const [at, to] = (position(had) ?? "-1.x").split(".") as [string, string]
          all = [...all, { _tag: "reset", at: Number(at) + (to === "x" ? 1 : 0), to: to === "x" ? 0 : Number(to) }]
        }
        all = [...all, ...(yield* eventsOf(sequence, position(had)))]
        assert.deepStrictEqual(yield* Program.seen(yield* decoded(all, 1 + (size % 5))), expected)
      }).pipe(Effect.provide(MiniAgents.layer()))
  )

  law(
    "messages of every class come through, those of unknown classes as what they were",
    { messages: Schema.Array(Seed) },
    ({ messages: seeds }) =>
      Effect.gen(function* () {
        const messages = seeds.map(messageOf)
        const sequence = yield* MessageSequence.from(messages)
        const events = yield* eventsOf(sequence)
        assert.deepStrictEqual(yield* Program.seen(yield* decoded(events)), yield* Program.seen(sequence))
        const again = yield* (yield* decoded(events)).messages
        assert.deepStrictEqual(
          again.map((message) => message.constructor),
          messages.map((message) => message.constructor)
        )
        // a process that does not know the classes gives them on to one that does
        const between = yield* Transcript.decode(Stream.fromIterable(events))
        const unknown = yield* between.messages
        assert.deepStrictEqual(
          unknown.map(({ hashKey }) => hashKey),
          messages.map(({ hashKey }) => hashKey)
        )
        const onward = yield* eventsOf(between)
        assert.deepStrictEqual(yield* Program.seen(yield* decoded(onward)), yield* Program.seen(sequence))
      }).pipe(Effect.provide(MiniAgents.layer()))
  )
})

/** How many events there are before the message under way is opened. */
const beginning = (events: Events): number => {
  const last = events.findLastIndex((event) => event._tag === "open")
  return last < 0 || events.slice(last).some(({ _tag }) => _tag === "message" || _tag === "broken")
    ? Infinity
    : last + 1
}

/** Events of which the last text is had in part. */
const halved = (events: Events): Events => {
  const last = events[events.length - 1]
  if (last?._tag !== "text") return events
  const text = last.text.slice(0, Math.ceil(last.text.length / 2))
  return [...events.slice(0, -1), { ...last, to: last.to - last.text.length + text.length, text }]
}

/** The same events with another and longer text of the message under way. */
const differing = (events: Events): Events => {
  const last = events.findLastIndex(({ _tag }) => _tag === "open" || _tag === "message" || _tag === "broken")
  const other = events.map((event, i) =>
    events.length % 2 === 0 && i > last && event._tag === "text"
      ? { ...event, text: event.text.replaceAll(/./gs, "?") }
      : event
  )
  const end = other[other.length - 1]
  return end?._tag === "text" ? [...other, { ...end, to: end.to + 9, text: "and so on" }] : other
}

interface Seed {
  readonly kind: number
  readonly text: string
  readonly metadata: { readonly [key: string]: Schema.Json }
  readonly inside: ReadonlyArray<Seed>
}
const Seed: Schema.Codec<Seed> = Schema.Struct({
  kind: Place,
  text: Schema.String,
  metadata: Schema.Record(Schema.String, Schema.Json),
  inside: Schema.Array(Schema.suspend((): Schema.Codec<Seed> => Seed))
})

const messageOf = ({ inside, kind, metadata, text: content }: Seed): Message.Message => {
  const originals = inside.map(messageOf)
  const makers: ReadonlyArray<() => Message.Message> = [
    () => Message.text(content, metadata),
    () => Message.user(content, metadata),
    () => Message.system(content),
    () => new Message.Assistant({ content, model: "m", usage: { inputTokens: 1 }, metadata }),
    () => new Message.Failure({ content, error: "E", reason: "r", trace: ["A"] }),
    () => Message.data(metadata),
    () => new Message.Embedding({ content, vector: [1, 2] }),
    () => new Message.Joined({ content, originals }),
    () => new Message.CallRecord({ agent: "A", parameters: metadata, messages: originals }),
    () => new LlmMessage.Reasoning({ content, metadata }),
    () => new LlmMessage.ToolCall({ id: content, name: "n", parameters: metadata }),
    () => new LlmMessage.ToolResult({ id: "1", name: "n", result: content, isFailure: false }),
    () => new LlmMessage.ResponsePart({ part: metadata }),
    () => new Review({ draft: originals[0] ?? Message.text(content), others: originals, stars: 3, metadata }),
    () => new Review({ draft: Message.text("d"), others: [], stars: 3, content }),
    () => new Shout({ word: content })
  ]
  return makers[kind % makers.length]()
}
