/** What it costs that a run is watched: by an observer that waits for the end of every call, and by one that reads what it replies. */
import type * as Observed from "../miniagents/Observed.ts"
import type { Contestant, Scenario } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const unwatched = "not watched"
const ends = "watched: how each call ends"
const watched = "watched: all that is said"

type Way = keyof typeof Observed

const contestant = (name: string, kind: Contestant["kind"], way: Way): Contestant => ({
  name,
  kind,
  load: async () => (await import("../miniagents/Observed.ts"))[way]
})

const calls = 20_000
const tokens = 200_000

export const S17: ReadonlyArray<Scenario> = [
  {
    id: "S17.1",
    title: "20,000 calls, one word each, that an observer sees too",
    unit: "call",
    size: calls,
    gate: 10_000, // as many calls as the compiler takes to be done with them
    patience: 60,
    contestants: [
      contestant(unwatched, "floor", "calls"),
      contestant(ends, "miniagents", "callsToTheirEnd"),
      contestant(watched, "miniagents", "watchedCalls")
    ],
    targets: [Targets.more(ends, unwatched, "call", calls, 10), Targets.more(watched, unwatched, "call", calls, 10)]
  },
  {
    id: "S17.2",
    title: "one message of 200,000 tokens that come one at a time, that an observer reads too",
    unit: "token",
    size: tokens,
    gate: 50_000,
    patience: 60,
    contestants: [contestant(unwatched, "floor", "tokens"), contestant(watched, "miniagents", "watchedTokens")],
    targets: [Targets.more(watched, unwatched, "token", tokens, 1.5)]
  }
]
