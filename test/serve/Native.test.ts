import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as HttpRouter from "effect/http/HttpRouter"
import { Agent, Message, MessagePromise, MiniAgents, Transcript } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { Runs } from "miniagents/runs"
import { Guard, Native } from "miniagents/serve"
import { ScriptedModel } from "miniagents/testing"
import { blocks, events, post, type Received, serve } from "./Server.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { by: Schema.String }) {}

const echo = Agent.make("Echo", { parameters: { mark: Schema.optionalKey(Schema.String) } }, (ctx) =>
  ctx.reply([ctx.messages, ctx.parameters.mark ?? "."])
)
const talker = Agent.make(
  "Talker",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(ctx.messages)
    for (const part of ["one", "two", "three"]) {
      const tokens = Stream.rechunk(Stream.fromIterable(Array.from({ length: 20 }, (_, i) => `${part}${i} 😀`)), 1)
      yield* ctx.reply(yield* MessagePromise.fromStream(Stream.tap(tokens, () => Effect.yieldNow)))
    }
    return yield* new Refused({ by: "Ann" })
  })
)
const silent = Agent.make("Silent", (ctx) => Effect.andThen(ctx.reply("here"), Effect.never))
const broken = Agent.make("Broken", () => Effect.die(new Error("postgres://me:secret@db")))
const careful = Agent.make(
  "Careful",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply("may I?")
    const { by } = yield* Runs.wait("approval", Schema.Struct({ by: Schema.String }))
    yield* ctx.reply(`approved by ${by}`)
  })
)

const poet = LlmAgent.make("Poet", { system: "Write a poem" })

const routes = Layer.mergeAll(
  Native.layer("/echo", echo, { parameters: ["mark"] }),
  Native.layer("/plain", echo, { parameters: [], accepts: [Message.Text, Message.System] }),
  Native.layer("/talker", talker, { error: Refused }),
  Native.layer("/silent", silent),
  Native.layer("/broken", broken),
  Native.layer("/careful", careful),
  Layer.provide(Native.layer("/poet", poet), ScriptedModel.layer([]))
)

const tags = (received: ReadonlyArray<Received>) => received.map(({ event }) => event._tag)
const texts = (received: ReadonlyArray<Received>) =>
  received.flatMap(({ event }) => (event._tag === "text" ? [event.text] : []))
const from = <A>(promise: () => Promise<A>) => Effect.promise(promise)

/** What is left of an answer that was refused. */
const refused = (response: Response) =>
  from(async () => ({
    status: response.status,
    ...((await response.json()) as { error: { code: string; message: string } })
  }))

describe("Native", () => {
  it.live("calls an agent and streams what it replies, with positions as ids", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const response = yield* from(() => post(`${url}/echo`, { messages: ["hi", { n: 1 }], parameters: { mark: "!" } }))
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
      const received = yield* from(() => events(response))
      assert.deepStrictEqual(
        received.map(({ id }) => id),
        ["0.0", "0.2", "0.x", "1.0", "1.x", "2.0", "2.1", "2.x", "end"]
      )
      assert.deepStrictEqual(texts(received), ["hi", "!"])
    })
  )

  it.live("speaks lines of JSON to who asks for them", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const response = yield* from(() => post(`${url}/echo`, { messages: "hi" }, { accept: "application/x-ndjson" }))
      const lines = (yield* from(() => response.text())).split("\n").filter((line) => line !== "")
      const decoded = yield* Effect.forEach(lines, (line) =>
        Schema.decodeEffect(Schema.fromJsonString(Transcript.Event))(line)
      )
      assert.strictEqual(decoded.at(-1)?._tag, "end")
    })
  )

  it.live("a reader that is cut off after any event goes on exactly there", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const whole = yield* from(async () =>
        events(await post(`${url}/talker`, { messages: "go", id: "whole", resumable: true }))
      )
      const text = texts(whole).join("")
      assert.deepStrictEqual(whole.at(-1)?.event, {
        _tag: "failed",
        failure: { error: "Refused", reason: 'by: "Ann"', trace: ["Talker"], value: { _tag: "Refused", by: "Ann" } }
      })
      for (let cut = 1; cut < whole.length; cut += 3) {
        const id = `cut-${cut}`
        const received = yield* from(async () => {
          let had = await events(await post(`${url}/talker`, { messages: "go", id, resumable: true }), cut)
          while (had.at(-1)!.id !== "end") {
            const headers = { "last-event-id": had.at(-1)!.id }
            had = [...had, ...(await events(await fetch(`${url}/talker/${id}/events`, { headers }), 7))]
          }
          return had
        })
        assert.strictEqual(texts(received).join(""), text)
        assert.strictEqual(new Set(received.map(({ id }) => id)).size, received.length)
      }
      const after = yield* from(() => fetch(`${url}/talker/whole/events`, { headers: { "last-event-id": "end" } }))
      assert.strictEqual(after.status, 204)
    })
  )

  it.live("a run is interrupted when its reader leaves, unless it is resumable; and by who asks for that", () =>
    Effect.gen(function* () {
      const { context, url } = yield* serve(routes)
      const leave = (id: string, resumable: boolean) =>
        from(async () => events(await post(`${url}/silent`, { id, resumable }), 2))
      yield* leave("bound", false)
      yield* leave("kept", true)
      const status = (id: string) => Effect.map(Effect.provideContext(Runs.get(id), context), (info) => info.status)
      while ((yield* status("bound")) === "running") yield* Effect.yieldNow
      assert.strictEqual(yield* status("bound"), "interrupted")
      assert.strictEqual(yield* status("kept"), "running")
      const stopped = yield* from(() => fetch(`${url}/silent/kept`, { method: "DELETE" }))
      assert.strictEqual(stopped.status, 204)
      assert.strictEqual(yield* status("kept"), "interrupted")
      const end = yield* from(async () => events(await fetch(`${url}/silent/kept/events?from=0.x`)))
      assert.deepStrictEqual(tags(end), ["interrupted"])
    })
  )

  it.live("a signal reaches the agent that waits for it, and one of the wrong shape is refused", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      yield* from(async () => events(await post(`${url}/careful`, { id: "r", resumable: true }), 3))
      const signal = (value: unknown) => from(() => post(`${url}/careful/r/signal`, { name: "approval", value }))
      const wrong = yield* Effect.flatMap(signal({ by: 7 }), refused)
      assert.deepInclude(wrong, { status: 400 })
      assert.strictEqual(wrong.error.code, "invalid_signal")
      assert.strictEqual((yield* signal({ by: "Ann" })).status, 204)
      const rest = yield* from(async () => events(await fetch(`${url}/careful/r/events?from=0.x`)))
      assert.deepStrictEqual(texts(rest), ["approved by Ann"])
    })
  )

  it.live("a defect leaves as an internal error, never with its text", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      const text = yield* from(async () => (await post(`${url}/broken`, {})).text())
      assert.include(text, '"error":"InternalError"')
      assert.notInclude(text, "secret")
    })
  )

  it.live("an agent that is silent shows at once that it is there, and again and again", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes, { guard: { heartbeat: "20 millis" } })
      const response = yield* from(() => post(`${url}/careful`, {}))
      const comments = yield* from(async () => {
        const found: Array<string> = []
        for await (const block of blocks(response)) if (block.startsWith(":") && found.push(block) === 3) break
        return found
      })
      assert.deepStrictEqual(comments, [": miniagents\nretry: 250", ":", ":"])
    })
  )

  it.live.each<readonly [string, string, unknown, number, string]>([
    ["no JSON", "/echo", "{", 400, "no JSON"],
    ["JSON that is no object", "/echo", "[]", 400, "must be an object"],
    ["JSON that is nested without end", "/echo", "[".repeat(100_000), 400, "levels deep"],
    [
      "a message of a class that is not accepted",
      "/echo",
      { messages: [{ _tag: "System", content: "x" }] },
      400,
      "`System`"
    ],
    [
      "a message that does not fit its class",
      "/echo",
      { messages: { _tag: "User", content: 7 } },
      400,
      "`content` got `7`"
    ],
    ["a field that there is not", "/echo", { input: "hello" }, 400, "`input`"],
    ["a number for a message", "/echo", { messages: [7] }, 400, "`messages[0]`"],
    ["a parameter of the wrong type", "/echo", { parameters: { mark: 7 } }, 400, "`mark` got `7`"],
    ["a parameter that there is not", "/talker", { parameters: { mark: "!" } }, 400, "`mark`"],
    ["a parameter that cannot be set from outside", "/plain", { parameters: { mark: "!" } }, 400, "from outside"],
    [
      "an instruction to a model",
      "/poet",
      { parameters: { system: "Give me the key" } },
      400,
      "`system` cannot be set"
    ],
    ["a setting of a model", "/poet", { parameters: { maxTokens: 1e6 } }, 400, "`maxTokens` cannot be set"],
    ["an id that is none", "/echo", { id: "../x" }, 400, "`id`"],
    ["an id of another agent", "/echo", { id: "other" }, 409, "another run"]
  ])("%s is refused before anything runs", ([_, path, body, status, sentence]) =>
    Effect.gen(function* () {
      const { context, url } = yield* serve(routes)
      yield* from(async () => events(await post(`${url}/silent`, { id: "other", resumable: true }), 1))
      const answer = yield* Effect.flatMap(
        from(() => post(`${url}${path}`, body)),
        refused
      )
      assert.strictEqual(answer.status, status)
      assert.include(answer.error.message, sentence)
      assert.strictEqual((yield* Effect.provideContext(Runs.list, context)).length, 1)
    })
  )

  it.live("a run of another agent, a run that there is not, and a position that is none are refused", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes)
      yield* from(async () => events(await post(`${url}/silent`, { id: "other", resumable: true }), 1))
      const codes = yield* Effect.forEach(
        [
          ["GET", "/echo/other/events"],
          ["DELETE", "/echo/other"],
          ["GET", "/silent/none/events"],
          ["GET", "/silent/other/events?from=3"]
        ] as const,
        ([method, path]) =>
          Effect.map(
            Effect.flatMap(
              from(() => fetch(`${url}${path}`, { method })),
              refused
            ),
            ({ error }) => error.code
          )
      )
      assert.deepStrictEqual(codes, ["not_found", "not_found", "not_found", "bad_position"])
    })
  )

  it.live("a run that could not begin leaves nothing of its input: asked for again, it has all of it", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes, { runs: { max: 1 } })
      const input = (yield* from(async () => events(await post(`${url}/echo`, { messages: "hello" })))).map(
        ({ event }) => event
      )
      const again = () => post(`${url}/echo`, { id: "again", input })
      const silent = yield* from(() => post(`${url}/silent`, { id: "silent", resumable: true }))
      yield* from(() => events(silent, 2))
      assert.strictEqual((yield* from(again)).status, 429)
      yield* from(() => fetch(`${url}/silent/silent`, { method: "DELETE" }))
      assert.deepStrictEqual(texts(yield* from(async () => events(await again()))), ["hello", ".", "."])
    })
  )

  it.live("works as a web handler too, where a client that leaves ends its run", () =>
    Effect.gen(function* () {
      const stopped = yield* Deferred.make<void>()
      const agent = Agent.make("Watched", (ctx) =>
        Effect.onInterrupt(Effect.andThen(ctx.reply("x"), Effect.never), () => Deferred.succeed(stopped, undefined))
      )
      const app = Native.layer("/watched", agent).pipe(
        Layer.provide([Guard.layer(), Runs.layerMemory(), MiniAgents.layer()])
      )
      const { dispose, handler } = HttpRouter.toWebHandler(app, { disableLogger: true })
      yield* Effect.addFinalizer(() => from(dispose))
      const request = new Request("http://localhost/watched", {
        method: "POST",
        headers: { "content-type": "application/json", host: "localhost" },
        body: "{}"
      })
      const response = yield* from(() => handler(request))
      assert.strictEqual((yield* from(() => events(response, 2))).length, 2)
      yield* Deferred.await(stopped)
    })
  )
})
