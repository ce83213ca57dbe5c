/**
 * Packs the library, installs the tarball into an empty folder as a user would, imports every subpath there, and runs
 * README's first example.
 */

import assert from "node:assert/strict"
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as pty from "@lydell/node-pty"
import * as Fences from "./Fences.ts"
import * as Imports from "./Imports.ts"

interface Manifest {
  readonly name: string
  readonly version: string
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, unknown>>
  readonly exports: Readonly<Record<string, null | string | Readonly<Record<string, string>>>>
}

const root = fileURLToPath(new URL("..", import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest
const subpaths = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  target === null || typeof target === "string" ? [] : [{ name: manifest.name + subpath.slice(1), target }]
)

// What npm tells its scripts about this project must not reach the npm that works in another folder.
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle|config_local_prefix)/.test(name))
)
const run = (cwd: string, command: string, ...args: ReadonlyArray<string>): string =>
  execFileSync(command, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

const node = (folder: string, code: string): string =>
  run(folder, process.execPath, "--input-type=module", "--eval", code).trimEnd()

/** What tsc says of a file, and nothing when all is well. */
const tsc = (folder: string, file: string, ...options: ReadonlyArray<string>): string => {
  const bin = join(root, "node_modules/typescript/bin/tsc")
  const strict = ["--strict", "--noEmit", "--pretty", "false", "--module", "nodenext", "--target", "es2024"]
  return spawnSync(process.execPath, [bin, ...strict, ...options, file], { cwd: folder, env, encoding: "utf8" }).stdout
}

const pack = (folder: string): string => {
  run(root, "npm", "pack", "--pack-destination", folder)
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"))
  assert(tarball !== undefined, "`npm pack` made no tarball")
  return join(folder, tarball)
}

// An install script in the tarball, or in what it needs, is an error here.
const install = (folder: string, ...specs: ReadonlyArray<string>) =>
  run(folder, "npm", "install", "--strict-allow-scripts", "--loglevel=error", "--no-audit", "--no-fund", ...specs)

const checkPackages = (folder: string): string => {
  const { packages } = JSON.parse(readFileSync(join(folder, "node_modules/.package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, unknown>>
  }
  const names = Object.keys(packages).map((path) => path.replace(/^node_modules\//, ""))
  assert.deepEqual(names.sort(), ["@noble/hashes", "effect", manifest.name].sort(), "what gets installed")
  return `installs ${names.join(", ")} and nothing else`
}

/** The program has all it needs in it: no SDK and no platform package is installed here. */
const checkProgram = (folder: string): string => {
  const npx = (...words: ReadonlyArray<string>) => {
    const settings = { ...env, OPENAI_BASE_URL: "http://127.0.0.1:1/v1", ANTHROPIC_BASE_URL: "http://127.0.0.1:1" }
    return spawnSync("npx", ["--no-install", manifest.name, ...words], {
      cwd: folder,
      env: settings,
      encoding: "utf8",
      input: ""
    })
  }
  assert.equal(npx("--version").stdout.trimEnd(), `${manifest.name} v${manifest.version}`, "what the program says")
  for (const provider of ["openai", "anthropic"]) {
    const { stderr } = npx("ask", "--provider", provider, "--model", "some-model", "Hello?")
    assert.match(stderr, /bad port|ECONNREFUSED/, "what the program says where no server is")
  }
  const licences = readFileSync(join(folder, "node_modules", manifest.name, "dist/cli/LICENSES.txt"), "utf8")
  for (const name of ["effect", "openai", "@anthropic-ai/sdk"])
    assert(licences.includes(`${name} ${exactVersion(name)} (`))
  return `runs as \`npx ${manifest.name}\``
}

/** From the start of the process to the prompt. Other work on the machine is not ours: one good try of ten will do. */
const checkStart = async (folder: string): Promise<string> => {
  const program = join(folder, "node_modules", manifest.name, "dist/cli/main.js")
  const settings = { ...env, OPENAI_BASE_URL: "http://127.0.0.1:1/v1", MINIAGENTS_MODEL: "some-model" }
  const start = () =>
    new Promise<number>((resolve) => {
      const begin = performance.now()
      const terminal = pty.spawn(process.execPath, [program, "chat"], { cwd: folder, env: settings })
      let [screen, took] = ["", Number.POSITIVE_INFINITY]
      terminal.onData((data) => {
        screen += data
        if (took < Number.POSITIVE_INFINITY || !screen.includes("USER:")) return
        took = performance.now() - begin
        terminal.write("exit\r")
      })
      terminal.onExit(() => resolve(took))
    })
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 10 && best >= 500; i++) best = Math.min(best, await start())
  assert(best < 500, `\`${manifest.name} chat\` takes ${Math.round(best)} ms to its prompt`)
  return `asks for the first message after ${Math.round(best)} ms`
}

const checkSubpaths = (folder: string): string => {
  for (const { name, target } of subpaths) {
    for (const file of Object.values(target)) {
      assert(existsSync(join(folder, "node_modules", manifest.name, file)), `\`${name}\` has no file \`${file}\``)
    }
    assert.notEqual(
      node(folder, `console.log(Object.keys(await import("${name}")).length)`),
      "0",
      `\`${name}\` is empty`
    )
  }
  return `imports ${subpaths.map(({ name }) => name).join(", ")}`
}

/** Whoever type-checks against the declarations of an optional peer has that peer. */
const checkDeclarations = (folder: string): string => {
  install(folder, ...Object.keys(manifest.peerDependenciesMeta).map(exact))
  writeFileSync(join(folder, "subpaths.ts"), subpaths.map(({ name }) => `import "${name}"\n`).join(""))
  // With library checks, as an import that leads nowhere is silently `any` without them. The rest is not ours.
  const complaints = tsc(folder, "subpaths.ts", "--skipLibCheck", "false")
    .split("\n")
    .filter((line) => /^(subpaths\.ts|node_modules\/miniagents\/)/.test(line))
  assert.deepEqual(complaints, [], "what tsc says of the declarations")
  return "its declarations type-check"
}

const checkInternals = (folder: string): string => {
  const paths = readdirSync(join(folder, "node_modules", manifest.name), { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => /^(dist|src)\/.*\.(js|ts)$/.test(path))
    .flatMap((path) => [path, path.replace(/^dist\//, ""), path.replace(/^dist\/(.*)\.js$/, "$1")])
    .map((path) => `${manifest.name}/${path}`)
  const open = node(
    folder,
    `for (const path of ${JSON.stringify(paths)}) {
       const code = await import(path).then(() => "imported", (error) => error.code)
       if (code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") console.log(path)
     }`
  )
  const names = subpaths.map(({ name }) => name)
  assert.deepEqual(
    open.split("\n").filter((path) => path !== "" && !names.includes(path)),
    [],
    "these can be imported"
  )
  return `blocks every other path (${paths.length} tried)`
}

const exactVersion = (name: string): string => {
  const version = manifest.devDependencies[name]
  assert(version !== undefined, `\`${name}\` is no devDependency`)
  return version
}

const exact = (name: string): string => `${name}@${exactVersion(name)}`

const checkHello = (folder: string): string => {
  const [hello] = Fences.fromMarkdownText(readFileSync(join(root, "README.md"), "utf8"))
  assert(hello?.output !== undefined, "README.md has no first `ts` fence with an output fence right below it")
  const packages = Imports.fromSource("hello.ts", hello.code)
    .filter((name) => !isBuiltin(name))
    .map((name) => name.split("/", name.startsWith("@") ? 2 : 1).join("/"))
    .filter((name) => name !== manifest.name && name !== "effect")
  if (packages.length > 0) install(folder, ...new Set(packages.map((name) => exact(name))))
  writeFileSync(join(folder, "hello.ts"), hello.code)
  assert.equal(tsc(folder, "hello.ts", "--skipLibCheck"), "", "what tsc says of README's first example")
  assert.equal(
    run(folder, process.execPath, "hello.ts").trimEnd(),
    hello.output.trimEnd(),
    "what README's first example prints"
  )
  return "README's first example type-checks and prints what README says"
}

const folder = mkdtempSync(join(tmpdir(), "miniagents-pack-"))
try {
  const tarball = pack(folder)
  const user = join(folder, "user")
  mkdirSync(user)
  writeFileSync(join(user, "package.json"), `{ "private": true, "type": "module" }`)
  install(user, tarball, exact("effect"))
  console.log(checkPackages(user))
  console.log(checkProgram(user))
  console.log(await checkStart(user))
  console.log(checkSubpaths(user))
  console.log(checkDeclarations(user))
  console.log(checkInternals(user))
  console.log(checkHello(user))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
