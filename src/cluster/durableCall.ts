/** A call from elsewhere that is a durable run: whichever process has it, it goes on. */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Runs from "../runs/Runs.ts"
import * as Transcript from "../Transcript.ts"
import type * as protocol from "./protocol.ts"
import type { Given, Served } from "./servedCall.ts"

export const make = (given: Given, runs: Runs.Service): Effect.Effect<Served> =>
  Effect.map(Queue.unbounded<Transcript.Event, Cause.Done>(), (input) => new DurableCall(given, runs, input))

/** How long a run goes on whose caller says nothing: another process may be about to go on with the caller. */
const linger = Duration.minutes(1)

/** One attempt to have a call run. The run is started when all of its input is there, or found. */
class DurableCall implements Served {
  readonly attempt = SecureRandom.uuidV4Unsafe()
  readonly isDurable = true
  readonly isIdle = true
  readers = 0
  isCut = false
  private readonly given: Given
  private readonly runs: Runs.Service
  private readonly input: Queue.Queue<Transcript.Event, Cause.Done>
  private readonly started = Deferred.makeUnsafe<void>()

  constructor(given: Given, runs: Runs.Service, input: Queue.Queue<Transcript.Event, Cause.Done>) {
    this.given = given
    this.runs = runs
    this.input = input
  }

  send(events: ReadonlyArray<Transcript.Event>): void {
    Queue.offerAllUnsafe(this.input, events)
    if (events.some((event) => !("at" in event))) Queue.endUnsafe(this.input)
  }

  events(from: Transcript.Position | undefined): Stream.Stream<protocol.Said> {
    const events = Effect.as(Deferred.await(this.started), this.runs.read(this.given.call.id, from))
    return Stream.orDie(Stream.unwrap(events))
  }

  get begin(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { call, parameters, service } = this.given
      const known = yield* Effect.exit(this.runs.get(call.id))
      const given = Exit.isSuccess(known) ? [] : yield* Stream.runCollect(Stream.fromQueue(this.input))
      const input = yield* Transcript.decode(Stream.fromIterable(given), { classes: service.messages })
      const options = { id: call.id, error: service.error, linger }
      const start: Effect.Effect<unknown, Runs.RunsError, MiniAgents.MiniAgents> = this.runs.start({
        agent: service as never,
        input,
        parameters: parameters as never,
        options
      })
      yield* start
    }).pipe(
      Effect.provideContext(this.given.context as Context.Context<MiniAgents.MiniAgents>),
      Effect.orDie,
      Effect.onExit((exit) => Effect.sync(() => void Deferred.doneUnsafe(this.started, exit)))
    )
  }

  /** The run stays: others may read it, and go on with it. */
  readonly stop = Effect.void

  get interrupt(): Effect.Effect<void> {
    return Effect.ignore(this.runs.interrupt(this.given.call.id))
  }
}
