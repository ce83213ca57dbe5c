import type { Scenario, Target } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const broadcast = "`Stream.broadcast` with replay, 100 readers"
const few = "miniagents, 2 readers"
const many = "miniagents, 100 readers"

const noGrowth: Target = (results) => {
  const [two, hundred] = [Targets.named(results, few), Targets.named(results, many)]
  if (two === undefined || hundred === undefined) return undefined
  const growth = hundred.facts["live MB"]!.median - two.facts["live MB"]!.median
  return { met: growth <= 1, text: `98 more readers hold ${growth.toFixed(2)} MB more (at most 1 MB)` }
}

export const S6: Scenario = {
  id: "S6",
  title: "100 readers, 50 of them late, of one message of 100,000 tokens",
  unit: "token",
  size: 100_000,
  gate: 1000,
  patience: 120,
  contestants: [
    { name: broadcast, kind: "floor", load: async () => (await import("../floors/Broadcast.ts")).readers(100) },
    { name: few, kind: "miniagents", load: async () => (await import("../miniagents/Readers.ts")).readers(2) },
    { name: many, kind: "miniagents", load: async () => (await import("../miniagents/Readers.ts")).readers(100) }
  ],
  targets: [Targets.faster(30, many, broadcast), noGrowth]
}
