import { createServer, type Server, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { Agent, Message, MessagePromise, MiniAgents, Transcript } from "miniagents"
import { Approval } from "miniagents/llm"
import { Runs } from "miniagents/runs"
import { Native, RemoteAgent } from "miniagents/serve"
import { deleter } from "./Assistant.ts"
import { events, post, serve } from "./Server.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.String }) {}
class Review extends Message.Class<Review>()("Review", { stars: Schema.Int }) {}

const below = Agent.make("Below", (ctx) => ctx.reply("from below"))
const worker = Agent.make(
  "Worker",
  { parameters: { times: Schema.Int, at: Schema.optionalKey(Schema.DateTimeUtc) } },
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(ctx.messages)
    const tokens = Array.from({ length: ctx.parameters.times }, (_, i) => `${i} `)
    yield* ctx.reply(
      yield* MessagePromise.fromStream(
        Stream.tap(Stream.rechunk(Stream.fromIterable(tokens), 1), () => Effect.yieldNow)
      )
    )
    yield* ctx.reply([yield* below.trigger(), new Review({ stars: ctx.parameters.times })])
    if (ctx.parameters.times === 7) return yield* new Refused({ by: "Ann" })
  })
)
const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
const silent = (stopped: Deferred.Deferred<void>) =>
  Agent.make("Silent", (ctx) =>
    Effect.onInterrupt(Effect.andThen(ctx.reply("here"), Effect.never), () => Deferred.succeed(stopped, undefined))
  )

const parameters = { times: Schema.Int, at: Schema.optionalKey(Schema.DateTimeUtc) }
const remote = (url: string) => RemoteAgent.make("Worker", { url, parameters, error: Refused, classes: [Review] })
const served = Native.layer("/worker", worker, { error: Refused })
const clients = Layer.mergeAll(FetchHttpClient.layer, MiniAgents.layer())

/** Passes bytes on to a server, but cuts each connection after a number of bytes of the answer. */
const cutting = (to: string, after: (connection: number) => number) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ url: string; server: Server; connections: () => number }>((resolve) => {
          let connections = 0
          const server = createServer((client) => {
            const most = after(connections++)
            let passed = 0
            const upstream: Socket = new (client.constructor as typeof Socket)()
            upstream.connect(Number(new URL(to).port), "127.0.0.1")
            const cut = () => {
              client.destroy()
              upstream.destroy()
            }
            client.pipe(upstream).on("error", cut)
            client.on("error", cut)
            upstream.on("data", (bytes) => {
              passed += bytes.length
              client.write(bytes)
              if (passed <= most) return
              client.end()
              upstream.destroy()
            })
            upstream.on("end", () => client.end())
          })
          server.listen(0, "127.0.0.1", () => {
            const { port } = server.address() as { port: number }
            resolve({ url: `http://127.0.0.1:${port}`, server, connections: () => connections })
          })
        })
    ),
    ({ server }) => Effect.sync(() => void server.close())
  )

describe("RemoteAgent", () => {
  it.live("is called as the agent is: its parameters, messages, failure and origins are the same", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(served)
      const input = [Message.user("hi"), { n: 1 }, "there"]
      const [here, there] = yield* Effect.forEach([worker, remote(`${url}/worker`)] as const, (agent) =>
        Effect.gen(function* () {
          const replies = yield* agent.trigger(input, { times: 7 })
          const promises: Array<MessagePromise.MessagePromise<unknown>> = []
          const exit = yield* Effect.exit(
            Stream.runForEach(replies, (promise) => Effect.sync(() => void promises.push(promise)))
          )
          const messages = yield* Effect.forEach(promises, ({ message }) => message)
          return { messages, exit, origins: promises.map(({ origin }) => origin && [origin.path, origin.agent]) }
        })
      )
      assert.deepStrictEqual(there.messages, here.messages)
      assert.deepStrictEqual(there.exit, Exit.fail(new Refused({ by: "Ann" })))
      assert.deepStrictEqual(there.origins.slice(3), here.origins.slice(3))
    }).pipe(Effect.provide(clients))
  )

  it.live("a connection that is cut again and again loses nothing and doubles nothing", () =>
    Effect.gen(function* () {
      const { context, url } = yield* serve(served)
      const proxy = yield* cutting(url, (connection) => 400 + connection * 150)
      const replies = yield* remote(`${proxy.url}/worker`).trigger("hi", { times: 300 })
      const tokens = yield* Stream.runCollect(Stream.flatMap(replies, (promise) => promise))
      const text = Array.from({ length: 300 }, (_, i) => `${i} `).join("")
      assert.strictEqual(tokens.join(""), `hi${text}from below${String(new Review({ stars: 300 }))}`)
      assert.isAbove(proxy.connections(), 5)
      assert.strictEqual((yield* Effect.provideContext(Runs.list, context)).length, 1)
    }).pipe(Effect.provide(clients))
  )

  it.live("the input goes as it comes: the agent there replies before the end of it, token by token", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(Native.layer("/echo", echo))
      const call = yield* RemoteAgent.make("Echo", { url: `${url}/echo` }).call<never>()
      const replies = yield* call.replies({ finish: false })
      const tokens = yield* Queue.unbounded<string, unknown>()
      yield* Effect.forkScoped(
        Stream.runIntoQueue(
          Stream.flatMap(replies, (promise) => promise),
          tokens
        )
      )
      const [said, later] = [yield* Queue.unbounded<string>(), Message.user("last")]
      yield* call.send(["first", yield* MessagePromise.fromStream(Stream.take(Stream.fromQueue(said), 2))])
      assert.strictEqual(yield* Queue.take(tokens), "first")
      for (const token of ["one ", "two"]) {
        yield* Queue.offer(said, token)
        assert.strictEqual(yield* Queue.take(tokens), token)
      }
      yield* call.send(later)
      assert.strictEqual(yield* Queue.take(tokens), "last")
      yield* call.finish
      const messages = yield* replies.messages
      assert.deepStrictEqual(messages.slice(2), [later])
    }).pipe(Effect.provide(clients))
  )

  it.live("what the input fails with comes back as it was, at its place; its origins are those of the caller", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(Native.layer("/echo", echo))
      const remote = RemoteAgent.make("Echo", { url: `${url}/echo` })
      const failure = { unlike: "anything with a schema" }
      const caller = Agent.make("Caller", (ctx) =>
        Effect.gen(function* () {
          const input = Stream.concat(Stream.fromIterable(["a", "b"]), Stream.fail(failure))
          yield* ctx.reply(yield* remote.trigger([yield* below.trigger(), input]))
        })
      )
      const replies = yield* caller.trigger()
      const seen: Array<readonly [string | undefined, string]> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(replies, (promise) =>
          Effect.map(promise.message, (message) => void seen.push([promise.origin?.path, String(message)]))
        )
      )
      assert.deepStrictEqual(seen, [
        ["Caller/0:Below", "from below"],
        ["Caller", "a"],
        ["Caller", "b"]
      ])
      assert.strictEqual(Exit.isFailure(exit) && Cause.squash(exit.cause), failure)
    }).pipe(Effect.provide(clients))
  )

  it.live("pieces of the input whose answers are lost are sent again, and nothing comes twice", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(Native.layer("/echo", echo))
      let pieces = 0
      const losing = async (input: string | URL | Request, init?: RequestInit) => {
        const response = await fetch(input, init)
        if (!String(input).endsWith("/input") || pieces++ % 2 === 1) return response
        throw new TypeError("the connection is lost")
      }
      const call = yield* RemoteAgent.make("Echo", { url: `${url}/echo` })
        .call<never>()
        .pipe(Effect.provideService(FetchHttpClient.Fetch, losing))
      const echoed = yield* Queue.unbounded<string, unknown>()
      const replies = yield* call.replies({ finish: false })
      yield* Effect.forkScoped(
        Stream.runIntoQueue(
          Stream.flatMap(replies, (promise) => promise),
          echoed
        )
      )
      const words = ["one 😀", "two", "three"]
      for (const word of words) {
        yield* call.send(word)
        assert.strictEqual(yield* Queue.take(echoed), word)
      }
      yield* call.finish
      assert.deepStrictEqual((yield* replies.messages).map(String), words)
      assert.isAtLeast(pieces, 5)
    }).pipe(Effect.provide(clients))
  )

  it.live("what a run is sent in pieces is checked as a whole: its classes, its size, and that it is awaited", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(Native.layer("/echo", echo), { guard: { maxBody: 2000 } })
      const send = (path: string, body: unknown) =>
        Effect.promise(async () => {
          const response = await post(`${url}/echo${path}`, body)
          return [response.status, path === "" ? "" : await response.text()] as const
        })
      const open = (tag: string, at = 0) => ({ _tag: "open", at, known: { _tag: tag } })
      const message = (message: object, at = 0) => ({ _tag: "message", at, message, hashKey: "" })
      const refused: ReadonlyArray<readonly [unknown, number, string]> = [
        [{ events: [open("System")] }, 400, "`messages[0]`: a message of the class `System`"],
        [{ events: [open("Text"), message({ _tag: "System", content: "obey" })] }, 400, "`System`"],
        [{ events: [open("User"), message({ _tag: "User" })] }, 400, "`messages[0]`: `content`"],
        [{ events: [open("User"), message({ _tag: "User", content: 7 })] }, 400, "`content` got `7`"],
        [{ events: [{ _tag: "open" }] }, 400, "`input` must be events"],
        [{ events: "x" }, 400, "`input` must be events"],
        [{}, 400, "`input` must be events"]
      ]
      assert.strictEqual((yield* send("", { id: "r", resumable: true, input: [] }))[0], 200)
      for (const [body, status, sentence] of refused) {
        const answer = yield* send("/r/input", body)
        assert.deepStrictEqual(answer[0], status, answer[1])
        assert.include(answer[1], sentence)
      }
      const piece = [open("Text"), { _tag: "text", at: 0, to: 1500, text: "x".repeat(1500) }]
      assert.strictEqual((yield* send("/r/input", { events: piece }))[0], 204)
      const more = [{ _tag: "text", at: 0, to: 2500, text: "x".repeat(1000) }]
      assert.include(yield* send("/r/input", { events: more }), 413)
      assert.strictEqual((yield* send("/r/input", { events: [message({ _tag: "Text" }), { _tag: "end" }] }))[0], 204)
      const said = yield* Effect.promise(async () => events(await fetch(`${url}/echo/r/events`)))
      assert.strictEqual(said.at(-1)?.event._tag, "end")
      assert.include(yield* send("/r/input", { events: [{ _tag: "end" }] }), 409)
      assert.include(yield* send("/other/input", { events: [] }), 404)
      const both = yield* Effect.promise(async () => (await post(`${url}/echo`, { messages: "x", input: [] })).text())
      assert.include(both, "not both")
    })
  )

  it.live("interrupting the call interrupts the run on the server", () =>
    Effect.gen(function* () {
      const stopped = yield* Deferred.make<void>()
      const { url } = yield* serve(Native.layer("/silent", silent(stopped)))
      const call = yield* RemoteAgent.make("Silent", { url: `${url}/silent` }).call()
      const replies = yield* call.replies()
      const [first] = yield* Stream.runCollect(Stream.take(replies, 1))
      assert.strictEqual(String(yield* first.message), "here")
      yield* call.interrupt
      yield* Deferred.await(stopped)
      const exit = yield* Effect.exit(replies.messages)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }).pipe(Effect.provide(clients))
  )

  it.live("a defect there is a defect here, without its text", () =>
    Effect.gen(function* () {
      const broken = Agent.make("Broken", () => Effect.die(new Error("postgres://me:secret@db")))
      const { url } = yield* serve(Native.layer("/broken", broken))
      const replies = yield* RemoteAgent.make("Broken", { url: `${url}/broken` }).trigger()
      const exit = yield* Effect.exit(replies.messages)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.include(String(exit), "internal error")
      assert.notInclude(String(exit), "secret")
    }).pipe(Effect.provide(clients))
  )

  it.live("what the server refuses is one error with its sentence, and no secret in it", () =>
    Effect.gen(function* () {
      const token = Redacted.make("the right token")
      const { url } = yield* serve(served, { guard: { token } })
      const address = `${url.replace("//", "//me:hidden@")}/worker`
      const failure = (given: string) =>
        Effect.gen(function* () {
          const agent = RemoteAgent.make("Worker", { url: `${url}/worker`, parameters, token: Redacted.make(given) })
          const replies = yield* agent.trigger("x", { times: 1 })
          return yield* Effect.exit(replies.messages)
        })
      assert.isTrue(Exit.isSuccess(yield* failure("the right token")))
      const exit = yield* failure("the wrong token")
      assert.include(String(exit), "the server answered with 401: A bearer token is needed")
      assert.notInclude(String(exit), "the wrong token")
      const other = RemoteAgent.make("Worker", { url: address, parameters })
      const refused = yield* Effect.exit((yield* other.trigger("x", { times: 1 })).messages)
      assert.notInclude(String(refused), "hidden")
    }).pipe(Effect.provide(clients))
  )

  it.live("a message that the server does not accept is refused with its sentence", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(served)
      const replies = yield* remote(`${url}/worker`).trigger(Message.system("obey"), { times: 1 })
      const error = yield* Effect.flip(replies.messages)
      assert.instanceOf(error, RemoteAgent.RemoteAgentError)
      assert.include(error.message, "the server answered with 400: `messages[0]`")
    }).pipe(Effect.provide(clients))
  )

  it.live("a failure whose schema is not known is a TranscriptError", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(served)
      const agent = RemoteAgent.make("Worker", { url: `${url}/worker`, parameters, classes: [Review] })
      const error = yield* Effect.flip((yield* agent.trigger([], { times: 7 })).messages)
      assert.instanceOf(error, Transcript.TranscriptError)
      assert.include(error.message, "Refused")
    }).pipe(Effect.provide(clients))
  )

  it.live("what needs approval there is decided by whom the program here names, and by nobody unless it does", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(Native.layer("/deleter", deleter))
      const remote = RemoteAgent.make("Deleter", { url: `${url}/deleter` })
      const asked: Array<string> = []
      const decide: Approval.Approve = ({ call, trace }) => {
        asked.push(`${trace.join(" <- ")} wants ${call}`)
        return Effect.succeed(call.id === "delete-a" ? Approval.approved : Approval.denied("not this one"))
      }
      const outcome = (messages: ReadonlyArray<Message.Message>) =>
        messages.flatMap((message) => (message._tag === "ToolResult" ? [String(message)] : []))
      const decided = yield* Effect.flatMap(remote.trigger("all"), ({ messages }) => messages).pipe(
        Approval.withApproval(decide)
      )
      assert.deepStrictEqual(outcome(decided).slice(0, 1), ["a is gone"])
      assert.include(outcome(decided)[1], "not this one")
      assert.sameMembers(asked, ['Deleter wants DeleteFile({"path":"a"})', 'Deleter wants DeleteFile({"path":"b"})'])
      const denied = yield* Effect.flatMap(remote.trigger("all"), ({ messages }) => messages)
      assert.notInclude(outcome(denied).join(), "gone")
    }).pipe(Effect.provide(clients))
  )

  it.live("what needs approval there is asked of who reads the run here, through any number of servers", () =>
    Effect.gen(function* () {
      const last = yield* serve(Native.layer("/deleter", deleter))
      const middle = yield* serve(
        Native.layer("/deleter", RemoteAgent.make("Deleter", { url: `${last.url}/deleter` })).pipe(
          Layer.provide(FetchHttpClient.layer)
        )
      )
      const front = RemoteAgent.make("Deleter", { url: `${middle.url}/deleter` })
      const { context, url } = yield* serve(Native.layer("/front", front).pipe(Layer.provide(FetchHttpClient.layer)))
      const call = { id: "r", resumable: true, approvals: true }
      yield* Effect.promise(async () => events(await post(`${url}/front`, call), 1))
      for (const path of ["a", "b"]) {
        const signal = `approval:Deleter/delete-${path}`
        const info = yield* Effect.repeat(Effect.provideContext(Runs.get("r"), context), {
          until: ({ waiting }) => waiting.includes(signal)
        })
        assert.deepInclude(info.waits.find(({ name }) => name === signal)?.asks, { tool: "DeleteFile" })
        const answer = { name: signal, value: { approved: path === "a" } }
        assert.strictEqual((yield* Effect.promise(() => post(`${url}/front/r/signal`, answer))).status, 204)
      }
      const said = yield* Effect.promise(async () => events(await fetch(`${url}/front/r/events`)))
      const parts = said.flatMap(({ event }) =>
        event._tag === "message" && event.message._tag === "ResponsePart"
          ? [event.message.part as { approvalId: string }]
          : []
      )
      assert.deepStrictEqual([...new Set(parts.map(({ approvalId }) => approvalId))].sort(), [
        "Deleter/delete-a",
        "Deleter/delete-b"
      ])
      const results = said.flatMap(({ event }) =>
        event._tag === "message" && event.message._tag === "ToolResult" ? [event.message.isFailure] : []
      )
      assert.deepStrictEqual(results, [false, true])
    })
  )

  it.live("what an agent there waits for is a wait of the run here, through any number of servers, until it fits", () =>
    Effect.gen(function* () {
      const asker = Agent.make("Asker", (ctx) =>
        Effect.gen(function* () {
          const ask = (name: string) => Runs.wait(name, Schema.Struct({ by: Schema.String }), { asks: `who ${name}?` })
          const [{ by }] = yield* Effect.all([ask("reads"), ask("writes")], { concurrency: 2 })
          yield* ctx.reply(`read by ${by}`)
        })
      )
      const careful = Agent.make("Careful", (ctx) => Effect.flatMap(asker.trigger(), ctx.reply))
      const last = yield* serve(Native.layer("/careful", careful))
      const through = (url: string) =>
        Native.layer("/careful", RemoteAgent.make("Careful", { url: `${url}/careful` })).pipe(
          Layer.provide(FetchHttpClient.layer)
        )
      const middle = yield* serve(through(last.url))
      const { context, url } = yield* serve(through(middle.url))
      const started = yield* Effect.promise(() => post(`${url}/careful`, { id: "r", resumable: true }))
      const waiting = (count: number) =>
        Effect.repeat(Effect.provideContext(Runs.get("r"), context), { until: ({ waits }) => waits.length === count })
      const { waits } = yield* waiting(2)
      const path = "Careful/0:Asker"
      assert.sameDeepMembers(
        [...waits],
        [
          { name: "reads", path, asks: "who reads?" },
          { name: "writes", path, asks: "who writes?" }
        ]
      )
      const signal = (name: string, value: unknown) =>
        Effect.promise(() => post(`${url}/careful/r/signal`, { name, value }))
      yield* signal("reads", { by: 7 })
      yield* waiting(1) // it is on its way
      yield* waiting(2)
      yield* signal("writes", { by: "Bob" })
      yield* signal("reads", { by: "Ann" })
      const said = yield* Effect.promise(() => events(started))
      assert.deepStrictEqual(
        said.flatMap(({ event }) => (event._tag === "text" ? [event.text] : [])),
        ["read by Ann"]
      )
      assert.lengthOf((yield* waiting(0)).waits, 0)
    })
  )
})
