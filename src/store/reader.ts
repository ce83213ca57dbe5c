/** Reads messages back that were taken apart into references. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Decoder from "../internal/decoder.ts"
import * as Message from "../Message.ts"

/**
 * Makes a message of a hash key of its `body`, the JSON with references; `json` has the JSON of the messages inside in the
 * places of the references, for which `inside` gives those messages, and `fields` has the messages themselves. What was
 * written by a class that is not known here, or was another one then, keeps its tag and its fields.
 */
export const make = (
  classes: ReadonlyArray<Message.AnyClass>,
  inside: (json: Schema.Json) => Message.Message | undefined
) => {
  const known = new Map([...Message.builtins, ...classes.map((each) => [each.identifier, each] as const)])
  const byTag = Decoder.byTag(known, [])
  const decodeInside: Decoder.Decode = (json) => {
    const message = inside(json)
    return message === undefined ? byTag(json) : Effect.succeed(message)
  }
  const decoders = new Map<string, (json: unknown) => Exit.Exit<Message.Message, Schema.SchemaError>>()
  const decoderOf = (tag: string) => {
    const found = known.get(tag)
    if (found !== undefined && !decoders.has(tag)) {
      const plain = Schema.toCodecJson(found)
      const holding = plain.pipe(
        Schema.middlewareDecoding((effect) => Effect.provideService(effect, Message.CurrentDecode, decodeInside))
      )
      // what holds no other message is decoded many times as fast without a service
      decoders.set(tag, Schema.decodeUnknownExit(Message.plainClasses.has(found) ? plain : holding))
    }
    return decoders.get(tag)
  }
  return (hashKey: string, body: Schema.Json, json: Schema.JsonObject, fields: object): Message.Message | undefined => {
    const decoded = decoderOf(String(json._tag))?.(json)
    const message = decoded?._tag === "Success" ? decoded.value : undefined
    const read = message !== undefined && isSame(message, body, json) ? message : Message.unknownOf(fields)
    return read === undefined ? undefined : Message.withHashKey(read, hashKey)
  }
}

/** Whether a message says all that it was read from: a class that has changed since may know less. */
const isSame = (message: Message.Message, body: Schema.Json, json: Schema.Json): boolean =>
  Message.isPlain(message) ? same(json, message) : same(body, Message.serialize(message))

/** Whether two values are the same JSON, in whatever order their keys are. */
const same = (a: unknown, b: unknown): boolean => {
  if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) return a === b
  const keys = Object.keys(a)
  return (
    Array.isArray(a) === Array.isArray(b) &&
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(a[key as never], b[key as never]))
  )
}
