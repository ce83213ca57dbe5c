/** Freezing at every depth. */
import * as Schema from "effect/Schema"
import * as Json from "./json.ts"

/** What is frozen already, and what happens to a value that can be frozen by nobody. */
export interface Options {
  readonly isFrozen: (value: object) => boolean
  readonly refuse: (path: string, value: unknown, reason: string) => never
}

/** Freezes the fields of an object: arrays and plain objects as copies, for those given stay their maker's. */
export const freezeFields = (value: object, path: string, options: Options): void => {
  for (const key of Object.keys(value)) {
    const field = value[key as never] as unknown
    const frozen = freeze(field, `${path}.${key}`, options)
    if (frozen !== field) Json.define(value, key, frozen)
  }
  Object.freeze(value)
}

const freeze = (value: unknown, path: string, options: Options): unknown => {
  if (typeof value !== "object" || value === null || options.isFrozen(value)) return value
  if (Array.isArray(value)) return Object.freeze(value.map((item, i) => freeze(item, `${path}[${i}]`, options)))
  if (isMutable(value)) return options.refuse(path, value, mutable)
  if (Json.isPlainObject(value)) {
    const copy = Object.create(Object.getPrototypeOf(value)) as object
    for (const key of Object.keys(value)) Json.define(copy, key, value[key])
    freezeFields(copy, path, options)
    return copy
  }
  // instances of Effect's own types are immutable, and some of them keep what they have computed
  if (Schema.isSchema(value.constructor) && !Object.isFrozen(value)) freezeFields(value, path, options)
  return value
}

const mutable = "what could still change: take a string, an array or a DateTime"

const isMutable = (value: object): boolean =>
  value instanceof Date || value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)
