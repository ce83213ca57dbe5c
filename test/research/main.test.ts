/** The program as a person runs it: a process of its own, with pipes and in a terminal. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, beforeAll, afterAll, describe, it } from "@effect/vitest"
import * as pty from "@lydell/node-pty"
import * as Kept from "../Kept.ts"

let program: string
const env = { ...process.env, NO_COLOR: "", FORCE_COLOR: "", MINIAGENTS_PROVIDER: "none" }

interface Result {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

const run = (words: ReadonlyArray<string>): Promise<Result> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...words], { env, stdio: ["ignore", "pipe", "pipe"] })
    let [out, err] = ["", ""]
    child.stdout.on("data", (data) => (out += String(data)))
    child.stderr.on("data", (data) => (err += String(data)))
    child.on("close", (status) => resolve({ status, out, err }))
  })

/** Runs the program in a terminal: `reply` sees the screen whenever it changes and may type. */
const inTerminal = (
  words: ReadonlyArray<string>,
  reply: (screen: string, type: (keys: string) => void) => void
): Promise<{ readonly status: number; readonly screen: string }> =>
  new Promise((resolve) => {
    const terminal = pty.spawn(process.execPath, [program, ...words], { cols: 100, rows: 40, env })
    let screen = ""
    terminal.onData((data) => {
      screen += data
      reply(screen, (keys) => terminal.write(keys))
    })
    terminal.onExit(({ exitCode }) => resolve({ status: exitCode, screen }))
  })

const escape = "\u001b"

describe("npm start", { timeout: 30_000 }, () => {
  let folder: string
  beforeAll(async () => {
    program = await Kept.inOnePiece("examples/research/main.ts", "HtmlThread.ts")
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "research-"))
    fs.writeFileSync(path.join(folder, "kettle.md"), "# Kettle\n\nPress the red button to descale the kettle.\n")
    fs.writeFileSync(path.join(folder, "empty.md"), "")
    fs.writeFileSync(path.join(folder, "binary.txt"), new Uint8Array([0, 1, 2, 0, 255, 254]))
    fs.symlinkSync(path.join(folder, "gone"), path.join(folder, "dangling.md"))
    fs.mkdirSync(path.join(folder, "nothing"))
  })
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

  it("answers the default question without a terminal, the answer alone on stdout", async () => {
    const { err, out, status } = await run([])
    assert.strictEqual(status, 0)
    assert.match(out, /^\[1\] ai-docs\/src\/06_schedule\/10_schedules\.ts:\d+/m)
    assert.notInclude(out, "Searching")
    assert.match(err, /^Question: How can I retry/)
    assert.match(err, /^ {2}Reader .*█+ +\d+ ms$/m)
    assert.notInclude(out + err, escape)
  })

  it("searches the folder it is given, whatever else is in it", async () => {
    const { err, out, status } = await run(["--docs", folder, "How", "do I descale the kettle?"])
    assert.strictEqual(status, 0)
    assert.match(out, /Press the red button to descale the kettle\. \[1\]/)
    assert.match(out, /^\[1\] kettle\.md:3$/m)
    assert.include(err, "binary.txt")
  })

  const sentences: ReadonlyArray<readonly [string, number, () => ReadonlyArray<string>, RegExp]> = [
    ["no such folder", 2, () => ["--docs", path.join(folder, "gone"), "x"], /^There is no folder `.*gone`/m],
    ["a file for a folder", 2, () => ["--docs", path.join(folder, "kettle.md"), "x"], /not a folder|is a file/],
    ["an empty folder", 2, () => ["--docs", path.join(folder, "nothing"), "x"], /nothing/],
    [
      "a question that matches nothing",
      1,
      () => ["--docs", folder, "quantum chromodynamics"],
      /^Nothing in the documents/m
    ],
    ["a question of stop words", 1, () => ["--docs", folder, "how do I"], /^There is nothing to search for/m]
  ]
  it.each(sentences)("says in a sentence what is wrong with %s", async (_, status, words, sentence) => {
    const result = await run(words())
    assert.strictEqual(result.status, status)
    assert.match(result.err, sentence)
    assert.strictEqual(result.out, "")
    assert.notMatch(result.err, /^\s+at /m)
  })

  it("ends quietly when nobody reads its output any more", async () => {
    const child = spawn(process.execPath, [program], { env, stdio: ["ignore", "pipe", "pipe"] })
    let err = ""
    child.stderr.on("data", (data) => (err += String(data)))
    child.stdout.destroy()
    const status = await new Promise((resolve) => child.on("close", resolve))
    assert.strictEqual(status, 0)
    assert.notMatch(err, /EPIPE|^\s+at /m)
  })

  it("asks in a terminal, and answers what was typed", async () => {
    let asked = false
    const { screen, status } = await inTerminal(["--docs", folder], (screen, type) => {
      if (asked || !screen.includes("Your question")) return
      asked = true
      type("descale the kettle\r")
    })
    assert.strictEqual(status, 0, screen)
    assert.include(screen, "Press the red button to descale the kettle. [1]")
  })

  it.each(["Your question", "Searching for"])(
    "ends on Ctrl+C after `%s` and leaves the terminal sane",
    async (sign) => {
      let pressed = false
      const words = sign === "Your question" ? [] : ["How do I make a layer?"]
      const { screen, status } = await inTerminal(words, (screen, type) => {
        if (pressed || !screen.includes(sign)) return
        pressed = true
        type("\u0003")
      })
      // the answer may be there before the key is
      assert.include(sign === "Your question" ? [130] : [130, 0], status)
      assert.notMatch(screen, /^\s+at /m)
      const [hidden, shown] = [screen.lastIndexOf(`${escape}[?25l`), screen.lastIndexOf(`${escape}[?25h`)]
      assert.isTrue(hidden <= shown, "the cursor is visible again")
    }
  )
})
