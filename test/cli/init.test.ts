/** `miniagents init`: the project that it makes type-checks, passes its test, and serves. */
import { execFile, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { versions } from "../../src/cli/init.ts"
import * as Kept from "../Kept.ts"
import * as Program from "./Program.ts"

const root = path.join(import.meta.dirname, "../..")
const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as {
  readonly devDependencies: Readonly<Record<string, string>>
}

describe("miniagents init", { timeout: 120_000 }, () => {
  let folder = ""
  let project = ""
  beforeAll(async () => {
    folder = Program.makeFolder()
    project = path.join(folder, "My desk")
    const { err, out, status } = await Program.run(["init", "My desk"], { cwd: folder })
    assert.deepStrictEqual([err, status], ["", 0])
    assert.include(out, "    npm install\n    npm test\n    npm start")
    // what `npm install` would bring
    fs.mkdirSync(path.join(project, "node_modules"))
    for (const name of fs.readdirSync(path.join(root, "node_modules")).filter((name) => !name.startsWith(".")))
      fs.symlinkSync(path.join(root, "node_modules", name), path.join(project, "node_modules", name), "junction")
    fs.symlinkSync(await Kept.declared(), path.join(project, "node_modules/miniagents"), "junction")
  }, 120_000)
  afterAll(() => Program.removeFolder(folder))

  const node = (...args: ReadonlyArray<string>) =>
    promisify(execFile)(process.execPath, args, { cwd: project, env: Program.environment({}) }).then(
      ({ stdout }) => stdout,
      (error: { readonly stdout: string; readonly stderr: string }) => assert.fail(error.stdout + error.stderr)
    )

  it("stands on the versions that this library is developed with", () => {
    for (const [name, version] of Object.entries(versions)) assert.strictEqual(version, manifest.devDependencies[name])
  })

  it("type-checks", async () => {
    assert.strictEqual(await node(path.join(root, "node_modules/typescript/bin/tsc"), "-p", "."), "")
  })

  it("passes its own test", async () => {
    fs.writeFileSync(
      path.join(project, "vitest.config.ts"),
      `export default { ssr: { resolve: { conditions: ["miniagents-source"], externalConditions: ["miniagents-source"] } } }`
    )
    assert.match(await node(path.join(root, "node_modules/vitest/vitest.mjs"), "run"), /2 passed/)
  })

  it("serves the agent, as its README asks it", async () => {
    const args = ["--conditions=miniagents-source", "src/server.ts"]
    const child = spawn(process.execPath, args, { cwd: project, env: Program.environment({ PORT: "0" }) })
    const ended = new Promise((resolve) => child.on("close", resolve))
    try {
      const address = await new Promise<string>((resolve) => {
        let out = ""
        const see = (data: unknown) => {
          const found = /http:\/\/127\.0\.0\.1:\d+/.exec((out += String(data)))
          if (found !== null) resolve(found[0])
        }
        child.stdout.on("data", see)
        child.stderr.on("data", see)
      })
      const asked = /-d '(.*)'/.exec(fs.readFileSync(path.join(project, "README.md"), "utf8"))![1]
      const headers = { "content-type": "application/json" }
      const response = await fetch(`${address}/desk`, { method: "POST", headers, body: asked })
      assert.include(await response.text(), "We are here from 9 to 17 o'clock.")
    } finally {
      child.kill("SIGTERM")
    }
    await ended
  })

  it("leaves a folder alone that has something in it", async () => {
    const { err, status } = await Program.run(["init", "My desk"], { cwd: folder })
    assert.strictEqual(status, 2)
    assert.match(err, /^`My desk` is not empty \(it has `[^`]+`\): name a folder that is new\n$/)
  })
})
