/** `miniagents chat` with its input and its output as pipes. */
import { spawn } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { folder, history, server, setUp } from "./Chat.ts"
import * as Program from "./Program.ts"

setUp()

const chat = (input: string, words: ReadonlyArray<string> = []) =>
  Program.run(["chat", ...words], { env: server.env, cwd: folder, input })

describe("miniagents chat through a pipe", () => {
  it("takes each line as a message, and writes a transcript without colours and keys", async () => {
    server.answerAll = (messages) => `${messages.length} so far\u001b[1m`
    const { err, out, status } = await chat("one\n\ntwo")
    const transcript = ["USER: one", "ASSISTANT: 1 so far\u001b[1m", "USER: two", "ASSISTANT: 3 so far\u001b[1m"]
    assert.deepStrictEqual([out, err, status], [`${transcript.join("\n\n")}\n\n`, "", 0])
    assert.include(history(), "3 so far")
  })

  it("goes on from the same file", async () => {
    server.answerAll = (messages) => messages.join("|")
    await chat("one\n", ["--history", "notes.md"])
    const { out } = await chat("two\nexit\nthree\n", ["--history", "notes.md"])
    assert.strictEqual(out, "USER: two\n\nASSISTANT: user: one|assistant: user: one|user: two\n\nUSER: exit\n")
  })

  it("ends with what the model failed with, and keeps what was said", async () => {
    const running = chat("one\ntwo\n")
    const asked = await server.asked()
    asked.say("half")
    asked.cut()
    const { err, out, status } = await running
    assert.deepStrictEqual([out, status], ["USER: one\n\nASSISTANT: half\n\n", 1])
    assert.match(err, /^\S.*\n$/)
    assert.match(history(), /half\n<!-- miniagents end/)
  })

  it("ends on `exit` though the pipe is still open", async () => {
    const child = spawn(process.execPath, [await Program.program(), "chat"], {
      env: Program.environment(server.env),
      cwd: folder,
      stdio: ["pipe", "ignore", "ignore"]
    })
    child.stdin.write("exit\n")
    assert.strictEqual(await new Promise((resolve) => child.on("close", resolve)), 0)
  })

  it("ends well without any input", async () => {
    assert.deepStrictEqual(await chat(""), { out: "", err: "", status: 0 })
  })
})
