/** Starts the clients of a server in a process of their own, which ends with this one. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

/** What the clients are to do. */
export interface Asked {
  readonly how: "at once" | "in turn" | "hold" | "do not read" | "leave"
  readonly url: string
  /** The body of a POST, in which `$n` is the number of the request; without it it is a GET. */
  readonly body?: unknown
  readonly streams: number
  /** How many tokens each stream has. */
  readonly tokens: number
  /** The field of an event that a token stands in. */
  readonly text: string
}

export class Readers {
  private readonly child: ChildProcess

  constructor() {
    this.child = fork(fileURLToPath(import.meta.resolve("./clients.ts")), {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
  }

  /** When the first token of each stream came, in milliseconds, once all of it is done. */
  async ask(asked: Asked): Promise<ReadonlyArray<number>> {
    this.child.send(asked)
    const [said] = (await once(this.child, "message")) as [{ firsts?: ReadonlyArray<number>; error?: string }]
    if (said.firsts === undefined) throw new Error(said.error)
    return said.firsts
  }
}
