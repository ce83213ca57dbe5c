/** The code fences of Markdown: where they stand and what they are said to print. */

import type { Code, Nodes } from "mdast"
import { fromMarkdown } from "mdast-util-from-markdown"
import { parseSync } from "oxc-parser"

/** A `ts` fence. */
export interface Fence {
  /** What its file is called where it says so, as in "```ts desk.ts"; a fence that continues it is that file from then on. */
  readonly name: string | undefined
  /** The number of the first line of code, from 1. */
  readonly line: number
  /** The code, moved down by blank lines to where it stands in its file: a compiler's complaint names the right line. */
  readonly code: string
  /** The text of the plain or `text` fence that directly follows. */
  readonly output: string | undefined
}

// Whatever stands between two fences becomes an `undefined` between them.
const codes = (node: Nodes): ReadonlyArray<Code | undefined> => {
  if (node.type === "code") return [node]
  return "children" in node ? node.children.flatMap((child) => codes(child)) : [undefined]
}

const isOutput = (node: Code | undefined, markdown: string): node is Code =>
  node !== undefined &&
  (node.lang ?? "text") === "text" &&
  // not an indented block
  /[`~]/.test(markdown[node.position?.start.offset ?? 0] ?? "")

/** The values that are effects which were given all they need, or so it looks: the last that is done is to provide. */
const provided = (code: string): ReadonlyArray<string> =>
  parseSync("fence.ts", code).program.body.flatMap((statement) =>
    statement.type !== "VariableDeclaration"
      ? []
      : statement.declarations.flatMap(({ id, init }) => {
          if (id.type !== "Identifier" || init?.type !== "CallExpression") return []
          const said = code.slice(init.start, init.end)
          const isProvided = /Effect\.provide\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\s*\)$/.test(said)
          return isProvided || said.startsWith("Effect.provide(") ? [id.name] : []
        })
  )

const open = `import("effect/ai/LanguageModel").LanguageModel | import("miniagents").MiniAgents.MiniAgents`

/**
 * Code that a compiler refuses if such an effect requires something after all, but for the model and the runtime, which an
 * example may leave to its reader. It stands below the fence.
 */
export const complete = (code: string): string =>
  provided(code)
    .map((name) => `\nexport const _${name}: import("effect/Effect").Effect<unknown, unknown, ${open}> = ${name}`)
    .join("")

const hasImport = (code: string) => parseSync("fence.ts", code).module.staticImports.length > 0

/**
 * The `ts` fences of a Markdown text. A fence without an import continues the fences above it, back to the last one
 * that has imports.
 */
export const fromMarkdownText = (markdown: string, firstLine = 1): ReadonlyArray<Fence> => {
  const nodes = codes(fromMarkdown(markdown))
  const fences: Array<Fence> = []
  for (const [i, node] of nodes.entries()) {
    if (node?.lang !== "ts") continue
    const line = firstLine + (node.position?.start.line ?? 0)
    const continued = hasImport(node.value) ? undefined : fences.at(-1)
    const lines = continued?.code.split("\n") ?? []
    while (lines.length < line - 1) lines.push("")
    const next = nodes[i + 1]
    const output = isOutput(next, markdown) ? next.value : undefined
    fences.push({ name: node.meta ?? continued?.name, line, code: [...lines, node.value].join("\n"), output })
  }
  return fences
}

/** The `ts` fences of the doc comments of a TypeScript module. */
export const fromDocComments = (path: string, source: string): ReadonlyArray<Fence> =>
  parseSync(path, source)
    .comments.filter((comment) => comment.type === "Block" && comment.value.startsWith("*"))
    .flatMap((comment) => {
      const markdown = comment.value.slice(1).replaceAll(/^[ \t]*\*[ \t]?/gm, "")
      return fromMarkdownText(markdown, source.slice(0, comment.start).split("\n").length)
    })
