/** `miniagents cluster`: processes that run the agents of a file, on a database that they share. */
import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as NodeClusterHttp from "@effect/platform-node/NodeClusterHttp"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { MiniAgents } from "miniagents"
import { AgentCluster } from "miniagents/cluster"
import { SqliteClient } from "miniagents/sqlite"
import { freePort } from "../cluster/Port.ts"
import { Holder } from "./cluster.agents.ts"
import { makeFolder, removeFolder } from "./Program.ts"

const file = (name: string) => path.join(import.meta.dirname, name)
const main = file("../../src/cli/main.ts")
const agents = file("cluster.agents.ts")

interface Running {
  readonly child: ChildProcess
  readonly said: () => string
  readonly ended: Promise<number | null>
  /** The address of its probes. */
  readonly probes: string
}

/** What its clocks are, so that nothing takes long. */
const env = {
  PATH: process.env["PATH"] ?? "",
  NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? "",
  SHARDS_PER_GROUP: "30",
  REFRESH_ASSIGNMENTS_INTERVAL: "200 millis",
  SHARD_LOCK_REFRESH_INTERVAL: "500 millis",
  SHARD_LOCK_EXPIRATION: "2 seconds"
}

const run = (...words: ReadonlyArray<string>) => {
  const child = spawn(
    process.execPath,
    ["--conditions=miniagents-source", "--no-warnings", main, "cluster", ...words],
    {
      env,
      cwd: os.tmpdir(),
      stdio: ["ignore", "pipe", "pipe"]
    }
  )
  let said = ""
  child.stdout.on("data", (data) => (said += String(data)))
  child.stderr.on("data", (data) => (said += String(data)))
  return { child, said: () => said, ended: new Promise<number | null>((resolve) => child.on("close", resolve)) }
}

/** A process that runs the agents once this is settled. */
const start = async (...words: ReadonlyArray<string>): Promise<Running> => {
  const [port, probes] = [await freePort(), await freePort()]
  const running = run(agents, "--port", `${port}`, "--probes", `${probes}`, ...words)
  await new Promise<void>((resolve, reject) => {
    running.child.stdout.on("data", () => running.said().includes("metrics") && resolve())
    void running.ended.then(() => reject(new Error(running.said())))
  })
  return { ...running, probes: `http://127.0.0.1:${probes}` }
}

const refused = async (...words: ReadonlyArray<string>) => {
  const { ended, said } = run(...words)
  return [await ended, said().trim()] as const
}

/** Asks until the answer is the one that is waited for: a cluster gives its shards in its own time. */
const answers = async (url: string, status: number): Promise<string> => {
  const answer = await fetch(url)
  const body = await answer.text()
  return answer.status === status ? body : answers(url, status)
}

describe("miniagents cluster", { timeout: 60_000 }, () => {
  const folder = makeFolder()
  const store = path.join(folder, "cluster.db")
  let runners: ReadonlyArray<Running> = []
  beforeAll(async () => {
    runners = [await start("--store", store)]
    runners = [...runners, await start("--store", store, "--drain", "5 seconds")]
  }, 60_000)
  afterAll(async () => {
    for (const { child } of runners) child.kill("SIGKILL")
    await Promise.all(runners.map(({ ended }) => ended))
    removeFolder(folder)
  })

  it("what is wrong with the words, the file or the store is said in one sentence, without a password", async () => {
    const plain = file("serve.agents.ts")
    const wrong = await Promise.all([
      refused(agents),
      refused(plain, "--store", store),
      refused(agents, "--store", "mysql://root:secret@127.0.0.1/agents"),
      refused(agents, "--store", "postgres://me:secret@127.0.0.1:1/agents"),
      refused(agents, "--store", store, "--drain", "long"),
      refused(agents, "--store", store, "--port", new URL(runners[0]!.probes).port)
    ])
    assert.deepStrictEqual(
      wrong.map(([status]) => status),
      [2, 2, 2, 1, 2, 1]
    )
    const sentences = wrong.map(([, said]) => said)
    assert.strictEqual(sentences[0], "No store is given: say --store or set DATABASE_URL, as postgres://…")
    assert.match(sentences[1]!, /exports no service: export class Writer extends Agent\.Service/)
    assert.match(sentences[3]!, /^The store cannot be used: /)
    assert.match(sentences[5]!, /^The port \d+ is taken: choose another one with --port$/)
    for (const sentence of sentences) assert.notMatch(sentence, /secret|\n/)
  })

  it("has the flags that the files for deploying it use", async () => {
    const help = await refused("--help")
    const files = ["compose.yaml", "kubernetes.yaml", "Dockerfile"]
    const said = files.map((name) => readFileSync(file(`../../examples/cluster/${name}`), "utf8")).join()
    const flags = new Set(said.match(/(?<=[\s"])--(?:host|store|port|probes|d[a-z]+)\b/g))
    assert.deepStrictEqual([...flags].toSorted(), ["--drain", "--durable", "--host"])
    for (const flag of flags) assert.include(help[1], flag)
  })

  it.live("runs calls from elsewhere, says how it is, and ends when its calls have", () =>
    Effect.gen(function* () {
      const [first, second] = runners as [Running, Running]
      for (const { probes } of runners) {
        const ready = JSON.parse(yield* Effect.promise(() => answers(`${probes}/ready`, 200))) as object
        assert.containsSubset(ready, { status: "running", database: true })
        assert.deepStrictEqual(yield* Effect.promise(() => answers(`${probes}/health`, 200)), '{"status":"running"}')
        const metrics = yield* Effect.promise(() => answers(`${probes}/metrics`, 200))
        assert.match(metrics, /^effect_cluster_shards \d+$/m)
      }
      /** A call that the second one runs. */
      const held = Effect.gen(function* () {
        const call = yield* Holder.call({ name: "who" })
        const replies = yield* call.replies({ finish: false })
        const [promise] = yield* Stream.runCollect(Stream.take(replies, 1))
        return { call, replies, pid: Number(String(yield* promise.message).split(" ")[1]) }
      })
      yield* Effect.gen(function* () {
        let going = yield* held
        while (going.pid !== second.child.pid) {
          yield* going.call.interrupt
          going = yield* held
        }
        second.child.kill("SIGTERM")
        const ready = yield* Effect.promise(() => answers(`${second.probes}/ready`, 503))
        assert.include(ready, '"status":"closing"')
        assert.deepStrictEqual(
          yield* Effect.promise(() => answers(`${second.probes}/health`, 200)),
          '{"status":"closing"}'
        )
        yield* going.call.send("the end")
        yield* going.call.finish
        assert.deepStrictEqual((yield* going.replies.messages).map(String), [`who ${going.pid}`, "the end"])
        assert.strictEqual(yield* Effect.promise(() => second.ended), 130)
        const other = yield* held
        assert.strictEqual(other.pid, first.child.pid)
        yield* other.call.interrupt
      }).pipe(
        Effect.provide([
          AgentCluster.clientLayer(Holder).pipe(
            Layer.provide(
              NodeClusterHttp.layer({
                transport: "websocket",
                storage: "sql",
                clientOnly: true,
                shardingConfig: { shardsPerGroup: 30, refreshAssignmentsInterval: "200 millis" }
              })
            ),
            Layer.provide(SqliteClient.layer({ filename: store }))
          ),
          MiniAgents.layer()
        ])
      )
    })
  )
})
