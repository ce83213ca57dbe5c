import type { Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const bare = "a message, read"
const encoded = "encoded"
const decoded = "encoded, decoded, read"

const size = 200_000

export const S15: Scenario = {
  id: "S15",
  title: "a message of 200,000 tokens that come one at a time, as a transcript and back",
  unit: "token",
  size,
  gate: 20_000,
  patience: 60,
  contestants: [
    { name: bare, kind: "floor", load: async () => (await import("../miniagents/Transcripts.ts")).bare },
    { name: encoded, kind: "miniagents", load: async () => (await import("../miniagents/Transcripts.ts")).encoded },
    { name: decoded, kind: "miniagents", load: async () => (await import("../miniagents/Transcripts.ts")).decoded }
  ],
  targets: [Targets.more(encoded, bare, "token", size, 2), Targets.more(decoded, encoded, "token", size, 2)]
}
