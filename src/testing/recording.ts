/** One recorded exchange: which file it is in, and how it is written there. */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import type * as Arr from "effect/Array"
import * as Schema from "effect/Schema"
import * as AiError from "effect/ai/AiError"
import * as Json from "../internal/json.ts"
import { encodeError } from "../llm/model/exchange.ts"

/** The parts of a response that came together, and when, in milliseconds since the request. */
export interface Moment {
  readonly at: number
  readonly parts: Arr.NonEmptyReadonlyArray<Schema.Json>
}

export interface Recording {
  readonly request: Schema.Json
  readonly response: ReadonlyArray<Moment>
  readonly error?: { readonly at: number; readonly error: AiError.AiError }
}

const At = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

const File: Schema.Codec<Recording, string> = Schema.fromJsonString(
  Schema.Struct({
    request: Schema.Json,
    response: Schema.Array(Schema.Struct({ at: At, parts: Schema.NonEmptyArray(Schema.Json) })),
    error: Schema.optionalKey(Schema.Struct({ at: At, error: Schema.toCodecJson(AiError.AiError) }))
  })
)

export const parse = Schema.decodeEffect(File)

/** The text of a file: the request in many lines, and a line for each moment of the response. */
export const print = ({ error, request, response }: Recording): string => {
  const lines = [
    `"request": ${indented(request)}`,
    `"response": [${response.map((moment) => `\n    ${JSON.stringify(moment)}`).join(",")}\n  ]`,
    ...(error === undefined ? [] : [`"error": ${indented({ at: error.at, error: encodeError(error.error) })}`])
  ]
  return `{\n  ${lines.join(",\n  ")}\n}\n`
}

const indented = (value: Schema.Json): string => JSON.stringify(value, undefined, 2).replaceAll("\n", "\n  ")

const isObject = (value: Schema.Json): value is Schema.JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The name of the files of a request, which its content gives: the begin of what was said last, and a hash of all. */
export const nameOf = (request: Schema.Json): string => {
  const hash = bytesToHex(sha256(utf8ToBytes(Json.canonical(request)))).slice(0, 16)
  const words = lastText(request)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 32)
    .replaceAll(/^-|-$/g, "")
  return words === "" ? hash : `${words}-${hash}`
}

/** The text that stands last in what was asked. */
const lastText = (request: Schema.Json): string => {
  const asked = isObject(request) ? (request.prompt ?? request.inputs ?? null) : { text: request }
  const texts: Array<string> = []
  JSON.stringify(asked, (key, value: unknown) => {
    if (typeof value === "string" && (key === "text" || key === "content" || /^\d+$/.test(key))) texts.push(value)
    return value
  })
  return texts.at(-1) ?? ""
}

/** A request in a few words, for a sentence about it. */
export const preview = (request: Schema.Json): string => {
  const text = lastText(request).replaceAll(/\s+/g, " ").trim()
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
