/** What bundlers make of the packed library. */

import assert from "node:assert/strict"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { rolldown } from "rolldown"
import { manifest, subpaths } from "./Packed.ts"

/** Folders of `effect` that a program which does not use them should not carry. */
const foreign = /\/effect\/dist\/(ai|cluster|http|rpc|sql)\//
const plain = new Set(["", "/agents", "/console"].map((subpath) => manifest.name + subpath))
/** A driver is for one platform, and the inspector watches a process of one; all else runs in a browser. */
const drivers = new Set(["/sqlite", "/inspector"].map((subpath) => manifest.name + subpath))
const isDriver = (name: string) => drivers.has(name)

const withEsbuild = async (folder: string, code: string, name: string): Promise<string> => {
  const result = await build({
    stdin: { contents: code, resolveDir: folder },
    bundle: true,
    format: "esm",
    platform: isDriver(name) ? "node" : "browser",
    minify: true,
    metafile: true,
    write: false,
    logLevel: "silent"
  })
  assert.deepEqual(
    result.warnings.map(({ text }) => text),
    [],
    `what esbuild says of \`${name}\``
  )
  const modules = Object.entries(result.metafile.outputs).flatMap(([, { inputs }]) =>
    Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [`/${path}`] : []))
  )
  if (plain.has(name))
    assert.deepEqual(
      modules.filter((path) => foreign.test(path)),
      [],
      `\`${name}\` carries these`
    )
  return result.outputFiles.map(({ text }) => text).join("")
}

const withRolldown = async (folder: string, code: string, name: string): Promise<string> => {
  const entry = "\0entry.js"
  const missing = new Set<string>()
  const bundle = await rolldown({
    input: entry,
    cwd: folder,
    platform: isDriver(name) ? "node" : "browser",
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? code : undefined)
      }
    ],
    onLog: (_, { exporter, message }) => void missing.add(exporter ?? message)
  })
  const { output } = await bundle.generate({ format: "esm", minify: true })
  await bundle.close()
  const optional = Object.keys(manifest.peerDependenciesMeta)
  assert.deepEqual(
    [...missing].filter((text) => !optional.some((one) => text === one || text.startsWith(`${one}/`))),
    [],
    `what rolldown says of \`${name}\``
  )
  return output.map((chunk) => (chunk.type === "chunk" ? chunk.code : "")).join("")
}

/** Bundles each subpath in a folder where no optional package is installed. */
export const checkSubpaths = async (folder: string): Promise<string> => {
  for (const { name } of subpaths) {
    const code = `export * from "${name}"`
    await withEsbuild(folder, code, name)
    await withRolldown(folder, code, name)
  }
  return `bundles ${subpaths.length} subpaths with esbuild and rolldown, without an optional package`
}

const hello = `
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Agent, MiniAgents } from "${manifest.name}"
const echo = Agent.make("Echo", (ctx) =>
  Stream.runForEach(ctx.messages, ({ message }) => Effect.flatMap(message, (said) => ctx.reply("You said: " + said))))
const main = Effect.gen(function*() {
  const replies = yield* echo.trigger(["Hello", "World"])
  return yield* replies.text
})
Effect.runPromise(Effect.provide(main, MiniAgents.layer())).then(console.log)
`

/** How much a first program weighs, in bytes. */
const atMost = 56_000

export const checkSize = async (folder: string): Promise<string> => {
  const sizes = new Map<string, number>()
  for (const [bundler, bundle] of [
    ["esbuild", withEsbuild],
    ["rolldown", withRolldown]
  ] as const) {
    sizes.set(bundler, gzipSync(await bundle(folder, hello, "hello"), { level: 9 }).length)
  }
  const said = [...sizes].map(([bundler, size]) => `${(size / 1000).toFixed(1)} kB (${bundler})`).join(" and ")
  assert(Math.min(...sizes.values()) <= atMost, `a first program weighs ${said}, minified and compressed`)
  return `a first program weighs ${said}, minified and compressed`
}
