/**
 * A Postgres server for tests: the one that `MINIAGENTS_TEST_POSTGRES_URL` names, or one of its own, started from the
 * programs of this machine.
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

/** Why there is no server, if there is none. */
export const missing: string | undefined =
  url === undefined && bin === undefined
    ? "Postgres was not tested: install it, so that `initdb` and `postgres` are on the path, or set MINIAGENTS_TEST_POSTGRES_URL"
    : undefined

export const start = (): Promise<Server> =>
  url === undefined
    ? startOwn(bin ?? "")
    : Promise.resolve({ config: { url: Redacted.make(url) }, stop: () => Promise.resolve() })

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
      resolve({ config, stop })
    })
  })
