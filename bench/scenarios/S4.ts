import type { Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const tree = "miniagents, tree"
const flat = "miniagents, as many tokens from flat agents (S3)"

export const S4: Scenario = {
  id: "S4",
  title: "a tree 4 deep, 8 wide, 4,096 leaves × 20 tokens, read at the root in order",
  unit: "token",
  size: 4096 * 20,
  gate: 512 * 20,
  patience: 60,
  contestants: [
    {
      name: flat,
      kind: "floor",
      load: async () => {
        const { streams } = await import("../miniagents/Reads.ts")
        return (tokens) => streams(Math.ceil(tokens / 1000))
      }
    },
    {
      name: "bare fibers, tree (the root sees nothing before the end)",
      kind: "floor",
      load: async () => (await import("../floors/Trees.ts")).root
    },
    { name: tree, kind: "miniagents", load: async () => (await import("../miniagents/Trees.ts")).root }
  ],
  targets: [
    Targets.atMost(2, tree, flat),
    (results) => {
      const first = Targets.named(results, tree)
      if (first === undefined) return undefined
      return { met: true, text: "the root reads its first token while the last leaf still waits (the gate proves it)" }
    }
  ]
}
