/** What stands before the HTTP routes of effect's MCP server: the guard's limits, and signs of life. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Headers from "effect/http/Headers"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Guard from "../Guard.ts"
import * as eventBody from "../routes/eventBody.ts"
import * as jsonBody from "../routes/jsonBody.ts"
import type { Refuse } from "../routes/refusal.ts"

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
      // its own fiber, as it may take longer than a proxy waits for headers; it ends with the request
      const answering = yield* Effect.forkScoped(
        Effect.provideService(handler, HttpServerRequest.HttpServerRequest, given)
      )
      const soon = yield* Effect.timeoutOption(Fiber.join(answering), guard.heartbeat)
      if (Option.isNone(soon)) return stream(Stream.unwrap(Effect.map(Fiber.join(answering), framesOf)), guard)
      const response = soon.value
      return response.body._tag === "Stream" ? stream(framesOf(response), guard, response) : response
    })

/** What a response says, as server-sent events. */
const framesOf = ({ body }: Response): Stream.Stream<Uint8Array, unknown> => {
  if (body._tag === "Stream") return body.stream
  if (body._tag !== "Uint8Array" || body.body.length === 0) return Stream.empty
  const text = new TextDecoder().decode(body.body)
  // it has a message on each line, or is framed already
  const framed = text.startsWith("data:") ? text : text.trimEnd().replaceAll(/^/gm, "data: ").replaceAll("\n", "\n\n")
  return Stream.make(new TextEncoder().encode(`${framed.trimEnd()}\n\n`))
}

/** A stream shows that it is still there while it has nothing to say. */
const stream = (frames: Stream.Stream<Uint8Array, unknown>, guard: Guard.Service, of?: Response): Response => {
  const body = eventBody.withSigns(Stream.orDie(frames), { alive: ":\n\n", heartbeats: guard.heartbeats })
  return HttpServerResponse.stream(body, {
    status: of?.status ?? 200,
    contentType: "text/event-stream",
    headers: Headers.merge(of?.headers ?? Headers.empty, Headers.fromInput(eventBody.headers))
  })
}
