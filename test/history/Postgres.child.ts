/**
 * Runs a Postgres server of its own in a new folder, reached by a socket in that folder alone, until standard input ends:
 * which it does, too, when whoever started this is killed. Prints the folder when the server answers.
 *
 * Postgres refuses to run as root, so root runs it as someone else.
 */

import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const [bin = ""] = process.argv.slice(2)

/** Whom root takes: the first of these that this machine has. */
const someoneElse = () => {
  if (process.getuid?.() !== 0) return {}
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
  const [, , uid, gid] = users.find(([name]) => name === "postgres") ?? users.find(([name]) => name === "nobody") ?? []
  if (uid === undefined || gid === undefined) throw new Error("Root cannot run Postgres, and there is no user `nobody`")
  return { uid: Number(uid), gid: Number(gid) }
}

const folder = mkdtempSync(join(tmpdir(), "miniagents-postgres-"))
const user = someoneElse()
if (user.uid !== undefined) chownSync(folder, user.uid, user.gid)

const running = new Set<ChildProcess>()
let ended = false
const start = (name: string, ...args: ReadonlyArray<string>) => {
  const child = spawn(join(bin, name), args, { ...user, cwd: folder, stdio: ["ignore", "ignore", "pipe"] })
  running.add(child)
  let errors = ""
  child.stderr.on("data", (data) => (errors += String(data)))
  const exit = new Promise<void>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code) => {
      running.delete(child)
      if (code === 0 || ended) resolve()
      else reject(new Error(`\`${name}\` ended with ${code}: ${errors}`))
    })
  })
  return { child, exit }
}

const end = () => {
  ended = true
  for (const child of running) child.kill("SIGQUIT") // at once, and with all of its own processes
}
process.stdin.on("end", end).on("error", end).resume()
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end)

try {
  const options = ["--username=miniagents", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
  await start("initdb", "--pgdata=data", ...options).exit
  const settings = { listen_addresses: "", unix_socket_directories: folder, fsync: "off", max_connections: "50" }
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const { child, exit } = start("postgres", "-D", "data", ...flags)
  if (ended) end()
  let log = ""
  child.stderr.on("data", (data) => {
    log += String(data)
    if (!log.includes("ready to accept connections")) return
    child.stderr.removeAllListeners("data").resume()
    process.stdout.write(`${folder}\n`)
  })
  await exit
} finally {
  await Promise.all([...running].map((child) => once(child, "close")))
  rmSync(folder, { recursive: true, force: true })
}
