import type * as Floors from "../floors/Fibers.ts"
import type * as Calls from "../miniagents/Calls.ts"
import * as Peers from "../peers/index.ts"
import type { Contestant, Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

type Way = keyof typeof Floors & keyof typeof Calls

const floor = (how: string): string => `bare fibers, ${how}`
const library = (how: string): string => `miniagents, ${how}`

/** The floor and the library, making calls in the same way. */
const pair = ([how, way]: readonly [string, Way]): ReadonlyArray<Contestant> => [
  { name: floor(how), kind: "floor", floor: floor(how), load: async () => (await import("../floors/Fibers.ts"))[way] },
  {
    name: library(how),
    kind: "miniagents",
    floor: floor(how),
    load: async () => (await import("../miniagents/Calls.ts"))[way]
  }
]

/** How the calls are made, and the case that makes them so. */
const ways: ReadonlyArray<readonly [string, Way]> = [
  ["one by one", "oneByOne"],
  ["all at once", "allAtOnce"],
  ["streamed, one by one", "streamedOneByOne"],
  ["streamed, all at once", "streamedAllAtOnce"]
]

export const S1: Scenario = {
  id: "S1",
  title: "5,000 calls, one token each",
  unit: "call",
  size: 5000,
  gate: 500,
  patience: 60,
  contestants: ways.flatMap(pair),
  peers: [...Peers.contestants("S1", floor("one by one")), Peers.original(floor("one by one"))],
  targets: [
    ...ways.map(([how]) => Targets.atMost(3, library(how), floor(how))),
    Targets.fasterThanPeers(7, library("one by one")),
    Targets.fasterThanPeers(7, library("streamed, one by one"))
  ]
}
