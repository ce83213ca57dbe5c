import type * as Module from "../miniagents/Clustered.ts"
import type { Contestant, Result, Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

/** What a cluster costs: its processes run on this machine, reach each other over the loopback and share a Postgres. */
const inProcess = "in this process"
const remote = "in another process"

type Clustered = typeof Module

const contestant = (
  name: string,
  kind: Contestant["kind"],
  load: (module: Clustered) => ReturnType<Contestant["load"]>
): Contestant => ({ name, kind, load: async () => load(await import("../miniagents/Clustered.ts")) })

const fact =
  (name: string) =>
  ({ facts }: Result): number =>
    facts[name]!.median

const tokens = 1_000_000
const counts = [1, 2, 4, 8]

export const S19: ReadonlyArray<Scenario> = [
  {
    id: "S19.1",
    title: "calls of an agent in a cluster, one after the other",
    unit: "call",
    size: 1000,
    gate: 50,
    patience: 120,
    contestants: [
      contestant(inProcess, "floor", ({ inTurnHere }) => inTurnHere()),
      contestant(remote, "miniagents", ({ inTurnThere }) => inTurnThere())
    ],
    targets: [Targets.limit(remote, "a call", "ms", 3, fact("ms a call"))]
  },
  {
    id: "S19.2",
    title: "calls of an agent in a cluster, 32 at once",
    unit: "call",
    size: 4000,
    gate: 200,
    patience: 120,
    contestants: [
      contestant(inProcess, "floor", ({ atOnceHere }) => atOnceHere()),
      contestant(remote, "miniagents", ({ atOnceThere }) => atOnceThere())
    ],
    targets: [Targets.limit(remote, "a call", "ms", 1000 / 800, (result) => 1000 / fact("calls/s")(result))]
  },
  {
    id: "S19.3",
    title: "ten messages of 100,000 tokens that are there, through one connection of a cluster",
    unit: "token",
    size: tokens,
    gate: 100_000,
    patience: 120,
    contestants: [
      contestant(inProcess, "floor", ({ tokensHere }) => tokensHere()),
      contestant(remote, "miniagents", ({ tokensThere }) => tokensThere())
    ],
    targets: [Targets.limit(remote, "a million tokens", "s", 1 / 1.5, (result) => 1 / fact("M tokens/s")(result))]
  },
  {
    id: "S19.4",
    title: "50 messages of 200 tokens at once, one token every 5 ms, through a cluster",
    unit: "token",
    size: 10_000,
    gate: 500,
    patience: 120,
    contestants: [
      contestant(inProcess, "floor", ({ pacedHere }) => pacedHere()),
      contestant(remote, "miniagents", ({ pacedThere }) => pacedThere())
    ],
    targets: [Targets.atMost(1.1, remote, inProcess)]
  },
  {
    id: "S19.5",
    title: "calls in a cluster that wait, and are then interrupted",
    unit: "call",
    size: 2000,
    gate: 100,
    patience: 120,
    contestants: [contestant(remote, "miniagents", ({ idleThere }) => idleThere())],
    targets: [
      Targets.limit(remote, "a call that waits", "KiB", 20, fact("KiB a call")),
      Targets.limit(remote, "a call that was interrupted", "KiB", 1, fact("KiB a call that was interrupted"))
    ]
  },
  {
    id: "S19.6",
    title: "calls that take 40 ms and one of 8 places, in so many processes on the two cores of this machine",
    unit: "call",
    size: 2000,
    gate: 200,
    patience: 180,
    contestants: counts.map((count) =>
      contestant(`${count} ${count === 1 ? "process" : "processes"}`, "miniagents", ({ busyThere }) => busyThere(count))
    ),
    targets: []
  },
  {
    id: "S19.7",
    title: "durable calls of an agent in a cluster, which asks the outside once, 32 at once, on Postgres",
    unit: "call",
    size: 500,
    gate: 50,
    patience: 120,
    contestants: [contestant(remote, "miniagents", ({ durableThere }) => durableThere())],
    targets: []
  },
  {
    id: "S19.8",
    title: "processes that are killed while durable calls go on in them",
    unit: "kill",
    size: 100,
    gate: 1,
    patience: 900,
    contestants: [
      {
        name: remote,
        kind: "miniagents",
        load: async () => (await import("../miniagents/Kills.ts")).killed()
      }
    ],
    targets: [
      Targets.limit(remote, "the longest pause of half of the calls", "ms", 3000, fact("longest pause ms, p50"))
    ]
  },
  {
    id: "S19.9",
    title:
      "a durable call whose process is killed: until it goes on in another one, with leases and locks of 2 seconds",
    unit: "kill",
    size: 10,
    gate: 1,
    patience: 180,
    contestants: [
      {
        name: remote,
        kind: "miniagents",
        load: async () => (await import("../miniagents/Kills.ts")).failedOver()
      }
    ],
    targets: [Targets.limit(remote, "until it goes on", "ms", 3000, fact("ms until it goes on, longest"))]
  }
]
