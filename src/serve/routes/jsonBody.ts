/** The body of a request as JSON, or the refusal of what is none. */
import * as Effect from "effect/Effect"
import type * as Duration from "effect/Duration"
import * as Fiber from "effect/Fiber"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import { type Refuse, refusal } from "./refusal.ts"

type Response = HttpServerResponse.HttpServerResponse

/** Fails with the response that refuses it, as the protocol says that. An empty body is an empty object. */
export const read = (
  request: HttpServerRequest.HttpServerRequest,
  timeout: Duration.Duration,
  say: Refuse = refusal
): Effect.Effect<Schema.Json, Response, Scope.Scope> => {
  const refuse: Fail = (status, code, message) => Effect.flip(say(status, code, message))
  // interrupting the reading would cut the connection before there is an answer, so the request's scope does it
  return Effect.flatMap(Effect.forkScoped(request.arrayBuffer), Fiber.join).pipe(
    Effect.catch((error) => {
      const { reason } = error
      const large = reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
      return large
        ? refuse(413, "too_large", "The body of the request is too large")
        : refuse(400, "bad_body", unreadable)
    }),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => refuse(408, "slow_body", "The body of the request took too long to come")
    }),
    Effect.flatMap((bytes) => parse(new Uint8Array(bytes), refuse))
  )
}

type Fail = (status: number, code: string, message: string) => Effect.Effect<never, Response>

const parse = (bytes: Uint8Array, refuse: Fail): Effect.Effect<Schema.Json, Response> =>
  Effect.suspend(() => {
    if (bytes.length === 0) return Effect.succeed({})
    if (isDeep(bytes))
      return refuse(400, "too_deep", `The body of the request is nested more than ${maxDepth} levels deep`)
    return Effect.catch(
      Effect.try(() => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Schema.Json),
      () => refuse(400, "bad_json", "The body of the request is no JSON in UTF-8")
    )
  })

const maxDepth = 64
const unreadable = "The body of the request could not be read"

/** What is deeper than any request needs would overflow the stack of what looks at it. */
const isDeep = (bytes: Uint8Array): boolean => {
  let depth = 0
  let quoted = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (quoted) {
      if (byte === 0x5c) i++
      else if (byte === 0x22) quoted = false
    } else if (byte === 0x22) quoted = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > maxDepth) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}
