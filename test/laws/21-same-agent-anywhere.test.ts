import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import { Agent, MiniAgents } from "miniagents"
import { Runs } from "miniagents/runs"
import { Guard, Native, RemoteAgent } from "miniagents/serve"
import * as Program from "./Program.ts"

const root = Program.programs({
  ends: ["ok", "ok", "ok", "fail", "die", "interrupt"],
  modes: ["reply"],
  relaying: ["hand on", "read", "ignore"]
})

describe("law 21, Same agent anywhere", () => {
  it.live.prop(
    "what a reader sees of an agent over HTTP is what it sees of it here",
    { root },
    ({ root }) =>
      Effect.gen(function* () {
        const make = new Program.Run()
        const agent = Agent.make("Root", (ctx) => Effect.flatMap(make.trigger(root), (replies) => ctx.reply(replies)))
        const app = Native.layer("/root", agent, { error: Program.Broken }).pipe(
          Layer.provide([Guard.layer(), Runs.layerMemory(), MiniAgents.layer()])
        )
        const { dispose, handler } = HttpRouter.toWebHandler(Layer.provideMerge(app, Logger.layer([])), {
          disableLogger: true
        })
        yield* Effect.addFinalizer(() => Effect.promise(dispose))
        // the route's own errors are none
        const fetch = (input: string | URL | Request, init?: RequestInit) =>
          handler(withHost(new Request(input, init)), undefined as never)
        const client = FetchHttpClient.layer.pipe(Layer.provide(Layer.succeed(FetchHttpClient.Fetch, fetch)))
        const remote = RemoteAgent.make("Root", { url: "http://localhost/root", error: Program.Broken })
        const there = yield* Effect.provide(Effect.flatMap(remote.trigger(), Program.seen), client)
        assert.deepStrictEqual(there, yield* Effect.flatMap(agent.trigger(), Program.seen))
      }).pipe(Effect.scoped, Effect.provide([MiniAgents.layer(), Logger.layer([])])),
    60_000
  )
})

const withHost = (request: Request): Request => {
  request.headers.set("host", "localhost")
  return request
}
