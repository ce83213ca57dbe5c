/** What a client wants an agent to be called with, decoded before anything runs. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { describe, fieldIssues } from "../../internal/fieldIssues.ts"
import * as Message from "../../Message.ts"

/** Which messages a client may send: their classes. */
export type Accepts = ReadonlyArray<Message.AnyClass>

/** The messages of their JSON: a string, a message, an object without a tag (it becomes a `Data`), or a list of these. */
export const messages = (
  json: Schema.Json | undefined,
  accepts: Accepts
): Effect.Effect<ReadonlyArray<Message.Message>, string> =>
  Effect.suspend(() => {
    const read = reader(accepts)
    const items: ReadonlyArray<Schema.Json> = json === undefined ? [] : Array.isArray(json) ? json : [json]
    return Effect.forEach(items, (item, i) => {
      const made = read(item)
      if (typeof made !== "string") return Effect.succeed(made)
      return Effect.fail(Array.isArray(json) ? at(i, made) : `\`messages\`: ${made}`)
    })
  })

/** What is wrong with one of the messages. */
export const at = (index: number, problem: string): string => `\`messages[${index}]\`: ${problem}`

/** Reads a message of its JSON, or says in a sentence why it is not accepted. */
export const reader = (accepts: Accepts): ((json: Schema.Json) => Message.Message | string) => {
  const decode = Schema.decodeUnknownExit(Message.codec(own(accepts)))
  const tags = accepts.map(({ identifier }) => identifier)
  return (json) => messageOf(json, tags, decode)
}

/** Those of them that are not of this library. */
export const own = (accepts: Accepts): Accepts => accepts.filter((each) => !Message.builtins.has(each.identifier))

/** Why no message of a class is accepted, if that is so. */
export const unaccepted = (tag: string, accepts: Accepts): string | undefined => {
  const tags = accepts.map(({ identifier }) => identifier)
  return tags.includes(tag) ? undefined : refused([tag], tags)
}

const messageOf = (
  json: Schema.Json,
  tags: ReadonlyArray<string>,
  decode: (json: unknown) => Exit.Exit<Message.Message, Schema.SchemaError>
): Message.Message | string => {
  if (typeof json === "string") return tags.includes("Text") ? Message.text(json) : refused(["Text"], tags)
  if (!Predicate.isObject(json) || Array.isArray(json)) return "a message is a string or an object"
  const object = json as Schema.JsonObject
  const tag = "_tag" in object ? String(object._tag) : "Data"
  if (!tags.includes(tag)) return refused([tag], tags)
  const exit = decode("_tag" in object ? object : { _tag: "Data", data: object })
  if (Exit.isSuccess(exit)) return exit.value
  const error = Cause.squash(exit.cause)
  return error instanceof Schema.SchemaError
    ? fieldIssues(error.issue, json).map(describe).join("; ")
    : "it does not fit its class"
}

const refused = ([tag]: readonly [string], tags: ReadonlyArray<string>) =>
  `a message of the class \`${tag}\` is not accepted here, but \`${tags.join("`, `")}\``

/** The parameters of their JSON, of which a client may set only some. */
export const parameters = (
  schema: Schema.Struct<Schema.Struct.Fields>,
  allowed: ReadonlyArray<string> | undefined,
  json: Schema.Json | undefined
): Effect.Effect<unknown, string> =>
  Effect.suspend(() => {
    const given = json ?? {}
    if (!Predicate.isObject(given) || Array.isArray(given)) return Effect.fail("`parameters` must be an object")
    const kept = allowed === undefined ? undefined : Object.keys(given).find((name) => !allowed.includes(name))
    if (kept !== undefined) return Effect.fail(`The parameter \`${kept}\` cannot be set from outside`)
    // an empty struct takes any object
    const unknown = Object.keys(given).find((name) => !Object.hasOwn(schema.fields, name))
    if (unknown !== undefined) return Effect.fail(`There is no parameter \`${unknown}\``)
    const decode = decoders.get(schema) ?? decoderOf(schema)
    decoders.set(schema, decode)
    const result = decode(given as Schema.Json)
    return Result.isSuccess(result)
      ? Effect.succeed(result.success)
      : Effect.fail(`\`parameters\` do not fit: ${fieldIssues(result.failure.issue, given).map(describe).join("; ")}`)
  })

type Parameters = Schema.Struct<Schema.Struct.Fields>

const decoderOf = (schema: Parameters) => {
  const decode = Schema.decodeResult(Schema.toCodecJson(schema as unknown as Schema.Codec<unknown>))
  return (json: Schema.Json) => decode(json, { onExcessProperty: "error", errors: "all" })
}
const decoders = new WeakMap<Parameters, ReturnType<typeof decoderOf>>()
