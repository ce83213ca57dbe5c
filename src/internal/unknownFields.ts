/** The fields of a message whose class is not known: JSON, in which whatever looks like a message is one. */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Json from "./json.ts"

type Fields = { readonly [key: string]: unknown }

/** The fields of their JSON, with the messages in it decoded, so that they are referred to by their hash keys. */
export const decode = <E>(
  fields: Schema.JsonObject,
  message: (json: Schema.JsonObject) => Effect.Effect<unknown, E>
): Effect.Effect<Fields> => {
  const inside = (json: Schema.Json): Effect.Effect<unknown> => {
    if (typeof json !== "object" || json === null) return Effect.succeed(json)
    if (Array.isArray(json)) return Effect.forEach(json as ReadonlyArray<Schema.Json>, inside)
    const object = json as Schema.JsonObject
    const looksLikeOne = typeof object._tag === "string" && isObject(object.metadata)
    return looksLikeOne ? Effect.catch(message(object), () => decode(object, message)) : decode(object, message)
  }
  const each = ([key, value]: [string, Schema.Json]) => Effect.map(inside(value), (made) => [key, made] as const)
  return Effect.map(Effect.forEach(Object.entries(fields), each), (entries) => Object.fromEntries(entries))
}

/** The JSON of such fields. */
export const encode = <M extends object>(
  fields: object,
  isMessage: (value: unknown) => value is M,
  toJson: (message: M) => Schema.Json
): Schema.JsonObject => {
  const inside = (value: unknown): Schema.Json => {
    if (isMessage(value)) return toJson(value)
    if (Array.isArray(value)) return value.map(inside)
    return isObject(value) ? encode(value, isMessage, toJson) : (value as Schema.Json) // decoded from JSON
  }
  const encoded: Record<string, Schema.Json> = {}
  for (const [key, value] of Object.entries(fields)) Json.define(encoded, key, inside(value))
  return encoded
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)
