/**
 * The model server of S13, in a process of its own so that its work is not counted: it speaks Chat Completions and
 * Messages and sends bytes that it has ready. The path says how: `/fast/500/v1/...` sends 500 tokens at once, `/paced/...`
 * one every 5 ms, `/tool/...` at once after a request that calls a tool.
 */
import { createServer } from "node:http"
import type { ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import type { Protocol } from "../Case.ts"
import * as Events from "./Events.ts"

const interval = 5

/** What comes at once comes in pieces of this size, as from a proxy. */
const piece = 16_384

const cached = <A>(make: (protocol: Protocol, tokens: number) => A) => {
  const all = new Map<string, A>()
  return (protocol: Protocol, tokens: number): A => {
    const key = `${protocol} ${tokens}`
    const known = all.get(key) ?? make(protocol, tokens)
    all.set(key, known)
    return known
  }
}

const pieces = (events: ReadonlyArray<string>): ReadonlyArray<Buffer> => {
  const all = Buffer.from(events.join(""))
  return Array.from({ length: Math.ceil(all.length / piece) }, (_, i) => all.subarray(i * piece, (i + 1) * piece))
}

const whole = cached((protocol, tokens) => pieces(Events.text[protocol](tokens)))
const single = cached((protocol, tokens) => Events.text[protocol](tokens).map((event) => Buffer.from(event)))
const calling = cached((protocol) => pieces(Events.toolCall[protocol]))

const send = (response: ServerResponse, buffers: ReadonlyArray<Buffer>): void => {
  for (const buffer of buffers) response.write(buffer)
  response.end()
}

/** Responses under way, each with the events that it has still to send; they take turns within the interval. */
const phases = Array.from({ length: interval }, () => new Set<Iterator<Buffer> & { response: ServerResponse }>())
let phase = 0

setInterval(() => {
  phase = (phase + 1) % interval
  for (const one of phases[phase]!) {
    const next = one.next()
    if (next.done !== true) one.response.write(next.value)
    else {
      one.response.end()
      phases[phase]!.delete(one)
    }
  }
}, 1)

let count = 0

const server = createServer((request, response) => {
  void text(request).then((body) => {
    const [, pace, tokens] = request.url!.split("/")
    const protocol = request.url!.endsWith("/messages") ? "anthropic" : "openai"
    response.socket!.setNoDelay(true)
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" })
    if (pace === "paced") {
      const events = Object.assign(single(protocol, Number(tokens))[Symbol.iterator](), { response })
      phases[count++ % interval]!.add(events)
    } else if (pace === "tool" && !body.includes("found miniagents")) send(response, calling(protocol, 0))
    else send(response, whole(protocol, Number(tokens)))
  })
})

server.keepAliveTimeout = 60_000
server.listen({ port: 0, host: "127.0.0.1", backlog: 2048 }, () => {
  process.send!((server.address() as AddressInfo).port)
})
process.on("disconnect", () => process.exit(0))
