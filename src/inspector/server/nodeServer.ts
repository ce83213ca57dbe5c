/** Serves a web handler on the loopback interface, with nothing but Node. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { Readable } from "node:stream"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

type Handler = (request: Request) => Promise<Response>

/**
 * Listens until the scope closes, and gives the port. A program that has nothing else to do ends although its page is
 * open; what a page still reads then is cut off.
 */
export const listen = (port: number, handler: Handler): Effect.Effect<number, unknown, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>, unknown>((resume) => {
      const server = createServer((incoming, outgoing) => answer(handler, incoming, outgoing))
      server.on("connection", (socket) => socket.unref())
      server.on("error", (cause) => resume(Effect.fail(cause)))
      server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server.unref())))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  ).pipe(
    Effect.map((server) => {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : port
    })
  )

const answer = (handler: Handler, incoming: IncomingMessage, outgoing: ServerResponse): void => {
  const request = requestOf(incoming)
  if (request === undefined) return void outgoing.writeHead(400).end()
  handler(request).then(
    (response) => send(response, outgoing),
    () => outgoing.writeHead(500).end()
  )
}

/** The request, if it is one: a host that is no name makes none. */
const requestOf = (incoming: IncomingMessage): Request | undefined => {
  const { headers, method = "GET", url = "/" } = incoming
  const address = URL.parse(url, `http://${headers.host ?? "127.0.0.1"}`)
  if (address === null) return undefined
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]]
  )
  const hasBody = method !== "GET" && method !== "HEAD"
  const body = hasBody ? (Readable.toWeb(incoming) as ReadableStream<Uint8Array>) : null
  return new Request(address, { method, headers: pairs, body, duplex: "half" } as RequestInit)
}

const send = (response: Response, outgoing: ServerResponse): void => {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  outgoing.flushHeaders()
  if (response.body === null) return void outgoing.end()
  const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0])
  // who leaves ends what was made for it
  outgoing.on("close", () => body.destroy())
  body.on("error", () => outgoing.destroy())
  body.pipe(outgoing)
}
