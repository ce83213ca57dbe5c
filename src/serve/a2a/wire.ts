/** The two forms of A2A on the wire, JSON-RPC and REST: which operation is asked for, and how it is refused. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Runs from "../../runs/Runs.ts"
import type { Refuse } from "../routes/refusal.ts"
import { A2aError } from "./error.ts"

export const protocolVersion = "1.0"
export const contentType = "application/a2a+json"

/** The operation of a method and a path, and the task it is about. */
export const route = (
  method: string,
  path: string
): { readonly operation: string; readonly id?: string } | undefined => {
  const known = paths[`${method} ${path}`]
  if (known !== undefined) return { operation: known }
  const [, name = "", verb = ""] = /^\/tasks\/([^/:]+)(:\w+|\/pushNotificationConfigs(?:\/[^/]+)?)?$/.exec(path) ?? []
  if (name === "") return undefined
  const operation = verb.startsWith("/") ? taskPaths["push"] : taskPaths[`${method} ${verb}`.trim()]
  return operation === undefined ? undefined : { operation, id: decoded(name) }
}

const paths: { readonly [path: string]: string | undefined } = {
  "POST /message:send": "SendMessage",
  "POST /message:stream": "SendStreamingMessage",
  "GET /tasks": "ListTasks",
  "GET /extendedAgentCard": "GetExtendedAgentCard"
}

const taskPaths: { readonly [path: string]: string | undefined } = {
  GET: "GetTask",
  "POST :cancel": "CancelTask",
  // the specification's table says POST, its definition GET
  "POST :subscribe": "SubscribeToTask",
  "GET :subscribe": "SubscribeToTask",
  push: "GetTaskPushNotificationConfig"
}

const decoded = (name: string): string =>
  Result.getOrElse(
    Result.try(() => decodeURIComponent(name)),
    () => name
  )

export const queryValue = (name: string, value: string): Schema.Json =>
  name === "pageSize" || name === "historyLength" ? Number(value) : value === "true" ? true : value

export const requestOf = (body: Schema.Json) => {
  const { id = null, jsonrpc, method, params } = (body ?? {}) as { readonly [name: string]: Schema.Json | undefined }
  const isId = id === null || typeof id === "string" || typeof id === "number"
  return jsonrpc === "2.0" && typeof method === "string" && isId
    ? Effect.succeed({ id, method, params })
    : Effect.fail(new A2aError("INVALID_REQUEST", "The body is no request of JSON-RPC 2.0"))
}

/** A client that names no version speaks 0.3. */
export const checkVersion = ({ headers, url }: HttpServerRequest.HttpServerRequest): Effect.Effect<void, A2aError> => {
  const asked = headers["a2a-version"] ?? new URL(url, "http://localhost").searchParams.get("A2A-Version") ?? ""
  return /^1\.0(\.\d+)?$/.test(asked.trim())
    ? Effect.void
    : Effect.fail(
        new A2aError(
          "VERSION_NOT_SUPPORTED",
          `The version spoken here is ${protocolVersion}, not \`${asked || "0.3"}\``
        )
      )
}

/** What an operation failed with, in the words of the protocol; what nobody foresaw stays in the log. */
export const errorOf = (cause: Cause.Cause<unknown>): Effect.Effect<A2aError> =>
  Effect.gen(function* () {
    const error = Cause.squash(cause)
    if (error instanceof A2aError) return error
    if (error instanceof Runs.RunsError) {
      switch (error.reason._tag) {
        case "NotFound":
          return new A2aError("TASK_NOT_FOUND", error.message)
        case "TooMany":
          return new A2aError("TOO_MANY", error.message)
        default:
          return new A2aError("INVALID_PARAMS", error.message, "message.parts")
      }
    }
    const id = SecureRandom.uuidV4Unsafe()
    if (!Cause.hasInterruptsOnly(cause)) yield* Effect.logError(`Internal error ${id}`, cause)
    return new A2aError("INTERNAL", `internal error (${id})`)
  })

/** What is refused before it is known what is asked for. */
const refused = (code: string, message: string) => new A2aError(names[code] ?? "INVALID_REQUEST", message)

const names: { readonly [code: string]: "PARSE_ERROR" | "CONTENT_TYPE_NOT_SUPPORTED" | undefined } = {
  bad_json: "PARSE_ERROR",
  too_deep: "PARSE_ERROR",
  bad_body: "PARSE_ERROR",
  bad_content_type: "CONTENT_TYPE_NOT_SUPPORTED"
}

export const refuseRpc: Refuse = (status, code, message, headers = {}) =>
  Effect.sync(() => {
    const error = refused(code, message)
    // a body that is no JSON is an answer of JSON-RPC, all else one of HTTP
    const body = { jsonrpc: "2.0", id: null, error: error.toRpc }
    return HttpServerResponse.jsonUnsafe(body, { status: error.name === "PARSE_ERROR" ? 200 : status, headers })
  })

export const refuseRest: Refuse = (status, code, message, headers = {}) =>
  Effect.sync(() => {
    const { error } = refused(code, message).toRest as { readonly error: Schema.JsonObject }
    return HttpServerResponse.jsonUnsafe({ error: { ...error, code: status } }, { status, headers, contentType })
  })
