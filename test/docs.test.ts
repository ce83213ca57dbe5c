/**
 * What is said of every export and of what it has, where a person hovers over it: in sentences, and no riddles. And the
 * pages: their links lead somewhere.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { parseSync } from "oxc-parser"

const root = fileURLToPath(new URL("..", import.meta.url))
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, string | { readonly [condition: string]: string } | null>>
}

/** The sources of all that a program can import. */
const files = [
  ...new Set(
    Object.values(exports).flatMap((target) => {
      const path = typeof target === "string" ? target : target?.["default"]
      return path === undefined || !path.startsWith("./dist/") || path.endsWith("/index.js")
        ? []
        : [path.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts")]
    })
  )
]

interface Doc {
  readonly place: string
  /** Without the tags and what stands under headings. */
  readonly said: string
  readonly all: string
}

/** The documentation comments of a file, each with what it stands above. */
const docsOf = (file: string): ReadonlyArray<Doc> => {
  const source = readFileSync(join(root, file), "utf8")
  const { comments } = parseSync(file, source)
  return comments.flatMap(({ end, type, value }) => {
    if (type !== "Block" || !value.startsWith("*")) return []
    if (value.includes("@internal")) return []
    const all = value.replace(/^\s*\*+ ?/gm, "").trim()
    const said = all.split(/^(?:@|\*\*[A-Z])/m)[0]!.trim()
    const line = source.slice(0, end).split("\n").length
    const [below = ""] = source.slice(end).trimStart().split("\n")
    return [{ place: `${file}:${line} ${below.slice(0, 60)}`, said, all }]
  })
}

const isExport = ({ place }: Doc) => /:\d+ export /.test(place)
/** An export, or a field of one. */
const isPublic = (doc: Doc) => isExport(doc) || /:\d+ (?:readonly|import) /.test(doc.place)
/** A type beside a value of the same name is told of there. */
const isTwin = ({ place }: Doc) => {
  const [, file, name] = /^(.*):\d+ export type (\w+)/.exec(place) ?? []
  return file !== undefined && new RegExp(`^export const ${name}\\b`, "m").test(readFileSync(join(root, file), "utf8"))
}

const rules: ReadonlyArray<readonly [string, (doc: Doc) => boolean]> = [
  ["say something in five words or more", (doc) => !isExport(doc) || isTwin(doc) || doc.said.split(/\s+/).length >= 5],
  [
    "give a default in a tag or a sentence, and not as what holds `unless said`",
    ({ all }) => !/\bunless (?:said|told|given|provided|(?:it is )?set)\b/.test(all)
  ],
  ["begin with what a thing is, and not with `What`", (doc) => !isPublic(doc) || !/^What\b/.test(doc.said)]
]

describe("the documentation of what is exported", () => {
  it("is there for every name", () => {
    const missing = files.flatMap((file) => {
      const source = readFileSync(join(root, file), "utf8")
      return [...source.matchAll(/^export (?:declare )?(?:const|class|interface|type|function) (\w+)/gm)].flatMap(
        (match) =>
          /\*\/\s*$/.test(source.slice(0, match.index)) || new RegExp(`\\*/\\nexport \\w+ ${match[1]}\\b`).test(source)
            ? []
            : [`${file}: ${match[1]}`]
      )
    })
    assert.deepStrictEqual(missing, [])
  })

  it.each(rules)("has to %s", (_, keeps) => {
    const broken = files.flatMap(docsOf).filter((doc) => !keeps(doc))
    assert.deepStrictEqual(
      broken.map(({ place, said }) => `${place}\n    ${said.replace(/\s+/g, " ").slice(0, 150)}`),
      []
    )
  })
})

/** The names by which links lead to the headings of a page, as GitHub makes them. */
const anchorsOf = (page: string): ReadonlyArray<string> =>
  [...page.replaceAll(/^```[^]*?^```/gm, "").matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-")
  )

describe("the pages", () => {
  const pages = [...globSync("*.md", { cwd: root }), "llms.txt", ...globSync("docs/*.md", { cwd: root })]

  it.each(pages)("%s has links that lead somewhere", (page) => {
    const text = readFileSync(join(root, page), "utf8").replaceAll(/^```[^]*?^```/gm, "")
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => {
      if (/^https?:/.test(link!)) return []
      const [path, anchor] = link!.split("#") as [string, string | undefined]
      const target = path === "" ? page : join(dirname(page), path)
      if (!existsSync(join(root, target))) return [link]
      return anchor === undefined || anchorsOf(readFileSync(join(root, target), "utf8")).includes(anchor) ? [] : [link]
    })
    assert.deepStrictEqual(broken, [])
  })

  it("are all named in the list of pages and in llms.txt", () => {
    const list = readFileSync(join(root, "docs/README.md"), "utf8")
    const llms = readFileSync(join(root, "llms.txt"), "utf8")
    const missing = globSync("*.md", { cwd: join(root, "docs"), exclude: ["README.md"] }).filter(
      (name) => !(name === "getting-started.md" || list.includes(`(${name})`)) || !llms.includes(`(docs/${name})`)
    )
    assert.deepStrictEqual(missing, [])
  })
})
