import type { Scenario, Target } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const forgetful = "miniagents, no history"
const remembering = "miniagents, history with hash keys"

const fact =
  (name: string, early: string, late: string, judge: (early: number, late: number) => boolean, rule: string): Target =>
  (results) => {
    const facts = Targets.named(results, name)?.facts
    if (facts === undefined) return undefined
    const [a, b] = [facts[early]!.median, facts[late]!.median]
    return { met: judge(a, b), text: `${name}: ${late} ${b.toFixed(2)}, ${early} ${a.toFixed(2)} (${rule})` }
  }

export const S7: Scenario = {
  id: "S7",
  title: "a loop of 10,000 turns, each reading the replies of the one before",
  unit: "turn",
  size: 10_000,
  gate: 2000,
  patience: 60,
  contestants: [
    { name: forgetful, kind: "miniagents", load: async () => (await import("../miniagents/Loops.ts")).forgetful },
    { name: remembering, kind: "miniagents", load: async () => (await import("../miniagents/Loops.ts")).remembering }
  ],
  targets: [
    fact(forgetful, "live MB at a tenth", "live MB at the end", (a, b) => b - a <= 1, "at most 1 MB more"),
    fact(remembering, "µs a turn, first 100", "µs a turn, last 100", (a, b) => b <= 1.5 * a, "at most 1.5 ×")
  ]
}
