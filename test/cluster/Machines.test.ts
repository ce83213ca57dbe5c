/** A cluster of machines that come, go and die, in the time of a clock of its own. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { Agent, MiniAgents } from "miniagents"
import { AgentCluster } from "miniagents/cluster"
import { Interleaving } from "miniagents/testing"
import { inTime, type Latency, Machines } from "./Machines.ts"

class Echo extends Agent.Service<Echo>()("Echo", { error: AgentCluster.AgentLost }) {}

/** Says which machine runs it, and what it is sent. */
const echo = (machine: string) =>
  AgentCluster.layer(Echo).pipe(
    Layer.provide(Echo.toLayer((ctx) => Effect.andThen(Effect.sleep(100), ctx.reply([machine, ctx.messages])))),
    Layer.provide(MiniAgents.layer())
  )

const until = (isSo: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (isSo() ? Effect.void : Effect.andThen(Effect.sleep(10), until(isSo))))

/** Makes calls, one after the other in each lane, as long as this goes on. */
const underLoad = <E>(
  machines: Machines,
  lanes: number,
  during: (seen: ReadonlySet<string>) => Effect.Effect<void, E>
): Effect.Effect<void, unknown> =>
  Effect.suspend(() => {
    const seen = new Set<string>()
    const load = { goes: true }
    const calls = Effect.gen(function* () {
      while (load.goes) {
        const [machine, ...said] = yield* (yield* Echo.trigger(["a", "b"])).messages
        assert.deepStrictEqual(said.map(String), ["a", "b"])
        seen.add(String(machine))
      }
    })
    const ended = Effect.map(during(seen), () => void (load.goes = false))
    return Effect.all([ended, ...Array.from({ length: lanes }, () => calls)], {
      concurrency: "unbounded",
      discard: true
    })
  }).pipe(
    Effect.timeout("10 minutes"),
    Effect.provide([AgentCluster.clientLayer(Echo).pipe(Layer.provide(machines.client)), MiniAgents.layer()])
  )

describe("machines that are told to end lose no call", () => {
  /** Each is replaced by another one. */
  const replaced = (latency: Latency) =>
    Effect.gen(function* () {
      const machines = yield* Machines.make(latency)
      yield* underLoad(machines, 3, (seen) => {
        const start = (name: string) =>
          Effect.andThen(
            machines.start(name, echo(name)),
            until(() => seen.has(name))
          )
        return Effect.all([start("a"), start("b"), start("c"), machines.stop("a"), start("d"), machines.stop("b")])
      })
    }).pipe(Effect.scoped, inTime)

  it.effect.each([
    { late: "answers to Talk", kinds: ["Talk"], answers: true },
    { late: "Talk and Hold", kinds: ["Talk", "Hold"], answers: false },
    { late: "Listen and Hold", kinds: ["Listen", "Hold"], answers: false }
  ])("when these are late: $late", ({ answers, kinds }) =>
    Interleaving.withSeed(
      replaced((what, isAnswer) => Effect.succeed(isAnswer === answers && kinds.includes(what) ? 900 : 10)),
      1
    )
  )

  it.effect("whatever overtakes what", () =>
    Interleaving.forAllSeeds({ seeds: 2 })(() => replaced(() => Random.nextIntBetween(0, 200)))
  )

  it.effect("when the first calls come at that moment", () =>
    Interleaving.forAllSeeds({ seeds: 4 })(() =>
      Effect.gen(function* () {
        const machines = yield* Machines.make((what) =>
          what === "Open" ? Random.nextIntBetween(0, 900) : Effect.succeed(10)
        )
        yield* machines.start("a", echo("a"))
        yield* machines.start("b", echo("b"))
        yield* Effect.sleep("5 seconds")
        yield* underLoad(machines, 8, () => Effect.delay(machines.stop("a"), 500))
      }).pipe(Effect.scoped, inTime)
    )
  )
})
