/** What takes long to make of the sources is made when a test first asks, and kept for as long as these are the same. */
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { promisify } from "node:util"
import { rolldown } from "rolldown"
import { bundle } from "../scripts/bundle.ts"

const root = path.join(import.meta.dirname, "..")
const cache = path.join(root, ".vitest", "made")
const day = 86_400_000

const hashOf = (patterns: ReadonlyArray<string>): string => {
  const hash = createHash("sha256")
  for (const file of ["package-lock.json", "package.json", "tsconfig*.json", ...patterns].flatMap((pattern) =>
    fs.globSync(pattern, { cwd: root }).sort()
  )) {
    if (fs.statSync(path.join(root, file)).isFile()) {
      hash.update(`${file}\n`).update(fs.readFileSync(path.join(root, file)))
    }
  }
  return hash.digest("hex").slice(0, 16)
}

const making = new Map<string, Promise<string>>()

/** The folder that `make` fills from the files that the patterns name. */
const kept = (name: string, patterns: ReadonlyArray<string>, make: (folder: string) => Promise<unknown>) => {
  const made = async () => {
    const folder = path.join(cache, `${name}-${hashOf([...patterns, "test/Kept.ts"])}`)
    if (fs.existsSync(folder)) return folder
    fs.mkdirSync(cache, { recursive: true })
    for (const old of fs.readdirSync(cache).map((old) => path.join(cache, old))) {
      if (fs.statSync(old).mtimeMs < performance.timeOrigin - day) fs.rmSync(old, { recursive: true, force: true })
    }
    const unfinished = fs.mkdtempSync(`${folder}-`)
    await make(unfinished)
    // another worker may have been faster
    if (fs.existsSync(folder)) fs.rmSync(unfinished, { recursive: true })
    else fs.renameSync(unfinished, folder)
    return folder
  }
  const promise = making.get(name) ?? made()
  making.set(name, promise)
  return promise
}

/** A package `miniagents` as compilers see it: its declarations in `dist`; and its sources, for who runs it. */
export const declared = (): Promise<string> =>
  kept("declared", ["src/**/*"], async (folder) => {
    // what is wrong with a body is for the check of the types to say, and takes four times as long
    const options = ["-p", "tsconfig.build.json", "--noCheck", "--emitDeclarationOnly", "--declarationMap", "false"]
    const compiler = path.join(root, "node_modules/typescript/bin/tsc")
    await promisify(execFile)(process.execPath, [compiler, ...options, "--outDir", path.join(folder, "dist")], {
      cwd: root
    })
    fs.copyFileSync(path.join(root, "package.json"), path.join(folder, "package.json"))
    fs.symlinkSync(path.join(root, "src"), path.join(folder, "src"), "junction")
  })

/** The program `miniagents` as it is published: `main.js` and what it loads. */
export const published = (): Promise<string> => kept("published", ["src/**/*", "scripts/*"], bundle)

/**
 * A program of this project in one piece, so that it starts in a third of the time, with the files beside it that its
 * threads run. The path is from the root.
 */
export const inOnePiece = async (program: string, ...threads: ReadonlyArray<string>): Promise<string> => {
  const name = program.replaceAll("/", "-").replace(/\.ts$/, "")
  const folder = await kept(name, ["src/**/*", `${path.dirname(program)}/**/*.ts`], async (folder) => {
    const build = await rolldown({
      input: [program, ...threads.map((thread) => path.join(path.dirname(program), thread))],
      cwd: root,
      platform: "node",
      logLevel: "warn",
      resolve: { conditionNames: ["miniagents-source"] }
    })
    await build.write({
      dir: folder,
      format: "esm",
      entryFileNames: ({ facadeModuleId }) => (facadeModuleId === path.join(root, program) ? "main.js" : "[name].ts")
    })
    await build.close()
  })
  return path.join(folder, "main.js")
}
