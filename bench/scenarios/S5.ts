import type { Contestant, Scenario, Target } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const depth = (levels: number): Contestant => ({
  name: `miniagents, ${levels} deep`,
  kind: "miniagents",
  load: async () => (await import("../miniagents/Relays.ts")).chain(levels)
})

const calls = "512 calls of one token (S1)"

const flat: Target = (results) => {
  const [one, deep, extra] = ["miniagents, 1 deep", "miniagents, 512 deep", calls].map((name) =>
    Targets.named(results, name)
  )
  if (one === undefined || deep === undefined || extra === undefined) return undefined
  const most = 1.5 * one.ms.median + extra.ms.median
  return {
    met: deep.ms.median <= most,
    text: `512 deep takes ${deep.ms.median.toFixed(1)} ms (at most 1.5 × 1 deep plus 512 calls: ${most.toFixed(1)} ms)`
  }
}

export const S5: Scenario = {
  id: "S5",
  title: "10,000 messages through 1, 8, 64 and 512 relaying agents",
  unit: "message",
  size: 10_000,
  gate: 1000,
  patience: 60,
  contestants: [
    { ...depth(1), kind: "floor" },
    depth(8),
    depth(64),
    depth(512),
    {
      name: calls,
      kind: "miniagents",
      load: async () => {
        const { allAtOnce } = await import("../miniagents/Calls.ts")
        return () => allAtOnce(512)
      }
    }
  ],
  targets: [flat]
}
