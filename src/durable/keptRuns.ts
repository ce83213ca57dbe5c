/** What is kept of runs, for those who look at it, whether they are open or not. */
import * as Effect from "effect/Effect"
import type * as Runs from "../runs/Runs.ts"
import type { Kept } from "./compare.ts"
import { refused } from "./request.ts"
import type * as Rows from "./tables.ts"

export class KeptRuns {
  private readonly tables: Rows.Tables

  constructor(tables: Rows.Tables) {
    this.tables = tables
  }

  find(id: string): Effect.Effect<Rows.Run, Runs.RunsError> {
    return Effect.filterOrFail(
      this.outside(this.tables.find(id)),
      (row) => row !== undefined,
      () => refused({ _tag: "NotFound", id })
    )
  }

  /** A run, and the rows of its log after one of them. */
  log(id: string, after: number): Effect.Effect<Pick<Kept, "row" | "rows">, Runs.RunsError> {
    return Effect.flatMap(this.find(id), (row) =>
      Effect.map(this.outside(this.tables.log(row.n, after)), (rows) => ({ row, rows }))
    )
  }

  /** What a run has said after a row of its log, for as long as it is kept. */
  events({ id, n }: Rows.Run, after: number): Effect.Effect<ReadonlyArray<Rows.LogRow>, Runs.RunsError> {
    return Effect.tap(this.outside(this.tables.log(n, after, ["events"])), (rows) =>
      rows.length === 0 ? this.find(id) : Effect.void
    )
  }

  /** All that is kept of a run. */
  all(id: string): Effect.Effect<Kept, Runs.RunsError> {
    return Effect.gen({ self: this }, function* () {
      const row = yield* this.find(id)
      const source = row.source === undefined ? [] : yield* this.outside(this.tables.log(row.source, 0, ["answer"]))
      return { row, rows: yield* this.outside(this.tables.log(row.n, 0)), source }
    })
  }

  /** Deletes a run that has ended. */
  delete(id: string): Effect.Effect<void, Runs.RunsError> {
    return Effect.flatMap(this.find(id), ({ n, status }) =>
      status === "running" ? Effect.fail(refused({ _tag: "NotEnded", id })) : this.outside(this.tables.remove(n))
    )
  }

  /** What is done with the tables is no part of a transaction of the caller's. */
  outside<A>(effect: Effect.Effect<A, Rows.Trouble>): Effect.Effect<A, Runs.RunsError> {
    const unavailable = (error: Rows.Trouble) =>
      refused({ _tag: "Unavailable", problem: `The store of the runs could not do it: ${error.message}` })
    return Effect.mapError(this.tables.outside(effect), unavailable)
  }
}
