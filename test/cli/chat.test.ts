/** `miniagents chat` in a terminal: keys in, screen out. */
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import * as Model from "./Model.ts"
import * as Program from "./Program.ts"
import { key, Terminal } from "./Terminal.ts"

let server: Model.Server
let folder: string
let terminals: Array<Terminal> = []
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
afterAll(() => {})

interface Settings {
  readonly columns?: number
  readonly rows?: number
  readonly env?: Program.Environment
}

const chat = async (words: ReadonlyArray<string> = [], settings: Settings = {}): Promise<Terminal> => {
  const { env = {}, ...size } = settings
  const terminal = await Terminal.start(["chat", ...words], { env: { ...server.env, ...env }, cwd: folder, ...size })
  terminals.push(terminal)
  await terminal.until(/^USER:$/m)
  return terminal
}

const history = () => fs.readFileSync(path.join(folder, "CHAT.md"), "utf8")

/** A chat in which a question was asked that is not answered yet. */
const asking = async (settings: Settings = {}) => {
  const terminal = await chat([], settings)
  terminal.type(`hi${key.enter}`)
  return { terminal, asked: await server.asked() }
}

const lines = (...all: ReadonlyArray<string>) => all.join("\n")

describe("miniagents chat", () => {
  it("shows what is said word by word, names who speaks, and asks again", async () => {
    const { asked, terminal } = await asking()
    assert.deepStrictEqual(asked.messages, ["user: hi"])
    asked.say("Hello")
    await terminal.until("ASSISTANT: Hello")
    asked.finish(" there")
    await terminal.until(lines("USER: hi", "", "ASSISTANT: Hello there", "", "USER:"))
    terminal.type(`bye${key.enter}`)
    assert.deepStrictEqual((await server.asked()).messages, ["user: hi", "assistant: Hello there", "user: bye"])
  })
})
