/** The events of a run, for those who read it: from where it is open, or from the tables. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Transcript from "../Transcript.ts"
import type { Follower } from "./recorder.ts"
import type { DurableRun } from "./run.ts"
import * as Rows from "./tables.ts"

type Events = ReadonlyArray<Transcript.Event>

/** The events of a run that is open here, as they come to be written; and what is `elsewhere`, after so many events. */
export const open = <E>(
  run: DurableRun,
  follower: Follower,
  elsewhere: (had: number) => Stream.Stream<Transcript.Event, E>
): Stream.Stream<Transcript.Event, E> => {
  let index = 0
  const next: Effect.Effect<Events | undefined> = Effect.suspend(() => {
    const { events } = run
    if (index < events.items.length) {
      const some = follower.take(events.items.slice(index))
      index = events.items.length
      return some.length === 0 ? next : Effect.succeed(some)
    }
    return events.exit === undefined ? Effect.flatMap(events.changed, () => next) : Effect.undefined
  })
  const here = Stream.paginate(undefined, () =>
    Effect.map(next, (some) => [some ?? [], some === undefined ? Option.none() : Option.some(undefined)] as const)
  )
  const rest = Stream.suspend(() => (run.events.exit?._tag === "Success" ? Stream.empty : elsewhere(index)))
  return Stream.concat(here, rest)
}

/** The events of a run as they come to be in the tables, but for the first ones. */
export const stored = <E>(
  log: (after: number) => Effect.Effect<ReadonlyArray<Rows.LogRow>, E>,
  had: number,
  follower: Follower,
  pause: Effect.Effect<void>
): Stream.Stream<Transcript.Event, E> => {
  let [seq, skip] = [0, had]
  const next: Effect.Effect<Events, E> = Effect.gen(function* () {
    const rows = yield* log(seq)
    seq = rows.at(-1)?.seq ?? seq
    const written = Rows.eventsOf(rows)
    const events = written.slice(skip)
    skip = Math.max(0, skip - written.length)
    if (events.length > 0) return events
    yield* pause
    return yield* next
  })
  return Stream.paginate(undefined, () =>
    Effect.map(next, (events) => {
      const isOver = !("at" in events[events.length - 1])
      return [follower.take(events), isOver ? Option.none() : Option.some(undefined)] as const
    })
  )
}
