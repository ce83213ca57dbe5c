// A program that uses no platform: `check` resolves when the library does here what it does everywhere.

import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as HttpRouter from "effect/http/HttpRouter"
import { Agent, MessagePromise, MiniAgents } from "miniagents"
import { Runs } from "miniagents/runs"
import { A2a, AgUi, AiSdk, Guard, Mcp, Native, OpenAiApi } from "miniagents/serve"

const expect = (what, actual, expected) =>
  actual === expected ? Effect.void : Effect.die(new Error(`${what}: \`${actual}\` is not \`${expected}\``))

const hello = Effect.gen(function* () {
  const echo = Agent.make("Echo", (ctx) =>
    Stream.runForEach(ctx.messages, ({ message }) => Effect.flatMap(message, (said) => ctx.reply(`You said: ${said}`)))
  )
  const replies = yield* echo.trigger(["Hello", "World"])
  yield* expect("hello", yield* replies.text, "You said: Hello\n\nYou said: World")
  const [first] = yield* replies.messages
  yield* expect("a hash key", first.hashKey.length, 64)
})

/** A token is there before the next one exists. */
const streaming = Effect.gen(function* () {
  const wasRead = yield* Deferred.make()
  const tokens = Stream.concat(Stream.make("one "), Stream.fromEffect(Effect.as(Deferred.await(wasRead), "two")))
  const talker = Agent.make("Talker", (ctx) => Effect.flatMap(MessagePromise.fromStream(tokens), ctx.reply))
  const replies = yield* talker.trigger()
  const read = []
  yield* Stream.runForEach(
    Stream.flatMap(replies, (promise) => promise),
    (token) => {
      read.push(token)
      return Deferred.succeed(wasRead, undefined)
    }
  )
  yield* expect("the tokens", read.join("|"), "one |two")
})

/** Interrupting a call interrupts what it called. */
const cancellation = Effect.gen(function* () {
  const [runs, stopped] = [yield* Deferred.make(), yield* Deferred.make()]
  const sleeper = Agent.make("Sleeper", () =>
    Deferred.succeed(runs, undefined).pipe(
      Effect.andThen(Effect.never),
      Effect.onInterrupt(() => Deferred.succeed(stopped, "stopped"))
    )
  )
  const caller = Agent.make("Caller", (ctx) => Effect.flatMap(sleeper.trigger(), ctx.reply))
  const call = yield* caller.call()
  yield* Deferred.await(runs)
  yield* call.interrupt
  yield* expect("the call that was interrupted", yield* Deferred.await(stopped), "stopped")
})

/** A call of an agent by each protocol: where, with what, and with which headers. */
const version = "2026-07-28"
const protocol = "io.modelcontextprotocol"
const calls = [
  ["/native", { messages: "x" }],
  ["/ai", { id: "c", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "x" }] }] }],
  ["/ag-ui", { threadId: "t", runId: "r", messages: [{ id: "m", role: "user", content: "x" }] }],
  ["/v1/chat/completions", { model: "echo", messages: [{ role: "user", content: "x" }], stream: true }],
  ["/v1/responses", { model: "echo", input: "x" }],
  [
    "/a2a/message:send",
    { message: { messageId: "m", role: "ROLE_USER", parts: [{ text: "x" }] } },
    { "a2a-version": "1.0" }
  ],
  [
    "/mcp",
    {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name: "Echo",
        arguments: { message: "x" },
        _meta: { [`${protocol}/protocolVersion`]: version, [`${protocol}/clientCapabilities`]: {} }
      }
    },
    {
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": version,
      "mcp-method": "tools/call",
      "mcp-name": "Echo"
    }
  ]
]

/** An agent answers through a function from a request to a response, by every protocol. */
const served = Effect.gen(function* () {
  const echo = Agent.make("Echo", (ctx) => ctx.reply(["served to", ctx.messages]))
  const routes = Layer.mergeAll(
    Native.layer("/native", echo),
    AiSdk.layer("/ai", echo),
    AgUi.layer("/ag-ui", echo),
    OpenAiApi.layer({ echo }),
    A2a.layer("/a2a", echo),
    Mcp.layer("/mcp", [echo])
  ).pipe(Layer.provide([Guard.layer({ hosts: ["agents.example"] }), Runs.layerMemory(), MiniAgents.layer()]))
  const { dispose, handler } = HttpRouter.toWebHandler(routes, { disableLogger: true })
  yield* Effect.addFinalizer(() => Effect.promise(dispose))
  for (const [path, body, more = {}] of calls) {
    // a browser lets nobody set the host of a request
    const headers = new Headers({ "content-type": "application/json", host: "agents.example", ...more })
    const request = new Request(`http://agents.example${path}`, { method: "POST", body: JSON.stringify(body) })
    Object.defineProperty(request, "headers", { value: headers })
    const response = yield* Effect.promise(() => handler(request))
    const text = yield* Effect.promise(() => response.text())
    yield* expect(`${path}, which says ${text},`, response.status === 200 && text.includes("served to"), true)
  }
}).pipe(Effect.scoped)

export const check = () =>
  Effect.all([hello, streaming, cancellation, served]).pipe(
    Effect.provide(MiniAgents.layer()),
    Effect.timeout("20 seconds"),
    Effect.as("hello, streaming, cancellation and every protocol"),
    Effect.runPromise
  )
