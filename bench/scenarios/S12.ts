import type { Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const bare = "bare `effect/ai` streams"
const agents = "miniagents, `LlmAgent`"

export const S12: Scenario = {
  id: "S12",
  title: "1,000 agents at once on a scripted model, 1,000 tokens each",
  unit: "agent",
  size: 1000,
  gate: 20,
  patience: 120,
  contestants: [
    { name: bare, kind: "floor", load: async () => (await import("../floors/Models.ts")).bare },
    { name: agents, kind: "miniagents", load: async () => (await import("../miniagents/Models.ts")).agents }
  ],
  targets: [Targets.atMost(1.25, agents, bare), Targets.limit(agents, "peak", "MB", 300, ({ peak }) => peak.median)]
}
