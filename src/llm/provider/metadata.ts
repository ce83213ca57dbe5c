/**
 * What providers say beside the content. What a codec does not know is kept here, under the provider's name in the
 * metadata of a part, goes from there into the options of the prompt's part, and back to that provider alone.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"

/**
 * JSON under the provider's name.
 *
 * @since 0.1.0
 * @category models
 */
export type Metadata = { readonly [key: string]: Schema.Json }

/**
 * The same as it is collected. It holds parsed JSON, of which nobody else has a reference.
 *
 * @since 0.1.0
 * @category models
 */
export type Collected = { [key: string]: Schema.Json }

/**
 * A provider and the server it is at: what only the one understands does not go to the other.
 *
 * @since 0.1.0
 * @category models
 */
export interface Origin {
  readonly provider: string
  /** The mark of a server that is not the provider's own. */
  readonly server: string | undefined
}

/**
 * The fields of an object that are not among the known ones, if there are any.
 *
 * @since 0.1.0
 * @category converting
 */
export const unknownOf = (value: object, known: ReadonlySet<string>): Metadata | undefined => {
  let found: { [key: string]: Schema.Json } | undefined
  for (const key in value) {
    if (known.has(key)) continue
    const field: unknown = Reflect.get(value, key)
    if (field === null || field === undefined) continue
    // events are parsed JSON
    found = { ...found, [key]: field as Schema.Json }
  }
  return found
}

/**
 * Adds pieces as they stream to what there is, which is changed. Objects are merged; lists go on, or are merged item by
 * item where the items have an `index`; texts in fields that are named as content are joined; of everything else the
 * last one counts.
 *
 * @since 0.1.0
 * @category combinators
 */
export const merge = (into: Collected, piece: Metadata): void => {
  for (const [key, value] of Object.entries(piece)) {
    const old = Object.hasOwn(into, key) ? into[key] : undefined
    if (Array.isArray(old) && Array.isArray(value)) for (const item of value) addItem(old, item)
    else if (isCollected(old) && isCollected(value)) merge(old, value)
    else into[key] = typeof old === "string" && typeof value === "string" && content.test(key) ? old + value : value
  }
}

const addItem = (list: Array<Schema.Json>, item: Schema.Json): void => {
  const old = list[list.findLastIndex((other) => isPieceOf(other, item))]
  if (isCollected(old) && isCollected(item)) merge(old, item)
  else list.push(item)
}

const isPieceOf = (a: Schema.Json, b: Schema.Json): boolean =>
  isCollected(a) &&
  isCollected(b) &&
  typeof a["index"] === "number" &&
  a["index"] === b["index"] &&
  a["type"] === b["type"]

const content = /^(arguments|content|data|reasoning|summary|text|thinking|.*_(content|text))$/

/**
 * What a prompt's part has for this provider: what the user has set, and what came from this very server.
 *
 * @since 0.1.0
 * @category getters
 */
export const ownOf = (options: { readonly [provider: string]: unknown }, { provider, server }: Origin): Metadata => {
  const own = options[provider]
  if (!isCollected(own) || (own["server"] !== undefined && own["server"] !== server)) return {}
  const { server: _, ...rest } = own
  return rest
}

/**
 * A copy of an object in metadata, which may be changed; empty if there is none.
 *
 * @since 0.1.0
 * @category getters
 */
export const copyOf = (metadata: Metadata, key: string): Collected => {
  const value = metadata[key]
  return isCollected(value) ? structuredClone(value) : {}
}

/**
 * Whether a value is an object of JSON.
 *
 * @since 0.1.0
 * @category guards
 */
export const isCollected = (value: unknown): value is Collected => Predicate.isObject(value) && !Array.isArray(value)
