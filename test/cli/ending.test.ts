/** How `miniagents chat` ends, and what it leaves behind. */
import * as fs from "node:fs"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { asking, chat, folder, history, lines, sent, server, setUp, start } from "./Chat.ts"
import { key } from "./Terminal.ts"
import type { Terminal } from "./Terminal.ts"

setUp()

describe("ending miniagents chat", () => {
  /** Its status, when it has ended without a word about its inside. */
  const ends = async (terminal: Terminal): Promise<number> => {
    const status = await terminal.exited
    assert.notInclude(terminal.screen, "    at ")
    return status
  }

  it("Ctrl+C twice ends it, once drops the text", async () => {
    const terminal = await chat()
    terminal.type(`dropped${key.ctrl("C")}`)
    await terminal.until(lines("USER:", "Press Ctrl+C again to end the conversation."))
    terminal.type("x")
    await terminal.until(/USER: x$/)
    terminal.type(key.ctrl("C"))
    await terminal.until("again")
    terminal.type(key.up)
    await terminal.until(/USER: x$/)
    terminal.type(key.up)
    await terminal.until(/USER: dropped$/)
    terminal.type(key.ctrl("C"))
    terminal.type(key.ctrl("C"))
    assert.strictEqual(await ends(terminal), 0)
  })

  it.each([
    ["exit", `exit${key.enter}`],
    ["Ctrl+D", key.ctrl("D")],
    ["Ctrl+D of the Kitty keyboard protocol", "\u001b[100;5u"]
  ])("%s ends it", async (_, keys) => {
    const terminal = await chat()
    terminal.type(keys)
    assert.strictEqual(await ends(terminal), 0)
  })

  it("Ctrl+D in a text deletes the character under the cursor", async () => {
    const terminal = await chat()
    terminal.type(`ab${key.home}${key.ctrl("D")}`)
    assert.match(await terminal.until(/USER: b$/), /b$/)
  })

  const modes = ["\u001b[?2004h", "\u001b[?2004l", "\u001b[>1u", "\u001b[<u"] as const
  /** Bracketed paste and the protocol of the keyboard are off again, the cursor shows. */
  const isSane = ({ written }: Terminal) => {
    const [pasteOn, pasteOff, keysOn, keysOff] = modes.map((mode) => written.lastIndexOf(mode))
    assert.isTrue(pasteOn! >= 0 && pasteOn! < pasteOff! && keysOn! >= 0 && keysOn! < keysOff!)
    assert.isTrue(written.lastIndexOf("\u001b[?25l") <= written.lastIndexOf("\u001b[?25h"))
  }

  const killProgram = (signal: NodeJS.Signals) =>
    process.kill(Number(fs.readFileSync(path.join(folder, "pid"), "utf8")), signal)

  it.each<readonly [string, (terminal: Terminal) => void]>([
    ["exit", (terminal) => terminal.type(`exit${key.enter}`)],
    ["Ctrl+C twice", (terminal) => terminal.type(key.ctrl("C") + key.ctrl("C"))],
    ["SIGTERM", () => killProgram("SIGTERM")],
    ["a crash", () => killProgram("SIGUSR2")]
  ])("leaves the terminal as it was after %s", async (_, end) => {
    const crash = path.join(folder, "crash.cjs")
    const code = `
      require("node:fs").writeFileSync("pid", String(process.pid))
      process.on("SIGUSR2", () => { throw new Error("a crash") })`
    fs.writeFileSync(crash, code)
    const terminal = await chat([], {
      env: { NODE_OPTIONS: `--require ${crash}` },
      script: `"$@"; stty -a; echo the shell is back`
    })
    end(terminal)
    const screen = await terminal.until("the shell is back")
    await terminal.exited
    isSane(terminal)
    assert.match(screen, / icanon/)
    assert.match(screen, / echo /)
  })

  it.each(["before the answer", "in the middle of the answer"])("SIGTERM %s hangs up and ends it", async (when) => {
    const { asked, terminal } = await asking()
    if (when !== "before the answer") {
      asked.say("half")
      await terminal.until("half")
    }
    terminal.kill("SIGTERM")
    await asked.hungUp
    assert.strictEqual(await ends(terminal), 130)
    isSane(terminal)
    assert.include(history(), "hi")
  })

  it("goes on after it was killed in the middle of an answer, without the unfinished message", async () => {
    const { asked, terminal } = await asking()
    asked.finish("Hello")
    await terminal.until(/Hello\n\nUSER:$/)
    terminal.type(`more${key.enter}`)
    const more = await server.asked()
    more.say("An unfinished")
    await terminal.until("An unfinished")
    terminal.kill("SIGKILL")
    await terminal.exited
    const next = await chat()
    assert.include(next.screen, "CHAT.md (continued)")
    next.type(`again${key.enter}`)
    const { messages } = await server.asked()
    assert.deepStrictEqual(messages, ["user: hi", "assistant: Hello", "user: more", "user: again"])
  })

  it("says that another one has the file, and leaves it alone", async () => {
    const first = await chat(["--history", "sub/A.md"])
    const second = await start(["--history", "sub/A.md"])
    assert.strictEqual(await ends(second), 2)
    assert.match(second.screen, /^Could not open the history `sub\/A\.md`: Process \d+ has `sub\/A\.md` open/)
    first.type(`hi${key.enter}`)
    assert.strictEqual(await sent(), "hi")
  })

  it("says what to set when there is no model", async () => {
    const terminal = await start([], { env: { OPENAI_BASE_URL: "", MINIAGENTS_MODEL: "" } })
    assert.strictEqual(await ends(terminal), 2)
    assert.match(terminal.screen, /^No model is configured: set OPENAI_API_KEY/)
    assert.notInclude(terminal.written, modes[0])
  })

  it("Ctrl+Z suspends it with the terminal as it was, and `fg` brings the text back", async () => {
    const terminal = await chat([], { script: `set -m; "$@"; stty -a; echo suspended; fg` })
    terminal.type(`some${key.ctrlSpace}text${key.up}${key.ctrl("Z")}`)
    const screen = await terminal.until(/suspended[^]*\nUSER: some\ntext$/)
    assert.match(screen, / icanon/)
    terminal.type(`!${key.enter}`)
    assert.strictEqual(await sent(), "!some\ntext")
  })

  it("Ctrl+Z does nothing where there is no shell to come back from", async () => {
    const terminal = await chat()
    terminal.type(`some${key.ctrl("Z")}text${key.enter}`)
    assert.strictEqual(await sent(), "sometext")
  })
})
