/** HTTP servers on the loopback interface that say exactly what a test wants them to say. */
import { createServer } from "node:http"
import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import { createServer as createTcpServer } from "node:net"
import type { AddressInfo, Server, Socket } from "node:net"
import { text } from "node:stream/consumers"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Received {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}

export interface Loopback {
  readonly url: string
  /** The requests so far. */
  readonly received: ReadonlyArray<Received>
  /** Done when a whole request has come and its handler has run. */
  readonly asked: Effect.Effect<void>
  /** Done when the client has closed a connection whose response was not at its end. */
  readonly closed: Effect.Effect<void>
}

export type Handler = (response: ServerResponse, request: Received, count: number) => void

/** A field of the body of a request, the first one unless said. */
export const bodyField = ({ received }: Pick<Loopback, "received">, name: string, index = 0): unknown =>
  new Map(Object.entries(received[index]?.body ?? {})).get(name)

/** A server for the current scope. */
export const serve = (handler: Handler): Effect.Effect<Loopback, never, Scope.Scope> =>
  Effect.gen(function* () {
    const asked = yield* Deferred.make<void>()
    const closed = yield* Deferred.make<void>()
    const received: Array<Received> = []
    const server = createServer((request, response) => {
      response.on("close", () => {
        if (!response.writableFinished) Deferred.doneUnsafe(closed, Effect.void)
      })
      // A client that leaves is what some tests are about.
      request.on("error", () => {})
      void text(request).then((body) => {
        const { headers, method, url } = request
        received.push({ method, url, headers, body: body === "" ? undefined : JSON.parse(body) })
        handler(response, received[received.length - 1] as Received, received.length)
        Deferred.doneUnsafe(asked, Effect.void)
      })
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const { port } = server.address() as AddressInfo
    return {
      url: `http://127.0.0.1:${port}`,
      received,
      asked: Deferred.await(asked),
      closed: Deferred.await(closed)
    }
  })

/** The address of a server that knows no HTTP. */
export const raw = (handler: (socket: Socket) => void): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Server>((resume) => {
      const server = createTcpServer((socket) => {
        socket.on("error", () => {})
        socket.once("data", () => handler(socket))
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  ).pipe(Effect.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`))

/** An address at which nobody listens. */
export const nobody: Effect.Effect<string> = Effect.scoped(
  Effect.map(
    serve(() => {}),
    ({ url }) => url
  )
)

export const startStream = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" })

/** Sends each piece as an HTTP chunk of its own, and ends unless told otherwise. */
export const stream =
  (pieces: ReadonlyArray<string | Uint8Array>, end: "end" | "cut" | "hang" = "end"): Handler =>
  (response) => {
    startStream(response)
    response.flushHeaders()
    for (const piece of pieces) response.write(piece)
    if (end === "end") response.end()
    // What was written must leave before the connection is torn down.
    if (end === "cut") response.write(": cut\n", () => response.socket?.destroy())
  }

export const answer =
  (status: number, body: unknown, headers: { readonly [name: string]: string } = {}): Handler =>
  (response) => {
    const isText = typeof body === "string"
    response.writeHead(status, { "content-type": isText ? "text/html" : "application/json", ...headers })
    response.end(isText ? body : JSON.stringify(body))
  }
