/** The code in README.md, AGENTS.md, docs and doc comments is right: it type-checks, and what it is said to print it prints. */

import { execFile } from "node:child_process"
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Fences from "../scripts/Fences.ts"
import * as Kept from "./Kept.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

const read = (path: string) => readFileSync(join(root, path), "utf8")

const found = [
  ...["README.md", "AGENTS.md", "CONTRIBUTING.md", ...globSync("docs/**/*.md", { cwd: root }).sort()].flatMap((path) =>
    Fences.fromMarkdownText(read(path)).map((fence) => ({ ...fence, path }))
  ),
  ...globSync("src/**/*.ts", { cwd: root })
    .sort()
    .flatMap((path) => Fences.fromDocComments(path, read(path)).map((fence) => ({ ...fence, path })))
].map((fence) => ({ ...fence, file: `${fence.path.replaceAll(/[\\/]/g, "__")}@${fence.line}.ts` }))

/** What a fence imports from "./desk.ts" comes from the fence above it of that name. */
const fences = found.map((fence, i) => ({
  ...fence,
  code: fence.code.replaceAll(/ from "\.\/([^"]+)"/g, (all, name) => {
    const named = found.slice(0, i).findLast((other) => other.path === fence.path && other.name === name)
    return named === undefined ? all : ` from "./${named.file}"`
  })
}))

/** Runs Node and gives what it wrote, and an empty text for a command that wrote nothing. */
const node = (cwd: string, ...args: ReadonlyArray<string>): Promise<string> =>
  promisify(execFile)(process.execPath, args, { cwd, env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1" } }).then(
    ({ stderr, stdout }) => stdout + stderr,
    (error: { readonly stderr: string; readonly stdout: string }) => error.stdout + error.stderr
  )

/** A folder that sees this package and everything it has installed, as the folder of a user would. */
const makeFolder = async (): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "miniagents-fences-"))
  mkdirSync(join(folder, "node_modules"))
  for (const name of readdirSync(join(root, "node_modules")).filter((name) => !name.startsWith("."))) {
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name), "junction")
  }
  symlinkSync(await Kept.declared(), join(folder, "node_modules", "miniagents"), "junction")
  writeFileSync(join(folder, "package.json"), `{ "type": "module" }`)
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: { noUnusedLocals: false, customConditions: [] },
      include: ["*.ts"],
      exclude: []
    })
  )
  for (const { code, file } of fences) writeFileSync(join(folder, file), code + Fences.complete(code))
  return folder
}

describe("fences", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await makeFolder()
  }, 240_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it("the README has a first example with its output", () => {
    assert.isDefined(fences[0]?.output)
  })

  it("the documentation shows the session that the test of the chat makes", () => {
    assert.include(read("docs/conversations.md"), `\`\`\`text\n${read("test/cli/session.txt")}\`\`\``)
  })

  it("every fence type-checks", { timeout: 60_000 }, async () => {
    assert.strictEqual(await node(folder, join(root, "node_modules/typescript/bin/tsc"), "--pretty", "false"), "")
  })

  for (const { file, line, output, path } of fences) {
    if (output === undefined || !path.endsWith(".md")) continue
    it(`the fence at line ${line} of ${path} prints what is shown below it`, { timeout: 20_000 }, async () => {
      const printed = await node(folder, "--conditions=miniagents-source", file)
      assert.strictEqual(printed.trimEnd(), output.trimEnd())
    })
  }
})
