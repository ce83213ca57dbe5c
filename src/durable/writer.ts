/** The one writer of all the runs of a process: what comes while it writes is written together with the next. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import type * as Rows from "./tables.ts"

/** Another process has opened the run since: what this one would still write is refused. */
export class Fenced {
  readonly _tag = "Fenced"
}

export type Written = Exit.Exit<void, Rows.Trouble | Fenced>

interface Pending extends Rows.Write {
  /** Called in the step in which it is known. */
  readonly done: (written: Written) => void
}

/** Before a commit all others have their turn, until so many turns in a row add nothing, and at most so often. */
const QUIET_TURNS = 8
const MAX_TURNS = 100

/**
 * Invariants:
 * 1. What is added first is written first, and nothing of a run after what could not be written.
 * 2. All that is there is written at once: as a whole, or not at all.
 */
export class Writer {
  private readonly tables: Rows.Tables
  private pending: Array<Pending> = []
  private readonly bell = Latch.makeUnsafe()
  private closed = false

  constructor(tables: Rows.Tables) {
    this.tables = tables
  }

  add(write: Pending): void {
    if (this.closed) return write.done(Exit.interrupt())
    this.pending.push(write)
    this.bell.openUnsafe()
  }

  /** Writes what is added, for as long as it runs. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    this.bell.await.pipe(Effect.andThen(this.gather), Effect.andThen(Effect.uninterruptible(this.flush)))
  ).pipe(Effect.forever({ disableYield: true }))

  /** A commit costs the same for one run as for many, so those that have something to say now are waited for. */
  private readonly gather: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    let [quiet, had] = [0, this.pending.length]
    for (let turn = 0; turn < MAX_TURNS && quiet < QUIET_TURNS; turn++) {
      yield* Effect.yieldNow
      quiet = this.pending.length === had ? quiet + 1 : 0
      had = this.pending.length
    }
  })

  /** Writes what is there, and takes no more. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.closed = true
    return this.flush
  })

  private readonly flush: Effect.Effect<void> = Effect.suspend(() => {
    this.bell.closeUnsafe()
    const all = this.pending
    this.pending = []
    if (all.length === 0) return Effect.void
    return Effect.map(Effect.exit(this.tables.write(merged(all))), (exit) => {
      for (const { done, run } of all) {
        if (Exit.isFailure(exit)) done(exit)
        else done(exit.value.has(run) ? Exit.void : Exit.failCause(Cause.fail(new Fenced())))
      }
    })
  })
}

/** One write for each run and epoch. */
const merged = (all: ReadonlyArray<Pending>): ReadonlyArray<Rows.Write> => {
  const writes = new Map<string, { -readonly [K in keyof Rows.Write]: Rows.Write[K] } & { rows: Array<Rows.LogRow> }>()
  for (const { end, epoch, rows, run, waiting } of all) {
    const key = `${run} ${epoch}`
    let write = writes.get(key)
    if (write === undefined) writes.set(key, (write = { run, epoch, rows: [] }))
    write.rows.push(...rows)
    if (waiting !== undefined) write.waiting = waiting
    if (end !== undefined) write.end = end
  }
  return [...writes.values()]
}
