/**
 * A sequence of messages as serializable events with positions: the one form in which replies leave a process, to be
 * stored, sent, and read on from wherever a reader was cut off.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { Place, traced, traceOf } from "./internal/place.ts"
import type { Sequence } from "./internal/sequence.ts"
import * as LlmMessage from "./llm/agents/LlmMessage.ts"
import * as Message from "./Message.ts"
import type * as MessageSequence from "./MessageSequence.ts"
import type * as MiniAgents from "./MiniAgents.ts"
import * as decoder from "./transcriptDecoder.ts"
import * as encoder from "./transcriptEncoder.ts"

/**
 * A place in a transcript: the index of a message, and how much of its text is had, in UTF-16 units (`3.120`), or that
 * all of the message is (`3.x`). It does not depend on how the text was cut into tokens or events.
 *
 * **Details**
 *
 * Each position says what a reader has: `3.0` that message 3 was opened, `3.x` that it was had to its end. A reader that
 * has nothing yet has no position.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Position: Schema.String = Schema.String.check(
  Schema.isPattern(/^\d{1,9}\.(\d{1,15}|x)$/, { expected: 'a position such as "3.120" or "3.x"' })
)

/**
 * A place in a transcript, such as `3.120` or `3.x`.
 *
 * @since 0.1.0
 * @category models
 */
export type Position = string

/**
 * The call that made a message: its path in the tree of calls (`Research/0:Search`), the name of the agent, and the run,
 * if that was an earlier one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Origin: Schema.Struct<{
  readonly path: Schema.String
  readonly agent: Schema.String
  readonly run: Schema.optionalKey<Schema.String>
}> = Schema.Struct({
  path: Schema.String,
  agent: Schema.String,
  run: Schema.optionalKey(Schema.String)
})

/**
 * The failure of a message or a sequence, as it leaves the process: the tag and the text of the error, and the agents
 * it came through, the innermost first.
 *
 * **Details**
 *
 * `value` is the error itself, encoded, where its schema is known. Where `id` is set it was a defect: its text stays in
 * the process, in the log under that id, and the error is named `InternalError`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Failure: Schema.Struct<{
  readonly error: Schema.String
  readonly reason: Schema.String
  readonly trace: Schema.$Array<Schema.String>
  readonly id: Schema.optionalKey<Schema.String>
  readonly value: Schema.optionalKey<Schema.Codec<Schema.Json>>
}> = Schema.Struct({
  error: Schema.String,
  reason: Schema.String,
  trace: Schema.Array(Schema.String),
  id: Schema.optionalKey(Schema.String),
  value: Schema.optionalKey(Schema.Json)
})

/**
 * The failure of a message or a sequence, as it leaves the process.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure = typeof Failure.Type

const Index = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Fields = Schema.Record(Schema.String, Schema.Json)

/**
 * One event of a transcript. The messages are numbered from 0 (`at`), and each is over before the next one is opened.
 *
 * **Details**
 *
 * - `open`: a message begins. `known` are the fields known before its content, the tag of its class among them, and
 *   `origin` the call that made it.
 * - `text`: a piece of its text, which ends at the UTF-16 offset `to`. No surrogate pair is cut.
 * - `message`: it is whole. `message` is its JSON by `Message.codec`; a `content` that equals the text of the message is
 *   left out. A message whose text follows from its fields, such as a `Message.Data`, has no `text` events.
 * - `broken`: it failed after its text, or was interrupted if there is no `failure`; the sequence goes on.
 * - `end`, `failed`, `interrupted`: how the sequence ended. One of them is the last event.
 * - `reset`: the producer had to begin anew. What was said after the UTF-16 offset `to` of the message `at`, and all
 *   messages after it, are taken back; where `to` is 0 the message itself is, and is opened again.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Event: Schema.TaggedUnion<{
  readonly open: Schema.TaggedStruct<
    "open",
    {
      readonly at: Schema.Int
      readonly known: Schema.$Record<Schema.String, Schema.Codec<Schema.Json>>
      readonly origin: Schema.optionalKey<typeof Origin>
    }
  >
  readonly text: Schema.TaggedStruct<
    "text",
    { readonly at: Schema.Int; readonly to: Schema.Int; readonly text: Schema.String }
  >
  readonly message: Schema.TaggedStruct<
    "message",
    {
      readonly at: Schema.Int
      readonly message: Schema.$Record<Schema.String, Schema.Codec<Schema.Json>>
      readonly hashKey: Schema.String
    }
  >
  readonly broken: Schema.TaggedStruct<
    "broken",
    { readonly at: Schema.Int; readonly failure: Schema.optionalKey<typeof Failure> }
  >
  readonly end: Schema.TaggedStruct<"end", {}>
  readonly failed: Schema.TaggedStruct<"failed", { readonly failure: typeof Failure }>
  readonly interrupted: Schema.TaggedStruct<"interrupted", {}>
  readonly reset: Schema.TaggedStruct<"reset", { readonly at: Schema.Int; readonly to: Schema.Int }>
}> = Schema.TaggedUnion({
  open: { at: Index, known: Fields, origin: Schema.optionalKey(Origin) },
  text: { at: Index, to: Index, text: Schema.String },
  message: { at: Index, message: Fields, hashKey: Schema.String },
  broken: { at: Index, failure: Schema.optionalKey(Failure) },
  end: {},
  failed: { failure: Failure },
  interrupted: {},
  reset: { at: Index, to: Index }
})

/**
 * One event of a transcript.
 *
 * @since 0.1.0
 * @category models
 */
export type Event = typeof Event.Type

/**
 * The position of a reader that was at `position` and has now had `event` too.
 *
 * **Example**
 *
 * ```ts
 * import { Transcript } from "miniagents"
 *
 * Transcript.after(undefined, { _tag: "open", at: 0, known: { _tag: "Text" } }) // "0.0"
 * Transcript.after("0.0", { _tag: "text", at: 0, to: 5, text: "Hello" }) // "0.5"
 * Transcript.after("0.5", { _tag: "message", at: 0, message: { _tag: "Text" }, hashKey: "…" }) // "0.x"
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const after = (position: Position | undefined, event: Event): Position | undefined => {
  switch (event._tag) {
    case "open":
      return `${event.at}.0`
    case "text":
      return `${event.at}.${event.to}`
    case "message":
    case "broken":
      return `${event.at}.x`
    case "reset":
      return event.to > 0 ? `${event.at}.${event.to}` : event.at > 0 ? `${event.at - 1}.x` : undefined
    default:
      return position
  }
}

/**
 * Why what was made of a transcript failed.
 *
 * **Details**
 *
 * - `Failed`: the message or the sequence failed where it was made, with an error whose schema is not known here, or
 *   with a defect (then it comes as a defect).
 * - `Reset`: the producer began anew and took back text that was read already: what came after the UTF-16 offset `to`
 *   of the message. A reader that begins after that reads the text that came in its place.
 * - `Diverged`: a message that was whole came again with another content, or not at all, after the producer began anew.
 * - `Cut`: the events ended although the sequence had not; message `at` was next, or under way.
 * - `Malformed`: the events are in an order that no sequence gives.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Reason: Schema.TaggedUnion<{
  readonly Failed: Schema.TaggedStruct<"Failed", { readonly failure: typeof Failure }>
  readonly Reset: Schema.TaggedStruct<"Reset", { readonly to: Schema.Int }>
  readonly Diverged: Schema.TaggedStruct<"Diverged", { readonly at: Schema.Int }>
  readonly Cut: Schema.TaggedStruct<"Cut", { readonly at: Schema.Int }>
  readonly Malformed: Schema.TaggedStruct<"Malformed", { readonly at: Schema.Int; readonly problem: Schema.String }>
}> = Schema.TaggedUnion({
  Failed: { failure: Failure },
  Reset: { to: Index },
  Diverged: { at: Index },
  Cut: { at: Index },
  Malformed: { at: Index, problem: Schema.String }
})

/**
 * Why what was made of a transcript failed.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason = typeof Reason.Type

/**
 * The error that a sequence made of a transcript fails with, beside the errors whose schema `decode` was given and those of the
 * stream of events.
 *
 * @since 0.1.0
 * @category errors
 */
export class TranscriptError extends Schema.TaggedError<TranscriptError>()("TranscriptError", { reason: Reason }) {
  override get message(): string {
    return Reason.match(this.reason, {
      Failed: ({ failure }) =>
        `${failure.error}: ${failure.reason}${failure.id === undefined ? "" : ` (${failure.id})`}`,
      Reset: ({ to }) => `The producer began anew: what was read after offset ${to} of this message is taken back`,
      Diverged: ({ at }) => `The producer began anew, and message ${at} is not what it was before`,
      Cut: ({ at }) => `The transcript broke off at message ${at}`,
      Malformed: ({ at, problem }) => `Message ${at} of the transcript is malformed: ${problem}`
    })
  }
}

/**
 * A sequence as events, from its start or from what a reader at the position `from` has not had yet. Never fails: what
 * the sequence fails with is an event.
 *
 * **Details**
 *
 * Events are made as they are asked for, so that a reader that does not read costs nothing; one holds at most 32 KiB of
 * text. Whoever reads it has read the sequence: a lazy one starts, and its failures count as seen.
 *
 * A typed failure leaves with its tag and its text, and as a whole where `error` is its schema. A defect leaves as an
 * internal error with an id; the defect itself is logged under that id.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { MessageSequence, Transcript } from "miniagents"
 *
 * const program = Effect.gen(function*() {
 *   const sequence = yield* MessageSequence.from(["one", "two"])
 *   const lines = yield* Transcript.encode(sequence, { from: "0.x" }).pipe(
 *     Stream.map((event) => JSON.stringify(event)), // what comes after the first message
 *     Stream.runCollect
 *   )
 *   return lines
 * })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const encode = <E>(
  sequence: MessageSequence.MessageSequence<E>,
  options: { readonly from?: Position | undefined; readonly error?: Schema.Codec<E, unknown> | undefined } = {}
): Stream.Stream<Event> => {
  const had = options.from === undefined ? { at: 0, to: undefined } : hadAt(options.from)
  if (had === undefined)
    return Stream.die(new Error(`\`from\` must be a position such as "3.120", got \`${options.from}\``))
  const encodeError = options.error === undefined ? undefined : encoderOf(options.error)
  return encoder.encode(sequence, had, {
    leave: (cause) => leave(cause, traceOf(cause), encodeError),
    resetOf: (cause) => {
      const error = Cause.squash(cause)
      return error instanceof TranscriptError && error.reason._tag === "Reset" ? error.reason.to : undefined
    }
  })
}

/**
 * The sequence that events from `encode` tell of: the same messages, tokens and end. It fills up in the background as
 * the events come, like every sequence.
 *
 * **Details**
 *
 * `classes` are the classes of messages of your own; those of this library, the parts of a model's response among them,
 * are known. A message of any other class keeps its tag, its fields and its hash key, and is given on as it was. A
 * failure that fits `error` is that error again; any other one is a `TranscriptError`.
 *
 * Events that come twice, as when a reader connects again a little earlier than it was cut off, are compared with what
 * was had and not given twice.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { MessageSequence, Transcript } from "miniagents"
 *
 * const program = Effect.gen(function*() {
 *   const sequence = yield* MessageSequence.from(["one", "two"])
 *   const events = yield* Stream.runCollect(Transcript.encode(sequence))
 *   const again = yield* Transcript.decode(Stream.fromIterable(events))
 *   return yield* again.messages // the same two messages
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const decode = <EIn, R, E = never>(
  events: Stream.Stream<Event, EIn, R>,
  options: {
    readonly classes?: ReadonlyArray<Message.AnyClass> | undefined
    readonly error?: Schema.Codec<E, unknown> | undefined
  } = {}
): Effect.Effect<MessageSequence.MessageSequence<E | EIn | TranscriptError>, never, MiniAgents.MiniAgents | R> => {
  const decodeError = options.error === undefined ? undefined : decoderOf(options.error)
  const sequence = decoder.decode(events, classesWith(options.classes), {
    arrive: (failure) => arrive(failure, decodeError),
    error: (reason) => new TranscriptError({ reason })
  })
  // its failures are those of the events, and what `arrive` and `error` make
  return sequence as Effect.Effect<Sequence<E | EIn | TranscriptError>, never, MiniAgents.MiniAgents | R>
}

const responseClasses: ReadonlyArray<Message.AnyClass> = LlmMessage.classes

const hadAt = (position: Position): encoder.Had | undefined => {
  if (!Schema.is(Position)(position)) return undefined
  const [at, to] = position.split(".") as [string, string]
  return to === "x" ? { at: Number(at) + 1, to: undefined } : { at: Number(at), to: Number(to) }
}

/** A value that is made once for each key: what a schema compiles to costs more than a call does. */
const once = <K extends object, A>(make: (key: K) => A): ((key: K) => A) => {
  const made = new WeakMap<K, A>()
  return (key) => {
    const found = made.get(key) ?? make(key)
    made.set(key, found)
    return found
  }
}

const withResponses = once((classes: ReadonlyArray<Message.AnyClass>) => [
  ...responseClasses,
  ...classes.filter((added) => !responseClasses.includes(added))
])
const classesWith = (classes: ReadonlyArray<Message.AnyClass> | undefined): ReadonlyArray<Message.AnyClass> =>
  classes === undefined || classes.length === 0 ? responseClasses : withResponses(classes)

const encoderOf = once((error: Schema.Codec<unknown, unknown>) => Schema.encodeUnknownExit(jsonCodec(error)))
const decoderOf = once((error: Schema.Codec<unknown, unknown>) => Schema.decodeUnknownExit(jsonCodec(error)))

const jsonCodec = <E>(error: Schema.Codec<E, unknown>): Schema.Codec<E, Schema.Json> =>
  Schema.toCodecJson(error) as unknown as Schema.Codec<E, Schema.Json> // its encoded side is JSON

const leave = (
  cause: Cause.Cause<unknown>,
  trace: ReadonlyArray<string>,
  encodeError: ((error: unknown) => Exit.Exit<Schema.Json, unknown>) | undefined
): Effect.Effect<Failure> => {
  const squashed = Cause.squash(cause)
  // what came from another process goes on as it came
  if (squashed instanceof TranscriptError && squashed.reason._tag === "Failed") {
    return Effect.succeed(squashed.reason.failure)
  }
  if (!Cause.hasFails(cause)) return leaveDefect(cause, squashed, trace)
  const { error, reason } = Message.fromCause(cause)
  const value = encodeError?.(squashed)
  return Effect.succeed(
    value !== undefined && Exit.isSuccess(value)
      ? { error, reason, trace, value: value.value }
      : { error, reason, trace }
  )
}

/** One and the same defect has one id and is logged once, however many readers meet it. */
const leaveDefect = (cause: Cause.Cause<unknown>, defect: unknown, trace: ReadonlyArray<string>) =>
  Effect.suspend(() => {
    const known = typeof defect === "object" && defect !== null ? defectIds.get(defect) : undefined
    const id = known ?? SecureRandom.uuidV4Unsafe()
    const failure: Failure = { error: "InternalError", reason: "internal error", trace, id }
    if (known !== undefined) return Effect.succeed(failure)
    if (typeof defect === "object" && defect !== null) defectIds.set(defect, id)
    return Effect.as(Effect.logError(`Internal error ${id}`, cause), failure)
  })
const defectIds = new WeakMap<object, string>()

const arrive = (
  failure: Failure,
  decodeError: ((value: unknown) => Exit.Exit<unknown, unknown>) | undefined
): Cause.Cause<unknown> => {
  const value = failure.value === undefined ? undefined : decodeError?.(failure.value)
  if (value !== undefined && Exit.isSuccess(value)) return cameThrough(Cause.fail(value.value), failure.trace)
  const error = new TranscriptError({ reason: { _tag: "Failed", failure } })
  return cameThrough(failure.id === undefined ? Cause.fail(error) : Cause.die(error), failure.trace)
}

/** The cause of a failure that came through agents elsewhere, the innermost first. */
const cameThrough = <E>(cause: Cause.Cause<E>, agents: ReadonlyArray<string>): Cause.Cause<E> =>
  traced(
    cause,
    agents.reduceRight<Place | undefined>((parent, agent) => new Place(parent, agent), undefined)
  )
