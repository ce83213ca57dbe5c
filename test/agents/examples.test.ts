/** The examples with dialogs, as a person with a pipe runs them. */

import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

const examples = fileURLToPath(new URL("../../examples/", import.meta.url))
const greeting = `
YOU ARE NOW IN A CHAT WITH AN AI ASSISTANT

Press Enter to send your message.
Press Ctrl+C (or type "exit") to quit the conversation.

`

describe("examples with dialogs", { timeout: 30_000 }, () => {
  let folder = ""
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "miniagents-examples-"))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const run = (example: string, input: string): Promise<string> => {
    const args = ["--conditions=miniagents-source", join(examples, `${example}.ts`)]
    const child = spawn(process.execPath, args, { cwd: folder, env: { ...process.env, NODE_OPTIONS: "" } })
    let printed = ""
    for (const pipe of [child.stdout, child.stderr]) pipe.on("data", (data) => (printed += String(data)))
    child.stdin.end(input)
    return new Promise((resolve, reject) => {
      child.on("error", reject)
      child.on("close", (code) => (code === 0 ? resolve(printed) : reject(new Error(`exit ${code}: ${printed}`))))
    })
  }
  const read = (file: string) => readFileSync(join(folder, file), "utf8")

  it("conversations/dialog keeps the conversation in a file, continues it, and logs every prompt", async () => {
    assert.strictEqual(
      await run("conversations/dialog", "hi\nexit\n"),
      `${greeting}USER: \nASSISTANT: "hi" is fine as it is. (1 message so far)\n\nUSER: `
    )
    assert.include(
      await run("conversations/dialog", "again\n"),
      `ASSISTANT: "again" is fine as it is. (2 messages so far)`
    )
    assert.strictEqual(read("CHAT.md").split("<!-- miniagents end -->").length - 1, 4)
    assert.match(read("llm_logs/prompts.md"), /user\n=+\nhi\n[^]*system\n=+\nImprove the style/)
  })

  it("conversations/dialog-from-the-ground-up is a dialog from the ground up", async () => {
    const turns = ["hi", "nice!", "bye"].map((text) => `USER: ASSISTANT: You said "${text}"\n`)
    assert.strictEqual(
      await run("conversations/dialog-from-the-ground-up", "hi\nnice!\nbye\n"),
      `${turns.join("")}USER: `
    )
  })

  it("conversations/several-agents shows the favourite's answer and writes the others' to files", async () => {
    rmSync(join(folder, "CHAT.md"), { force: true })
    const printed = await run("conversations/several-agents", "hello\nexit\n")
    assert.strictEqual(printed, `${greeting}USER: \nOPTIMIST: "hello" is wonderful!\n\nUSER: `)
    assert.include(read("ALT__Pessimist.md"), `\n"hello" will not end well.\n`)
    assert.include(read("ALT__Realist.md"), `\n"hello" is what was said.\n`)
    assert.notInclude(read("CHAT.md"), "not end well")
  })
})
