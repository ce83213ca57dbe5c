/**
 * Protects served agents: it decides which hosts and origins are answered and who may call, and limits the size and
 * time of requests. Without options only programs on the same machine are served.
 *
 * @since 0.1.0
 */
import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { sameSecret } from "../internal/sameSecret.ts"
import * as deadlines from "./routes/deadlines.ts"
import type { Heartbeats } from "./routes/eventBody.ts"
import { refusal } from "./routes/refusal.ts"

/**
 * Options of the guard: what is allowed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The names in `Host` headers that are answered, with the port unless it is the default one.
   * @default `localhost`, `127.0.0.1` and `[::1]`, with any port
   */
  readonly hosts?: ReadonlyArray<string> | undefined
  /**
   * The origins of web pages that may call, such as `https://example.org`, beside pages from the server itself.
   * @default none
   */
  readonly origins?: ReadonlyArray<string> | undefined
  /** The bearer token that every request must have. By default none is needed. */
  readonly token?: Redacted.Redacted | undefined
  /**
   * The paths that are answered without the token, such as those of a page that then sends it.
   * @default none
   */
  readonly open?: ReadonlyArray<string> | undefined
  /**
   * How large the body of a request may be. The same limit holds for all input together that a run is sent in pieces.
   * @default "1 MiB"
   */
  readonly maxBody?: ByteSize.Input | undefined
  /**
   * How long the body of a request may take to arrive.
   * @default "10 seconds"
   */
  readonly bodyTimeout?: Duration.Input | undefined
  /**
   * How long a run may take from its start, including the time in which it waits for people. A run that takes longer is
   * interrupted, and ends with the failure `RunTimeLimit`. By default there is no limit.
   */
  readonly maxRunTime?: Duration.Input | undefined
  /**
   * How often a response sends a sign of life while it has nothing to say, so that proxies keep the connection open.
   * @default "15 seconds"
   */
  readonly heartbeat?: Duration.Input | undefined
}

/**
 * The guard as a service, which the Layers of all protocols require.
 *
 * @since 0.1.0
 * @category services
 */
export class Guard extends Context.Service<Guard, Service>()("miniagents/serve/Guard") {}

/**
 * The limits that protocols take from the guard.
 *
 * @since 0.1.0
 * @category services
 */
export interface Service {
  /**
   * Guards all routes of a router; more than once is once. `spoken` is the path below which a protocol is spoken, and how
   * that says that it refuses a request.
   */
  readonly install: (router: HttpRouter.HttpRouter, spoken?: Spoken) => Effect.Effect<void>
  /** In bytes. */
  readonly maxBody: number
  readonly bodyTimeout: Duration.Duration
  readonly heartbeat: Duration.Duration
  /** Calls the responses that have nothing to say when a heartbeat has passed. */
  readonly heartbeats: Heartbeats
  readonly maxRunTime: Duration.Duration | undefined
}

/**
 * Where a protocol is spoken, and how it refuses a request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Spoken {
  readonly path: string
  readonly refuse: (
    status: number,
    code: string,
    message: string,
    headers?: { readonly [name: string]: string }
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse>
}

/**
 * The guard of a server.
 *
 * **When to use**
 *
 * Once for each server, whatever it serves.
 *
 * **Details**
 *
 * Requests are refused, with a JSON object that says why, for a foreign `Host` (421: a page whose name was bound to this
 * address), a foreign `Origin` (403), a missing or wrong token (401), a body that is no JSON (415: what a form of a
 * foreign page could send) and one that is too large (413). Tokens are compared in constant time.
 *
 * **Example**
 *
 * ```ts
 * import { Redacted } from "effect"
 * import { Guard } from "miniagents/serve"
 *
 * const guard = Guard.layer({
 *   hosts: ["agents.example.org"],
 *   origins: ["https://example.org"],
 *   token: Redacted.make("a long random text")
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Guard> => Layer.effect(Guard, make(options))

type Handler = Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest>

const make = (options: Options): Effect.Effect<Service, never, Scope.Scope> => {
  const heartbeat = Duration.fromInputUnsafe(options.heartbeat ?? "15 seconds")
  const { hosts, maxBody, maxRunTime, open = [], origins = [], token } = options
  const size = maxBody === undefined ? ByteSize.mebibytes(1) : ByteSize.fromInputUnsafe(maxBody)
  const spoken: Array<Spoken> = []
  const middleware = (app: Handler): Handler =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const { authorization, host = "", origin } = request.headers
      const refuse = spoken.find(({ path }) => isBelow(path, request.url))?.refuse ?? refusal
      if (!(hosts === undefined ? loopback.test(host) : hosts.includes(host.toLowerCase()))) {
        return refuse(421, "bad_host", "This host is not served here")
      }
      const foreign = origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`
      if (foreign && !origins.includes(origin)) return refuse(403, "bad_origin", "Pages of this origin may not call")
      const cors = foreign
        ? { "access-control-allow-origin": origin, "access-control-expose-headers": "run-id, mcp-session-id" }
        : {}
      if (request.method === "OPTIONS") return Effect.succeed(preflight(request.headers, cors))
      const given = /^Bearer (.+)$/i.exec(authorization ?? "")?.[1] ?? ""
      const isOpen = open.includes(request.url.replace(/[?#].*$/, ""))
      if (token !== undefined && !isOpen && !sameSecret(given, Redacted.value(token))) {
        return Effect.map(
          refuse(401, "unauthorized", "A bearer token is needed"),
          withHeaders({ ...cors, "www-authenticate": "Bearer" })
        )
      }
      if (request.method === "POST" && !isJson.test(request.headers["content-type"] ?? "") && !isEmpty(request)) {
        return Effect.map(refuse(415, "bad_content_type", "Send JSON, as `application/json`"), withHeaders(cors))
      }
      if (Number(request.headers["content-length"] ?? 0) > Number(size)) {
        return Effect.map(refuse(413, "too_large", "The body of the request is too large"), withHeaders(cors))
      }
      const guarded = Effect.provideService(app, HttpIncomingMessage.MaxBodySize, size)
      return foreign ? Effect.map(guarded, withHeaders(cors)) : guarded
    })
  const beat = (wake: () => void) => Effect.sync(wake)
  return Effect.map(deadlines.make(heartbeat, beat), (heartbeats) => ({
    install: (router, where) => {
      if (where !== undefined) spoken.push(where)
      spoken.sort((one, other) => other.path.length - one.path.length) // the innermost path is asked first
      return router.addGlobalMiddleware(middleware as never) as Effect.Effect<void> // it adds no errors
    },
    maxBody: Number(size),
    bodyTimeout: Duration.fromInputUnsafe(options.bodyTimeout ?? "10 seconds"),
    heartbeat,
    heartbeats,
    maxRunTime: maxRunTime === undefined ? undefined : Duration.fromInputUnsafe(maxRunTime)
  }))
}

const loopback = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i
const isJson = /^application\/([\w.-]+\+)?json\s*(;|$)/i

/** A browser that sends no body names its origin all the same. */
const isEmpty = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  headers["content-type"] === undefined &&
  headers["transfer-encoding"] === undefined &&
  Number(headers["content-length"] ?? 0) === 0

const isBelow = (path: string, url: string): boolean =>
  url.startsWith(path) && (url.length === path.length || path.endsWith("/") || /[/?:#]/.test(url[path.length]))

const withHeaders = (headers: { readonly [name: string]: string }) => HttpServerResponse.setHeaders(headers)

const preflight = (asked: { readonly [name: string]: string | undefined }, cors: { readonly [name: string]: string }) =>
  HttpServerResponse.empty({
    status: 204,
    headers: {
      ...cors,
      "access-control-allow-methods": "GET, POST, DELETE",
      // clients have headers of their own, and which origins may send them is known
      "access-control-allow-headers":
        asked["access-control-request-headers"] ?? "authorization, content-type, last-event-id",
      "access-control-max-age": "600"
    }
  })
