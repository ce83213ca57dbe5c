/** Serves routes on the loopback interface for a test, or without a network at all. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import { MiniAgents, type Transcript } from "miniagents"
import { Runs } from "miniagents/runs"
import { Guard } from "miniagents/serve"

export type Routes = Layer.Layer<never, never, HttpRouter.HttpRouter | Guard.Guard | Runs.Runs | MiniAgents.MiniAgents>

export interface Options {
  readonly guard?: Guard.Options
  readonly runs?: Runs.MemoryOptions
}

/** The address of a real server, which lives as long as the scope. */
export const serve = (routes: Routes, { guard, runs }: Options = {}) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provideMerge(
          NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: 500 })
        ),
        Layer.provideMerge([Guard.layer(guard), Runs.layerMemory(runs), MiniAgents.layer()])
      )
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    if (address._tag === "UnixPathAddress") return yield* Effect.die("no address")
    return { url: `http://127.0.0.1:${address.port}`, context }
  })

/** The blocks of server-sent events as they come. */
export async function* blocks(response: Response): AsyncGenerator<string> {
  let rest = ""
  const decoder = new TextDecoder()
  for await (const chunk of response.body!) {
    rest += decoder.decode(chunk, { stream: true })
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      yield rest.slice(0, end)
      rest = rest.slice(end + 2)
    }
  }
}

export interface Received {
  readonly id: string
  readonly event: Transcript.Event
}

/** The events of a response, up to a number of them. */
export const events = async (response: Response, most = Infinity): Promise<ReadonlyArray<Received>> => {
  const received: Array<Received> = []
  for await (const block of blocks(response)) {
    if (block.startsWith(":")) continue
    const [, id = "", data = ""] = /^id: (.*)\ndata: (.*)$/.exec(block) ?? []
    received.push({ id, event: JSON.parse(data) as Transcript.Event })
    if (received.length >= most) break
  }
  return received
}

export const post = (url: string, body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal })
  })

/** A network that breaks off after a number of chunks, once. */
export const cutting = (most: number, ending: "error" | "end" = "error"): typeof fetch => {
  let cut = false
  return async (input, init) => {
    const response = await fetch(input, init)
    if (cut || response.body === null) return response
    cut = true
    const encoder = new TextEncoder()
    let left = most
    const source = blocks(response)
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await source.next()
        if (done) return controller.close()
        controller.enqueue(encoder.encode(`${value}\n\n`))
        if (!value.startsWith(":") && --left === 0) {
          await source.return(undefined)
          if (ending === "error") controller.error(new TypeError("fetch failed"))
          else controller.close()
        }
      }
    })
    return new Response(body, { status: response.status, headers: response.headers })
  }
}
