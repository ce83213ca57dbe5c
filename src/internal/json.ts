/** JSON as messages need it: one canonical spelling and its hash, frozen copies, and why something is not JSON. */
import { sha256 } from "@noble/hashes/sha2.js"
import * as Hex from "effect/encoding/Hex"
import type * as Schema from "effect/Schema"

/** Why a value is no JSON, and where it was found: `.score` or `[2].name` below the root. */
export class NotJson {
  readonly path: string
  readonly value: unknown
  readonly reason: string
  constructor(path: string, value: unknown, reason: string) {
    this.path = path
    this.value = value
    this.reason = reason
  }
}

/** The canonical spelling of a JSON value (RFC 8785): keys in the order of their UTF-16 code units, no white space. */
export const canonical = (value: Schema.Json): string => {
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  const object = value as Schema.JsonObject
  const fields = Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(object[key])}`)
  return `{${fields.join(",")}}`
}

/** The sha256 (64 hex digits) of the canonical spelling. */
export const hash = (value: Schema.Json): string => sha(canonical(value))

/** The sha256 (64 hex digits) of a text in UTF-8. */
export const sha = (text: string): string => Hex.encode(sha256(new TextEncoder().encode(text)))

/** How deep lists and objects may be nested in what is given to the library. */
export const maxDepth = 500
export const tooDeep = `nested more than ${maxDepth} levels deep`

/** A frozen copy. Fields that are `undefined` are left out, as in JSON. */
export const frozenCopy = (value: unknown, path = "", parents: ReadonlyArray<object> = []): Schema.Json | NotJson => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value : new NotJson(path, value, "JSON has only finite numbers")
    case "object":
      return value === null ? null : frozenObject(value, path, parents)
    default:
      return new NotJson(path, value, `a ${typeof value} is no JSON`)
  }
}

const frozenObject = (value: object, path: string, parents: ReadonlyArray<object>): Schema.Json | NotJson => {
  if (parents.includes(value)) return new NotJson(path, value, "it contains itself")
  if (parents.length === maxDepth) return new NotJson(path.slice(0, 60), value, `it is ${tooDeep}`)
  const inside = [...parents, value]
  if (Array.isArray(value)) {
    const copies: Array<Schema.Json> = []
    for (let i = 0; i < value.length; i++) {
      const copy = frozenCopy(value[i], `${path}[${i}]`, inside)
      if (copy instanceof NotJson) return copy
      copies.push(copy)
    }
    return Object.freeze(copies) as Schema.Json
  }
  if (!isPlainObject(value)) {
    return new NotJson(path, value, "an instance of a class without a message schema has no JSON form")
  }
  const copies: Record<string, Schema.Json> = {}
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) continue
    const copy = frozenCopy(field, `${path}.${key}`, inside)
    if (copy instanceof NotJson) return copy
    define(copies, key, copy)
  }
  return Object.freeze(copies)
}

export const isPlainObject = (value: object): value is Record<string, unknown> => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Sets a field whatever its name: an assignment to `__proto__` would be lost. */
export const define = (target: object, key: string, value: unknown): void => {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

/** A short text for an error message: never throws, never long. */
export const preview = (value: unknown): string => {
  if (typeof value === "function") return `function ${value.name || "(anonymous)"}`
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return isPlainObject(value) ? `{ ${Object.keys(value).slice(0, 5).join(", ")} }` : value.constructor.name
  }
  const text = Array.isArray(value)
    ? `array of ${value.length}`
    : typeof value === "string"
      ? JSON.stringify(value)
      : String(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
