/**
 * References between messages in their JSON: the message in a field `x` stands as `x__hash_key`, an array of messages as
 * `x__hash_keys`, and one among other items as `{ __hash_key }`. An array longer than a page stands as `x__hash_pages`: the
 * key of its last full page, then the keys of what comes after it. A field that is itself named so gets a `_` more.
 */
import * as Predicate from "effect/Predicate"
import * as Json from "./json.ts"

/** How many messages a page has. */
export const pageSize = 32

/** How many items of a list of this length are on its full pages. */
export const onPages = (length: number): number => length - (length % pageSize)

/** What can be referred to. */
interface Keyed {
  readonly hashKey: string
}

type IsKeyed = (value: unknown) => value is Keyed

/** Gives the last full page of an array that is longer than a page. */
type PageOf = (list: ReadonlyArray<Keyed>) => Keyed

/** Whether these are longer than a page, and so are referred to by pages. */
export const isPaged = (list: ReadonlyArray<unknown>): boolean => list.length > pageSize

/** Whether a field with this value becomes a reference as a whole. */
export const isReference = (value: unknown, isKeyed: IsKeyed): value is Keyed | ReadonlyArray<Keyed> =>
  isKeyed(value) || (Array.isArray(value) && value.length > 0 && value.every(isKeyed))

/** The JSON that `value` was encoded to, with references in it. */
export const write = (value: unknown, encoded: unknown, isKeyed: IsKeyed, pageOf: PageOf): unknown => {
  if (Array.isArray(encoded)) {
    return encoded.map((item, i) => {
      const original: unknown = Array.isArray(value) ? value[i] : undefined
      return isKeyed(original) ? { __hash_key: original.hashKey } : write(original, item, isKeyed, pageOf)
    })
  }
  if (typeof encoded !== "object" || encoded === null) return encoded
  const fields: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(encoded)) {
    const original = Predicate.hasProperty(value, key) ? value[key] : undefined
    if (!isReference(original, isKeyed)) Json.define(fields, escaped(key), write(original, field, isKeyed, pageOf))
    else if (isKeyed(original)) fields[`${key}__hash_key`] = original.hashKey
    else if (!isPaged(original)) fields[`${key}__hash_keys`] = original.map(({ hashKey }) => hashKey)
    else {
      const rest = original.slice(onPages(original.length))
      fields[`${key}__hash_pages`] = [pageOf(original), ...rest].map(({ hashKey }) => hashKey)
    }
  }
  return fields
}

/** The names of references, and of fields that look like one. */
export const named = /^(.*)__hash_(keys?|pages)(_*)$/s

const escaped = (key: string): string => (key.includes("__hash_") && named.test(key) ? `${key}_` : key)
