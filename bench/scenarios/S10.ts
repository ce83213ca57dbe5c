import type { Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const untyped = "the same program with `any`"
const typed = "miniagents"

export const S10: Scenario = {
  id: "S10",
  title: "`tsc` on a generated program of 20 agents × 50 tools with nested replies (an error of the compiler fails it)",
  unit: "agent",
  size: 20,
  gate: 1,
  patience: 120,
  contestants: [
    { name: untyped, kind: "floor", load: async () => (await import("../floors/Programs.ts")).untyped },
    { name: typed, kind: "miniagents", load: async () => (await import("../floors/Programs.ts")).typed }
  ],
  targets: [Targets.atMost(2, typed, untyped)]
}
