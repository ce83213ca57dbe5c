/** Messages out of their JSON, each by the class that its tag names. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { AnyClass, Message } from "../Message.ts"

type Decode = (json: Schema.Json) => Effect.Effect<Message, SchemaIssue.Issue>

/** What JSON inside of a message was decoded to already. */
export const CurrentInside = Context.Reference<(json: Schema.Json) => Message | undefined>(
  "miniagents/Message/CurrentInside",
  { defaultValue: () => () => undefined }
)

/** Whether what is of no known class, or does not fit its own, is kept as what it is. */
export const KeepsUnknown = Context.Reference<boolean>("miniagents/Message/KeepsUnknown", { defaultValue: () => false })

/** Decodes by the classes that are current; `unknown` keeps what is to be kept. */
export const decoder =
  (CurrentClasses: Effect.Effect<ReadonlyMap<string, AnyClass>>, unknown: Decode): Decode =>
  (json) =>
    Effect.flatMap(CurrentInside, (inside) => {
      const decoded = inside(json)
      return decoded === undefined ? decodeNew(json, CurrentClasses, unknown) : Effect.succeed(decoded)
    })

const decodeNew = (
  json: Schema.Json,
  CurrentClasses: Effect.Effect<ReadonlyMap<string, AnyClass>>,
  unknown: Decode
): Effect.Effect<Message, SchemaIssue.Issue> =>
  Effect.flatMap(CurrentClasses, (classes) => {
    const tag = Predicate.hasProperty(json, "_tag") ? json._tag : undefined
    const found = typeof tag === "string" ? classes.get(tag) : undefined
    if (found !== undefined) {
      const decoded = Effect.mapError(decoderOf(found)(json), (error) => error.issue)
      return Effect.catch(decoded, (issue) =>
        Effect.flatMap(KeepsUnknown, (keeps) => (keeps ? unknown(json) : Effect.fail(issue)))
      )
    }
    const expected = `a message with a \`_tag\` of ${[...classes.keys()].join(", ")}`
    const refused = new SchemaIssue.InvalidValue({ expected }, json)
    return Effect.flatMap(KeepsUnknown, (keeps) =>
      keeps && typeof tag === "string" ? unknown(json) : Effect.fail(refused)
    )
  })

const decoderOf = (found: AnyClass) => {
  let decode = decoders.get(found)
  if (decode === undefined) decoders.set(found, (decode = Schema.decodeEffect(Schema.toCodecJson(found))))
  return decode
}
const decoders = new WeakMap<AnyClass, (json: Schema.Json) => Effect.Effect<Message, Schema.SchemaError>>()
