/** A cluster of machines that come, go and die, in the time of a clock of its own. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as ClusterCron from "effect/cluster/ClusterCron"
import { Agent, MiniAgents } from "miniagents"
import { AgentCluster } from "miniagents/cluster"
import { DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { Store } from "miniagents/store"
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

describe("a call with a key", () => {
  class Keyed extends Agent.Service<Keyed>()("Keyed") {}

  it.effect("leaves its turn to the next one when it is interrupted before it has begun", () =>
    Effect.gen(function* () {
      const machines = yield* Machines.make((what, isAnswer) => Effect.succeed(what === "Turn" && isAnswer ? 900 : 10))
      const keyed = AgentCluster.layer(Keyed, { key: () => "one" }).pipe(
        Layer.provide(Keyed.toLayer((ctx) => ctx.reply(ctx.messages))),
        Layer.provide(MiniAgents.layer())
      )
      yield* machines.start("a", keyed)
      yield* Effect.gen(function* () {
        const text = Effect.flatMap(Keyed.trigger("hello"), ({ text }) => text)
        assert.strictEqual(yield* text, "hello")
        const interrupted = yield* Effect.forkChild(text)
        yield* Effect.sleep(500) // it is ready there, and that is not known here
        yield* Fiber.interrupt(interrupted)
        assert.strictEqual(yield* Effect.timeout(text, "5 seconds"), "hello")
      }).pipe(
        Effect.provide([AgentCluster.clientLayer(Keyed).pipe(Layer.provide(machines.client)), MiniAgents.layer()])
      )
    }).pipe(Effect.scoped, inTime, Interleaving.withSeed(1))
  )
})

describe("a run that a cron starts", () => {
  it.effect("is begun once in the cluster at each of its times, whichever machines there are", () =>
    Interleaving.forAllSeeds({ seeds: 2 })(() =>
      Effect.gen(function* () {
        const machines = yield* Machines.make(() => Random.nextIntBetween(0, 50))
        const store = yield* Layer.build(Store.layerMemory)
        const begun: Array<string> = []
        const report = Agent.make("Report", { parameters: { at: Schema.String } }, ({ parameters }) =>
          Effect.sync(() => begun.push(parameters.at))
        )
        const cron = ClusterCron.make({
          name: "report",
          cron: Cron.parseUnsafe("* * * * *"),
          execute: Effect.gen(function* () {
            const at = DateTime.formatIso(yield* ClusterCron.CurrentScheduledTime)
            yield* Effect.orDie(Runs.start(report, [], { at }, { id: `report-${at}` }))
          })
        }).pipe(
          Layer.provide(Layer.orDie(DurableRuns.layer())),
          Layer.provide([MiniAgents.layer(), Layer.succeedContext(store)])
        )
        for (const name of ["a", "b", "c"]) yield* machines.start(name, cron)
        yield* Effect.sleep("190 seconds")
        yield* machines.kill("a")
        yield* Effect.sleep("180 seconds")
        yield* machines.stop("b")
        yield* Effect.sleep("180 seconds")
        const late = (yield* Clock.currentTimeMillis) - Date.parse(begun.at(-1)!)
        assert.isAtMost(late, 60_000)
        // one that comes while nobody has the shard of the cron may be left out, none is done twice
        assert.isAtLeast(begun.length, 7)
        assert.strictEqual(new Set(begun).size, begun.length)
      }).pipe(Effect.scoped, inTime)
    )
  )
})
