/** The fields of a message whose class is not known: JSON, in which whatever looks like a message is one. */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { Message } from "../Message.ts"
import * as Decoder from "./decoder.ts"
import * as Json from "./json.ts"
import { isMessage } from "./messageClass.ts"

/**
 * Decodes as another one does, but what is of no known class, or does not fit its own, is kept as what it is: the message
 * that `make` makes of its fields, unless it cannot.
 */
export const keeping = (decode: Decoder.Decode, make: (fields: object) => Message | undefined): Decoder.Decode => {
  const unknown = (json: Schema.JsonObject) => {
    const refused = Decoder.refuse("a message without a field that every message has already", json)
    const { metadata = {}, ...fields } = json
    if (!isObject(metadata)) return refused
    return Effect.flatMap(decodeFields({ ...fields, metadata }, kept), (found) => {
      const message = make(found)
      return message === undefined ? refused : Effect.succeed(message)
    })
  }
  const kept: Decoder.Decode = (json) =>
    Effect.catch(decode(json), (issue) =>
      Decoder.tagOf(json) === undefined ? Effect.fail(issue) : unknown(json as {})
    )
  return kept
}

/** Fields with the messages in their JSON decoded, so that they are referred to by their hash keys. */
const decodeFields = (fields: Schema.JsonObject, decode: Decoder.Decode): Effect.Effect<object> => {
  const inside = (json: Schema.Json): Effect.Effect<unknown> => {
    if (Array.isArray(json)) return Effect.forEach(json as ReadonlyArray<Schema.Json>, inside)
    if (!isObject(json)) return Effect.succeed(json)
    const object = json as Schema.JsonObject
    const looksLikeOne = typeof object._tag === "string" && isObject(object.metadata)
    return looksLikeOne
      ? Effect.catch(decode(object), () => decodeFields(object, decode))
      : decodeFields(object, decode)
  }
  const each = ([key, value]: [string, Schema.Json]) => Effect.map(inside(value), (made) => [key, made] as const)
  return Effect.map(Effect.forEach(Object.entries(fields), each), (entries) => Object.fromEntries(entries))
}

/** The JSON of such fields. */
export const encode = (fields: object, toJson: (message: Message) => Schema.Json): Schema.JsonObject => {
  const inside = (value: unknown): Schema.Json => {
    if (isMessage(value)) return toJson(value)
    if (Array.isArray(value)) return value.map(inside)
    return isObject(value) ? encode(value, toJson) : (value as Schema.Json) // decoded from JSON
  }
  const encoded: Record<string, Schema.Json> = {}
  for (const [key, value] of Object.entries(fields)) Json.define(encoded, key, inside(value))
  return encoded
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)
