/** A run as one response: to its end, or to the first request for approval that nobody has answered. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as approvals from "../../runs/approvals.ts"
import type * as Runs from "../../runs/Runs.ts"
import type * as Transcript from "../../Transcript.ts"
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

/** What comes together is said in one piece. */
export const read = <A>(
  events: Stream.Stream<Transcript.Event, Runs.RunsError>,
  fold: Fold<A>,
  read: Read,
  say: (told: ReadonlyArray<A>) => string
): Stream.Stream<string> =>
  Stream.transformPull(events, (source) => Effect.sync(() => new Telling(source, fold, read, say).pull))

type Events = Arr.NonEmptyReadonlyArray<Transcript.Event>
type Said = Arr.NonEmptyReadonlyArray<string>

/** One stage for all of it, as it runs for each token of each reader. */
class Telling<A> {
  private readonly source: Pull.Pull<Events, Runs.RunsError>
  private readonly fold: Fold<A>
  private readonly runs: Runs.Service
  private readonly id: string
  private readonly say: (told: ReadonlyArray<A>) => string
  /** The requests that were answered and have not come again: what is before them was had. */
  private readonly had: Set<string>
  private over = false

  constructor(
    source: Pull.Pull<Events, Runs.RunsError>,
    fold: Fold<A>,
    { answered, id, runs }: Read,
    say: (told: ReadonlyArray<A>) => string
  ) {
    this.source = source
    this.fold = fold
    this.runs = runs
    this.id = id
    this.say = say
    this.had = new Set(answered)
  }

  readonly pull: Pull.Pull<Said> = Effect.suspend(() =>
    this.over
      ? Cause.done()
      : Effect.catchCause(
          Effect.flatMap(this.source, (events) => this.tell(events, 0, [])),
          (cause) =>
            Pull.isDoneCause(cause)
              ? Cause.done()
              : Effect.flatMap(server.broken(cause), (event) => Effect.orDie(this.tell([event], 0, []))) // it asks nothing
        )
  )

  /** Tells the events from one of them on, beside what was told of those before it. */
  private tell(events: Events, from: number, told: Array<A>): Pull.Pull<Said, Runs.RunsError> {
    const { fold, had } = this
    for (let i = from; i < events.length; i++) {
      const event = events[i]
      this.over = !("at" in event)
      if (this.over && had.size > 0) told.push(...fold.goOn())
      const some = fold.take(event)
      if (had.size === 0 || this.over) told.push(...some)
      const asked = askedBy(event)
      if (asked === undefined) continue
      if (had.delete(asked)) {
        if (had.size === 0) told.push(...fold.goOn())
      } else if (had.size === 0) {
        return Effect.flatMap(this.runs.get(this.id), (run) => {
          if (!approvals.isPending(run, asked)) return this.tell(events, i + 1, told)
          this.over = true
          told.push(...fold.pause())
          return this.give(told)
        })
      }
    }
    return this.give(told)
  }

  private give(told: ReadonlyArray<A>): Pull.Pull<Said, Runs.RunsError> {
    return told.length === 0 ? this.pull : Effect.succeed([this.say(told)])
  }
}

const asked = Schema.decodeUnknownOption(approvals.Asked)

/** The id of the request for approval that an event is, if it is one. */
const askedBy = (event: Transcript.Event): string | undefined =>
  event._tag === "message" && event.message._tag === "ResponsePart"
    ? Option.getOrUndefined(asked(event.message.part))?.approvalId
    : undefined
