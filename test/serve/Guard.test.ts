import { request } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { Agent } from "miniagents"
import { Guard, Native } from "miniagents/serve"
import { serve } from "./Server.ts"

const routes = Native.layer(
  "/echo",
  Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
)

interface Case {
  readonly title: string
  readonly guard?: Guard.Options
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly status: number
  readonly code?: string
}

const json = { "content-type": "application/json" }

/** A request as a hostile page or program could send it, which `fetch` would not. */
const send = (url: string, { body = "{}", headers = json, method = "POST" }: Case) =>
  Effect.promise(
    () =>
      new Promise<{ status: number; text: string; headers: NodeJS.Dict<string | Array<string>> }>((resolve, reject) => {
        const sent = request(url, { method, headers }, (response) => {
          let text = ""
          response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
          response.on("end", () => resolve({ status: response.statusCode!, text, headers: response.headers }))
        })
        sent.on("error", reject)
        sent.end(body)
      })
  )

const token = Redacted.make("the long token")
const cases: ReadonlyArray<Case> = [
  { title: "a call from this machine is served", status: 200 },
  { title: "a foreign host is refused", headers: { ...json, host: "evil.example" }, status: 421, code: "bad_host" },
  {
    title: "a host that is named is served",
    guard: { hosts: ["agents.example"] },
    headers: { ...json, host: "agents.example" },
    status: 200
  },
  {
    title: "this machine is refused where other hosts are named",
    guard: { hosts: ["agents.example"] },
    status: 421,
    code: "bad_host"
  },
  {
    title: "a foreign origin is refused",
    headers: { ...json, origin: "https://evil.example" },
    status: 403,
    code: "bad_origin"
  },
  { title: "a sandboxed page is refused", headers: { ...json, origin: "null" }, status: 403, code: "bad_origin" },
  {
    title: "an origin that is named is served",
    guard: { origins: ["https://good.example"] },
    headers: { ...json, origin: "https://good.example" },
    status: 200
  },
  {
    title: "what a form can send is refused",
    headers: { "content-type": "text/plain" },
    status: 415,
    code: "bad_content_type"
  },
  { title: "a body without a type is refused", headers: {}, status: 415, code: "bad_content_type" },
  {
    title: "a body that says it is too large is refused",
    body: `"${"x".repeat(1_100_000)}"`,
    status: 413,
    code: "too_large"
  },
  {
    title: "a body that turns out to be too large is refused",
    headers: { ...json, "transfer-encoding": "chunked" },
    body: `"${"x".repeat(1_100_000)}"`,
    status: 413,
    code: "too_large"
  },
  {
    title: "bytes that are no UTF-8 are refused",
    body: Buffer.from([0x22, 0xff, 0x22]) as never,
    status: 400,
    code: "bad_json"
  },
  { title: "a call without the token is refused", guard: { token }, status: 401, code: "unauthorized" },
  {
    title: "a call with another token is refused",
    guard: { token },
    headers: { ...json, authorization: "Bearer the long tokem" },
    status: 401,
    code: "unauthorized"
  },
  {
    title: "a call with the token is served",
    guard: { token },
    headers: { ...json, authorization: "Bearer the long token" },
    status: 200
  },
  {
    title: "a request without a body needs no type",
    headers: { "content-length": "0" },
    body: "",
    status: 200
  },
  {
    title: "a browser that asks before it calls is answered",
    guard: { origins: ["https://good.example"], token },
    method: "OPTIONS",
    headers: { origin: "https://good.example" },
    status: 204
  }
]

describe("Guard", () => {
  it.live.each(cases.map((each) => [each.title, each] as const))("%s", ([_, each]) =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes, each.guard === undefined ? {} : { guard: each.guard })
      const answer = yield* send(`${url}/echo`, each)
      assert.strictEqual(answer.status, each.status, answer.text)
      if (each.code !== undefined)
        assert.strictEqual((JSON.parse(answer.text) as { error: { code: string } }).error.code, each.code)
      const { origin } = each.headers ?? {}
      if (answer.status < 300) assert.strictEqual(answer.headers["access-control-allow-origin"], origin)
      assert.notInclude(answer.text, "the long token")
    })
  )

  it.live("a protocol refuses in its own words below its path, and nowhere else", () =>
    Effect.gen(function* () {
      const spoken = HttpRouter.use((router) =>
        Effect.flatMap(Guard.Guard, ({ install }) =>
          install(router, {
            path: "/own",
            refuse: (status, code) => Effect.succeed(HttpServerResponse.jsonUnsafe({ said: code }, { status }))
          })
        )
      )
      const { url } = yield* serve(Layer.mergeAll(routes, spoken), { guard: { token } })
      const bodies = yield* Effect.forEach(["/own", "/own/x", "/own?x", "/owner", "/echo"], (path) =>
        Effect.map(send(`${url}${path}`, { title: "", status: 401 }), ({ text }) =>
          Object.keys(JSON.parse(text)).join()
        )
      )
      assert.deepStrictEqual(bodies, ["said", "said", "said", "error", "error"])
    })
  )

  it.live("no more runs at once than there may be", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(routes, { runs: { max: 0 } })
      const answer = yield* send(`${url}/echo`, { title: "", status: 429 })
      assert.strictEqual(answer.status, 429)
      assert.strictEqual(answer.headers["retry-after"], "5")
    })
  )
})
