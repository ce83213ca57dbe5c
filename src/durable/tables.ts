/** The rows of runs, and what can be done with them, wherever they are kept. */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Migrator from "effect/sql/Migrator"
import type { SqlError } from "effect/sql/SqlError"
import type { Info, Wait } from "../runs/Runs.ts"
import type { Damage } from "../store/storeError.ts"
import type * as Transcript from "../Transcript.ts"

/** What goes wrong with rows. */
export type Trouble = SqlError | Migrator.MigrationError | Damage

/** What a run waits for, and the shape of the value that it takes, where that can be said. */
export interface Waiting extends Wait {
  readonly takes?: Schema.Json
}

/** A run. Whoever opened it last owns it: the epoch says how often it was opened, the lease until when it is held. */
export interface Run {
  readonly n: number
  readonly id: string
  readonly agent: string
  readonly status: Info["status"]
  readonly epoch: number
  readonly lease: number
  readonly startedAt: number
  readonly endedAt: number | undefined
  /** The parameters of the call, as JSON. */
  readonly parameters: string
  readonly waiting: ReadonlyArray<Waiting>
  /** The run that this one is a rerun of. */
  readonly source: number | undefined
}

/**
 * What is known of a run, in the order in which it came to be:
 *
 * - `input`: what the agent was sent, as the events of its transcript;
 * - `events`: the next events of the transcript of its replies, as they were written at once;
 * - `answer`: what came from outside (a response, a result, a time), by what was asked;
 * - `tokens`: what a response has said that is not at its end;
 * - `order`: which of several came next;
 * - `unasked`: the answers that nobody asked for when it went on after it was cut off;
 * - `call`: an answer of which only that it was is left.
 */
export type Kind = "input" | "events" | "answer" | "tokens" | "order" | "unasked" | "call"

/** What is needed to run again, and for nothing else. */
export const JOURNAL = ["answer", "tokens", "order"] as const satisfies ReadonlyArray<Kind>

/** A row of the log of a run; the body is JSON. */
export interface LogRow {
  readonly seq: number
  readonly kind: Kind
  readonly body: string
}

/** The events of the replies that rows hold. */
export const eventsOf = (rows: ReadonlyArray<LogRow>): ReadonlyArray<Transcript.Event> =>
  rows.flatMap(({ body, kind }) => (kind === "events" ? (JSON.parse(body) as ReadonlyArray<Transcript.Event>) : []))

/** All events of the replies of a run, and the number of the last row of its log. */
export interface Said {
  readonly events: ReadonlyArray<Transcript.Event>
  readonly seq: number
}

/** What is written of a run at once, by its owner of that epoch. */
export interface Write {
  readonly run: number
  readonly epoch: number
  readonly rows: ReadonlyArray<LogRow>
  readonly waiting?: ReadonlyArray<Waiting> | undefined
  readonly end?: { readonly status: Info["status"]; readonly at: number } | undefined
}

/** What a run was sent by others; `kind` is `interrupt` for a run that is to end. */
export interface Signal {
  readonly n: number
  readonly run: number
  readonly kind: "signal" | "interrupt"
  readonly name: string
  readonly value: string
}

export interface Tables {
  readonly name: string
  /** Waits for others to change something, where it can be seen; nothing, where it has to be looked for. */
  readonly changed: Effect.Effect<void> | undefined
  /** Does something that is no part of a transaction of the caller's. */
  readonly outside: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Adds a run that is owned from the start; nothing where there is one of that id. */
  readonly add: (
    run: Pick<Run, "id" | "agent" | "lease" | "startedAt" | "parameters" | "source">,
    rows: ReadonlyArray<LogRow>
  ) => Effect.Effect<Run | undefined, Trouble>
  readonly remove: (run: number) => Effect.Effect<void, Trouble>
  readonly find: (id: string) => Effect.Effect<Run | undefined, Trouble>
  readonly list: Effect.Effect<ReadonlyArray<Run>, Trouble>
  /** Opens a run that goes on and that nobody holds at the time `now`; nothing where that is not so. */
  readonly take: (id: string, now: number, lease: number) => Effect.Effect<Run | undefined, Trouble>
  /** The rows after one of them, in their order. */
  readonly log: (
    run: number,
    after: number,
    kinds?: ReadonlyArray<Kind>
  ) => Effect.Effect<ReadonlyArray<LogRow>, Trouble>
  readonly said: (run: number) => Effect.Effect<Said, Trouble>
  /** Writes what the owners have to write, and gives the runs whose owners these still were. */
  readonly write: (writes: ReadonlyArray<Write>) => Effect.Effect<ReadonlySet<number>, Trouble>
  /** Sets the leases of runs whose owners these are, and gives those. */
  readonly hold: (
    runs: ReadonlyArray<Pick<Run, "n" | "epoch">>,
    lease: number
  ) => Effect.Effect<ReadonlySet<number>, Trouble>
  /** The runs that go on and that nobody holds. */
  readonly lapsed: (now: number) => Effect.Effect<ReadonlyArray<Pick<Run, "id" | "agent">>, Trouble>
  /** The runs that ended before a time and still have a journal, but for those that one that goes on takes answers from. */
  readonly ended: (before: number) => Effect.Effect<ReadonlyArray<number>, Trouble>
  /** Puts other rows in the place of the journal of a run and what it was sent; gives how many are fewer. */
  readonly condense: (run: number, rows: ReadonlyArray<LogRow>) => Effect.Effect<number, Trouble>
  readonly send: (signal: Omit<Signal, "n">) => Effect.Effect<number, Trouble>
  /** What these runs were sent, in the order of that. */
  readonly signals: (runs: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<Signal>, Trouble>
}
