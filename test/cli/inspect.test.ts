/** `miniagents inspect` as a person runs it, with a program that knows nothing of it. */
import { type ChildProcess, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { pathToFileURL } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { Agent, MiniAgents } from "miniagents"
import { DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { SqliteClient } from "miniagents/sqlite"
import { Store } from "miniagents/store"
import type { About, Callable, Chat, Update } from "../../src/inspector/wire.ts"
import * as BuiltPage from "../../scripts/Page.ts"
import { Served } from "../inspector/Shown.ts"
import * as Program from "./Program.ts"

const source = (name: string) => pathToFileURL(path.join(import.meta.dirname, "../../src", name)).href

const app = `
import * as Effect from ${JSON.stringify(import.meta.resolve("effect/Effect"))}
import { Agent, MiniAgents } from "miniagents"

export const parrot = Agent.make("Parrot", (ctx) => Effect.flatMap(ctx.messages.text, (text) => ctx.reply(text)))
if (process.argv[2] === "--fail") throw new Error("it was told to")
Effect.runPromise(Effect.provide(Effect.flatMap(parrot.trigger(process.argv.slice(2)), (replies) => replies.text), MiniAgents.layer()))
  .then((text) => console.log("said", JSON.stringify(text)))
`

/** A project with this library in it. */
const project = (folder: string): string => {
  const library = path.join(folder, "node_modules/miniagents")
  fs.mkdirSync(library, { recursive: true })
  const exports = { ".": "./index.js", "./inspector/register": "./register.js" }
  fs.writeFileSync(path.join(library, "package.json"), JSON.stringify({ name: "miniagents", type: "module", exports }))
  fs.writeFileSync(path.join(library, "index.js"), `export * from ${JSON.stringify(source("index.ts"))}\n`)
  fs.writeFileSync(path.join(library, "register.js"), `import ${JSON.stringify(source("inspector/register.ts"))}\n`)
  fs.writeFileSync(path.join(folder, "package.json"), `{ "type": "module" }`)
  fs.writeFileSync(path.join(folder, "app.ts"), app)
  return path.join(folder, "app.ts")
}

/** Something that has been said. */
const said = (child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> =>
  new Promise((resolve, reject) => {
    let all = ""
    const look = (data: unknown) => {
      all += String(data)
      const found = pattern.exec(all)
      if (found !== null) resolve(found)
    }
    child.stdout!.on("data", look)
    child.stderr!.on("data", look)
    child.on("close", () => reject(new Error(all)))
  })

describe("miniagents inspect", { timeout: 60_000 }, () => {
  let folder: string
  let file: string
  let main: string
  beforeAll(async () => {
    folder = Program.makeFolder()
    file = project(folder)
    main = await Program.program()
    await BuiltPage.write()
  }, 60_000)
  afterAll(() => Program.removeFolder(folder))

  /** Runs it until the test has done with it. */
  const inspecting = async (
    words: ReadonlyArray<string>,
    use: (child: ChildProcess) => Promise<void>,
    program: ReadonlyArray<string> = [main]
  ) => {
    const child = spawn(process.execPath, [...program, "inspect", ...words], {
      env: Program.environment({}),
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const ended = new Promise((resolve) => child.on("close", resolve))
    try {
      await use(child)
    } finally {
      child.kill("SIGINT")
      await ended
    }
  }
  const page = async (child: ChildProcess) => {
    const [, url = ""] = await said(child, /Inspector: (http:\S+)/)
    return new Served({ url, record: undefined })
  }

  it("runs a program with its own words, and lets a person talk with its agents when it has ended", () =>
    inspecting([file, "--its", "own", "--port", "9"], async (child) => {
      const [served] = await Promise.all([
        page(child),
        said(child, /said "--its\\n\\nown\\n\\n--port\\n\\n9"/),
        said(child, /The program has ended; its agents can be talked with/)
      ])
      assert.include(await (await served.get("/" + served.url.search, {})).text(), "/page.js")
      const agents = await served.json<ReadonlyArray<Callable>>("/api/agents")
      assert.deepStrictEqual(
        agents.map(({ name }) => name),
        ["Parrot"]
      )
      const toSay = { chat: "c", agent: "Parrot", text: "hello", keep: 0, parameters: {} }
      const response = await served.post("/api/say", toSay)
      assert.deepStrictEqual(await response.json(), { call: 1 })
      assert.deepStrictEqual(await served.json<Chat>("/api/chat?chat=c"), {
        agent: "Parrot",
        turns: [{ call: 1, text: "hello" }]
      })
      for await (const { rows } of served.updates()) if (rows.some(({ id, spoken }) => id === 1 && spoken)) break
    }))

  it("shows what a program did that has failed, and files that were recorded", async () => {
    await inspecting([file, "--fail"], async (child) => {
      await said(child, /The program has ended \(exit status 1\); its page stays open/)
      const [about] = await (await page(child)).json<ReadonlyArray<About>>("/api/runs")
      assert.deepInclude(about, { id: "run.ndjson", title: "app.ts", live: false, can: [] })
    })
    const recorded = path.join(folder, "kept.ndjson")
    const line = JSON.stringify({ _tag: "run", format: 1, startedAt: 1, title: "kept" })
    fs.writeFileSync(recorded, `${line}\n`)
    await inspecting([recorded], async (child) => {
      const { about } = await (await page(child)).json<Update>("/api/at?t=0")
      assert.deepInclude(about, { id: "kept.ndjson", title: "kept" })
    })
  })

  describe("a store", () => {
    it("shows its runs", async () => {
      const db = path.join(folder, "runs.db")
      const store = Layer.provide(Store.layer(), SqliteClient.layer({ filename: db }))
      const agent = Agent.make("Kept", (ctx) => ctx.reply("kept"))
      const program = Effect.andThen(Runs.start(agent, "x", {}, { id: "r-1" }), Stream.runDrain(Runs.read("r-1")))
      const services = Layer.merge(Layer.provide(DurableRuns.layer(), store), MiniAgents.layer())
      await Effect.runPromise(Effect.provide(program, services))
      await inspecting(
        [db],
        async (child) => {
          const served = await page(child)
          const [about] = await served.json<ReadonlyArray<About>>("/api/runs")
          assert.deepInclude(about, { id: "run:r-1", title: "Kept r-1", status: "succeeded", unit: "steps" })
          const { rows } = await served.json<Update>("/api/at?t=1&run=run:r-1")
          assert.deepInclude(rows[0], { agent: "Kept", sent: 1, replied: 0 })
        },
        [await Program.whole()]
      )
    })

    it("that is none is refused in one sentence, and nothing is made", async () => {
      const empty = path.join(folder, "empty.db")
      new DatabaseSync(empty).close()
      for (const [name, sentence] of [
        ["none.db", "There is no file `none.db`"],
        ["empty.db", "`empty.db` is no store of runs, or not one that can be read: no such table: miniagents_runs"]
      ] as const) {
        const { err, status } = await Program.run(["inspect", name], { cwd: folder }, await Program.whole())
        assert.deepStrictEqual([status, err.trim()], [2, sentence])
      }
      assert.isFalse(fs.existsSync(path.join(folder, "none.db")))
    })
  })

  it.each([
    ["nothing", [], "Say which program, recording or store: miniagents inspect app.ts"],
    ["a file that is not there", ["nothing.ndjson"], "The recording `nothing.ndjson`: there is no such file"],
    [
      "a file that is no recording",
      ["other.ndjson"],
      "The recording `other.ndjson`: it is no recording of the inspector"
    ],
    [
      "a program without the library",
      ["alone/app.ts"],
      "There is no `miniagents` where the program `alone/app.ts` is: npm install miniagents"
    ]
  ])("%s is refused in one sentence", async (_, words, sentence) => {
    fs.writeFileSync(path.join(folder, "other.ndjson"), `{"hello":1}\n`)
    const alone = Program.makeFolder()
    const cwd = words[0]?.startsWith("alone") === true ? alone : folder
    const { err, status } = await Program.run(["inspect", ...words], { cwd })
    Program.removeFolder(alone)
    assert.deepStrictEqual([status, err.trim()], [2, sentence])
  })
})
