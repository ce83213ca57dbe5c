/**
 * Puts the program `miniagents` together: `dist/cli/main.js` and the parts it loads when they are needed, with all they
 * import, so that it runs where nothing is installed and starts fast, and the page of the inspector. The licences of what
 * is inside stand beside it.
 *
 * Run: node scripts/bundle.ts [folder]
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Plugin, rolldown } from "rolldown"
import * as Page from "./Page.ts"

const root = fileURLToPath(new URL("..", import.meta.url))

/** The page is served from beside the program, and from beside the library. */
const pages = (folder: string) => Promise.all([Page.write(join(folder, "page")), Page.write()])

/** The folders of the packages these modules are of. */
const packagesOf = (modules: ReadonlyArray<string>): ReadonlyArray<string> => {
  const folders = modules.flatMap((id) => /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1] ?? [])
  return [...new Set(folders)].toSorted()
}

const licenceOf = (folder: string): string => {
  const { license, name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly name: string
    readonly version: string
    readonly license: string
  }
  const file = readdirSync(folder).find((file) => /^licen[cs]e(\.(md|txt))?$/i.test(file))
  const text = file === undefined ? `Licence: ${license}` : readFileSync(join(folder, file), "utf8").trim()
  const notice = join(folder, "NOTICE")
  return `${name} ${version} (${license})\n\n${text}${existsSync(notice) ? `\n\n${readFileSync(notice, "utf8")}` : ""}\n`
}

/** What works with the modules of a person. */
const parts = ["serve", "operate", "cluster", "look"]

/** It shares the library and `effect` with those modules: neither is inside of it, nor is a driver that need not be there. */
const shared: Plugin = {
  name: "shared",
  resolveId: (source, importer) => {
    if (/^(effect|@effect\/sql-pg)(\/|$)/.test(source)) return { id: source, external: true }
    if (importer?.startsWith(join(root, "src/cli/")) !== true || !/^\.\.\/(\w+\/)*[A-Z]/.test(source)) return undefined
    return { id: `miniagents/${source.slice("../".length).replace(/\.ts$/, "")}`, external: true }
  }
}

/** The program stays as it is where it starts such a part. */
const apart: Plugin = {
  name: "apart",
  resolveId: (source) => {
    const part = parts.find((name) => source === `./${name}.ts`)
    return part === undefined ? undefined : { id: `./${part}.js`, external: true }
  }
}

const write = async (folder: string, entry: string, plugin: Plugin): Promise<ReadonlyArray<string>> => {
  const input = join(root, "src/cli", `${entry}.ts`)
  const build = await rolldown({ input, cwd: root, platform: "node", logLevel: "warn", plugins: [plugin] })
  const { output } = await build.write({
    dir: folder,
    format: "esm",
    cleanDir: entry === "main",
    entryFileNames: `${entry}.js`,
    chunkFileNames: "[name]-[hash].js",
    minify: { compress: true, mangle: { keepNames: { function: false, class: true } }, codegen: true }
  })
  await build.close()
  return output.flatMap((chunk) => (chunk.type === "chunk" ? chunk.moduleIds : []))
}

export const bundle = async (folder: string): Promise<void> => {
  const modules = [...(await write(folder, "main", apart))]
  for (const part of parts) modules.push(...(await write(folder, part, shared)))
  await pages(folder)
  const rule = `\n${"=".repeat(80)}\n\n`
  writeFileSync(join(folder, "LICENSES.txt"), packagesOf(modules).map(licenceOf).join(rule))
}

if (import.meta.main) await bundle(process.argv[2] ?? join(root, "dist/cli"))
