/** What the command line promises beside an answer. */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

const program = path.join(import.meta.dirname, "..", "..", "examples", "research", "main.ts")

const run = (words: ReadonlyArray<string>, stdout: "pipe" | number = "pipe") =>
  new Promise<{ readonly status: number | null; readonly out: string; readonly err: string }>((resolve) => {
    const child = spawn(process.execPath, ["--conditions=miniagents-source", program, ...words], {
      stdio: ["ignore", stdout, "pipe"]
    })
    let [out, err] = ["", ""]
    child.stdout?.on("data", (data) => (out += String(data)))
    child.stderr?.on("data", (data) => (err += String(data)))
    child.on("close", (status) => resolve({ status, out, err }))
  })

describe("the command line", () => {
  let folder: string
  beforeAll(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "command-"))
    fs.writeFileSync(
      path.join(folder, "huge.md"),
      `Press the red button to descale the kettle.\n${"Filler.\n".repeat(6_300_000)}`
    )
    fs.writeFileSync(path.join(folder, "empty.md"), "")
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
    const { err, status } = await run(["retry delays"], full)
    fs.closeSync(full)
    assert.strictEqual(status, 2)
    assert.match(err, /^The output cannot be written: /m)
    assert.notMatch(err, /^\s+at /m)
  })
})
