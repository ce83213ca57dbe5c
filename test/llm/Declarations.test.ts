/** What the type of an agent is written down as does not grow with the agents that are its tools. */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** Agents that have the ones before them as tools: twice, by two names. */
const program = (depth: number) =>
  [
    'import { Effect, Schema } from "effect"',
    'import { Agent } from "miniagents"',
    'import { AgentTool, LlmAgent } from "miniagents/llm"',
    'export class Lost extends Schema.TaggedError<Lost>()("Lost", {}) {}',
    'export const a0 = Agent.make("A0", Effect.fnUntraced(function*() { return yield* new Lost() }))',
    ...Array.from({ length: depth }, (_, i) => [
      `export const a${i + 1} = LlmAgent.make("A${i + 1}", {`,
      `  toolkit: AgentTool.toolkit({ One: a${i}, Other: a${i} })`,
      "})"
    ]).flat()
  ].join("\n")

describe("the declarations of agents", () => {
  it(
    "are a line for each agent, however deep their tools are nested, with all that they fail with",
    { timeout: 120_000 },
    async () => {
      mkdirSync(join(root, "scratchpad"), { recursive: true })
      const folder = mkdtempSync(join(root, "scratchpad", "declarations-"))
      try {
        writeFileSync(join(folder, "agents.ts"), program(10))
        writeFileSync(
          join(folder, "tsconfig.json"),
          JSON.stringify({
            extends: join(root, "tsconfig.json"),
            compilerOptions: {
              noEmit: false,
              declaration: true,
              emitDeclarationOnly: true,
              noCheck: true,
              outDir: "out",
              rootDir: root
            },
            include: ["agents.ts"],
            exclude: []
          })
        )
        await promisify(execFile)(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder])
        const path = join(folder, "out", "scratchpad", folder.split("/").at(-1)!, "agents.d.ts")
        const lines = readFileSync(path, "utf8").split("\n")
        const last = lines.find((line) => line.startsWith("export declare const a10:")) ?? ""
        for (const name of ["Lost", "AiError", "BudgetExceeded", "TooManySteps"]) assert.include(last, name)
        assert.isBelow(last.length, 600)
        assert.isBelow(lines.join("\n").length, 8_000)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }
  )
})
