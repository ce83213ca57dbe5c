/**
 * A process that has a run until it is killed, or the run ends. It waits for a word on its standard input before it
 * begins, and prints the events of the run as their reader is given them.
 */
import { once } from "node:events"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted, Stream } from "effect"
import { MiniAgents } from "miniagents"
import { DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { SqliteClient } from "miniagents/sqlite"
import { Store } from "miniagents/store"
import * as Program from "./Program.ts"

export interface Settings {
  readonly url: string
  readonly seed: number
  readonly partial: "continue" | "restart"
  /** A file of SQLite, or a server of Postgres. */
  readonly database: string | { readonly url?: string; readonly [key: string]: unknown }
  readonly prefix: string
}

/** The shortest that still is longer than a process is busy with something else. */
export const lease = "250 millis"

export const client = (database: Settings["database"]) => {
  if (typeof database === "string") return SqliteClient.layer({ filename: database, timeout: "30 seconds" })
  const { url, ...config } = database
  return PgClient.layer({ ...config, ...(url !== undefined && { url: Redacted.make(url) }), maxConnections: 2 })
}

const program = (settings: Settings) =>
  Effect.gen(function* () {
    yield* Runs.start(Program.agent(settings.seed, settings.url), "go", {}, { id: "r" })
    yield* Stream.runForEach(Runs.read("r"), (event) =>
      Effect.sync(() => void process.stdout.write(`${JSON.stringify(event)}\n`))
    )
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        DurableRuns.layer({ lease, partial: settings.partial }),
        Program.layer(settings.url),
        MiniAgents.layer()
      ).pipe(Layer.provide(Store.layer({ tablePrefix: settings.prefix })), Layer.provide(client(settings.database)))
    )
  )

if (process.argv[2] === "run") {
  const [line] = (await once(process.stdin, "data")) as [Buffer]
  process.stdin.destroy() // or it would wait for more words
  NodeRuntime.runMain(program(JSON.parse(String(line)) as Settings))
}
