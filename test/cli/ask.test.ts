/** `miniagents ask`, and what is told to who uses the wrong words: in a process of its own, with pipes. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, afterEach, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import * as Loopback from "../llm/Loopback.ts"
import * as Model from "./Model.ts"
import * as Program from "./Program.ts"

const escape = "\u001b"
const manifest = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, "../../package.json"), "utf8")) as {
  readonly version: string
}

vi.setConfig({ testTimeout: 30_000 }) // many processes start at once when all tests run

let server: Model.Server
let folder: string
beforeAll(async () => {
  await Program.program()
  server = await Model.serve()
  folder = Program.makeFolder()
}, 60_000)
afterAll(async () => {
  await server.close()
  Program.removeFolder(folder)
})
afterEach(() => {
  server.answerAll = undefined
})

const ask = (words: ReadonlyArray<string>, options: Program.Options = {}) =>
  Program.run(["ask", ...words], { ...options, env: { ...server.env, ...options.env } })

describe("miniagents", () => {
  it("says its version, which is that of the package", async () => {
    const { err, out, status } = await Program.run(["--version"])
    assert.deepStrictEqual([out, err, status], [`miniagents v${manifest.version}\n`, "", 0])
  })

  it.each([[["--help"]], [[]]])("helps with %j", async (words) => {
    const { err, out, status } = await Program.run(words)
    assert.deepStrictEqual([err, status], ["", 0])
    for (const word of ["ask", "--completions", "OPENAI_API_KEY", "OPENAI_BASE_URL", "Exit status"]) {
      assert.include(out, word)
    }
    assert.notInclude(out, escape)
  })

  it.each([
    ["bash", "complete -F"],
    ["zsh", "#compdef miniagents"],
    ["fish", "complete -c miniagents"]
  ])("prints completions for %s", async (shell, sign) => {
    const { out, status } = await Program.run(["--completions", shell])
    assert.strictEqual(status, 0)
    assert.include(out, sign)
    assert.include(out, "anthropic")
  })

  it.each<readonly [ReadonlyArray<string>, RegExp]>([
    [["sing"], /^Unknown subcommand "sing"/],
    [["ask", "--provider", "acme", "hi"], /^Invalid value for flag --provider: "acme"/],
    [["ask", "--colour", "hi"], /^Unrecognized flag: --colour/]
  ])("says what is wrong with %j, and nothing else", async (words, sentence) => {
    const { err, out, status } = await Program.run(words)
    assert.strictEqual(status, 2)
    assert.strictEqual(out, "")
    assert.match(err, sentence)
    assert.match(err, /\nSee: miniagents.* --help\n$/)
    assert.notMatch(err, /^\s+at /m)
  })

  it.each<readonly [string, Program.Environment, ReadonlyArray<string>, RegExp]>([
    ["no key and no server", {}, [], /^No model is configured: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or OPENAI_BA/],
    ["no key for a provider", {}, ["--provider", "anthropic"], /`anthropic` needs a key: set ANTHROPIC_API_KEY/],
    ["a setting that is wrong", { OPENAI_BASE_URL: "here" }, [], /^OPENAI_BASE_URL must be an address/],
    ["a model without a provider", {}, ["-m", "gpt-5"], /^--model is `gpt-5`, but no provider is configured/]
  ])("says in one sentence what to set where there is %s", async (_, env, words, sentence) => {
    const { err, out, status } = await Program.run(["ask", ...words, "hi"], { env })
    assert.deepStrictEqual([out, status], ["", 2])
    assert.match(err, sentence)
    assert.strictEqual(err.trim().split("\n").length, 1)
  })
})

describe("miniagents ask", () => {
  it("gives the answer and nothing else, token by token", async () => {
    const running = ask(["What", "is", "this?", "--system", "Be brief", "--model", "other"])
    const asked = await server.asked()
    assert.deepStrictEqual(asked.messages, ["system: Be brief", "user: What is this?"])
    asked.say("It is ")
    asked.finish("a test")
    assert.deepStrictEqual(await running, { out: "It is a test\n", err: "", status: 0 })
  })

  it("says with --cost on the error output what the answer took, also of one that was cut off", async () => {
    const usage = { prompt_tokens: 2000, completion_tokens: 20, prompt_tokens_details: { cached_tokens: 500 } }
    const running = ask(["--cost", "--model", "gpt-4o-mini", "hi"])
    const asked = await server.asked()
    asked.finish("hello", { ...usage, total_tokens: 2020 })
    const { err, out } = await running
    assert.strictEqual(out, "hello\n")
    assert.match(err, /^\[2000 tokens read \(25 % cached\), 20 written, \$0\.0003; took \d+\.\d s\]\n$/)
    const other = ask(["--cost", "hi"])
    const cut = await server.asked()
    cut.say("half")
    cut.cut()
    assert.match((await other).err, /^\[\d+ tokens read \(0 % cached\), \d+ written; took \d+\.\d s\]\n[^\n]+\n$/)
  })

  it("does not take what the model thinks for its answer", async () => {
    const running = ask(["What is 6 * 7?"])
    const asked = await server.asked()
    asked.think("Let me see")
    asked.finish("42")
    assert.strictEqual((await running).out, "42\n")
  })

  it("writes a token before the next one is there", async () => {
    const child = spawn(process.execPath, [await Program.program(), "ask", "hi"], {
      env: Program.environment(server.env),
      stdio: ["ignore", "pipe", "ignore"]
    })
    const ended = new Promise((resolve) => child.on("close", resolve))
    const asked = await server.asked()
    asked.say("one")
    assert.strictEqual(
      await new Promise((resolve) => child.stdout.once("data", (data) => resolve(String(data)))),
      "one"
    )
    child.stdout.resume()
    asked.finish(" two")
    assert.strictEqual(await ended, 0)
  })

  it.each<readonly [string, ReadonlyArray<string>, string, string]>([
    ["is the question", [], "What is 2 + 2?\n", "What is 2 + 2?"],
    ["stands below the words", ["Sum", "up:"], "# Title\n\ntext\n", "Sum up:\n\n# Title\n\ntext"]
  ])("what comes through a pipe %s", async (_, words, input, question) => {
    server.answerAll = (messages) => messages.join("|")
    const { out } = await ask(words, { input })
    assert.strictEqual(out, `user: ${question}\n`)
  })

  it("gives a pipe every byte of the answer as it is", async () => {
    const text = `${escape}[31mred${escape}[0m\r\n\u0007\u{1f980}`
    server.answerAll = () => text
    assert.strictEqual((await ask(["hi"])).out, `${text}\n`)
  })

  it("says that there is no question", async () => {
    const { err, out, status } = await ask([])
    assert.deepStrictEqual([out, status], ["", 2])
    assert.match(err, /^There is no question: miniagents ask ".*"\n$/)
  })

  it("keeps what was said and tells in one sentence why there is no more", async () => {
    const running = ask(["hi"])
    const asked = await server.asked()
    asked.say("half")
    asked.cut()
    const { err, out, status } = await running
    assert.deepStrictEqual([out, status], ["half\n", 1])
    assert.strictEqual(err.trim().split("\n").length, 1)
    assert.notMatch(err, /^\s+at /m)
  })

  it("tells in one sentence what the server refused, without the key", async () => {
    const running = ask(["hi"], { env: { OPENAI_API_KEY: "sk-secret" } })
    ;(await server.asked()).refuse(401, "wrong key sk-secret")
    const { err, out, status } = await running
    assert.deepStrictEqual([out, status], ["", 1])
    assert.match(err, /key/)
    assert.strictEqual(err.trim().split("\n").length, 1)
    assert.notInclude(err, "sk-secret")
  })

  it("tells in one sentence that nobody is there", async () => {
    const url = await Effect.runPromise(Loopback.nobody)
    const { err, out, status } = await ask(["hi"], { env: { OPENAI_BASE_URL: url } })
    assert.deepStrictEqual([out, status], ["", 1])
    assert.match(err, /ECONNREFUSED/)
    assert.strictEqual(err.trim().split("\n").length, 1)
  })

  it("logs the request and the response when told to, and else leaves no file", async () => {
    server.answerAll = () => "an answer"
    await ask(["a question"], { cwd: folder })
    assert.deepStrictEqual(fs.readdirSync(folder), [])
    await ask(["a question", "--log"], { cwd: folder })
    const logs = fs.readdirSync(path.join(folder, "llm_logs"))
    assert.strictEqual(logs.length, 1)
    const log = fs.readFileSync(path.join(folder, "llm_logs", logs[0]!), "utf8")
    assert.include(log, "a question")
    assert.include(log, "an answer")
  })

  it("ends quietly when nobody reads its output any more", async () => {
    const child = spawn(process.execPath, [await Program.program(), "ask", "hi"], {
      env: Program.environment(server.env),
      stdio: ["ignore", "pipe", "pipe"]
    })
    let err = ""
    child.stderr.on("data", (data) => (err += String(data)))
    child.stdout.destroy()
    const asked = await server.asked()
    asked.finish("nobody reads this")
    const status = await new Promise((resolve) => child.on("close", resolve))
    assert.deepStrictEqual([err, status], ["", 0])
  })

  it.each(["SIGINT", "SIGTERM"] as const)("hangs up on %s", async (signal) => {
    const child = spawn(process.execPath, [await Program.program(), "ask", "hi"], {
      env: Program.environment(server.env),
      stdio: ["ignore", "pipe", "pipe"]
    })
    let err = ""
    child.stderr.on("data", (data) => (err += String(data)))
    const asked = await server.asked()
    child.kill(signal)
    await asked.hungUp
    const status = await new Promise((resolve) => child.on("close", resolve))
    assert.deepStrictEqual([err, status], ["", 130])
  })

  it("lets no word of a server steer the terminal, on the standard error output either", async () => {
    const running = ask(["hi"])
    const { refuse } = await server.asked()
    refuse(400, "no \u001b]0;title\u0007\u001b[2J model \u202egpj.exe\r\nuser\u009b31m")
    const { err, status } = await running
    assert.strictEqual(status, 1)
    assert.include(err, "no ␛]0;title␇␛[2J model \ufffdgpj.exe user\ufffd31m")
  })
})
