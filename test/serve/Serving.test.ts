/** What holds for served agents whatever the protocol: cuts, leaving, web handlers, and the end of the server. */
import { createServer, request as ask } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { EventSource } from "eventsource"
import { Hono } from "hono"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import { Agent, MiniAgents, Transcript } from "miniagents"
import { Runs } from "miniagents/runs"
import { AiSdk, Guard, Mcp, Native, OpenAiApi } from "miniagents/serve"
import { post, serve } from "./Server.ts"

const words = Array.from({ length: 30 }, (_, i) => `word${i} 😀`)
const talker = Agent.make("Talker", (ctx) => ctx.reply([words, ctx.messages]))
const from = <A>(promise: () => Promise<A>) => Effect.promise(promise)

/** A proxy that cuts every response after so many bytes. */
const cutting = (target: string, most: number) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((incoming, outgoing) => {
        const passed = ask(new URL(incoming.url ?? "/", target), { headers: incoming.headers }, (answer) => {
          outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
          let left = most
          answer.on("data", (chunk: Uint8Array) => {
            const isLast = chunk.length >= left
            if (left > 0) outgoing.write(chunk.subarray(0, left), () => isLast && outgoing.destroy())
            left -= chunk.length
          })
          answer.on("end", () => outgoing.end())
        })
        outgoing.on("close", () => passed.destroy())
        passed.end()
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" ? address?.port : undefined
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close: () => server.closeAllConnections() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

type Handler = (request: Request) => Response | Promise<Response>

/** Where a function from a request to a response goes. */
const hosts: ReadonlyArray<readonly [string, (handler: Handler) => Handler]> = [
  ["a web handler", (handler) => handler],
  [
    "Hono",
    (handler) => {
      const app = new Hono()
      app.all("/*", (c) => handler(c.req.raw))
      return (request) => app.fetch(request)
    }
  ],
  [
    "a route of Next",
    (handler) => {
      // as in `app/[...path]/route.ts`: what a route is given beside the request is not for the handler
      const POST = (request: Request, _: { params: Promise<object> }) => handler(request)
      return (request) => POST(request, { params: Promise.resolve({}) })
    }
  ]
]

const aborting = () => new AbortController()

describe("a served agent", () => {
  it.live("the EventSource of npm, behind a proxy that cuts, loses nothing and doubles nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(Native.layer("/talker", talker))
      yield* from(async () => (await post(`${url}/talker`, { messages: "x", id: "one", resumable: true })).text())
      const proxy = yield* cutting(url, 3000)
      let connections = 0
      const received = yield* Effect.callback<ReadonlyArray<Transcript.Event>>((resume) => {
        const events: Array<Transcript.Event> = []
        const source = new EventSource(`${proxy.url}/talker/one/events`)
        source.addEventListener("open", () => connections++)
        source.addEventListener("message", ({ data }) => void events.push(JSON.parse(data) as Transcript.Event))
        // it comes back until it is told that there is no more
        source.addEventListener("error", () => {
          if (source.readyState === source.CLOSED) resume(Effect.succeed(events))
        })
        return Effect.sync(() => source.close())
      })
      assert.isAbove(connections, 2)
      const whole = yield* Effect.flatMap(Transcript.decode(Stream.fromIterable(received)), ({ text }) => text).pipe(
        Effect.provide(MiniAgents.layer())
      )
      assert.strictEqual(whole, [...words, "x"].join("\n\n"))
      const texts = received.flatMap((event) => (event._tag === "text" ? [event.text] : []))
      assert.deepStrictEqual(texts, [...words, "x"])
    })
  )

  it.live("whoever leaves a run that is bound to them leaves nothing behind", () =>
    Effect.gen(function* () {
      let [begun, ended] = [0, 0]
      const all = yield* Deferred.make<void>()
      const count = 60
      const patient = Agent.make("Patient", (ctx) =>
        Effect.gen(function* () {
          begun++
          yield* ctx.reply("I wait")
          return yield* Effect.onInterrupt(Effect.never, () =>
            Effect.suspend(() =>
              ++ended === begun && begun === count ? Deferred.succeed(all, undefined) : Effect.void
            )
          )
        })
      )
      const routes = Layer.mergeAll(
        Native.layer("/native", patient),
        OpenAiApi.layer({ patient }),
        AiSdk.layer("/ai", patient, { resumable: false }),
        Mcp.layer("/mcp", [patient])
      )
      const { context, url } = yield* serve(routes)
      const chat = { model: "patient", stream: true, messages: [{ role: "user", content: "x" }] }
      const ui = {
        id: "c",
        trigger: "submit-message",
        messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "x" }] }]
      }
      const wires = [
        (signal: AbortSignal) => post(`${url}/native`, { messages: "x" }, {}, signal),
        (signal: AbortSignal) => post(`${url}/v1/chat/completions`, chat, {}, signal),
        (signal: AbortSignal, i: number) => post(`${url}/ai`, { ...ui, id: `c${i}` }, {}, signal)
      ]
      yield* Effect.forEach(
        Array.from({ length: count }, (_, i) => i),
        (i) =>
          from(async () => {
            const abort = new AbortController()
            const response = await wires[i % wires.length]!(abort.signal, i)
            await response.body!.getReader().read()
            abort.abort()
          }),
        { concurrency: 10 }
      )
      yield* Deferred.await(all)
      const runs = yield* Effect.provideContext(Runs.list, context)
      assert.lengthOf(runs, count)
      yield* Effect.forEach(runs, ({ id }) => Effect.provideContext(Runs.interrupt(id), context)) // waits for its end
      yield* Effect.provideContext(MiniAgents.idle, context)
      assert.strictEqual(yield* Effect.provideContext(MiniAgents.running, context), 0)
    })
  )

  it.live.each(hosts)("is served by %s, where leaving interrupts it as well", ([_, mounted]) =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<void>()
      const patient = Agent.make("Patient", (ctx) =>
        Effect.andThen(
          ctx.reply("I wait"),
          Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined))
        )
      )
      const { dispose, handler } = HttpRouter.toWebHandler(
        Layer.mergeAll(Native.layer("/patient", patient), Mcp.layer("/mcp", [talker])).pipe(
          Layer.provide([Guard.layer(), Runs.layerMemory(), MiniAgents.layer()])
        ),
        { disableLogger: true }
      )
      yield* Effect.addFinalizer(() => from(dispose))
      const answer = mounted(handler)
      const headers = { "content-type": "application/json", host: "localhost" }
      const send = (path: string, body: unknown, more: Record<string, string> = {}) =>
        from(async () =>
          answer(
            new Request(`http://localhost${path}`, {
              method: "POST",
              headers: { ...headers, ...more },
              body: JSON.stringify(body)
            })
          )
        )
      const response = yield* send("/patient", { messages: "x" })
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
      yield* Effect.repeat(
        from(() => reader.read()),
        { until: ({ value = "" }) => value.includes("I wait") }
      )
      yield* from(() => reader.cancel())
      yield* Deferred.await(ended)
      const version = "2026-07-28"
      const params = {
        name: "Talker",
        arguments: { message: "bye" },
        _meta: {
          "io.modelcontextprotocol/protocolVersion": version,
          "io.modelcontextprotocol/clientCapabilities": {}
        }
      }
      const called = yield* send(
        "/mcp",
        { jsonrpc: "2.0", id: 1, method: "tools/call", params },
        {
          accept: "application/json, text/event-stream",
          "mcp-protocol-version": version,
          "mcp-method": "tools/call",
          "mcp-name": "Talker"
        }
      )
      assert.include(yield* from(() => called.text()), "bye")
    })
  )

  it.live("nothing is made for a reader that does not read", () =>
    Effect.gen(function* () {
      const count = 400
      let made = 0
      const large = Agent.make("Large", (ctx) => ctx.reply("x".repeat(10_920 * count)))
      const counted = Layer.effect(
        Runs.Runs,
        Effect.map(Runs.Runs, (runs) => ({
          ...runs,
          read: (...where: Parameters<typeof runs.read>) =>
            Stream.tap(runs.read(...where), () => Effect.sync(() => void made++))
        }))
      ).pipe(Layer.provide(Runs.layerMemory()))
      const { dispose, handler } = HttpRouter.toWebHandler(
        Native.layer("/large", large).pipe(Layer.provide([Guard.layer(), counted, MiniAgents.layer()])),
        { disableLogger: true }
      )
      yield* Effect.addFinalizer(() => from(dispose))
      const headers = { "content-type": "application/json", host: "localhost" }
      const call = new Request("http://localhost/large", { method: "POST", headers, body: "{}" })
      const reader = (yield* from(() => handler(call))).body!.getReader()
      for (let i = 0; i < 3; i++) yield* from(() => reader.read())
      for (let i = 0; i < 1000; i++) yield* Effect.yieldNow
      assert.isBelow(made, 20)
      let left = yield* from(() => reader.read())
      while (!left.done) left = yield* from(() => reader.read())
      assert.isAtLeast(made, count)
    })
  )

  for (const how of ["leaving", "stopping"]) {
    it.live(`${how} reaches the socket of what the agent waits for`, () =>
      Effect.gen(function* () {
        const closed = yield* Deferred.make<void>()
        const model = createServer((_, response) => {
          response.write("I think")
          response.on("close", () => Deferred.doneUnsafe(closed, Exit.void))
        })
        yield* Effect.acquireRelease(
          from(() => new Promise<void>((done) => model.listen(0, "127.0.0.1", done))),
          () => Effect.sync(() => model.close())
        )
        const { port } = model.address() as AddressInfo
        const asker = Agent.make("Asker", (ctx) =>
          Effect.gen(function* () {
            const { stream } = yield* Effect.orDie(HttpClient.get(`http://127.0.0.1:${port}`))
            yield* ctx.reply(Stream.orDie(Stream.decodeText(stream)))
          }).pipe(Effect.provide(FetchHttpClient.layer))
        )
        const { url } = yield* serve(Native.layer("/asker", asker))
        const left = aborting()
        const response = yield* from(() =>
          post(`${url}/asker`, { id: "one", resumable: how === "stopping" }, {}, left.signal)
        )
        const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
        yield* Effect.repeat(
          from(() => reader.read()),
          { until: ({ value = "" }) => value.includes("I think") }
        )
        if (how === "leaving") left.abort()
        else yield* from(() => fetch(`${url}/asker/one`, { method: "DELETE" }))
        yield* Deferred.await(closed)
        yield* from(() => reader.cancel().catch(() => {}))
      })
    )
  }

  it.live("a server that closes ends its streams within its grace", () =>
    Effect.gen(function* () {
      const silent = Agent.make("Silent", (ctx) => Effect.andThen(ctx.reply("here"), Effect.never))
      const scope = yield* Scope.make()
      const { url } = yield* Scope.provide(serve(Native.layer("/silent", silent)), scope)
      const open = yield* Effect.forEach(Array.from({ length: 5 }), (_, i) =>
        from(() => post(`${url}/silent`, { messages: "x", resumable: i > 2 }))
      )
      yield* Scope.close(scope, Exit.void)
      const ends = open.map((response) =>
        from(() =>
          response.text().then(
            () => true,
            () => true
          )
        )
      )
      assert.deepStrictEqual(yield* Effect.all(ends), [true, true, true, true, true])
    })
  )
})
