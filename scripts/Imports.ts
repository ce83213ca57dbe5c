/** What a TypeScript module imports. */

import { parseSync, Visitor } from "oxc-parser"

/** The modules that TypeScript source imports or exports from, in its order, type imports included. */
export const fromSource = (path: string, source: string): ReadonlyArray<string> => {
  const { errors, program } = parseSync(path, source)
  if (errors.length > 0) throw new Error(`\`${path}\` does not parse: ${errors[0]!.message}`)
  const found: Array<string> = []
  const add = (node: { readonly source: unknown }) => {
    const { value } = (node.source ?? {}) as { readonly value?: unknown }
    if (typeof value === "string") found.push(value)
  }
  new Visitor({
    ExportAllDeclaration: add,
    ExportNamedDeclaration: add,
    ImportDeclaration: add,
    ImportExpression: add,
    TSImportType: add
  }).visit(program)
  return found
}
