/** The server of the inspector and its files, as a page and a person meet them. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as readline from "node:readline"
import { afterAll, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Agent } from "miniagents"
import { Inspector } from "miniagents/inspector"
import * as RecordFile from "../../src/inspector/record/recordFile.ts"
import type { Found, Update } from "../../src/inspector/wire.ts"
import { Served, shown } from "./Shown.ts"

vi.setConfig({ testTimeout: 30_000 })

const root = path.join(import.meta.dirname, "../..")
let folder: string
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "miniagents-inspector-"))
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
const fails = Agent.make("Fails", () => Effect.die(new Error("no such page")))
const outer = Agent.make("Outer", (ctx) =>
  Effect.gen(function* () {
    yield* ctx.reply(yield* echo.trigger("a needle in the hay"))
    yield* ctx.reply(yield* fails.trigger("x"))
  })
)

describe("Inspector", () => {
  it("shows itself to who has the token, from this machine alone, and lets no page be anything else", () =>
    shown(Effect.void, async (served) => {
      const page = await served.get(served.url.href, {})
      assert.strictEqual(page.status, 200)
      assert.match(await page.text(), /<script type="module" src="\/page.js"><\/script>/)
      const policy = page.headers.get("content-security-policy")!
      assert.include(policy, "default-src 'none'; script-src 'self'")
      assert.notInclude(policy, "unsafe-inline")
      const statuses = {
        "no token": (await served.get("/", {})).status,
        "wrong token": (await served.get("/?token=x", {})).status,
        "no token for data": (await served.get("/api/updates", {})).status,
        "a token in the address for data": (await served.get(`/api/search?token=${served.token}`, {})).status,
        "a foreign host": await statusOf(served, { host: "evil.example" }),
        "a foreign origin": await statusOf(served, { origin: "https://evil.example" })
      }
      assert.deepStrictEqual(statuses, {
        "no token": 401,
        "wrong token": 401,
        "no token for data": 401,
        "a token in the address for data": 401,
        "a foreign host": 421,
        "a foreign origin": 403
      })
      assert.match(served.url.hostname, /^127\.0\.0\.1$/)
    }))

  it("does nothing for who has no token, comes from elsewhere or says what cannot be done", () =>
    shown(echo.trigger("hello"), async (served) => {
      await (
        await served.updates().next()
      ).value
      const body = { chat: "c", agent: "Echo", text: "hi", keep: 0, parameters: {} }
      const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
        fetch(new URL(path, served.url.origin), {
          method: "POST",
          headers: { authorization: `Bearer ${served.token}`, "content-type": "application/json", ...headers },
          body: JSON.stringify(body)
        })
      const statusOfPost = async (...given: Parameters<typeof post>) => (await post(...given)).status
      const paths = ["say", "stop", "answer", "rerun", "fork"].map((name) => `/api/${name}`)
      for (const path of paths) {
        assert.deepStrictEqual(
          [
            await statusOfPost(path, body, { authorization: "Bearer x" }),
            await statusOfPost(path, body, { origin: "https://evil.example" }),
            await statusOfPost(path, body, { "content-type": "text/plain" }),
            await statusOfPost(path, [])
          ],
          [401, 403, 415, 400],
          path
        )
      }
      const refused = async (path: string, body: unknown) => {
        const response = await post(path, body)
        return [response.status, ((await response.json()) as { error: { message: string } }).error.message]
      }
      assert.deepStrictEqual(await refused("/api/say", { ...body, agent: "Nobody" }), [
        409,
        "There is no agent `Nobody`"
      ])
      assert.deepStrictEqual(await refused("/api/say", { ...body, parameters: { x: 1 } }), [
        409,
        "There is no parameter `x`"
      ])
      assert.deepStrictEqual(await refused("/api/stop", { call: 0 }), [409, "The call has ended already"])
      assert.deepStrictEqual(await refused("/api/answer", { call: 0, name: "x", value: 1 }), [
        409,
        "This call is no run that could be answered"
      ])
      assert.deepStrictEqual(
        [await statusOfPost("/api/say", body), await statusOfPost("/api/say?run=other", body)],
        [200, 404]
      )
    }))

  it("what is redacted is so in the agents that can be talked with, and in what they are told", () => {
    const parameters = { key: Schema.Redacted(Schema.String) }
    const login = Agent.make("Login", { parameters }, (ctx) => ctx.reply("in"))
    return shown(login.trigger("x", { key: Redacted.make("very secret") }), async (served) => {
      const updates = served.updates("/api/updates?focus=0")
      for await (const { rows } of updates) if (rows[0]?.status === "done") break
      const told = [await served.get("/api/agents"), await served.get("/api/call?call=0")]
      for (const response of told) {
        const text = await response.text()
        assert.match(text, /"key":|"Login"/)
        assert.notInclude(text, "very secret")
      }
    })
  })

  it("tells all rows, then what changes of them, and all of the call that is looked at", () => {
    const goOn = Deferred.makeUnsafe<void>()
    const agent = Agent.make("Patient", (ctx) =>
      ctx.reply("first").pipe(Effect.andThen(Deferred.await(goOn)), Effect.andThen(ctx.reply("second")))
    )
    return shown(agent.trigger("go"), async (served) => {
      const updates = served.updates("/api/updates?focus=0")
      const first = (await updates.next()).value as Update
      assert.strictEqual(first.all, true)
      let { focus, rows } = first
      assert.deepInclude(rows[0], { agent: "Patient", status: "running", sent: 1 })
      Deferred.doneUnsafe(goOn, Effect.void)
      const said = new Map(focus?.messages.map(({ at, text }) => [at, text]))
      for await (const update of updates) {
        assert.notProperty(update, "all")
        rows = update.rows.length > 0 ? update.rows : rows
        for (const { at, text } of update.focus?.messages ?? []) said.set(at, text)
        focus = update.focus?.detail === undefined ? focus : update.focus
        if (rows[0]?.status === "done") break
      }
      assert.deepStrictEqual([...said.values()].sort(), ["first", "go", "second"])
      assert.strictEqual(focus?.detail?.replied.length, 2)
    })
  })

  it("finds what was said, says what failed up the tree, and gives the run as a file and as a document", () =>
    shown(
      Effect.flatMap(outer.trigger(), (replies) => replies.messages),
      async (served) => {
        let rows: Update["rows"] = []
        for await (const update of served.updates()) {
          rows =
            update.all === true
              ? update.rows
              : [...rows.filter(({ id }) => !update.rows.some((row) => row.id === id)), ...update.rows]
          if (rows.length === 3 && rows.every(({ spoken }) => spoken !== undefined)) break
        }
        const [first, , failed] = [...rows].sort((a, b) => a.id - b.id)
        assert.deepInclude(first, { agent: "Outer", failedBelow: 1, status: "failed" })
        assert.deepInclude(failed, { agent: "Fails", failure: "Error: no such page", parent: 0 })
        const found = await served.json<ReadonlyArray<Found>>("/api/search?q=NEEDLE")
        assert.deepStrictEqual(
          found.map(({ after, before, match }) => [before, match, after]),
          [["a ", "needle", " in the hay"]]
        )
        const lines = await (await served.get("/api/export")).text()
        const file = path.join(folder, "exported.ndjson")
        fs.writeFileSync(file, lines)
        const again = await Effect.runPromise(RecordFile.read(file))
        assert.deepStrictEqual(
          again.calls.map(({ agent }) => agent),
          ["Outer", "Echo", "Fails"]
        )
        const markdown = await (await served.get("/api/export?as=markdown")).text()
        assert.include(markdown, "> a needle in the hay")
        assert.include(markdown, "no such page")
        const before = await served.json<Update>("/api/at?t=0&focus=0")
        assert.strictEqual(before.all, true)
      }
    ))

  it("says in a sentence that the port is taken", () =>
    shown(Effect.void, async (served) => {
      const exit = await Effect.runPromiseExit(
        Layer.build(Inspector.layer({ port: Number(served.url.port) })).pipe(Effect.scoped)
      )
      assert.include(String(exit), `port ${served.url.port} cannot be used`)
    }))

  it("closes at once although a page is open", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Inspector.layer(), scope)
      const served = new Served(yield* Effect.provide(Inspector.Inspector, context))
      const updates = served.updates()
      yield* Effect.promise(() => updates.next())
      yield* Scope.close(scope, Exit.void)
      const end = yield* Effect.promise(() =>
        updates.next().then(
          () => "more",
          () => "cut off"
        )
      )
      assert.include(["cut off", "more"], end)
      assert.strictEqual(
        yield* Effect.promise(() =>
          served.get("/").then(
            () => "there",
            () => "gone"
          )
        ),
        "gone"
      )
    }).pipe(Effect.runPromise))
})

const statusOf = async (served: Served, headers: Record<string, string>): Promise<number> => {
  const { request } = await import("node:http")
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: served.url.port, path: served.url.pathname + served.url.search, headers }
    request(options, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
      .on("error", reject)
      .end()
  })
}

describe("recordings", () => {
  const record = (file: string, words: ReadonlyArray<string> = []) =>
    spawn(
      process.execPath,
      [
        "--conditions=miniagents-source",
        "--import",
        path.join(root, "src/inspector/register.ts"),
        path.join(import.meta.dirname, "Program.child.ts"),
        ...words
      ],
      { env: { ...process.env, MINIAGENTS_INSPECTOR_RECORD: file }, stdio: ["ignore", "pipe", "pipe"], cwd: root }
    )

  it("a program that is not changed is shown, and recorded to its last event", async () => {
    const file = path.join(folder, "whole.ndjson")
    const child = record(file)
    let [out, err] = ["", ""]
    child.stdout.on("data", (data) => (out += String(data)))
    child.stderr.on("data", (data) => (err += String(data)))
    const status = await new Promise((resolve) => child.on("close", resolve))
    assert.deepStrictEqual([status, out], [0, "the answer\n"])
    assert.match(err, /^Inspector: http:\/\/127\.0\.0\.1:\d+\/\?token=\S+\n$/)
    const recording = await Effect.runPromise(RecordFile.read(file))
    assert.strictEqual(recording.title, "Program.child.ts")
    assert.deepStrictEqual(
      recording.calls.map(({ agent, spoken }) => [agent, spoken?.end.is]),
      [
        ["Asker", "ok"],
        ["Answerer", "ok"]
      ]
    )
  })

  it("a recording can be read after the program was killed, as far as it goes", async () => {
    const file = path.join(folder, "killed.ndjson")
    const child = record(file, ["hang"])
    for await (const line of readline.createInterface(child.stdout)) if (line === "said") break
    while (!fs.existsSync(file) || !fs.readFileSync(file, "utf8").includes("half an"))
      await new Promise((resolve) => setTimeout(resolve, 20))
    child.kill("SIGKILL")
    await new Promise((resolve) => child.on("close", resolve))
    fs.appendFileSync(file, `{"_tag":"text","t":9`) // a line that was not written to its end
    const recording = await Effect.runPromise(RecordFile.read(file))
    assert.include(
      recording.messages.map(({ text }) => text),
      "half an"
    )
    assert.isUndefined(recording.calls[0]!.spoken)
  })

  it("a recording goes on in another part when one is full, and is read as one", () =>
    Effect.gen(function* () {
      const file = path.join(folder, "parts", "run.ndjson")
      const open = yield* RecordFile.make(file, 1000)
      open.add({ _tag: "run", format: 1, startedAt: 0, title: "parts" })
      for (let call = 0; call < 50; call++) {
        open.add({ _tag: "call", t: call, call, path: `A${call}`, agent: "A", parameters: {} })
        open.flush()
      }
      const parts = fs.readdirSync(path.dirname(file))
      assert.isAbove(parts.length, 3)
      for (const part of parts) assert.isAtMost(fs.statSync(path.join(path.dirname(file), part)).size, 1000)
      const { calls } = yield* RecordFile.read(file)
      assert.deepStrictEqual(
        calls.map(({ id }) => id),
        Array.from({ length: 50 }, (_, i) => i)
      )
    }).pipe(Effect.scoped, Effect.runPromise))

  it.each([
    ["is not there", "nothing.ndjson", undefined, "there is no such file"],
    ["is none", "other.ndjson", `{"hello":1}\n`, "it is no recording"],
    ["is no JSON", "text.ndjson", "hello\n", "it is no recording"]
  ])("a file that %s is refused in a sentence", async (_, name, content, sentence) => {
    const file = path.join(folder, name)
    if (content !== undefined) fs.writeFileSync(file, content)
    const exit = await Effect.runPromiseExit(RecordFile.read(file))
    assert.include(String(exit), sentence)
  })

  it("each run in a folder has a file of its own; a file that is there is not written over", () =>
    shown(
      Effect.void,
      async (_, { record }) => {
        assert.match(record!, /runs.\d{8}_\d{6}_\d{3}\.ndjson$/)
        const exit = await Effect.runPromiseExit(Layer.build(Inspector.layer({ record: record! })).pipe(Effect.scoped))
        assert.include(String(exit), "it is there already")
      },
      { record: path.join(folder, "runs") }
    ))
})
