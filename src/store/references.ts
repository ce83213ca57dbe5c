/** The JSON of messages with what it refers to: the inverse of how references are written. */
import type * as Schema from "effect/Schema"
import * as Json from "../internal/json.ts"
import * as References from "../internal/references.ts"

/** What is in the places of references: a message's JSON, and all the keys on a page and on those before it. */
export interface Find {
  readonly message: (hashKey: string) => Schema.Json
  readonly page: (hashKey: string) => ReadonlyArray<string>
}

/** The JSON with what `find` gives in the places of the references. */
export const read = (json: Schema.Json, find: Find): Schema.Json => {
  if (typeof json !== "object" || json === null) return json
  if (Array.isArray(json)) {
    return json.map((item: Schema.Json) => (isItem(item) ? find.message(item.__hash_key) : read(item, find)))
  }
  const fields: Record<string, Schema.Json> = {}
  for (const [key, value] of Object.entries(json as Schema.JsonObject)) {
    const [, name, kind, extra] = References.named.exec(key) ?? []
    if (name === undefined) Json.define(fields, key, read(value, find))
    else if (extra !== "") Json.define(fields, key.slice(0, -1), read(value, find))
    else if (kind === "key") Json.define(fields, name, find.message(value as string))
    else Json.define(fields, name, listed(kind, value as ReadonlyArray<string>, find).map(find.message))
  }
  return fields
}

const listed = (kind: string | undefined, keys: ReadonlyArray<string>, find: Find): ReadonlyArray<string> => {
  const [page, ...rest] = keys
  return kind === "pages" && page !== undefined ? [...find.page(page), ...rest] : keys
}

const isItem = (json: Schema.Json): json is { readonly __hash_key: string } =>
  typeof json === "object" && json !== null && Object.keys(json).join() === "__hash_key"
