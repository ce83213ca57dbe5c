/** A cluster of processes, on Postgres. */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "effect/cluster/SqlMessageStorage"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as SqlClient from "effect/sql/SqlClient"
import { type MessageSequence, MiniAgents } from "miniagents"
import { AgentCluster } from "miniagents/cluster"
import { DurableRuns } from "miniagents/durable"
import { Store } from "miniagents/store"
import * as Postgres from "../history/Postgres.ts"
import { client, database, Goer, Holder } from "./Holder.ts"
import { freePort } from "./Port.ts"

const program = fileURLToPath(new URL("Holder.child.ts", import.meta.url))

interface Process {
  readonly child: ChildProcess
  /** Waits for a line that it prints; each line is given once. */
  readonly said: (line: string) => Effect.Effect<void>
}

/** A process that is killed when the scope closes, if it has not ended. */
const start = (what: "runner" | "caller", host: string, argument: string | number) =>
  Effect.gen(function* () {
    const lines = yield* Queue.unbounded<string>()
    const options = ["--conditions=miniagents-source", "--no-warnings", program, what, host, `${argument}`]
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, options, { stdio: ["ignore", "pipe", "inherit"] })),
      (child) => Effect.sync(() => void child.kill("SIGKILL"))
    )
    let rest = ""
    child.stdout.on("data", (data) => {
      const all = `${rest}${String(data)}`.split("\n")
      rest = all.pop() ?? ""
      Queue.offerAllUnsafe(lines, all)
    })
    const said = (line: string): Effect.Effect<void> =>
      Effect.flatMap(Queue.take(lines), (found) => (found === line ? Effect.void : said(line)))
    return { child, said }
  })

const runner = (host: string) =>
  Effect.gen(function* () {
    const process = yield* start("runner", host, yield* Effect.promise(freePort))
    yield* process.said("started")
    return process
  })

/** A call that is being run, by one of these processes. */
const held = (runners: ReadonlyArray<Process>, name: string) =>
  Effect.gen(function* () {
    const call = yield* Holder.call({ name })
    const replies = yield* call.replies({ finish: false })
    const [first] = yield* Stream.runCollect(Stream.take(replies, 1))
    const pid = Number(String(yield* first.message))
    return { call, replies, runner: runners.find(({ child }) => child.pid === pid)! }
  })

/** A durable call that is run by this process. */
const goingOn = (
  process: Process
): Effect.Effect<MessageSequence.MessageSequence, never, Goer | MiniAgents.MiniAgents> =>
  Effect.gen(function* () {
    const call = yield* Goer.call()
    const replies = yield* call.replies()
    const [first] = yield* Stream.runCollect(Stream.take(replies, 1))
    if (String(yield* first.message) === `${process.child.pid}`) return replies
    yield* call.interrupt
    return yield* goingOn(process)
  })

describe("a cluster of processes", () => {
  let server: Postgres.Server | undefined
  let host = ""
  beforeAll(async () => {
    server = await Postgres.start()
    host = `${(server.config as { readonly host?: string }).host}`
  }, 30_000)
  afterAll(async () => server?.stop())

  it.live(
    "calls survive what they can, are lost where they cannot, and end with their caller",
    () =>
      Effect.gen(function* () {
        const two = yield* Effect.all([runner(host), runner(host)], { concurrency: "unbounded" })
        yield* Effect.gen(function* () {
          // both have some of the calls
          const calls = yield* Effect.forEach(Array.from({ length: 12 }), (_, i) => held(two, `call${i}`))
          const of = ({ child }: Process) => calls.filter(({ runner }) => runner.child === child)
          const [killed, other] = of(two[0]!).length > 0 ? [two[0]!, two[1]!] : [two[1]!, two[0]!]

          // a caller that is killed
          const caller = yield* start("caller", host, "orphan")
          yield* Effect.promise(() => new Promise((resolve) => caller.child.stdout!.once("data", resolve)))
          caller.child.kill("SIGKILL")
          yield* Effect.raceFirst(killed.said("orphan Failure"), other.said("orphan Failure"))

          // a runner that is killed
          const [lost] = of(killed)
          yield* lost!.call.send("before")
          yield* Stream.runDrain(Stream.take(lost!.replies, 2))
          const durable = yield* goingOn(killed)
          killed.child.kill("SIGKILL")
          const messages: Array<string> = []
          const exit = yield* Effect.exit(
            Stream.runForEach(lost!.replies, (promise) =>
              Effect.map(promise.message, (message) => messages.push(String(message)))
            )
          )
          assert.deepStrictEqual(messages, [`${killed.child.pid}`, "before"])
          assert.deepStrictEqual(exit, Exit.fail(new AgentCluster.AgentLost({ agent: "Holder", reason: "died" })))

          // what is durable goes on
          assert.deepStrictEqual((yield* durable.messages).map(String), [`${killed.child.pid}`, "gone on"])
        }).pipe(Effect.provide([client(host), MiniAgents.layer()]))
      }).pipe(Effect.scoped),
    120_000
  )

  it.live("eight processes may start at once on a database that has no tables yet", () =>
    Effect.gen(function* () {
      const sql = SqlClient.SqlClient
      yield* Effect.provide(
        sql.use((sql) => sql`CREATE DATABASE empty`),
        database(host)
      )
      let there = 0
      const all = yield* Deferred.make<void>()
      const start = Effect.gen(function* () {
        const reached = yield* Layer.build(Layer.fresh(database(host, "empty")))
        yield* Effect.provideContext(
          sql.use((sql) => sql`SELECT 1`),
          reached
        )
        if (++there === 8) yield* Deferred.succeed(all, undefined)
        yield* Deferred.await(all)
        const kept = [
          SqlRunnerStorage.layer,
          SqlMessageStorage.layer.pipe(Layer.provide(NodeCrypto.layerDigest)),
          DurableRuns.layer().pipe(Layer.provide([Store.layer(), MiniAgents.layer()]))
        ] as const
        const tables = Layer.mergeAll(...kept).pipe(Layer.provide(ShardingConfig.layer()))
        yield* Layer.build(Layer.fresh(Layer.provide(tables, Layer.succeedContext(reached))))
      })
      yield* Effect.forEach(Array.from({ length: 8 }), () => Effect.scoped(start), { concurrency: "unbounded" })
    })
  )
})
