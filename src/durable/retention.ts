/** What is left of runs that have ended: what they were sent and said, and their calls, but no longer what they were answered. */
import * as Effect from "effect/Effect"
import { entryOf } from "./compare.ts"
import type { Answer } from "./journal.ts"
import type * as Rows from "./tables.ts"

/** Takes the journals away of runs that ended before a time; gives how many rows went. */
export const collect = (tables: Rows.Tables, before: number): Effect.Effect<number, Rows.Trouble> =>
  Effect.gen(function* () {
    let removed = 0
    for (const run of yield* tables.ended(before)) {
      const answers = yield* tables.log(run, 0, ["answer"])
      const calls = answers.map(({ body, seq }) => ({
        ...{ seq, kind: "call" as const },
        body: JSON.stringify(entryOf(JSON.parse(body) as Answer))
      }))
      removed += yield* tables.condense(run, calls)
    }
    return removed
  })
