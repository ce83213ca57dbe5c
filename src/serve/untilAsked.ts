/** A run as one response: to its end, or to the first request for approval that nobody has answered. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Runs from "../runs/Runs.ts"
import type * as Transcript from "../Transcript.ts"
import * as approvals from "../runs/approvals.ts"
import * as server from "./server.ts"

/** How a protocol tells a run. */
export interface Fold<A> {
  /** What an event is told as; the events of a run come in their order, from the first one. */
  readonly take: (event: Transcript.Event) => ReadonlyArray<A>
  /** The end of a response that waits for an answer. */
  readonly pause: () => ReadonlyArray<A>
  /** What a response that begins in the middle says first. */
  readonly goOn: () => ReadonlyArray<A>
}

/** Which run, and which of its requests were answered by a reader: it has what came before those. */
export interface Read {
  readonly runs: Runs.Service
  readonly id: string
  readonly answered: ReadonlySet<string>
}

/** What comes together is one list; none is empty. */
export const read = <A>(
  events: Stream.Stream<Transcript.Event, Runs.RunsError>,
  fold: Fold<A>,
  { answered, id, runs }: Read
): Stream.Stream<ReadonlyArray<A>> =>
  Stream.suspend(() => {
    const had = new Set(answered)
    const tell = (some: ReadonlyArray<Transcript.Event>) =>
      Effect.gen(function* () {
        const told: Array<A> = []
        for (const event of some) {
          const ends = !("at" in event)
          if (ends && had.size > 0) told.push(...fold.goOn())
          const told1 = fold.take(event)
          if (had.size === 0 || ends) told.push(...told1)
          const asked = askedBy(event)
          if (asked === undefined) continue
          if (had.delete(asked)) {
            if (had.size === 0) told.push(...fold.goOn())
          } else if (had.size === 0 && approvals.isPending(yield* runs.get(id), asked)) {
            told.push(...fold.pause())
            return [{ told, last: true }] as const
          }
        }
        return [{ told, last: !("at" in some[some.length - 1]) }] as const
      })
    return Stream.mapArrayEffect(events, tell).pipe(
      Stream.catchCause((cause) =>
        Stream.fromEffect(Effect.map(server.broken(cause), (event) => ({ told: fold.take(event), last: true })))
      ),
      Stream.takeUntil(({ last }) => last),
      Stream.map(({ told }) => told),
      Stream.filter((told) => told.length > 0)
    )
  })

const asked = Schema.decodeUnknownOption(approvals.Asked)

/** The id of the request for approval that an event is, if it is one. */
const askedBy = (event: Transcript.Event): string | undefined =>
  event._tag === "message" && event.message._tag === "ResponsePart"
    ? Option.getOrUndefined(asked(event.message.part))?.approvalId
    : undefined
