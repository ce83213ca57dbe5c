/** What a scenario is: who takes part, how large the work is, and what must come out. */
import type { Case } from "./Case.ts"
import type { Summary } from "./Statistics.ts"

export interface Contestant {
  readonly name: string
  /** `bare` is neither agent library nor floor: a model call, or no library at all. */
  readonly kind: "floor" | "miniagents" | "peer" | "bare"
  readonly load: () => Promise<Case>
  /** The contestant that this one is compared with: by default the first floor of the scenario. */
  readonly floor?: string
  /** A smaller size at which it is measured, for the slow; the result is scaled up and says so. */
  readonly size?: number
}

export interface Scenario {
  readonly id: string
  readonly title: string
  /** What the size counts, in the singular: `call`, `token`. */
  readonly unit: string
  readonly size: number
  /** What the time of a case is, where it is not the time on the wall. */
  readonly clock?: string
  /** The size of the gate, which is also the warm-up. */
  readonly gate: number
  /** Seconds that one process may take. */
  readonly patience: number
  readonly contestants: ReadonlyArray<Contestant>
  /** Who takes part as well when the peers are measured. */
  readonly peers?: ReadonlyArray<Contestant>
  readonly targets: ReadonlyArray<Target>
}

/** What the rounds of one contestant gave. */
export interface Result {
  readonly contestant: Contestant
  /** Milliseconds for the size of the scenario. */
  readonly ms: Summary
  /** Megabytes that the process held at most. */
  readonly peak: Summary
  readonly facts: Readonly<Record<string, Summary>>
}

/** Why there is no result. */
export interface Failure {
  readonly contestant: Contestant
  readonly why: string
}

export interface Verdict {
  readonly met: boolean
  readonly text: string
}

/** Judges the results; gives nothing when a contestant that it needs was not measured. */
export type Target = (results: ReadonlyArray<Result>) => Verdict | undefined
