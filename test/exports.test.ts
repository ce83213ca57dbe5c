/** The exported names, pinned in `exports.txt`: a red pin is a deliberate change (`npx vitest run test/exports.test.ts -u`). */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, beforeAll, describe, expect, it } from "@effect/vitest"
import { parseSync, Visitor } from "oxc-parser"
import * as Kept from "./Kept.ts"

interface Module {
  /** How it is imported. */
  readonly name: string
  /** The subpath whose index has it as a namespace. */
  readonly subpath: string
  /** Its file in `src`, without the ending. */
  readonly path: string
}

const root = fileURLToPath(new URL("..", import.meta.url))
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, unknown>>
}
const subpaths = Object.entries(exports).flatMap(([name, target]) =>
  typeof target === "object" && target !== null ? [name.slice(1)] : []
)
const program = (source: string) => parseSync("module.d.ts", source, { lang: "dts" }).program
const read = (path: string) => readFileSync(join(root, "src", `${path}.ts`), "utf8")

/** The modules that the indexes export as namespaces. */
const modules: ReadonlyArray<Module> = subpaths.flatMap((subpath) =>
  read(`.${subpath}/index`)
    .trim()
    .split("\n")
    .map((line) => {
      const [, name, path] = /^export \* as (\w+) from "\.\/([\w/]+)\.ts"$/.exec(line) ?? []
      assert(name !== undefined && path !== undefined, `the index of \`miniagents${subpath}\` has a line \`${line}\``)
      return { name: `miniagents${subpath}/${name}`, subpath, path: `${subpath}/${path}`.slice(1) }
    })
)

let folder = ""
const declarationsOf = (path: string) => readFileSync(join(folder, `${path}.d.ts`), "utf8")

beforeAll(async () => {
  folder = join(await Kept.declared(), "dist")
}, 240_000)

/** The values and types that a module declares to its users. */
const namesOf = (path: string): { readonly values: ReadonlyArray<string>; readonly types: ReadonlyArray<string> } => {
  const [values, types] = [new Set<string>(), new Set<string>()]
  for (const statement of program(declarationsOf(path)).body) {
    if (statement.type !== "ExportNamedDeclaration") continue
    const { declaration, specifiers } = statement
    for (const { exported, exportKind } of specifiers) {
      const isType = exportKind === "type" || statement.exportKind === "type"
      if (exported.type === "Identifier") (isType ? types : values).add(exported.name)
    }
    if (declaration === null) continue
    if (declaration.type === "VariableDeclaration") {
      for (const { id } of declaration.declarations) if (id.type === "Identifier") values.add(id.name)
    } else if (declaration.type === "ClassDeclaration" || declaration.type === "TSDeclareFunction") {
      values.add(declaration.id!.name)
    } else if (declaration.type === "TSInterfaceDeclaration" || declaration.type === "TSTypeAliasDeclaration") {
      types.add(declaration.id.name)
    }
  }
  return { values: [...values].toSorted(), types: [...types].toSorted() }
}

describe("exports", () => {
  it("all that is exported is pinned, and nothing of it is internal", { timeout: 60_000 }, async () => {
    const names = modules.flatMap(({ name, path }) => {
      const { types, values } = namesOf(path)
      return [...values, ...types.map((type) => `type ${type}`)].map((export_) => `${name}: ${export_}\n`)
    })
    await expect(names.join("")).toMatchFileSnapshot("exports.txt")
  })

  it("every value that is declared is there", { timeout: 60_000 }, async () => {
    for (const subpath of subpaths) {
      const index = (await import(`miniagents${subpath}`)) as Readonly<Record<string, object>>
      const own = modules.filter((module) => module.subpath === subpath)
      assert.sameMembers(
        Object.keys(index),
        own.map(({ name }) => name.split("/").at(-1)!)
      )
      for (const { name, path } of own) {
        assert.includeMembers(Object.keys(index[name.split("/").at(-1)!]!), [...namesOf(path).values], name)
      }
    }
  })

  // so that the compiler can name what it infers from them, as in `import("miniagents/InteractionContext").Upstream`
  it("package.json exports every public module under its own name, and nothing else", () => {
    const expected = Object.fromEntries([
      ["./package.json", "./package.json"],
      ...subpaths.map((subpath) => [
        `.${subpath}`,
        {
          "miniagents-source": `./src${subpath}/index.ts`,
          types: `./dist${subpath}/index.d.ts`,
          default: `./dist${subpath}/index.js`
        }
      ]),
      ...modules.map(({ name, path }) => [name.replace("miniagents", "."), `./dist/${path}.js`]),
      // it is loaded for what it does
      ["./inspector/register", "./dist/inspector/register.js"],
      ["./internal/*", null]
    ])
    assert.deepStrictEqual(exports, expected)
  })

  it("every folder of src is a subpath, except `internal` and the program", () => {
    const folders = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory())
    const names = folders.map(({ name }) => `/${name}`).filter((name) => name !== "/internal" && name !== "/cli")
    assert.deepStrictEqual(names.toSorted(), subpaths.filter((subpath) => subpath !== "").toSorted())
  })

  it("a file's name says whether it is public: `Public.ts`, `private.ts`", () => {
    const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .map((path) => path.replaceAll("\\", "/"))
      .filter((path) => path.endsWith(".ts"))
    const named = files.filter((path) => /^[A-Z]/.test(path.split("/").at(-1)!))
    assert.sameMembers(
      named,
      modules.map(({ path }) => `${path}.ts`)
    )
  })

  it("no declaration says `any`", () => {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((path) => path.replaceAll("\\", "/"))
      .filter((path) => path.endsWith(".d.ts") && !path.startsWith("internal/"))
    assert.include(files, "Agent.d.ts")
    const found: Array<string> = []
    for (const file of files) {
      const source = readFileSync(join(folder, file), "utf8")
      new Visitor({
        TSAnyKeyword: ({ start }) => void found.push(`${file}: ${source.slice(Math.max(0, start - 60), start + 20)}`)
      }).visit(program(source))
    }
    assert.deepStrictEqual(found, [])
  })
})
