/** What the command line promises beside an answer. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Kept from "../Kept.ts"
import * as Loopback from "../llm/Loopback.ts"
import * as ModelServer from "./ModelServer.ts"

let program: string

/** Nothing of the environment chooses a model but what a test says. */
const clean = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:OPENAI|ANTHROPIC|MINIAGENTS|TAVILY)_/.test(name))
)

const run = (
  words: ReadonlyArray<string>,
  { env = {}, stdout = "pipe" }: { readonly env?: object; readonly stdout?: "pipe" | number } = {}
) =>
  new Promise<{ readonly status: number | null; readonly out: string; readonly err: string }>((resolve) => {
    const child = spawn(process.execPath, [program, ...words], {
      env: { ...clean, ...env },
      stdio: ["ignore", stdout, "pipe"]
    })
    let [out, err] = ["", ""]
    child.stdout?.on("data", (data) => (out += String(data)))
    child.stderr?.on("data", (data) => (err += String(data)))
    child.on("close", (status) => resolve({ status, out, err }))
  })

describe("the command line", { timeout: 30_000 }, () => {
  let folder: string
  beforeAll(async () => {
    program = await Kept.inOnePiece("examples/research/main.ts", "HtmlThread.ts")
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "command-"))
    fs.writeFileSync(
      path.join(folder, "huge.md"),
      `Press the red button to descale the kettle.\n${"Filler.\n".repeat(6_300_000)}`
    )
    fs.writeFileSync(path.join(folder, "empty.md"), "")
    fs.mkdirSync(path.join(folder, "small"))
    fs.writeFileSync(path.join(folder, "small", "kettle.md"), "Press the red button to descale the kettle.\n")
  })
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

  it("searches the start of a file of 50 MB and says so, and names what is empty", async () => {
    const { err, out, status } = await run(["--docs", folder, "descale the kettle"])
    assert.strictEqual(status, 0)
    assert.include(out, "Press the red button to descale the kettle. [1]")
    assert.include(err, "`huge.md` is 50.4 MB: only its first 1.0 MB is searched")
    assert.include(err, "empty, not searched: `empty.md`")
  })

  it("says its exit statuses in its help", async () => {
    const { out, status } = await run(["--help"])
    assert.strictEqual(status, 0)
    assert.match(out, /Exit status: 0 answered/)
    assert.include(out, "--docs")
  })

  it("names a flag it does not know, without a stack trace", async () => {
    const { err, status } = await run(["--dcos", folder, "x"])
    assert.strictEqual(status, 1)
    assert.include(err, "--dcos")
    assert.notMatch(err, /^\s+at /m)
  })

  it.runIf(fs.existsSync("/dev/full"))("says that the disk is full, without a stack trace", async () => {
    const full = fs.openSync("/dev/full", "w")
    const { err, status } = await run(["retry delays"], { stdout: full })
    fs.closeSync(full)
    assert.strictEqual(status, 2)
    assert.match(err, /^The output cannot be written: /m)
    assert.notMatch(err, /^\s+at /m)
  })

  it.effect.each(ModelServer.protocols)("answers with the model of %s, and says which", (provider) =>
    Effect.gen(function* () {
      const server = yield* ModelServer.serve(provider, ({ agent }) => [
        { planner: '{"queries":["descale"]}', reader: '{"picks":[{"first":1,"last":1}]}', writer: "Press it [1][2]." }[
          agent
        ]
      ])
      const words = ["--docs", path.join(folder, "small"), "--model", "test-model", "How do I descale it?"]
      const env = { [`${provider.toUpperCase()}_BASE_URL`]: server.choice.baseUrl }
      const { err, out, status } = yield* Effect.promise(() => run(words, { env }))
      assert.strictEqual(status, 0)
      assert.strictEqual(
        out,
        "Press it [1][?].\n\n[1] kettle.md:1\n[?] The model cited something that it was not given.\n"
      )
      assert.include(err, `Model: ${provider} test-model at ${new URL(server.choice.baseUrl!).host}\n`)
      assert.include(err, "Read kettle.md:1: 1 quote")
    })
  )

  it("does without a model when told to, and says so", async () => {
    const words = ["--provider", "none", "--docs", path.join(folder, "small"), "descale the kettle"]
    const { err, out, status } = await run(words, { env: { OPENAI_API_KEY: "sk-1" } })
    assert.strictEqual(status, 0)
    assert.match(err, /^Model: none/m)
    assert.include(out, "Press the red button to descale the kettle. [1]")
  })

  it.effect("says in a sentence that the model failed, after what it had said", () =>
    Effect.gen(function* () {
      const server = yield* ModelServer.serve("openai", ({ agent }) =>
        agent === "planner"
          ? ['{"queries":["descale"]}']
          : agent === "reader"
            ? ['{"picks":[{"first":1,"last":1}]}']
            : { pieces: ["Press the red but"], end: "cut" }
      )
      const words = ["--docs", path.join(folder, "small"), "--model", "test-model", "How do I descale it?"]
      const env = { OPENAI_BASE_URL: server.choice.baseUrl, OPENAI_API_KEY: "sk-secret" }
      const { err, out, status } = yield* Effect.promise(() => run(words, { env }))
      assert.strictEqual(status, 3)
      assert.strictEqual(out, "Press the red but\n")
      assert.match(err, /^The model openai test-model cannot be reached \(.+\)$/m)
      assert.notMatch(err, /^\s+at |sk-secret/m)
    })
  )

  it.each<readonly [string, object, ReadonlyArray<string>, string]>([
    ["a provider without a key", {}, ["--provider", "anthropic"], "set ANTHROPIC_API_KEY"],
    ["an unknown provider", {}, ["--provider", "nobody"], "which is no provider: say `openai`, `anthropic`, "],
    ["a model without a provider", {}, ["--model", "gpt-5"], "no provider is configured: set OPENAI_API_KEY"],
    ["a server that is not there", { OPENAI_BASE_URL: "http://127.0.0.1:9/v1" }, [], "does not answer: is it running?"]
  ])("says in a sentence what is wrong with %s", async (_, env, words, sentence) => {
    const { err, out, status } = await run([...words, "retry"], { env })
    assert.strictEqual(status, 3)
    assert.include(err, sentence)
    assert.strictEqual(err.trim().split("\n").length, 1)
    assert.strictEqual(out, "")
  })

  it.effect("searches the web when told to, and cites addresses", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve((...args) => {
        const [response, { headers, url }] = args
        if (url !== "/search") {
          response.writeHead(200, { "content-type": "text/html" })
          return void response.end("<p>Press the red button to descale the kettle.")
        }
        return Loopback.answer(200, { results: [{ url: `http://${headers.host}/kettle`, title: "Kettle" }] })(...args)
      })
      const env = { TAVILY_API_KEY: "tvly-secret", TAVILY_BASE_URL: server.url }
      const { err, out, status } = yield* Effect.promise(() => run(["--web", "descale the kettle"], { env }))
      assert.strictEqual(status, 0)
      assert.strictEqual(out, `Press the red button to descale the kettle. [1]\n\n[1] ${server.url}/kettle\n`)
      assert.include(err, "Web: searched with Tavily")
      assert.notInclude(err, "tvly-secret")
    })
  )

  it.each<readonly [string, object, string]>([
    ["a key", {}, "To search the web, set TAVILY_API_KEY"],
    ["a way there", { TAVILY_API_KEY: "x", TAVILY_BASE_URL: "http://127.0.0.1:9" }, "is this computer online?"]
  ])("says in a sentence that the web cannot be searched without %s", async (_, env, sentence) => {
    const { err, out, status } = await run(["--web", "retry"], { env })
    assert.strictEqual(status, 3)
    assert.include(err, sentence)
    assert.notMatch(err, /^\s+at /m)
    assert.strictEqual(out, "")
  })

  it.effect.each<readonly [string, ReadonlyArray<string>, (url: string) => object]>([
    ["a model", ["--model", "m"], (url) => ({ OPENAI_BASE_URL: `${url}/v1` })],
    ["a page", ["--web"], (url) => ({ TAVILY_API_KEY: "x", TAVILY_BASE_URL: url })]
  ])("leaves %s that says nothing when it is interrupted", ([_, words, env]) =>
    Effect.gen(function* () {
      const waits = yield* Deferred.make<void>()
      const server = yield* Loopback.serve((...args) => {
        const [, { headers, url }] = args
        if (url !== "/search") return Deferred.doneUnsafe(waits, Effect.void)
        return Loopback.answer(200, { results: [{ url: `http://${headers.host}/slow`, title: "Slow" }] })(...args)
      })
      const child = spawn(process.execPath, [program, ...words, "descale the kettle"], {
        env: { ...clean, ...env(server.url) },
        stdio: "ignore"
      })
      const status = new Promise<number | null>((resolve) => child.on("close", resolve))
      yield* Deferred.await(waits)
      child.kill("SIGINT")
      assert.strictEqual(yield* Effect.promise(() => status), 130)
      yield* server.closed
    })
  )
})
