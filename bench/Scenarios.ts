/** All scenarios, in the order in which they run. */
import type { Contestant, Scenario } from "./Scenario.ts"
import { S1 } from "./scenarios/S1.ts"
import { S2 } from "./scenarios/S2.ts"
import { S3 } from "./scenarios/S3.ts"
import { S4 } from "./scenarios/S4.ts"
import { S5 } from "./scenarios/S5.ts"
import { S6 } from "./scenarios/S6.ts"
import { S7 } from "./scenarios/S7.ts"
import { S8 } from "./scenarios/S8.ts"
import { S9 } from "./scenarios/S9.ts"
import { S10 } from "./scenarios/S10.ts"
import { S11 } from "./scenarios/S11.ts"
import { S12 } from "./scenarios/S12.ts"
import { S13 } from "./scenarios/S13.ts"
import { S14 } from "./scenarios/S14.ts"
import { S15 } from "./scenarios/S15.ts"
import { S16 } from "./scenarios/S16.ts"
import { S17 } from "./scenarios/S17.ts"
import { S18 } from "./scenarios/S18.ts"
import { S20 } from "./scenarios/S20.ts"
import { S19 } from "./scenarios/S19.ts"

export const all: ReadonlyArray<Scenario> = [
  S1,
  S2,
  S3,
  S4,
  S5,
  S6,
  S7,
  S8,
  S9,
  S10,
  S11,
  S12,
  ...S13,
  S14,
  S15,
  ...S16,
  ...S17,
  ...S18,
  ...S20,
  ...S19
]

/** The scenarios that have peers, with them. */
export const withPeers: ReadonlyArray<Scenario> = all.flatMap((scenario) =>
  scenario.peers === undefined ? [] : [{ ...scenario, contestants: [...scenario.contestants, ...scenario.peers] }]
)

/** Those that say something at a tenth of their size: what compiles takes as long as ever. */
export const quick = (scenarios: ReadonlyArray<Scenario>): ReadonlyArray<Scenario> =>
  scenarios.filter(({ id }) => id !== "S9" && id !== "S10")

/** A scenario with nothing but the library and what it is compared with. */
export const paired = (scenario: Scenario): Scenario => {
  const { contestants } = scenario
  const own = contestants.filter(({ kind }) => kind === "miniagents")
  const floors = new Set(own.map(({ floor }) => floor ?? contestants[0]!.name))
  return { ...scenario, contestants: contestants.filter((one) => own.includes(one) || floors.has(one.name)) }
}

export const find = (id: string, name: string): Contestant => {
  const scenario = withPeers.find((one) => one.id === id) ?? all.find((one) => one.id === id)
  const contestant = scenario?.contestants.find((one) => one.name === name)
  if (contestant === undefined) throw new Error(`no contestant \`${name}\` in \`${id}\``)
  return contestant
}
