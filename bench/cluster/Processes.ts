/** Starts the database and the processes of the cluster of S19, which end with this one. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Postgres from "../../test/history/Postgres.ts"
import { freePort } from "../../test/cluster/Port.ts"

export interface Runner {
  readonly child: ChildProcess
  /** Megabytes that are alive in it. */
  readonly memory: () => Promise<number>
}

export interface Cluster {
  readonly host: string
  readonly runners: ReadonlyArray<Runner>
  readonly stop: () => Promise<void>
}

const flags = ["--conditions=miniagents-source", "--expose-gc", "--disable-warning=ExperimentalWarning"]

export const startRunner = async (host: string, profile: ReadonlyArray<string> = []): Promise<Runner> => {
  const child = fork(fileURLToPath(import.meta.resolve("./Runner.child.ts")), [host, `${await freePort()}`], {
    execArgv: [...flags, ...profile],
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  const answer = <A>() =>
    new Promise<A>((resolve, reject) => {
      child.once("message", (message) => resolve(message as A))
      child.once("exit", (code) => reject(new Error(`a process of the cluster ended with status ${code}`)))
    })
  await answer()
  const memory = () => {
    child.send("memory")
    return answer<number>()
  }
  return { child, memory }
}

export const start = async (count: number, profile: ReadonlyArray<string> = []): Promise<Cluster> => {
  const server = await Postgres.start()
  const host = `${(server.config as { readonly host?: string }).host}`
  const first = await startRunner(host, profile)
  const others = Array.from({ length: count - 1 }, () => startRunner(host, profile))
  const runners = [first, ...(await Promise.all(others))]
  const stop = async () => {
    for (const { child } of runners) child.kill(profile.length === 0 ? "SIGKILL" : "SIGTERM")
    await server.stop()
  }
  return { host, runners, stop }
}
