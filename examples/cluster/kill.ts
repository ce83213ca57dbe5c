/**
 * Two processes run an agent for a third one, and the one that has the call is killed. The call is durable: the other one
 * goes on where it was, and the reader of the replies does not notice. The processes share a SQLite file.
 *
 * Run: node --conditions=miniagents-source examples/cluster/kill.ts
 *
 * Prints the words of the agent, and by whom they were said: one process before the kill, the other one after it.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeClusterHttp from "@effect/platform-node/NodeClusterHttp"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Layer, Option, Schema, Stream } from "effect"
import { RunnerAddress } from "effect/cluster"
import { Agent, MiniAgents } from "miniagents"
import { AgentCluster } from "miniagents/cluster"
import { Durable, DurableRuns } from "miniagents/durable"
import { SqliteClient } from "miniagents/sqlite"
import { Store } from "miniagents/store"

class Teller extends Agent.Service<Teller>()("Teller") {}
const TellerLive = Teller.toLayer(
  Effect.fnUntraced(function* (ctx) {
    for (const word of ["one", "two", "three", "four"]) {
      yield* Durable.sleep(`before ${word}`, "500 millis")
      yield* ctx.reply(yield* Durable.step(word, Schema.String, Effect.succeed(`${word} ${process.pid}`)))
    }
  })
)

const timing = {
  shardLockExpiration: "3 seconds",
  shardLockRefreshInterval: "1 second",
  refreshAssignmentsInterval: 500
} as const
const cluster = { transport: "websocket", storage: "sql" } as const

const runner = (filename: string, port: number) => {
  const shardingConfig = { ...timing, runnerAddress: Option.some(RunnerAddress.make("127.0.0.1", port)) }
  return AgentCluster.layer(Teller, { durable: true }).pipe(
    Layer.provide([TellerLive, NodeClusterHttp.layer({ ...cluster, shardingConfig }), DurableRuns.layer()]),
    Layer.provide([MiniAgents.layer(), Store.layer()]),
    Layer.provide(SqliteClient.layer({ filename }))
  )
}

const client = (filename: string) =>
  AgentCluster.clientLayer(Teller).pipe(
    Layer.provide(NodeClusterHttp.layer({ ...cluster, clientOnly: true, shardingConfig: timing })),
    Layer.provide(SqliteClient.layer({ filename }))
  )

const start = (filename: string, port: number) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), filename, `${port}`])
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

export const program = Effect.gen(function* () {
  const folder = mkdtempSync(join(tmpdir(), "miniagents-cluster-"))
  yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
  const filename = join(folder, "cluster.db")
  yield* Effect.forEach([34431, 34432], (port) => start(filename, port))
  let first: string | undefined
  const read = Effect.gen(function* () {
    const replies = yield* Teller.trigger()
    yield* Stream.runForEach(replies, (promise) =>
      Effect.gen(function* () {
        const [word, pid] = String(yield* promise.message).split(" ")
        first ??= pid
        yield* Console.log(`${word}, says ${pid === first ? "one process" : "the other one"}`)
        if (word === "two") process.kill(Number(pid), "SIGKILL")
      })
    )
  })
  yield* Effect.provide(read, [client(filename), MiniAgents.layer()])
}).pipe(Effect.scoped)

const [, , filename, port] = process.argv
if (import.meta.main)
  NodeRuntime.runMain(filename === undefined ? program : Layer.launch(runner(filename, Number(port))))
