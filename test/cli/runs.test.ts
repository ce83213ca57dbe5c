/** `miniagents runs`, in processes of its own, over files of SQLite that other processes have left. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer, type Scope, Stream } from "effect"
import { MiniAgents } from "miniagents"
import { DurableRuns } from "miniagents/durable"
import { Runs } from "miniagents/runs"
import { SqliteClient } from "miniagents/sqlite"
import { Store } from "miniagents/store"
import { operate, type Order } from "../../src/cli/operate.ts"
import * as Program from "./Program.ts"
import * as Agents from "./runs.agents.ts"

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url))
const agents = fileURLToPath(new URL("runs.agents.ts", import.meta.url))
const otherAgents = fileURLToPath(new URL("serve.agents.ts", import.meta.url))

let folder: string
let db: string

/** Runs the program to its end. */
const runs = async (words: ReadonlyArray<string>): Promise<Program.Result> => {
  // what works with a module of a person shares the library with it
  const program = words.includes(agents) ? main : await Program.whole()
  return new Promise((resolve) => {
    const args = ["--conditions=miniagents-source", "--no-warnings", program, "runs", ...words]
    const child = spawn(process.execPath, args, {
      env: { PATH: process.env["PATH"] ?? "", NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? "" },
      cwd: folder
    })
    let [out, err] = ["", ""]
    child.stdout.on("data", (data) => (out += String(data)))
    child.stderr.on("data", (data) => (err += String(data)))
    child.on("close", (status) => resolve({ status, out, err }))
  })
}

const on = (...words: ReadonlyArray<string>) => runs([...words, "--store", db])

type Services =
  | Scope.Scope
  | Runs.Runs
  | DurableRuns.DurableRuns
  | MiniAgents.MiniAgents
  | Layer.Success<typeof Agents.layer>

/** A process that has the runs for a while, and leaves them. */
const inProcess = <A, E>(program: Effect.Effect<A, E, Services>): Promise<A> => {
  const store = Layer.provide(Store.layer(), SqliteClient.layer({ filename: db }))
  const app = Layer.mergeAll(Layer.provide(DurableRuns.layer(), store), MiniAgents.layer(), Agents.layer)
  return Effect.runPromise(Effect.scoped(Effect.provide(program, app)))
}

const waiting = (id: string) =>
  Effect.repeat(Effect.andThen(Effect.yieldNow, Runs.get(id)), { until: ({ waiting }) => waiting.length > 0 })

const ended = (id: string) => Stream.runDrain(Runs.read(id))

const left = Effect.gen(function* () {
  yield* Runs.start(Agents.greeter, "greet me", {}, { id: "greeting" })
  yield* ended("greeting")
  for (const id of ["clerk-1", "clerk-2"]) {
    yield* Runs.start(Agents.clerk, "tidy up", {}, { id })
    yield* waiting(id)
  }
  yield* Runs.start(Agents.careful, "greet me", {}, { id: "careful" })
  yield* waiting("careful")
})

/** All that is in a database. */
const contentOf = (file: string) => {
  const database = new DatabaseSync(file, { readOnly: true })
  const names = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all()
  const rows = names.map(({ name }) => database.prepare(`SELECT * FROM "${String(name)}"`).all())
  database.close()
  return JSON.stringify(rows)
}

describe("miniagents runs", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    folder = Program.makeFolder()
    db = path.join(folder, "runs.db")
    await inProcess(left)
  }, 60_000)
  afterAll(() => Program.removeFolder(folder))

  it("lists runs and shows one, for persons and for programs", async () => {
    const [list, json, show, shownJson] = await Promise.all([
      on("list"),
      on("list", "--json"),
      on("show", "clerk-1"),
      on("show", "greeting", "--json")
    ])
    const times = (text: string) =>
      text
        .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, "(then)")
        .replaceAll(/(\(then\)\s+|took +)\d+\w( \d+\w)?/g, "$1(so long)")
    assert.deepStrictEqual(
      [times(list.out).replaceAll(/ +/g, " "), list.err, list.status],
      [
        [
          "RUN AGENT STATUS STARTED TOOK WAITS FOR",
          "greeting Greeter succeeded (then) (so long)",
          "clerk-1 Clerk waiting (then) (so long) approval:Clerk/call-1 (Clerk)",
          "clerk-2 Clerk waiting (then) (so long) approval:Clerk/call-1 (Clerk)",
          "careful Careful waiting (then) (so long) approval (Careful)",
          ""
        ].join("\n"),
        "",
        0
      ]
    )
    const infos = JSON.parse(json.out) as ReadonlyArray<Runs.Info>
    assert.deepStrictEqual(
      infos.map(({ id, status }) => [id, status]),
      [
        ["greeting", "succeeded"],
        ["clerk-1", "running"],
        ["clerk-2", "running"],
        ["careful", "running"]
      ]
    )
    assert.match(
      show.out,
      /WAITS FOR +CALL +ASKS\napproval:Clerk\/call-1 +Clerk +{"tool":"Remove","parameters":{"what":"a.txt"}}/
    )
    assert.match(show.out, /CALL +ASKED +REUSED +IN +OUT +SAID\nClerk +1 +0/)
    const shown = JSON.parse(shownJson.out) as Runs.Info & { readonly calls: ReadonlyArray<DurableRuns.Call> }
    assert.deepInclude(shown, { id: "greeting", agent: "Greeter", status: "succeeded" })
    assert.deepInclude(shown.calls[0], { path: "Greeter", asked: 1, reused: 0, said: "Hello!" })
  })

  it("what is wrong is said in one sentence, and nothing has changed", async () => {
    const file = (name: string) => path.join(folder, name)
    fs.writeFileSync(file("text.db"), "This is no database.\n".repeat(50))
    for (const version of [1, 99]) fs.copyFileSync(db, file(`version-${version}.db`))
    for (const [name, table] of [
      ["version-1.db", "miniagents_migrations"],
      ["version-99.db", "miniagents_run_migrations"]
    ] as const) {
      const other = new DatabaseSync(file(name))
      const version = name.includes("99") ? 99 : 1
      other.exec(
        `UPDATE ${table} SET migration_id = ${version} WHERE migration_id = (SELECT max(migration_id) FROM ${table})`
      )
      other.close()
    }
    const before = contentOf(db)
    const show = (id: string): Order => ({ what: "show", id })
    const signal = (id: string, name: string, value: string): Order => ({
      what: "signal",
      id,
      name,
      value,
      early: false
    })
    const rerun = (id: string, file?: string, as?: string): Order => ({
      ...{ what: "rerun", id, file, as },
      ...{ input: undefined, parameters: undefined }
    })
    const cases: ReadonlyArray<readonly [store: string, Order, RegExp, prefix?: string]> = [
      [file("none.db"), { what: "list" }, /^There is no file `.*none\.db`$/],
      [
        file("text.db"),
        { what: "list" },
        /text\.db` is no store of runs, or not one that can be read: file is not a da/
      ],
      [db, { what: "list" }, /is no store of runs, or .*: no such table: others_runs$/, "others_"],
      [file("version-1.db"), { what: "list" }, /its tables are of version 1, and this library reads version 2/],
      [file("version-99.db"), { what: "list" }, /its runs are of version 99, and this library reads version 2/],
      ["postgres://me:secret@127.0.0.1:1/x", { what: "list" }, /^`postgres:\/\/127.0.0.1:1\/x` is no store of runs/],
      [db, show("nobody"), /^There is no run `nobody`$/],
      [db, { what: "interrupt", id: "nobody" }, /^There is no run `nobody`$/],
      [db, { what: "delete", id: "nobody" }, /^There is no run `nobody`$/],
      [db, { what: "delete", id: "careful" }, /^`careful` has not ended: interrupt it first$/],
      [db, { what: "diff", left: "greeting", right: "nobody" }, /^There is no run `nobody`$/],
      [db, signal("nobody", "x", "1"), /^There is no run `nobody`$/],
      [db, signal("greeting", "x", "1"), /^`greeting` has ended \(succeeded\): nothing in it waits/],
      [db, signal("careful", "aproval", "{}"), /^`careful` waits for `approval`, not for `aproval`/],
      [db, signal("careful", "approval", '{"by":""}'), /^The signal `approval` does not fit .*`by` got `""`/],
      [db, signal("clerk-1", "approval:Clerk/call-1", "yes"), /does not fit what `clerk-1` waits for/],
      [db, rerun("nobody"), /^There is no run `nobody`$/],
      [db, rerun("greeting", undefined, "careful"), /^There is a run `careful` already: take another id$/],
      [db, rerun("greeting", otherAgents), /^`greeting` is a run of `Greeter`, and .* exports \w+/],
      [db, rerun("greeting", file("none.ts")), /none\.ts cannot be loaded/]
    ]
    for (const [store, order, sentence, prefix] of cases) {
      const failed = await operate({ store, prefix, json: false, order }, new AbortController().signal)
      assert.match(failed?.message ?? "it was done", sentence)
      assert.notInclude(failed?.message, "secret")
      assert.isTrue(failed?.isMisuse)
    }
    const { err, out, status } = await on("signal", "careful", "approval", "nobody")
    assert.deepStrictEqual([out, status], ["", 2])
    assert.match(err, /^The signal `approval` does not fit what `careful` waits for: [^\n]*\n$/)
    assert.strictEqual(contentOf(db), before)
    assert.isFalse(fs.existsSync(file("none.db")))
  })

  it("what is sent reaches the run when a server takes it up; one that nobody has is ended", async () => {
    const yes = await on("signal", "clerk-1", "approval:Clerk/call-1", '{"approved":true}')
    assert.deepStrictEqual([yes.out, yes.status], ["sent to clerk-1\n", 0])
    const no = await on("interrupt", "clerk-2")
    assert.deepStrictEqual([no.out, no.status], ["clerk-2 has ended (interrupted)\n", 0])
    assert.strictEqual((await on("interrupt", "clerk-2")).out, "clerk-2 had ended already (interrupted)\n")
    assert.strictEqual((await on("delete", "clerk-2")).out, "clerk-2 is deleted, with all that was kept of it\n")
    const statuses = await inProcess(
      Effect.gen(function* () {
        yield* DurableRuns.serve(Agents.clerk)
        yield* ended("clerk-1")
        return (yield* Runs.list).map(({ id, status }) => `${id} ${status}`)
      })
    )
    assert.deepStrictEqual(statuses, ["greeting succeeded", "clerk-1 succeeded", "careful running"])
    assert.match((await on("show", "clerk-1")).out, /Clerk +4 +0 .*Done\.\n$/)
  })

  it("runs again with the agents of a file, or leaves that to a server, and says how two runs differ", async () => {
    const again = await on("rerun", "greeting", agents, "--as", "again")
    assert.deepStrictEqual([again.err, again.status], ["", 0])
    assert.match(again.out, /^Greeter: Hello!\nrun +again\nasked +0 .*\nreused +1 /)
    const other = await on("rerun", "greeting", agents, "--as", "other", "--input", "please greet me", "--json")
    const lines = other.out.trim().split("\n")
    assert.deepInclude(JSON.parse(lines.at(-1)!), { id: "other" })
    const [same, differ, later] = await Promise.all([
      on("diff", "greeting", "again"),
      on("diff", "clerk-1", "careful"),
      on("rerun", "greeting", "--as", "later")
    ])
    assert.strictEqual(same.out, "1 call is the same\n")
    assert.match(differ.out, /^- Clerk\n\+ Careful\/0:Greeter\n0 calls are the same\n$/)
    assert.strictEqual(later.out, "later is taken up by whoever serves Greeter\n")
    const status = await inProcess(
      Effect.gen(function* () {
        yield* DurableRuns.serve(Agents.greeter)
        yield* ended("later")
        return (yield* Runs.get("later")).status
      })
    )
    assert.strictEqual(status, "succeeded")
  })
})
