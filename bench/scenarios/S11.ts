import type { Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const floors = () => import("../floors/Hashing.ts")
const messages = () => import("../miniagents/Hashing.ts")
const hash = "canonical JSON and sha256 by hand"
const equal = "`Equal` on plain objects"

export const S11: Scenario = {
  id: "S11",
  title: "hashing 100,000 messages; `Equal` on 100,000 pairs that are equal and 100,000 that are not",
  unit: "message",
  size: 100_000,
  gate: 1000,
  patience: 60,
  contestants: [
    { name: hash, kind: "floor", load: async () => (await floors()).hashByHand },
    { name: "miniagents, hash keys", kind: "miniagents", load: async () => (await messages()).hashKeys },
    { name: equal, kind: "floor", floor: equal, load: async () => (await floors()).equalPlain },
    {
      name: "miniagents, `Equal`",
      kind: "miniagents",
      floor: equal,
      load: async () => (await messages()).equalMessages
    }
  ],
  targets: [Targets.atMost(2, "miniagents, hash keys", hash), Targets.atMost(2, "miniagents, `Equal`", equal)]
}
