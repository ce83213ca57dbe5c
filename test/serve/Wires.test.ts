/** What holds on the wire of every protocol: how long a run may take, and what is refused. */
import { request } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Agent, MiniAgents } from "miniagents"
import { Runs } from "miniagents/runs"
import { A2a, AgUi, AiSdk, Mcp, Native, OpenAiApi } from "miniagents/serve"
import { serve } from "./Server.ts"
import { type Wire, wires } from "./Wires.ts"

interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly body?: string | Uint8Array
  /** The body is begun, and never ended. */
  readonly slow?: boolean
}

/** A request as a hostile page or program could send it, which `fetch` would not. */
const send = (url: string, { body = "", headers = {}, method = "POST", slow = false }: Sent) =>
  Effect.callback<{ readonly status: number; readonly text: string }>((resume) => {
    const given = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
    const asked = { method, agent: false, headers: Object.fromEntries(given) as Record<string, string> } as const
    const sent = request(url, asked, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
      response.on("end", () => {
        resume(Effect.succeed({ status: response.statusCode ?? 0, text }))
        sent.destroy()
      })
    })
    sent.on("error", (error) => resume(Effect.die(error)))
    if (slow) sent.write(body)
    else sent.end(body)
    return Effect.sync(() => sent.destroy())
  })

const token = Redacted.make("the long token")
const json = { "content-type": "application/json", authorization: "Bearer the long token" }

const huge = JSON.stringify("x".repeat(1_100_000))
const attacks = (wire: Wire): ReadonlyArray<Sent & { readonly title: string; readonly status: number }> => {
  const body = JSON.stringify(wire.body)
  const headers = { ...json, ...wire.headers }
  return [
    { title: "a foreign host", headers: { ...headers, host: "evil.example" }, body, status: 421 },
    { title: "a foreign origin", headers: { ...headers, origin: "https://evil.example" }, body, status: 403 },
    { title: "a sandboxed page", headers: { ...headers, origin: "null" }, body, status: 403 },
    { title: "no token", headers: { ...headers, authorization: undefined }, body, status: 401 },
    { title: "another token", headers: { ...headers, authorization: "Bearer the long tokem" }, body, status: 401 },
    { title: "what a form can send", headers: { ...headers, "content-type": "text/plain" }, body, status: 415 },
    {
      title: "a body that says that it is huge",
      headers: { ...headers, "content-length": "2000000" },
      body: "{",
      slow: true,
      status: 413
    },
    { title: "one that is", headers: { ...headers, "transfer-encoding": "chunked" }, body: huge, status: 413 },
    { title: "a deep body", headers, body: "[".repeat(100_000) + "]".repeat(100_000), status: 400 },
    {
      title: "bytes that are no UTF-8",
      headers,
      body: Buffer.from(body.replace('"x"', '"\xff"'), "latin1"),
      status: 400
    },
    { title: "a body that is cut off", headers, body: body.slice(0, -1), status: 400 }
  ]
}

/** JSON-RPC says in its own words that a body is none, as an answer. */
const isParseError = (code: unknown) => code === -32700

describe.each(wires)("$name", (wire) => {
  it.live("a run that takes longer than it may is ended, and its client told so", () =>
    Effect.gen(function* () {
      const ended = yield* Deferred.make<void>()
      const agent = Agent.make("Asked", (ctx) =>
        Effect.andThen(
          ctx.reply("I wait"),
          Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined))
        )
      )
      const { context, url } = yield* serve(wire.layer(agent), { guard: { maxRunTime: "20 millis" } })
      const headers = { ...json, ...wire.headers }
      const { text } = yield* send(`${url}${wire.path}`, { headers, body: JSON.stringify(wire.body) })
      assert.include(text, "RunTimeLimit")
      assert.include(text, "the run took longer than 20ms, which is the most")
      yield* Deferred.await(ended)
      yield* Effect.provideContext(MiniAgents.idle, context)
    })
  )

  it.live("what attacks it is refused in one error of the protocol, and nothing else is disturbed", () =>
    Effect.gen(function* () {
      const agent = Agent.make("Asked", (ctx) => ctx.reply("served"))
      const { context, url } = yield* serve(wire.layer(agent), { guard: { token } })
      const at = `${url}${wire.path}`
      for (const attack of attacks(wire)) {
        const { status, text } = yield* send(at, attack)
        const code = wire.codeOf(JSON.parse(text) as never)
        assert.isOk(code, `${attack.title}: ${text}`)
        assert.strictEqual(isParseError(code) ? 400 : status, attack.status, `${attack.title}: ${text}`)
        assert.notInclude(text, "the long token")
      }
      assert.lengthOf(yield* Effect.provideContext(Runs.list, context), 0)
      const answer = yield* send(at, { headers: { ...json, ...wire.headers }, body: JSON.stringify(wire.body) })
      assert.strictEqual(answer.status, 200)
      assert.include(answer.text, "served")
    })
  )

  it.live("a body that does not come is refused", () =>
    Effect.gen(function* () {
      const agent = Agent.make("Asked", (ctx) => ctx.reply("served"))
      const { context, url } = yield* serve(wire.layer(agent), { guard: { bodyTimeout: "20 millis" } })
      const { status, text } = yield* send(`${url}${wire.path}`, {
        headers: { ...json, ...wire.headers },
        body: "{",
        slow: true
      })
      assert.strictEqual(status, 408)
      assert.isOk(wire.codeOf(JSON.parse(text) as never), text)
      assert.lengthOf(yield* Effect.provideContext(Runs.list, context), 0)
    })
  )
})

/** Requests for the run of an agent that come to the routes of another one, and what they are answered. */
const foreign = (id: string): ReadonlyArray<Sent & { readonly path: string; readonly answer: string }> => {
  const [a2a, mcp] = [wires.find(({ name }) => name === "A2a, JSON-RPC")!, wires.find(({ name }) => name === "Mcp")!]
  const version = "2026-07-28"
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": version,
    "io.modelcontextprotocol/clientCapabilities": { extensions: { "io.modelcontextprotocol/tasks": {} } }
  }
  const rpc = (method: string, params: object) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })
  return [
    { path: `/native/${id}/events`, method: "GET", answer: "404" },
    { path: `/native/${id}`, method: "DELETE", answer: "404" },
    { path: `/native/${id}/signal`, body: JSON.stringify({ name: "s", value: 1 }), answer: "404" },
    { path: `/native`, body: JSON.stringify({ id, messages: "x" }), answer: "409" },
    { path: `/ai/c/stream`, method: "GET", answer: "204" },
    { path: `/ai/c/stop`, answer: "204" },
    { path: `/ag-ui/c/stream`, method: "GET", answer: "204" },
    { path: `/ag-ui/c/stop`, answer: "204" },
    { path: `/v1/responses/${id}`, method: "GET", answer: "404" },
    { path: `/v1/responses/${id}/cancel`, answer: "404" },
    ...["GetTask", "CancelTask", "SubscribeToTask"].map((method) => ({
      path: "/a2a",
      headers: { ...json, ...a2a.headers },
      body: rpc(method, { id }),
      answer: "-32001"
    })),
    { path: `/a2a/tasks/${id}`, method: "GET", headers: { ...json, ...a2a.headers }, answer: "404" },
    ...["tasks/get", "tasks/update", "tasks/cancel"].map((method) => ({
      path: "/mcp",
      headers: { ...json, ...mcp.headers, "mcp-method": method, "mcp-name": id },
      body: rpc(method, { taskId: id, _meta }),
      answer: "-32602"
    }))
  ]
}

describe("the run of another agent", () => {
  const hex = "0123456789abcdef0123456789abcdef"
  it.live.each(["one", "c/one", `resp_${hex}.mine`, `resp_${hex}.theirs`, `task_${hex}.context`])(
    "%s can be neither read, answered nor stopped by who may call this one",
    (id) =>
      Effect.gen(function* () {
        const mine = Agent.make("Mine", (ctx) => ctx.reply("mine"))
        const theirs = Agent.make("Theirs", (ctx) => Effect.andThen(ctx.reply("a secret"), Effect.never))
        const routes = Layer.mergeAll(
          Native.layer("/native", mine),
          AiSdk.layer("/ai", mine),
          AgUi.layer("/ag-ui", mine),
          OpenAiApi.layer({ mine }),
          A2a.layer("/a2a", mine),
          Mcp.layer("/mcp", [mine], { tasks: { Mine: "offered" } })
        )
        const { context, url } = yield* serve(routes)
        yield* Effect.provideContext(Runs.start(theirs, "x", {}, { id }), context)
        for (const { answer, path, ...sent } of foreign(id)) {
          const encoded = path.replace(id, encodeURIComponent(id))
          const { status, text } = yield* send(`${url}${encoded}`, { headers: json, ...sent })
          const said = `${status} ${text}`
          if (path === "/native" && id.includes("/")) assert.strictEqual(status, 400, said)
          else assert.include(said, answer, `${sent.method ?? "POST"} ${path}`)
          assert.notInclude(text, "secret")
        }
        const { status } = yield* Effect.provideContext(Runs.get(id), context)
        assert.strictEqual(status, "running")
      })
  )
})
