/** The parameters of a tool call, in the shapes in which models and servers write them. */
import * as Tool from "effect/ai/Tool"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"

/** A piece of parameters as text: most send text, some the object itself. */
export const textOf = (piece: unknown): string => {
  if (typeof piece === "string") return piece
  return Predicate.isObject(piece) && Object.keys(piece).length > 0 ? JSON.stringify(piece) : ""
}

/** The parameters that a text stands for, or nothing if it is no JSON. */
export const parse = (text: string): Schema.Json | undefined => {
  if (text.trim() === "") return {}
  const json = parseJson(text) ?? parseJson(withoutRepeats(text))
  // Models say `null` for none, and some write the JSON of a JSON text.
  if (json === null) return {}
  const inner = typeof json === "string" ? parseJson(json) : undefined
  return Predicate.isObject(inner) ? inner : json
}

/** What can be sent as the parameters of a call, which providers want to be an object. */
export const toObject = (params: unknown): { readonly [name: string]: unknown } => {
  if (params === undefined || params === null) return {}
  // a class of the user's is an object as well, and JSON is made of it later
  return Predicate.isObject(params) && !Array.isArray(params)
    ? (params as { readonly [name: string]: unknown })
    : { INVALID_JSON: params }
}

const parseJson = (text: string): Schema.Json | undefined =>
  Result.getOrUndefined(Result.try(() => Tool.unsafeSecureJsonParse(text) as Schema.Json))

/** Some servers begin with `{}` before the pieces, and some send the whole once more after them. */
const withoutRepeats = (text: string): string => {
  const rest = text.replace(/^(\s*\{\s*\})+(?=\s*\{)/, "")
  const half = rest.slice(rest.length / 2)
  return rest === half + half ? half : rest
}
