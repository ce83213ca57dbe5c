/** The program as a person runs it, in a process of its own. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Kept from "../Kept.ts"

/** A folder of its own in the system's folder for such, removed by whoever made it. */
export const makeFolder = (): string => fs.mkdtempSync(path.join(os.tmpdir(), "miniagents-cli-"))

export const removeFolder = (folder: string): void => fs.rmSync(folder, { recursive: true, force: true })

/** The file to run. */
export const program = async (): Promise<string> => path.join(await Kept.published(), "main.js")

/** The same with all its parts inside, for words that name no module of a person. */
export const whole = (): Promise<string> => Kept.inOnePiece("src/cli/main.ts")

export type Environment = Readonly<Record<string, string>>

/** What the system needs and what the test says: no key or setting of whoever runs the tests. */
export const environment = (env: Environment): Environment => ({
  PATH: process.env["PATH"] ?? "",
  HOME: os.tmpdir(),
  TERM: "xterm-256color",
  NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? "",
  ...env
})

export interface Result {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

export interface Options {
  readonly env?: Environment
  readonly cwd?: string
  /** What comes through the pipe; without it there is none. */
  readonly input?: string
}

/** Runs it to its end, its output a pipe. */
export const run = async (words: ReadonlyArray<string>, options: Options = {}, own?: string): Promise<Result> => {
  const file = own ?? (await program())
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file, ...words], {
      env: environment(options.env ?? {}),
      cwd: options.cwd ?? os.tmpdir(),
      stdio: ["pipe", "pipe", "pipe"]
    })
    let [out, err] = ["", ""]
    child.stdout.on("data", (data) => (out += String(data)))
    child.stderr.on("data", (data) => (err += String(data)))
    child.stdin.end(options.input ?? "")
    child.on("close", (status) => resolve({ status, out, err }))
  })
}
