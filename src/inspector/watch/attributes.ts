/** What is put on spans, as it can be shown: short, and without secrets. */
import * as Result from "effect/Result"
import { withoutSecrets } from "../../internal/address.ts"
import { jsonOf } from "../../llm/model/lossless.ts"
import type { Fields, Json } from "../wire.ts"

/** How long a text is at most, in UTF-16 units: all of what is said stands elsewhere. */
const longest = 1_000

/** Names of what is nobody's business, whatever stands before them: `http.request.header.authorization`, `apiKey`. */
const secret =
  /(authorization|cookie|secret|passw(or)?d|passphrase|credential|token|signature|(api|access|private)[._-]?key)s?(\.\d+)?$/i
/** Credentials under any other name. */
const credential = /^\s*(bearer|basic)\s+\S/i
const address = /\b[a-z][a-z\d+.-]*:\/\/[^\s"'`<>]+/gi

const hidden = "<redacted>"

export const attributesOf = (attributes: Iterable<readonly [string, unknown]>): Fields =>
  Object.fromEntries([...attributes].map(([name, value]) => [name, shown(name, spelled(value))]))

/** A value as JSON; one that cannot be spelled out is no reason to fail what it belongs to. */
export const spelled = (value: unknown): Json =>
  typeof value === "string" || typeof value === "boolean" ? value : spelledOut(value)

const spelledOut = (value: unknown): Json =>
  Result.getOrElse(
    Result.try(() => jsonOf(value) as Json),
    () => "?"
  )

/** A text without the passwords and the queries of the addresses in it, and not too long. */
export const plain = (text: string): string => {
  const clean = text.includes("://") ? text.replaceAll(address, withoutSecrets) : text
  return clean.length > longest ? `${clean.slice(0, longest)}…` : clean
}

const shown = (name: string, value: Json): Json => {
  if (typeof value === "string") {
    if (name.endsWith("url.query")) return hidden
    return secret.test(name) || credential.test(value) ? hidden : plain(value)
  }
  if (typeof value !== "object" || value === null) return value
  if (JSON.stringify(value).length > longest) return plain(JSON.stringify(shownInside(name, value)))
  return shownInside(name, value)
}

const shownInside = (name: string, value: Fields | ReadonlyArray<Json>): Json =>
  Array.isArray(value)
    ? (value as ReadonlyArray<Json>).map((each) => shown(name, each))
    : Object.fromEntries(Object.entries(value as Fields).map(([field, each]) => [field, shown(field, each)]))
