/**
 * A Postgres for tests: the server that `MINIAGENTS_TEST_POSTGRES_URL` names, or one of its own, started from the
 * programs of this machine, or, where there are none (or that variable is `pglite`), one that runs in this process.
 */

import { spawn } from "node:child_process"
import { existsSync, globSync } from "node:fs"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"
import type { PgClient } from "@effect/sql-pg"
import { Redacted } from "effect"

/** How to reach a server, and how to end it if it is ours. */
export interface Server {
  readonly config: PgClient.PgPoolConfig
  readonly connections: number
  readonly stop: () => Promise<void>
}

const url = process.env["MINIAGENTS_TEST_POSTGRES_URL"]

/** Where `initdb` and `postgres` are: on the path, or where Debian, Homebrew and Red Hat put them. */
const bin = [
  ...(process.env["PATH"] ?? "").split(delimiter),
  ...globSync([
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/usr/pgsql-*/bin"
  ]).toSorted((a, b) => b.localeCompare(a, "en", { numeric: true }))
].find((folder) => ["initdb", "postgres"].every((program) => existsSync(join(folder, program))))

export const start = async (): Promise<Server> => {
  if (url !== undefined && url !== "pglite") {
    return { config: { url: Redacted.make(url) }, connections: 8, stop: () => Promise.resolve() }
  }
  if (bin !== undefined && url === undefined) return startOwn(bin)
  return (await import("./Pglite.ts")).start()
}

const startOwn = (bin: string): Promise<Server> =>
  new Promise((resolve, reject) => {
    const program = fileURLToPath(new URL("Postgres.child.ts", import.meta.url))
    // in a group of its own, or Ctrl+C would reach the server before those who use it are done
    const child = spawn(process.execPath, ["--no-warnings", program, bin], {
      detached: true,
      stdio: ["pipe", "pipe", "pipe"]
    })
    let errors = ""
    child.stderr.on("data", (data) => (errors += String(data)))
    const closed = new Promise<void>((resolve) => child.on("close", () => resolve()))
    child.on("error", reject)
    child.on("close", (code) => reject(new Error(`Postgres did not start (${code}): ${errors}`)))
    child.stdout.once("data", (data) => {
      const config = { host: String(data).trim(), port: 5432, username: "miniagents", database: "postgres" }
      const stop = () => {
        child.stdin.end()
        return closed
      }
      resolve({ config, connections: 8, stop })
    })
  })
