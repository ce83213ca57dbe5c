/** What it costs that a program is inspected, and how its page draws it. */
import type * as Inspected from "../miniagents/Inspected.ts"
import type { Contestant, Result, Scenario, Target } from "../Scenario.ts"
import * as Targets from "../Targets.ts"

const bare = "not inspected"
const recorded = "inspected, no page open"
const shown = "inspected, on a page"

const contestant = (name: string, kind: Contestant["kind"], way: keyof typeof Inspected): Contestant => ({
  name,
  kind,
  load: async () => (await import("../miniagents/Inspected.ts"))[way]
})

const fact =
  (name: string) =>
  ({ facts }: Result): number =>
    facts[name]!.median

/** A display has so many frames a second; one of them may be late. */
const display = 60

const atLeast =
  (least: number, what: string): Target =>
  (results) => {
    const result = Targets.named(results, shown)
    if (result === undefined) return undefined
    const value = fact(what)(result)
    return { met: value >= least, text: `${shown}: ${value.toFixed(1)} ${what} (at least ${least})` }
  }

const moreMemory =
  (most: number): Target =>
  (results) => {
    const [a, b] = [Targets.named(results, shown), Targets.named(results, bare)]
    if (a === undefined || b === undefined) return undefined
    const more = fact("MB alive")(a) - fact("MB alive")(b)
    return { met: more <= most, text: `${shown}: ${more.toFixed(0)} MB more alive than "${bare}" (at most ${most} MB)` }
  }

export const S20: ReadonlyArray<Scenario> = [
  {
    id: "S20.1",
    title: "1,000 agents at once, 1,000 tokens each, that an inspector watches",
    unit: "agent",
    size: 1000,
    gate: 20,
    patience: 100,
    contestants: [contestant(bare, "floor", "alone"), contestant(recorded, "miniagents", "watched")],
    targets: [Targets.atMost(1.1, recorded, bare)]
  },
  {
    id: "S20.2",
    title: "1,000 agents that say 100 messages each, ten a second, on a page in Chromium without a graphics card",
    unit: "message",
    size: 100_000,
    gate: 1000,
    patience: 100,
    contestants: [contestant(bare, "floor", "talks"), contestant(shown, "miniagents", "shown")],
    targets: [
      atLeast(display - 1, "frames/s"),
      Targets.limit(shown, "the worst frame", "ms", 100, fact("ms, worst frame")),
      Targets.limit(shown, "the heap of the page", "MB", 60, fact("MB of the page")),
      moreMemory(200)
    ]
  }
]
