/** What a client of A2A asks for, decoded before anything runs. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import * as Message from "../../Message.ts"
import { A2aError } from "./error.ts"

type Json = Schema.Json | undefined
type Decoded<A> = Effect.Effect<A, A2aError>

/** A message that was sent. */
export interface Sent {
  readonly messages: ReadonlyArray<Message.Message>
  readonly taskId: string | undefined
  readonly contextId: string | undefined
  readonly returnImmediately: boolean
  readonly metadata: Schema.JsonObject
}

/** What was sent, of the media types that may be. */
export const sent = (params: Json, modes: ReadonlyArray<string>): Decoded<Sent> =>
  Effect.gen(function* () {
    const request = yield* object(params, "params")
    const message = yield* object(request.message, "message")
    yield* text(message.messageId, "message.messageId")
    if (message.role !== "ROLE_USER") return yield* invalid("message.role", "It must be `ROLE_USER`")
    const { parts } = message
    if (!Array.isArray(parts) || parts.length === 0) {
      return yield* invalid("message.parts", "There must be one part at least")
    }
    const messages = yield* Effect.forEach(parts as ReadonlyArray<Schema.Json>, (part, i) =>
      partOf(part, `message.parts[${i}]`, modes)
    )
    const configuration = isGiven(request.configuration) ? yield* object(request.configuration, "configuration") : {}
    if (isGiven(configuration.taskPushNotificationConfig)) return yield* noPush
    const contextId = yield* optionalText(message.contextId, "message.contextId")
    if (contextId !== undefined && !isContext.test(contextId)) {
      return yield* invalid("message.contextId", "It must be up to 64 letters, digits, `-` or `_`")
    }
    return {
      messages,
      taskId: yield* optionalText(message.taskId, "message.taskId"),
      contextId,
      returnImmediately: configuration.returnImmediately === true,
      metadata: isObject(request.metadata) ? request.metadata : {}
    }
  })

/** The value of the signal that a message is, where it answers a question. */
export const answer = ({ messages }: Sent, signal: string): Schema.Json => {
  const data = messages.find((message) => message instanceof Message.Data)
  const said = messages.filter((message) => message instanceof Message.User).join("\n")
  if (data !== undefined) return data.data
  if (!signal.startsWith("approval:")) return said
  return /^\s*(y|yes|ok|approved?)\s*[.!]?\s*$/i.test(said) ? { approved: true } : { approved: false, reason: said }
}

/** The id of the task that is asked for. */
export const taskId = (params: Json): Decoded<string> =>
  Effect.flatMap(object(params, "params"), ({ historyLength, id }) =>
    isGiven(historyLength) && !(typeof historyLength === "number" && historyLength >= 0)
      ? invalid("historyLength", "It must be a number, 0 at least")
      : text(id, "id")
  )

/** Which tasks are asked for. */
export interface Listed {
  readonly contextId: string | undefined
  readonly status: string | undefined
  readonly pageSize: number
  readonly pageToken: string | undefined
  readonly after: number | undefined
  readonly includeArtifacts: boolean
}

export const listed = (params: Json): Decoded<Listed> =>
  Effect.gen(function* () {
    const request = params === undefined ? {} : yield* object(params, "params")
    const { historyLength, pageSize = 50, statusTimestampAfter } = request
    if (typeof pageSize !== "number" || !Number.isInteger(pageSize) || pageSize < 1 || pageSize > 100) {
      return yield* invalid("pageSize", "It must be between 1 and 100")
    }
    if (isGiven(historyLength) && !(typeof historyLength === "number" && historyLength >= 0)) {
      return yield* invalid("historyLength", "It must be a number, 0 at least")
    }
    const status = yield* optionalText(request.status, "status")
    if (status !== undefined && !states.has(status)) return yield* invalid("status", "There is no such state")
    const after = isGiven(statusTimestampAfter) ? timeOf(statusTimestampAfter) : undefined
    if (Number.isNaN(after))
      return yield* invalid("statusTimestampAfter", "It must be a time, as `2026-11-27T10:30:00Z`")
    return {
      contextId: yield* optionalText(request.contextId, "contextId"),
      status: status === unspecified ? undefined : status,
      pageSize,
      pageToken: yield* optionalText(request.pageToken, "pageToken"),
      after,
      includeArtifacts: request.includeArtifacts === true
    }
  })

export const noPush: Effect.Effect<never, A2aError> = Effect.fail(
  new A2aError("PUSH_NOTIFICATION_NOT_SUPPORTED", "There are no push notifications here: subscribe to the task")
)

const unspecified = "TASK_STATE_UNSPECIFIED"
const states: ReadonlySet<string> = new Set(
  ["UNSPECIFIED", "SUBMITTED", "WORKING", "COMPLETED", "FAILED", "CANCELED"]
    .concat(["INPUT_REQUIRED", "REJECTED", "AUTH_REQUIRED"])
    .map((state) => `TASK_STATE_${state}`)
)

const isContext = /^[\w-]{1,64}$/

const timeOf = (json: Json): number =>
  typeof json === "string" && isTime.test(json)
    ? Option.match(DateTime.make(json), { onNone: () => NaN, onSome: DateTime.toEpochMillis })
    : NaN
const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

const partOf = (json: Schema.Json, field: string, modes: ReadonlyArray<string>): Decoded<Message.Message> =>
  Effect.gen(function* () {
    const part = yield* object(json, field)
    if (typeof part.text === "string") return Message.user(part.text)
    if (isObject(part.data)) return Message.data(part.data)
    if ("data" in part) return Message.data({ value: part.data })
    const { filename, mediaType = "", raw, url } = part
    if (typeof raw !== "string" && typeof url !== "string")
      return yield* invalid(field, "A part has a `text` or `data`")
    const [kind] = String(mediaType).split("/")
    if (!modes.includes(String(mediaType)) && !modes.includes(`${kind}/*`)) {
      const taken = modes.map((mode) => `\`${mode}\``).join(", ")
      const message = `A file of the type \`${String(mediaType)}\` is not taken here, but ${taken}`
      return yield* Effect.fail(new A2aError("CONTENT_TYPE_NOT_SUPPORTED", message))
    }
    const source = typeof raw === "string" ? `data:${String(mediaType)};base64,${raw}` : String(url)
    if (!/^(data:|https?:\/\/)/i.test(source)) return yield* invalid(`${field}.url`, "It must be an `https` address")
    const options = typeof filename === "string" && filename !== "" ? { fileName: filename } : {}
    return yield* Effect.catch(
      Effect.try(() => Message.file(source, { mediaType: String(mediaType), ...options })),
      () => invalid(`${field}.raw`, "It is no base64")
    )
  })

const isGiven = <A extends Json>(json: A): json is Exclude<A, undefined | null> => json !== undefined && json !== null

const isObject = (json: Json): json is Schema.JsonObject => Predicate.isObject(json) && !Array.isArray(json)

const object = (json: Json, field: string): Decoded<Schema.JsonObject> =>
  isObject(json) ? Effect.succeed(json) : invalid(field, "It must be an object")

const text = (json: Json, field: string): Decoded<string> =>
  typeof json === "string" && json !== "" ? Effect.succeed(json) : invalid(field, "It must be a text that is not empty")

/** Protocol buffers spell what is not set as an empty text. */
const optionalText = (json: Json, field: string): Decoded<string | undefined> =>
  !isGiven(json) || json === "" ? Effect.undefined : text(json, field)

const invalid = (field: string, message: string): Effect.Effect<never, A2aError> =>
  Effect.fail(new A2aError("INVALID_PARAMS", `\`${field}\`: ${message}`, field))
