/** The input of a call on a server: what is there goes with the call, and the rest as it comes. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Transcript from "../../Transcript.ts"

type Events = Queue.Queue<Transcript.Event, Cause.Done>

/** Reads an input in the background, for as long as the scope is open; what is there already is read at once. */
export const make = (events: Stream.Stream<Transcript.Event>): Effect.Effect<RemoteInput, never, Scope.Scope> =>
  Effect.gen(function* () {
    const queue = yield* Queue.bounded<Transcript.Event, Cause.Done>(ahead)
    const read = Stream.runForEachArray(events, (some) => Queue.offerAll(queue, some))
    yield* Effect.forkScoped(Effect.ensuring(read, Queue.end(queue)), { startImmediately: true })
    return new RemoteInput(queue, yield* Queue.clear(queue))
  })

/** How many events are kept until they are sent. */
const ahead = 256
/** How long a piece may be in UTF-16 units, unless it is a single event. */
const most = 131_072

export class RemoteInput {
  /** What goes with the call: a list of events as JSON. */
  readonly first: string
  private readonly queue: Events
  /** The events that are in no piece yet, as JSON. */
  private readonly taken: Array<string> = []
  private ended = false

  constructor(queue: Events, events: ReadonlyArray<Transcript.Event>) {
    this.queue = queue
    this.first = this.piece(events)
  }

  /** Whether what went with the call was all of it. */
  get isWhole(): boolean {
    return this.ended && this.taken.length === 0
  }

  /** Sends the rest piece by piece as it comes; `send` says whether more is awaited. */
  sendTo<E>(send: (events: string) => Effect.Effect<boolean, E>): Effect.Effect<void, E> {
    const step: Effect.Effect<void, E | Cause.Done> = Effect.suspend(() => {
      if (this.isWhole) return Effect.void
      const sent = Effect.flatMap(this.next, (events) => send(this.piece(events)))
      return Effect.flatMap(sent, (more) => (more ? step : Effect.void))
    })
    return Effect.catchIf(step, Cause.isDone, () => Effect.void) as Effect.Effect<void, E> // the queue ends with the input
  }

  /** Waits for more, unless there is some. */
  private get next(): Effect.Effect<ReadonlyArray<Transcript.Event>, Cause.Done> {
    return this.taken.length > 0 ? Effect.succeed([]) : Queue.takeAll(this.queue)
  }

  /** The next piece, with events that were taken now. */
  private piece(events: ReadonlyArray<Transcript.Event>): string {
    for (const event of events) {
      this.taken.push(JSON.stringify(placed(event)))
      this.ended ||= !("at" in event)
    }
    let length = 0
    let count = 0
    while (count < this.taken.length && (count === 0 || length + this.taken[count].length <= most)) {
      length += this.taken[count++].length
    }
    return `[${this.taken.splice(0, count).join(",")}]`
  }
}

/** Paths of the caller are told from those of the run there by a slash at their start. */
const placed = (event: Transcript.Event): Transcript.Event =>
  event._tag === "open" && event.origin !== undefined && event.origin.run === undefined
    ? { ...event, origin: { ...event.origin, path: `/${event.origin.path}` } }
    : event

/** The path of a caller, if that is what it is. */
export const callers = (path: string): string | undefined => (path.startsWith("/") ? path.slice(1) : undefined)
