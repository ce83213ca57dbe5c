/**
 * References between messages in their JSON: the message in a field `x` stands as `x__hash_key`, an array of messages as
 * `x__hash_keys`, and one among other items as `{ __hash_key }`. A field that is itself named so gets a `_` more.
 */
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import * as Json from "./json.ts"

/** What can be referred to. */
interface Keyed {
  readonly hashKey: string
}

type IsKeyed = (value: unknown) => value is Keyed

/** Whether a field with this value becomes a reference as a whole. */
export const isReference = (value: unknown, isKeyed: IsKeyed): value is Keyed | ReadonlyArray<Keyed> =>
  isKeyed(value) || (Array.isArray(value) && value.length > 0 && value.every(isKeyed))

/** The JSON that `value` was encoded to, with references in it. */
export const write = (value: unknown, encoded: unknown, isKeyed: IsKeyed): unknown => {
  if (Array.isArray(encoded)) {
    return encoded.map((item, i) => {
      const original: unknown = Array.isArray(value) ? value[i] : undefined
      return isKeyed(original) ? { __hash_key: original.hashKey } : write(original, item, isKeyed)
    })
  }
  if (typeof encoded !== "object" || encoded === null) return encoded
  const fields: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(encoded)) {
    const original = Predicate.hasProperty(value, key) ? value[key] : undefined
    if (!isReference(original, isKeyed)) Json.define(fields, escaped(key), write(original, field, isKeyed))
    else if (isKeyed(original)) fields[`${key}__hash_key`] = original.hashKey
    else fields[`${key}__hash_keys`] = original.map(({ hashKey }) => hashKey)
  }
  return fields
}

/** The inverse of `write`: the JSON with what `find` gives for each key in the places of the references. */
export const read = (json: Schema.Json, find: (hashKey: string) => Schema.Json): Schema.Json => {
  if (typeof json !== "object" || json === null) return json
  if (Array.isArray(json)) {
    return json.map((item: Schema.Json) => (isItem(item) ? find(item.__hash_key) : read(item, find)))
  }
  const fields: Record<string, Schema.Json> = {}
  for (const [key, value] of Object.entries(json as Schema.JsonObject)) {
    const [, name, suffix] = named.exec(key) ?? []
    if (name === undefined || suffix === undefined) Json.define(fields, key, read(value, find))
    else if (suffix === "") Json.define(fields, name, find(value as string))
    else if (suffix === "s") Json.define(fields, name, (value as ReadonlyArray<string>).map(find))
    else Json.define(fields, key.slice(0, -1), read(value, find))
  }
  return fields
}

const named = /^(.*)__hash_key(s?_*)$/s

const escaped = (key: string): string => (key.includes("__hash_key") && named.test(key) ? `${key}_` : key)

const isItem = (json: Schema.Json): json is { readonly __hash_key: string } =>
  typeof json === "object" && json !== null && Object.keys(json).join() === "__hash_key"
