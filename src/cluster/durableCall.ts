/** A call from elsewhere that is a durable run: whichever process has it, it goes on. */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Runs from "../runs/Runs.ts"
import * as Transcript from "../Transcript.ts"
import type * as protocol from "./protocol.ts"
import { type Given, type Input, inputOf, type Served, sendTo } from "./servedCall.ts"

export const make = (given: Given, runs: Runs.Service): Effect.Effect<Served> =>
  Effect.map(inputOf, (input) => new DurableCall(given, runs, input))

/** How long a run goes on whose caller says nothing: another process may be about to go on with the caller. */
const linger = Duration.minutes(1)

/** One attempt to have a call run. The run is started when all of its input is there, or found. */
class DurableCall implements Served {
  readonly isDurable = true
  readonly call: protocol.Call
  isCut = false
  private readonly given: Given
  private readonly runs: Runs.Service
  private readonly input: Input

  constructor(given: Given, runs: Runs.Service, input: Input) {
    this.given = given
    this.runs = runs
    this.call = given.call
    this.input = input
  }

  send(events: ReadonlyArray<Transcript.Event>): void {
    sendTo(this.input, events)
  }

  get events(): Stream.Stream<protocol.Said> {
    const { from, id } = this.call
    return Stream.orDie(Stream.unwrap(Effect.as(this.begin, this.runs.read(id, from))))
  }

  private get begin(): Effect.Effect<void> {
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
    }).pipe(Effect.provideContext(this.given.context as Context.Context<MiniAgents.MiniAgents>), Effect.orDie)
  }

  /** The run stays: others may read it, and go on with it. */
  readonly stop = Effect.void

  get interrupt(): Effect.Effect<void> {
    return Effect.ignore(this.runs.interrupt(this.call.id))
  }
}
