/** What stands before the HTTP routes of effect's MCP server: the guard's limits, and signs of life. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Headers from "effect/http/Headers"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as eventBody from "./eventBody.ts"
import type * as Guard from "./Guard.ts"
import * as jsonBody from "./jsonBody.ts"
import type { Refuse } from "./refusal.ts"

type Response = HttpServerResponse.HttpServerResponse
type Handler = Effect.Effect<Response, unknown, HttpServerRequest.HttpServerRequest | Scope.Scope>

/** A request is refused with an error of JSON-RPC that belongs to no request. */
export const refuse: Refuse = (status, code, message, headers = {}) => {
  const error = { code: code === "bad_json" ? parseError : invalidRequest, message, data: { code } }
  return Effect.succeed(HttpServerResponse.jsonUnsafe({ jsonrpc: "2.0", id: null, error }, { status, headers }))
}

const parseError = -32700
const invalidRequest = -32600

/** The handler, given only what the guard lets through. */
export const before =
  (handler: Handler, guard: Guard.Service) =>
  (request: HttpServerRequest.HttpServerRequest): Handler =>
    Effect.gen(function* () {
      const { method } = request
      const read =
        method === "POST" ? yield* Effect.result(jsonBody.read(request, guard.bodyTimeout, refuse)) : undefined
      if (read !== undefined && Result.isFailure(read)) return read.failure
      const again = new Request(new URL(request.url, "http://localhost"), {
        method,
        // whether its origin may call was decided
        headers: Headers.removeMany(request.headers, ["origin", "content-length"]),
        ...(read === undefined ? {} : { body: JSON.stringify(read.success) })
      })
      const given = HttpServerRequest.fromWeb(again)
      return alive(yield* Effect.provideService(handler, HttpServerRequest.HttpServerRequest, given), guard)
    })

/** A stream shows that it is still there while it has nothing to say. */
const alive = (response: Response, guard: Guard.Service): Response => {
  const { body } = response
  if (body._tag !== "Stream") return response
  const stream = eventBody.withSigns(Stream.orDie(body.stream), { alive: ":\n\n", heartbeat: guard.heartbeat })
  return HttpServerResponse.stream(stream, {
    status: response.status,
    contentType: "text/event-stream",
    headers: Headers.merge(response.headers, Headers.fromInput(eventBody.headers))
  })
}
