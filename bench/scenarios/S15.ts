import type { Scenario, Target } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const bare = "a message, read"
const encoded = "encoded"
const decoded = "encoded, decoded, read"

/** What one more step costs a token, in microseconds. */
const more =
  (name: string, than: string, most: number): Target =>
  (results) => {
    const [a, b] = [Targets.named(results, name), Targets.named(results, than)]
    if (a === undefined || b === undefined) return undefined
    const cost = ((a.ms.median - b.ms.median) * 1000) / S15.size
    return {
      met: cost <= most,
      text: `${name}: ${cost.toFixed(2)} µs a token more than "${than}" (at most ${most} µs)`
    }
  }

export const S15: Scenario = {
  id: "S15",
  title: "a message of 200,000 tokens that come one at a time, as a transcript and back",
  unit: "token",
  size: 200_000,
  gate: 20_000,
  patience: 60,
  contestants: [
    { name: bare, kind: "floor", load: async () => (await import("../miniagents/Transcripts.ts")).bare },
    { name: encoded, kind: "miniagents", load: async () => (await import("../miniagents/Transcripts.ts")).encoded },
    { name: decoded, kind: "miniagents", load: async () => (await import("../miniagents/Transcripts.ts")).decoded }
  ],
  targets: [more(encoded, bare, 2), more(decoded, encoded, 2)]
}
