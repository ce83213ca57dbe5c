/** A model that a test answers for, a folder, and chats in terminals; all of it ends with the test. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterEach, beforeAll, beforeEach, vi } from "@effect/vitest"
import * as Model from "./Model.ts"
import * as Program from "./Program.ts"
import { key, Terminal } from "./Terminal.ts"

export interface Settings {
  readonly columns?: number
  readonly rows?: number
  readonly env?: Program.Environment
  readonly script?: string
}

export let server: Model.Server
export let folder: string
let terminals: Array<Terminal> = []

/** For the tests of a file. */
export const setUp = (): void => {
  vi.setConfig({ testTimeout: 30_000 }) // many processes start at once when all tests run
  beforeAll(async () => {
    await Program.program()
  }, 60_000)
  beforeEach(async () => {
    server = await Model.serve()
    folder = Program.makeFolder()
  })
  afterEach(async () => {
    await Promise.all(terminals.map((terminal) => terminal.close()))
    terminals = []
    await server.close()
    Program.removeFolder(folder)
  })
}

/** A chat, before anything was said. */
export const start = (words: ReadonlyArray<string> = [], settings: Settings = {}): Promise<Terminal> =>
  startProgram(["chat", ...words], settings)

export const startProgram = async (words: ReadonlyArray<string>, settings: Settings = {}): Promise<Terminal> => {
  const { env = {}, ...size } = settings
  const terminal = await Terminal.start(words, { env: { ...server.env, ...env }, cwd: folder, ...size })
  terminals.push(terminal)
  return terminal
}

/** A chat that waits for its first question. */
export const chat = async (words: ReadonlyArray<string> = [], settings: Settings = {}): Promise<Terminal> => {
  const terminal = await start(words, settings)
  await terminal.until(/^USER:$/m)
  return terminal
}

/** A chat in which a question was asked that is not answered yet. */
export const asking = async (settings: Settings = {}) => {
  const terminal = await chat([], settings)
  terminal.type(`hi${key.enter}`)
  return { terminal, asked: await server.asked() }
}

/** What the model is sent next, the last message alone. */
export const sent = async (): Promise<string> => {
  const { finish, messages } = await server.asked()
  finish("ok")
  return messages.at(-1)!.replace(/^user: /, "")
}

/** The file that keeps the conversation. */
export const history = (): string => fs.readFileSync(path.join(folder, "CHAT.md"), "utf8")

export const lines = (...all: ReadonlyArray<string>): string => all.join("\n")
