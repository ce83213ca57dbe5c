/**
 * A sequence of messages as serializable events with positions: the one form in which replies leave a process, to be
 * stored, sent, and read on from wherever a reader was cut off.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

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
 * The call that made a message: its path in the tree of calls (`Research/0:Search`) and the name of the agent.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Origin: Schema.Struct<{ readonly path: Schema.String; readonly agent: Schema.String }> = Schema.Struct({
  path: Schema.String,
  agent: Schema.String
})

/**
 * What a message or a sequence failed with, as it leaves the process: the tag and the text of the error, and the agents
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
 * What a message or a sequence failed with, as it leaves the process.
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
