import type { Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const calls = "miniagents"

export const S8: Scenario = {
  id: "S8",
  title: "10,000 calls in flight interrupted at once (afterwards no fiber, timer or listener is left)",
  unit: "call",
  size: 10_000,
  gate: 1000,
  patience: 60,
  contestants: [
    { name: "bare fibers", kind: "floor", load: async () => (await import("../floors/Interrupt.ts")).fibers },
    { name: calls, kind: "miniagents", load: async () => (await import("../miniagents/Interrupt.ts")).calls }
  ],
  targets: [Targets.limit(calls, "time", "ms", 500, ({ ms }) => ms.median)]
}
