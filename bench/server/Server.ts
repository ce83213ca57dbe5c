/** Starts the model server in a process of its own, which ends with this one. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"

export const start = (): Promise<string> =>
  new Promise((resolve, reject) => {
    const server = fork(fileURLToPath(import.meta.resolve("./main.ts")), {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    server.once("message", (port) => resolve(`http://127.0.0.1:${port}`))
    server.once("exit", (code) => reject(new Error(`the server ended with status ${code}`)))
  })
