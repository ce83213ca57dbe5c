import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import { Agent, Message, MiniAgents } from "miniagents"
import { Runs } from "miniagents/runs"
import { Guard, Native, RemoteAgent } from "miniagents/serve"
import * as Program from "./Program.ts"

/** Every agent of a program is served at a path of its own, by the server that the test has. */
const handlers: Array<(request: Request) => Promise<Response>> = []
const fetchServed = (input: string | URL | Request, init?: RequestInit) => {
  const request = new Request(input, init)
  request.headers.set("host", "localhost")
  return handlers[Number(new URL(request.url).pathname.split("/")[1])](request)
}

const silent = Logger.layer([])
const Client = FetchHttpClient.layer.pipe(Layer.provide(Layer.succeed(FetchHttpClient.Fetch, fetchServed)))
const Server = Layer.mergeAll(Guard.layer(), Runs.layerMemory(), MiniAgents.layer(), Client).pipe(
  Layer.provideMerge(silent)
)

const options = {
  error: Program.Broken,
  accepts: [Message.Text, Message.User, Message.Data, Message.Failure]
}

describe("law 21, Same agent anywhere", () => {
  layer(Server, { excludeTestServices: true })((it) => {
    /** A program with all of its agents on a server, in a runtime of its own here. */
    const program = (property: (run: Program.Run) => Effect.Effect<void, unknown, MiniAgents.MiniAgents>) =>
      Effect.gen(function* () {
        const context = yield* Effect.context<Guard.Guard | Runs.Runs | MiniAgents.MiniAgents>()
        const disposing: Array<() => Promise<void>> = []
        const remote = (name: string, body: Program.Body) => {
          const path = `/${handlers.length}` as const
          const agent = Agent.make(name, body) as Agent.Agent<{}, Program.Broken, never>
          const app = Native.layer(path, agent, options).pipe(Layer.provide(Layer.succeedContext(context)))
          const { dispose, handler } = HttpRouter.toWebHandler(Layer.provideMerge(app, silent), { disableLogger: true })
          disposing.push(dispose)
          handlers.push((request) => handler(request))
          const url = `http://localhost${path}`
          return RemoteAgent.make(name, { url, error: Program.Broken }) as unknown as Agent.Agent<{}, unknown, never> // the test has the client
        }
        const dispose = Effect.promise(() => Promise.all(disposing.splice(0).map((each) => each())))
        yield* Effect.addFinalizer(() => dispose)
        const there = yield* MiniAgents.MiniAgents
        yield* property(new Program.Run(remote)).pipe(
          Effect.provide(MiniAgents.layer()),
          // the servers stay until nobody calls them any more
          Effect.andThen(there.idle),
          Effect.timeout("10 seconds")
        )
      }).pipe(Effect.scoped)

    const sameAsHere = (root: Program.AgentNode) =>
      program((run) =>
        Effect.gen(function* () {
          const here = yield* Effect.flatMap(new Program.Run().trigger(root), Program.seen)
          const sequence = yield* run.trigger(root)
          assert.deepStrictEqual(yield* Program.seen(sequence), here)
          for (const runs of [...run.bodies.values(), ...run.sources.values()]) assert.strictEqual(runs, 1)
        })
      )

    it.effect.prop(
      "a program whose agents are all called over HTTP is read as it is here",
      {
        // a body that interrupts itself takes with it what it called and has not ended, which is a matter of time
        root: Program.programs({
          ends: ["ok", "ok", "ok", "fail", "die"],
          tokenEnds: ["ok", "ok", "fail", "die", "interrupt"],
          startSoon: ["default", "no"]
        })
      },
      ({ root }) => sameAsHere(root),
      60_000
    )

    it.effect.prop(
      "interrupting a call at any moment leaves nothing running, here or there",
      {
        root: Program.programs({ ends: ["ok", "ok", "fail"] }),
        after: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 }))
      },
      ({ after, root }) =>
        program((run) =>
          Effect.gen(function* () {
            const reading = yield* Effect.forkChild(Effect.flatMap(run.trigger(root), Program.seen))
            for (let turn = 0; turn < after; turn++) yield* Effect.yieldNow
            yield* Fiber.interrupt(reading)
            yield* MiniAgents.idle
          })
        ),
      60_000
    )
  })
})
