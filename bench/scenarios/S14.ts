import type { Result, Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const rows = "bare rows in `node:sqlite`"
const long = "miniagents, 20,000 turns"
const short = "miniagents, 2,000 turns"
const recorded = "miniagents, 2,000 turns of an agent, all recorded"

const fact =
  (name: string) =>
  ({ facts }: Result): number =>
    facts[name]!.median

export const S14: Scenario = {
  id: "S14",
  title: "a conversation of 20,000 turns in a store on SQLite, and one of 2,000",
  unit: "turn",
  size: 20_000,
  gate: 100,
  patience: 300,
  contestants: [
    { name: rows, kind: "floor", load: async () => (await import("../floors/Rows.ts")).inserted },
    { name: long, kind: "miniagents", load: async () => (await import("../miniagents/Conversations.ts")).appended },
    {
      name: short,
      kind: "miniagents",
      size: 2000,
      load: async () => (await import("../miniagents/Conversations.ts")).appended
    },
    {
      name: recorded,
      kind: "miniagents",
      size: 2000,
      load: async () => (await import("../miniagents/Conversations.ts")).recorded
    }
  ],
  targets: [
    Targets.limit(short, "a turn", "ms", 1000 / 1200, (result) => 1000 / fact("turns/s")(result)),
    Targets.limit(short, "reading 4,000 messages", "ms", 100, fact("ms to read 4,000 messages")),
    Targets.limit(short, "comparing two forks", "ms", 10, fact("ms to compare two forks")),
    Targets.atMost(1.2, long, short),
    Targets.limit(long, "comparing two forks", "ms", 10, fact("ms to compare two forks")),
    Targets.limit(recorded, "a message with its records", "bytes", 2000, fact("bytes a message"))
  ]
}
