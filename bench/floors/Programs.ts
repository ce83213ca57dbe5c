/** S10: a generated program of agents that call tool agents with parameters, errors and nested replies. */
import * as fs from "node:fs"
import * as path from "node:path"
import type { Case } from "../Case.ts"
import * as Temporary from "../Temporary.ts"
import { tsc } from "./Compiler.ts"

const tools = 50

const tool = (agent: number, i: number): string => `
class Failed${agent}_${i} extends Schema.TaggedError<Failed${agent}_${i}>()("Failed${agent}_${i}", { query: Schema.String }) {}
const tool${agent}_${i} = Agent.make("Tool${agent}_${i}", { parameters: { query: Schema.String, most: Schema.Finite } },
  Effect.fnUntraced(function*(ctx$) {
    if (ctx.parameters.most < ${i}) return yield* new Failed${agent}_${i}({ query: ctx.parameters.query })
    yield* ctx.reply(["found", [ctx.parameters.query, { most: ctx.parameters.most }]])
  }))`

/** Each agent nests the replies of its tools and of the agent before it. */
const agent = (i: number): string => `
const agent${i} = Agent.make("Agent${i}", Effect.fnUntraced(function*(ctx$) {
  yield* ctx.reply([
    ${i === 0 ? '"start"' : `yield* agent${i - 1}.trigger(ctx.messages)`},
    [${Array.from(
      { length: tools },
      (_, j) => `
      yield* tool${i}_${j}.trigger(ctx.messages, { query: "q", most: ${j} })`
    ).join(",")}
    ]
  ])
}))`

const program = (agents: number, any: boolean): string => {
  const parts = Array.from({ length: agents }, (_, i) =>
    [...Array.from({ length: tools }, (_, j) => tool(i, j)), agent(i)].join("\n")
  )
  return `import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Agent${any ? " as Typed" : ""} } from "miniagents"
${any ? "const Agent: any = Typed" : ""}
${parts.join("\n").replaceAll("ctx$", any ? "ctx: any" : "ctx")}
export const main = Effect.flatMap(agent${agents - 1}.trigger("go"), (replies${any ? ": any" : ""}) => replies.messages)
`
}

const check =
  (any: boolean): Case =>
  async (agents) => {
    const folder = Temporary.folder(any ? "any" : "typed")
    const compilerOptions = {
      target: "es2024",
      module: "nodenext",
      customConditions: ["miniagents-source"],
      allowImportingTsExtensions: true,
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      types: []
    }
    fs.writeFileSync(path.join(folder, "program.ts"), program(agents, any))
    fs.writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }))
    const start = performance.now()
    tsc(["-p", folder])
    return { ms: performance.now() - start }
  }

export const typed = check(false)
export const untyped = check(true)
