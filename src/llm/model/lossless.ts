/** Any value as JSON that still has its values, for what was not made to be a message: results of tools, parts, errors. */
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import * as Base64 from "effect/encoding/Base64"
import { define, NotJson, preview } from "../../internal/json.ts"

/**
 * A frozen copy, spelled as `Schema.toCodecJson` spells it: dates as ISO texts, big integers, `NaN` and infinities as
 * texts, maps as lists of pairs, sets as lists, bytes as base64, errors and other instances by `toJSON` or by their
 * fields. Functions are left out, as in JSON. Only a value that contains itself, or is too deep, has no such form.
 */
export const lossless = (value: unknown): Schema.Json | NotJson => copy(value, "", new Set())

/** The same, with a short text in the place of a value that has no such form. */
export const jsonOf = (value: unknown): Schema.Json => {
  const copied = lossless(value)
  return copied instanceof NotJson ? `${preview(copied.value)}: ${copied.reason}` : copied
}

const copy = (value: unknown, path: string, parents: Set<object>): Schema.Json | NotJson => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value : String(value)
    case "bigint":
    case "symbol":
      return String(value)
    case "object":
      return value === null ? null : copyObject(value, path, parents)
    default:
      return null
  }
}

const copyObject = (value: object, path: string, parents: Set<object>): Schema.Json | NotJson => {
  if (parents.has(value)) return new NotJson(path, value, "it contains itself")
  if (parents.size > deepest) return new NotJson(path, value, `it is more than ${deepest} levels deep`)
  parents.add(value)
  const made = copyInside(value, path, parents)
  parents.delete(value)
  return made
}

const deepest = 1000

const copyInside = (value: object, path: string, parents: Set<object>): Schema.Json | NotJson => {
  if (value instanceof ArrayBuffer) return Base64.encode(new Uint8Array(value))
  if (ArrayBuffer.isView(value)) return Base64.encode(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
  if (value instanceof RegExp) return String(value)
  if (value instanceof Date && Number.isNaN(value.getTime())) return String(value)
  if (Array.isArray(value) || value instanceof Map || value instanceof Set) return copyItems(value, path, parents)
  if (Predicate.hasProperty(value, "toJSON") && typeof value.toJSON === "function") {
    return copy(value.toJSON(), path, parents)
  }
  const fields: Record<string, Schema.Json> = {}
  for (const [key, field] of fieldsOf(value)) {
    if (field === undefined || typeof field === "function") continue
    const made = copy(field, `${path}.${key}`, parents)
    if (made instanceof NotJson) return made
    define(fields, key, made)
  }
  return Object.freeze(fields)
}

const copyItems = (items: Iterable<unknown>, path: string, parents: Set<object>): Schema.Json | NotJson => {
  const copies: Array<Schema.Json> = []
  for (const item of items) {
    const made = copy(item, `${path}[${copies.length}]`, parents)
    if (made instanceof NotJson) return made
    copies.push(made)
  }
  return Object.freeze(copies) as Schema.Json // a list of JSON values is one
}

/** What an error says stands in fields that are not enumerable. */
const fieldsOf = (value: object): ReadonlyArray<readonly [string, unknown]> => {
  if (!(value instanceof Error)) return Object.entries(value)
  const { cause, message, name } = value
  return [...Object.entries({ name, message, cause }), ...Object.entries(value)]
}
