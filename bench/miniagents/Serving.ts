/** S16: agents served over HTTP, and a bare route of `effect/http` that streams the same tokens. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { Agent, MessagePromise, MiniAgents } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { Runs } from "miniagents/runs"
import { AgUi, AiSdk, Guard, Native, OpenAiApi } from "miniagents/serve"
import * as Events from "../server/Events.ts"
import * as Tokens from "../Tokens.ts"

/** Tokens one at a time, so many milliseconds apart. */
export const tokens = (count: number, pause: number): Stream.Stream<string> =>
  pause === 0 ? Tokens.stream(count) : Stream.schedule(Tokens.stream(count), Schedule.spaced(pause))

const spoken = { count: Schema.Int, pause: Schema.Int }

const talker = Agent.make(
  "Talker",
  { parameters: spoken },
  Effect.fnUntraced(function* (ctx) {
    const { count, pause } = ctx.parameters
    yield* ctx.reply(yield* MessagePromise.fromStream(tokens(count, pause)))
  })
)
const silent = Agent.make("Silent", () => Effect.never)
const large = Agent.make("Large", (ctx) => {
  const piece = "x".repeat(16 * 1024)
  const pieces = Stream.rechunk(Stream.fromIterable(Array.from({ length: 20 * 64 }, () => piece)), 1)
  return Effect.flatMap(MessagePromise.fromStream(pieces), (promise) => ctx.reply(promise))
})

const encoder = new TextEncoder()
const bytes = (event: object): Uint8Array => encoder.encode(`data: ${JSON.stringify(event)}\n\n`)

/** What a person would write who has no library for it. */
const bare = HttpRouter.add("POST", "/bare", (request) =>
  Effect.gen(function* () {
    const { parameters } = (yield* Effect.orDie(request.json)) as { parameters: { count: number; pause: number } }
    const { count, pause } = parameters
    const events = Stream.map(tokens(count, pause), (text) => bytes({ type: "text", text }))
    return HttpServerResponse.stream(Stream.concat(events, Stream.make(bytes({ type: "end" }))), {
      contentType: "text/event-stream"
    })
  })
)
const bareSilent = HttpRouter.add("POST", "/bare-silent", () =>
  Effect.sync(() =>
    HttpServerResponse.stream(Stream.concat(Stream.make(encoder.encode(":\n\n")), Stream.never), {
      contentType: "text/event-stream"
    })
  )
)

const parameters = ["count", "pause"]
const served = Layer.mergeAll(
  Native.layer("/native", talker),
  Native.layer("/silent", silent),
  Native.layer("/large", large),
  AiSdk.layer("/ai", talker, { parameters }),
  AgUi.layer("/ag-ui", talker, { parameters }),
  OpenAiApi.layer({ talker }, { parameters }),
  bare,
  bareSilent
)

type Routes = Layer.Layer<never, never, HttpRouter.HttpRouter | Guard.Guard | Runs.Runs | MiniAgents.MiniAgents>

export interface Server {
  readonly url: string
  readonly run: <A>(effect: Effect.Effect<A, unknown, MiniAgents.MiniAgents | Runs.Runs>) => Promise<A>
  readonly close: () => Promise<void>
}

/** Serves all of it; a run is forgotten when it has ended, or after `keep` seconds. */
export const start = async (keep = 0, routes: Routes = served): Promise<Server> => {
  const runtime = ManagedRuntime.make(
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(
        NodeHttpServer.layer(createServer, {
          host: "127.0.0.1",
          port: 0,
          backlog: 2048,
          gracefulShutdownTimeout: 1000
        })
      ),
      Layer.provideMerge([Guard.layer(), Runs.layerMemory({ keep: `${keep} seconds` }), MiniAgents.layer()])
    )
  )
  const { address } = await runtime.runPromise(HttpServer.HttpServer)
  if (address._tag === "UnixPathAddress") throw new Error("no address")
  return {
    url: `http://127.0.0.1:${address.port}`,
    run: (effect) => runtime.runPromise(effect),
    close: () => runtime.dispose()
  }
}

/** The time until a token of a call is there, without a network. */
export const firstToken = Effect.gen(function* () {
  const replies = yield* talker.trigger([], { count: 1, pause: 0 })
  yield* Stream.runHead(Stream.flatMap(replies, (promise) => promise))
})

/** Until what was asked for is done, and what is no longer needed can be collected. */
export const pause = Effect.sleep(500)

/** Until no run goes on. */
export const quiet = Effect.repeat(Effect.andThen(Effect.sleep(20), MiniAgents.running), {
  until: (running) => running === 0
})

/** A run of 20 MB that has ended and can be read. */
export const speakLarge = Effect.gen(function* () {
  const { replies } = yield* Runs.start(large, [], {}, { id: "large" })
  yield* (yield* replies).messages
})

/** A server of a model that begins to answer and goes on for ever. */
const modelServer = () => {
  const closes: Array<(at: number) => void> = []
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(Events.text.openai(2).slice(0, 2).join(""))
    response.on("close", () => closes.shift()?.(performance.now()))
  })
  return {
    server,
    /** When the next request is given up. */
    closed: () => new Promise<number>((resolve) => closes.push(resolve))
  }
}

/** What asks a model over HTTP, and how long it takes until the server of the model sees that nobody wants it anymore. */
export const stopping = async () => {
  const model = modelServer()
  await new Promise<void>((resolve) => model.server.listen(0, "127.0.0.1", resolve))
  const { port } = model.server.address() as AddressInfo
  const openAi = OpenAi.layer({ baseUrl: `http://127.0.0.1:${port}/v1`, apiKey: Redacted.make("none") })
  const asker = LlmAgent.make("Asker", { model: Layer.provide(OpenAi.model("bench"), openAi) })
  const server = await start(0, Native.layer("/asker", asker))
  const time = async (how: "leave" | "stop", id: string): Promise<number> => {
    const left = new AbortController()
    const response = await fetch(`${server.url}/asker`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: "x", id, resumable: how === "stop" }),
      signal: left.signal
    })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    for (let text = ""; !text.includes("t0 ");) text += (await reader.read()).value ?? ""
    const closed = model.closed()
    const begun = performance.now()
    if (how === "leave") left.abort()
    else await fetch(`${server.url}/asker/${id}`, { method: "DELETE" })
    const took = (await closed) - begun
    if (how === "stop") await reader.cancel()
    return took
  }
  const close = async (): Promise<void> => {
    await server.run(quiet)
    await server.close()
    model.server.close()
  }
  return { time, close }
}
