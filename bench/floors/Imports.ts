/** S9: what it costs to import the library as published, and to import only the modules that it uses. */
import { execFileSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import type { Case } from "../Case.ts"
import * as Temporary from "../Temporary.ts"
import { tsc } from "./Compiler.ts"

/** Builds the library and gives the folder. */
const build = (): string => {
  const folder = Temporary.folder("dist")
  tsc(["-p", path.join(Temporary.root, "tsconfig.build.json"), "--outDir", folder])
  return folder
}

/** The modules of packages that a built module imports, by itself and through its own files. */
const packageModules = (file: string, found = new Set<string>(), seen = new Set<string>()): ReadonlySet<string> => {
  if (seen.has(file)) return found
  seen.add(file)
  for (const [, name] of fs
    .readFileSync(file, "utf8")
    .matchAll(/^(?:import|export)\s(?:[^"=;()]*?from\s+)?"(.+?)"/gm)) {
    if (name!.startsWith(".")) packageModules(path.join(path.dirname(file), name!), found, seen)
    else found.add(name!)
  }
  return found
}

/** Milliseconds that a fresh process takes to import the modules: the median of five. */
const importing = (modules: Iterable<string>): number => {
  const code = `const start = performance.now()
    await Promise.all(${JSON.stringify([...modules])}.map((name) => import(name)))
    console.log(performance.now() - start)`
  const options = { cwd: Temporary.root, encoding: "utf8" } as const
  const sample = () => Number(execFileSync(process.execPath, ["--input-type=module", "-e", code], options))
  return Array.from({ length: 5 }, sample).sort((a, b) => a - b)[2]!
}

/** Bytes in the files of a folder, without nested packages. */
const bytes = (folder: string): number =>
  fs
    .readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .map((entry) => path.join(folder, entry.name))
    .reduce((sum, file) => sum + (fs.statSync(file).isDirectory() ? bytes(file) : fs.statSync(file).size), 0)

/** The package and all that npm installs with it. */
const installed = (folder: string, found = new Set<string>()): ReadonlySet<string> => {
  if (found.has(folder)) return found
  found.add(folder)
  const manifest = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"))
  const { dependencies, peerDependencies, peerDependenciesMeta } = manifest
  for (const name of Object.keys({ ...dependencies, ...peerDependencies })) {
    if (peerDependenciesMeta?.[name]?.optional === true) continue
    installed(path.join(Temporary.root, "node_modules", name), found)
  }
  return found
}

/** The effect modules, and the hash function, without the library. */
export const modules: Case = async () => ({ ms: importing(packageModules(path.join(build(), "index.js"))) })

export const library: Case = async () => {
  const folder = build()
  const [, ...dependencies] = installed(Temporary.root)
  const facts = {
    packages: 1 + dependencies.length,
    "own kB": bytes(folder) / 1000,
    "dependencies kB": dependencies.reduce((sum, name) => sum + bytes(name), 0) / 1000
  }
  return { ms: importing([path.join(folder, "index.js")]), facts }
}
