/** The library as users get it: packed, and installed into folders of its own. */

import assert from "node:assert/strict"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

interface Manifest {
  readonly name: string
  readonly version: string
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, unknown>>
  readonly exports: Readonly<Record<string, null | string | Readonly<Record<string, string>>>>
}

interface Subpath {
  /** How it is imported. */
  readonly name: string
  /** Its files by condition. */
  readonly target: Readonly<Record<string, string>>
}

export const root = fileURLToPath(new URL("..", import.meta.url))
export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest
export const subpaths: ReadonlyArray<Subpath> = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  target === null || typeof target === "string" ? [] : [{ name: manifest.name + subpath.slice(1), target }]
)

/** What npm tells its scripts about this project must not reach the npm that works in another folder. */
export const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle|config_local_prefix)/.test(name))
)

export const run = (cwd: string, command: string, ...args: ReadonlyArray<string>): string =>
  execFileSync(command, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

export const node = (folder: string, code: string): string =>
  run(folder, process.execPath, "--input-type=module", "--eval", code).trimEnd()

/** What the compiler that is installed in a folder says of these files, and nothing when all is well. */
export const tsc = (
  compiler: string,
  folder: string,
  files: ReadonlyArray<string>,
  ...options: ReadonlyArray<string>
) => {
  const strict = ["--strict", "--pretty", "false", "--module", "nodenext", "--target", "es2024", ...options, ...files]
  return spawnSync(process.execPath, [join(compiler, "node_modules/typescript/bin/tsc"), ...strict], {
    cwd: folder,
    env,
    encoding: "utf8"
  }).stdout
}

export const pack = (folder: string): string => {
  run(root, "npm", "pack", "--pack-destination", folder)
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"))
  assert(tarball !== undefined, "`npm pack` made no tarball")
  return join(folder, tarball)
}

/** Makes a folder as a user would, in which nothing is installed yet. */
export const makeUser = (folder: string): string => {
  mkdirSync(folder)
  writeFileSync(join(folder, "package.json"), `{ "private": true, "type": "module" }`)
  return folder
}

/** An install script in the tarball, or in what it needs, is an error here. */
export const install = (folder: string, ...specs: ReadonlyArray<string>): string =>
  run(folder, "npm", "install", "--strict-allow-scripts", "--loglevel=error", "--no-audit", "--no-fund", ...specs)

export const exactVersion = (name: string): string => {
  const version = manifest.devDependencies[name]
  assert(version !== undefined, `\`${name}\` is no devDependency`)
  return version
}

export const exact = (name: string): string => `${name}@${exactVersion(name)}`
