import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as TestRunner from "effect/cluster/TestRunner"
import { Agent, type InteractionContext, MiniAgents } from "miniagents"
import { AgentCluster } from "miniagents/cluster"
import * as Program from "./Program.ts"

/** Every agent of a program: which one is a parameter, so that each call goes through the cluster. */
class Anywhere extends Agent.Service<Anywhere>()("Anywhere", {
  parameters: { body: Schema.Int },
  error: Program.Broken
}) {}

const bodies: Array<Program.Body> = []
const run = (ctx: InteractionContext.InteractionContext<{ readonly body: number }>) => bodies[ctx.parameters.body](ctx)
const AnywhereLive: Layer.Layer<Anywhere> = Anywhere.toLayer(run as never) // what it replies with fails with `Broken` alone

const Cluster = Layer.merge(
  AgentCluster.clientLayer(Anywhere),
  AgentCluster.layer(Anywhere).pipe(Layer.provide(AnywhereLive))
).pipe(Layer.provideMerge(MiniAgents.layer()), Layer.provide(TestRunner.layer), Layer.provideMerge(Logger.layer([])))

/** Makes an agent that is called through the cluster. */
const remote = (name: string, body: Program.Body) =>
  Anywhere.fork({ name, parameters: { body: bodies.push(body) - 1 } }) as unknown as Agent.Agent<{}, unknown, never> // the test has the service

/** A program with all of its agents in the cluster, in a runtime of its own here; `there` is the runtime that they run in. */
const program = (
  property: (
    run: Program.Run,
    there: MiniAgents.Runtime
  ) => Effect.Effect<void, unknown, MiniAgents.MiniAgents | Anywhere>
) =>
  Effect.flatMap(MiniAgents.MiniAgents, (there) =>
    property(new Program.Run(remote), there).pipe(Effect.provide(MiniAgents.layer()), Effect.timeout("10 seconds"))
  )

describe("law 21, Same agent anywhere", () => {
  layer(Cluster, { excludeTestServices: true })((it) => {
    const sameAsHere = (root: Program.AgentNode) =>
      program((run) =>
        Effect.gen(function* () {
          const here = yield* Effect.flatMap(new Program.Run().trigger(root), Program.seen)
          const sequence = yield* run.trigger(root)
          assert.deepStrictEqual(yield* Program.seen(sequence), here)
          assert.deepStrictEqual(yield* Program.seen(sequence), here)
          for (const runs of [...run.bodies.values(), ...run.sources.values()]) assert.strictEqual(runs, 1)
        })
      )

    it.effect.prop(
      "a program whose agents all run in a cluster is read as it is here",
      {
        root: Program.programs({ ends: ["ok", "ok", "ok", "fail", "die", "interrupt"], startSoon: ["default", "no"] })
      },
      ({ root }) => sameAsHere(root),
      60_000
    )

    it.effect.prop(
      "so is one whose failures become messages",
      { root: Program.programs({ ends: ["ok", "ok", "fail"], errorsAsMessages: ["default", "yes", "no"] }) },
      ({ root }) => sameAsHere(root),
      60_000
    )

    it.effect.prop(
      "replies out of order are the same messages",
      { root: Program.programs({ modes: ["reply", "replyOutOfOrder"] }) },
      ({ root }) =>
        program((run) =>
          Effect.gen(function* () {
            const here = yield* Effect.flatMap(new Program.Run().trigger(root), Program.seen)
            const there = yield* Effect.flatMap(run.trigger(root), Program.seen)
            const all = ({ each }: typeof here) => each.map((message) => JSON.stringify(message)).toSorted()
            assert.deepStrictEqual(all(there), all(here))
          })
        ),
      60_000
    )

    it.effect.prop(
      "interrupting a call at any moment leaves nothing running, here or there",
      {
        root: Program.programs({ ends: ["ok", "ok", "fail"] }),
        after: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 }))
      },
      ({ after, root }) =>
        program((run, there) =>
          Effect.gen(function* () {
            const reading = yield* Effect.forkChild(Effect.flatMap(run.trigger(root), Program.seen))
            for (let turn = 0; turn < after; turn++) yield* Effect.yieldNow
            yield* Fiber.interrupt(reading)
            yield* MiniAgents.idle
            yield* there.idle
          })
        ),
      60_000
    )
  })
})
