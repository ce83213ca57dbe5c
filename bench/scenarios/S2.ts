import * as Peers from "../peers/index.ts"
import type { Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const floors = () => import("../floors/Reads.ts")
const reads = () => import("../miniagents/Reads.ts")
const stream = "Effect Stream, read by hand"
const forAwait = "async iterable, `for await`"
const asStream = "async iterable as an Effect Stream, read by hand"

export const S2: Scenario = {
  id: "S2",
  title: "one message of 100,000 tokens that come one at a time, one reader",
  unit: "token",
  size: 100_000,
  gate: 10_000,
  patience: 60,
  contestants: [
    { name: stream, kind: "floor", load: async () => (await floors()).stream },
    { name: "miniagents, Effect Stream", kind: "miniagents", load: async () => (await reads()).stream },
    { name: forAwait, kind: "floor", floor: forAwait, load: async () => (await floors()).forAwait },
    { name: asStream, kind: "floor", floor: asStream, load: async () => (await floors()).iterableAsStream },
    {
      name: "miniagents, async iterable",
      kind: "miniagents",
      floor: asStream,
      load: async () => (await reads()).iterable
    }
  ],
  peers: Peers.contestants("S2", forAwait),
  targets: [
    Targets.atMost(1.3, "miniagents, Effect Stream", stream),
    Targets.atMost(1.3, "miniagents, async iterable", asStream),
    Targets.atMost(1.3, "miniagents, async iterable", forAwait),
    Targets.fasterThanPeers(8, "miniagents, async iterable")
  ]
}
