import * as Peers from "../peers/index.ts"
import type { Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const floors = () => import("../floors/Reads.ts")
const reads = () => import("../miniagents/Reads.ts")
const streams = "Effect Streams, bare fibers"
const forAwaits = "async iterables, `for await`"
const asStreams = "async iterables as Effect Streams, bare fibers"

export const S3: Scenario = {
  id: "S3",
  title: "1,000 agents at once, 1,000 tokens each",
  unit: "agent",
  size: 1000,
  gate: 20,
  patience: 100,
  contestants: [
    { name: streams, kind: "floor", load: async () => (await floors()).streams },
    { name: "miniagents, Effect Streams", kind: "miniagents", load: async () => (await reads()).streams },
    { name: forAwaits, kind: "floor", floor: forAwaits, load: async () => (await floors()).forAwaits },
    { name: asStreams, kind: "floor", floor: asStreams, load: async () => (await floors()).iterablesAsStreams },
    {
      name: "miniagents, async iterables",
      kind: "miniagents",
      floor: asStreams,
      load: async () => (await reads()).iterables
    }
  ],
  peers: Peers.contestants("S3", forAwaits),
  targets: [
    Targets.atMost(1.5, "miniagents, Effect Streams", streams),
    Targets.atMost(1.5, "miniagents, async iterables", asStreams),
    Targets.atMost(1.5, "miniagents, async iterables", forAwaits),
    Targets.fasterThanPeers(10, "miniagents, async iterables"),
    Targets.limit("miniagents, Effect Streams", "peak", "MB", 300, ({ peak }) => peak.median),
    Targets.limit("miniagents, async iterables", "peak", "MB", 300, ({ peak }) => peak.median)
  ]
}
