/** Messages out of their JSON, each by the class that its tag names. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { AnyClass, Message } from "../Message.ts"

export type Decode = (json: Schema.Json) => Effect.Effect<Message, SchemaIssue.Issue>

/** Decodes by the classes of the library, found by their tags, and others. */
export const byTag = (builtins: ReadonlyMap<string, AnyClass>, others: ReadonlyArray<AnyClass>): Decode => {
  const classes = new Map(builtins)
  for (const added of others) {
    if (classes.has(added.identifier)) throw new Error(`Two message classes have the tag \`${added.identifier}\``)
    classes.set(added.identifier, added)
  }
  return (json) => {
    const found = classes.get(tagOf(json) ?? "")
    if (found !== undefined) return Effect.mapError(decoderOf(found)(json), ({ issue }) => issue)
    return refuse(`a message with a \`_tag\` of ${[...classes.keys()].join(", ")}`, json)
  }
}

export const tagOf = (json: Schema.Json): string | undefined =>
  Predicate.hasProperty(json, "_tag") && typeof json._tag === "string" ? json._tag : undefined

export const refuse = (expected: string, json: Schema.Json): Effect.Effect<never, SchemaIssue.Issue> =>
  Effect.fail(new SchemaIssue.InvalidValue({ expected }, json))

const decoderOf = (found: AnyClass) => {
  let decode = decoders.get(found)
  if (decode === undefined) decoders.set(found, (decode = Schema.decodeEffect(Schema.toCodecJson(found))))
  return decode
}
const decoders = new WeakMap<AnyClass, (json: Schema.Json) => Effect.Effect<Message, Schema.SchemaError>>()
