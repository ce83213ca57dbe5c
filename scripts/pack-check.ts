/**
 * Packs the library, installs the tarball into an empty folder as a user would, and imports, compiles, bundles and runs
 * it there.
 */

import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { isBuiltin } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as pty from "@lydell/node-pty"
import type { Nodes } from "mdast"
import { fromMarkdown } from "mdast-util-from-markdown"
import * as Bundles from "./Bundles.ts"
import * as Fences from "./Fences.ts"
import * as Imports from "./Imports.ts"
import {
  env,
  exact,
  exactVersion,
  install,
  makeUser,
  manifest,
  node,
  pack,
  root,
  run,
  subpaths,
  tsc
} from "./Packed.ts"

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

/** What serves agents shares the library with the file that exports them. */
const checkServe = async (folder: string): Promise<string> => {
  const file = join(folder, "served.ts")
  writeFileSync(
    file,
    `import { Agent } from "${manifest.name}"
export const echo = Agent.make("Echo", (ctx) => ctx.reply(["You said:", ctx.messages]))`
  )
  const program = join(folder, "node_modules", manifest.name, "dist/cli/main.js")
  const child = spawn(process.execPath, [program, "serve", file, "--port", "0", "--store", "runs.db"], {
    cwd: folder,
    env,
    stdio: "pipe"
  })
  let said = ""
  for await (const chunk of child.stdout) if (/page +http/.test((said += String(chunk)))) break
  const [, url] = /native +(\S+)/.exec(said) ?? []
  assert(url !== undefined, `\`serve\` says where the agents are: ${said}`)
  const headers = { "content-type": "application/json" }
  const replies = await (await fetch(url, { method: "POST", headers, body: '{"messages":"hi"}' })).text()
  assert.match(replies, /You said:/)
  const ended = new Promise((resolve) => child.on("close", resolve))
  child.kill("SIGTERM")
  await ended
  const list = spawnSync(process.execPath, [program, "runs", "list", "--store", "runs.db"], {
    cwd: folder,
    env,
    encoding: "utf8"
  })
  assert.match(list.stdout, /\n\S+ +Echo +succeeded/, "what `runs` says of the run that was served")
  return "serves the agents of a file, and lists what was run"
}

/** So does what runs services in a cluster: a call from a process with another `effect` would not be understood. */
const checkCluster = async (folder: string): Promise<string> => {
  const file = join(folder, "clustered.ts")
  writeFileSync(
    file,
    `import { Agent } from "${manifest.name}"
export class Echo extends Agent.Service<Echo>()("Echo") {}
export const layer = Echo.toLayer((ctx) => ctx.reply(ctx.messages))`
  )
  const program = join(folder, "node_modules", manifest.name, "dist/cli/main.js")
  const words = ["cluster", file, "--store", "cluster.db", "--port", "34531", "--probes", "34532"]
  const child = spawn(process.execPath, [program, ...words], { cwd: folder, env, stdio: "pipe" })
  let said = ""
  for await (const chunk of child.stdout) if ((said += String(chunk)).includes("/metrics")) break
  assert.match(said, /^Echo$/m)
  assert.equal((await fetch("http://127.0.0.1:34532/health")).status, 200)
  const ended = new Promise((resolve) => child.on("close", resolve))
  child.kill("SIGTERM")
  await ended
  return "runs the services of a file in a cluster"
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

/**
 * Compiles every subpath, and a package of agents with declarations of its own: without an optional package, with each
 * SDK alone, and with all. The newest compiler does all of it, older ones the two ends.
 */
const checkDeclarations = (
  folder: string,
  optional: string,
  compilers: readonly [string, ...Array<string>]
): string => {
  const fixtures = join(root, "scripts/packed")
  for (const file of readdirSync(fixtures)) copyFileSync(join(fixtures, file), join(folder, file))
  const compile = (compiler: string, installed: ReadonlyArray<string>, file: string, ...options: Array<string>) => {
    const complaints = tsc(compiler, folder, [file], "--rewriteRelativeImportExtensions", ...options)
      .split("\n")
      .filter((line) => /^(\w+\.(d\.)?ts|node_modules\/miniagents\/)/.test(line)) // what others declare is not ours
    assert.deepEqual(complaints, [], `what ${compiler} says with ${installed.join(", ") || "no optional package"}`)
  }
  // an import that leads nowhere is silently `any` where libraries are not checked
  const noEmit = ["--noEmit", "--skipLibCheck", "false"]
  const check = (compiler: string, ...installed: ReadonlyArray<string>) => {
    const others = packages.filter((name) => !installed.includes(name)).flatMap(subpathsOf)
    const names = subpaths.map(({ name }) => name).filter((name) => !others.includes(name))
    writeFileSync(join(folder, "subpaths.ts"), names.map((name) => `import "${name}"\n`).join(""))
    for (const name of installed) link(optional, folder, name)
    compile(compiler, installed, "subpaths.ts", ...noEmit)
    for (const name of installed) rmSync(join(folder, "node_modules", name))
  }
  for (const compiler of compilers) {
    compile(compiler, [], "agents.ts", "--declaration", "--emitDeclarationOnly")
    renameSync(join(folder, "agents.ts"), join(folder, "agents.source"))
    compile(compiler, [], "caller.ts", ...noEmit)
    renameSync(join(folder, "agents.source"), join(folder, "agents.ts"))
    check(compiler)
    check(compiler, ...packages)
  }
  for (const name of packages) check(compilers[0], name)
  return `type-checks, and declares agents, with ${compilers.length} compilers, with and without optional packages`
}

/** The optional packages. */
const packages = Object.keys(manifest.peerDependenciesMeta)

/** The subpaths that are of no use without a package. */
const subpathsOf = (name: string): ReadonlyArray<string> =>
  [name.replace(/^@|-ai\/sdk$/g, ""), ...(name === "openai" ? ["providers"] : [])].map(
    (subpath) => `${manifest.name}/${subpath}`
  )

const link = (from: string, to: string, name: string) => {
  mkdirSync(dirname(join(to, "node_modules", name)), { recursive: true })
  symlinkSync(join(from, "node_modules", name), join(to, "node_modules", name), "junction")
}

/** The files that the Markdown in the tarball links to are in it, too. */
const checkLinks = (folder: string): string => {
  const packed = join(folder, "node_modules", manifest.name)
  const files = readdirSync(packed, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".md"))
  const linksOf = (node: Nodes): ReadonlyArray<string> =>
    node.type === "link" || node.type === "image" || node.type === "definition"
      ? [node.url]
      : "children" in node
        ? node.children.flatMap(linksOf)
        : []
  const links = files.flatMap((file) =>
    linksOf(fromMarkdown(readFileSync(join(packed, file), "utf8")))
      .filter((url) => !/^([a-z]+:|#)/.test(url))
      .map((url) => ({ file, url, path: join(packed, dirname(file), url.replace(/#.*$/, "")) }))
  )
  assert(links.length > 0, "README.md has no links")
  const broken = links.filter(({ path }) => !existsSync(path)).map(({ file, url }) => `${file}: ${url}`)
  assert.deepEqual(broken, [], "these links lead to nothing that is packed")
  return `its ${links.length} links lead to what is packed`
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
  const names = Object.keys(manifest.exports).map((name) => name.replace(".", manifest.name))
  assert.deepEqual(
    open.split("\n").filter((path) => path !== "" && !names.includes(path)),
    [],
    "these can be imported"
  )
  return `blocks every other path (${paths.length} tried)`
}

const checkHello = (folder: string): string => {
  const [hello] = Fences.fromMarkdownText(readFileSync(join(root, "README.md"), "utf8"))
  assert(hello?.output !== undefined, "README.md has no first `ts` fence with an output fence right below it")
  const packages = Imports.fromSource("hello.ts", hello.code)
    .filter((name) => !isBuiltin(name))
    .map((name) => name.split("/", name.startsWith("@") ? 2 : 1).join("/"))
    .filter((name) => name !== manifest.name && name !== "effect")
  if (packages.length > 0) install(folder, ...new Set(packages.map((name) => exact(name))))
  writeFileSync(join(folder, "hello.ts"), hello.code)
  const compiler = join(root, "node_modules/typescript")
  assert.equal(
    tsc(compiler, folder, ["hello.ts"], "--noEmit", "--skipLibCheck"),
    "",
    "what tsc says of README's first example"
  )
  assert.equal(
    run(folder, process.execPath, "hello.ts").trimEnd(),
    hello.output.trimEnd(),
    "what README's first example prints"
  )
  return "README's first example type-checks and prints what README says"
}

/** The oldest compiler that its declarations are for. */
const oldTypeScript = "typescript@5.9.3"

const folder = mkdtempSync(join(tmpdir(), "miniagents-pack-"))
try {
  const tarball = pack(folder)
  const user = makeUser(join(folder, "user"))
  install(user, tarball, exact("effect"))
  const old = makeUser(join(folder, "typescript"))
  install(old, oldTypeScript)
  const optional = makeUser(join(folder, "optional"))
  install(optional, ...packages.map(exact))
  console.log(checkPackages(user))
  console.log(checkLinks(user))
  console.log(checkProgram(user))
  console.log(await checkServe(user))
  console.log(await checkCluster(user))
  console.log(await checkStart(user))
  console.log(checkSubpaths(user))
  console.log(await Bundles.checkSubpaths(user))
  console.log(await Bundles.checkSize(user))
  console.log(checkDeclarations(user, optional, [root, old]))
  console.log(checkInternals(user))
  console.log(checkHello(user))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
