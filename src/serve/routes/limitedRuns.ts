/** Runs that may take only so long: one that takes longer ends with a failure that says so. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Runs from "../../runs/Runs.ts"
import type * as Transcript from "../../Transcript.ts"
import * as deadlines from "./deadlines.ts"

/** A context whose runs take at most so long; the same one where there is no limit. */
export const limit = <R>(
  context: Context.Context<Runs.Runs | R>,
  most: Duration.Duration | undefined
): Effect.Effect<Context.Context<Runs.Runs | R>, never, Scope.Scope> => {
  if (most === undefined) return Effect.succeed(context)
  return Effect.gen(function* () {
    const limited = new LimitedRuns(Context.get(context, Runs.Runs), most, yield* Effect.scope)
    limited.due = yield* deadlines.make(most, limited.end)
    return Context.add(context, Runs.Runs, limited)
  })
}

class LimitedRuns implements Runs.Service {
  private readonly runs: Runs.Service
  private readonly most: Duration.Duration
  /** When each of the runs that go on has to have ended. */
  due: deadlines.Deadlines<string> | undefined = undefined

  private readonly scope: Scope.Scope

  constructor(runs: Runs.Service, most: Duration.Duration, scope: Scope.Scope) {
    this.runs = runs
    this.most = most
    this.scope = scope
  }

  readonly start = <P, E, R>(request: Runs.Request<P, E, R>) =>
    Effect.tap(this.runs.start(request), ({ id }) => Effect.flatMap(this.runs.get(id), (info) => this.begin(info)))

  readonly get = (id: string): Effect.Effect<Runs.Info, Runs.RunsError> =>
    Effect.tap(Effect.map(this.runs.get(id), this.told), (info) => this.begin(info))

  get list(): Effect.Effect<ReadonlyArray<Runs.Info>> {
    return Effect.map(this.runs.list, (all) => all.map(this.told))
  }

  get last(): Runs.Service["last"] {
    const { last } = this.runs
    return last && ((agent, prefix) => Effect.map(last(agent, prefix), (info) => info && this.told(info)))
  }

  readonly read = (
    id: string,
    from: Transcript.Position | undefined
  ): Stream.Stream<Transcript.Event, Runs.RunsError> => {
    const events = Stream.mapEffect(this.runs.read(id, from), (event) =>
      event._tag === "interrupted" ? this.ended(id, event) : Effect.succeed(event)
    )
    return Stream.unwrap(Effect.as(this.get(id), events))
  }

  readonly interrupt = (id: string): Effect.Effect<void, Runs.RunsError> => this.runs.interrupt(id)

  readonly signal = (id: string, name: string, value: Schema.Json): Effect.Effect<void, Runs.RunsError> =>
    this.runs.signal(id, name, value)

  /** Interrupts a run that has had its time; what ended before may have left its id to another run. */
  readonly end = (id: string): Effect.Effect<void> =>
    Effect.gen({ self: this }, function* () {
      const info = Option.getOrUndefined(yield* Effect.option(this.runs.get(id)))
      const now = yield* Clock.currentTimeMillis
      if (info === undefined || this.deadlineOf(info) > now) return
      yield* Effect.forkIn(Effect.ignore(this.runs.interrupt(id)), this.scope)
    })

  /** Sees to the end of a run, also of one that was begun by a server before this one. */
  private begin(info: Runs.Info): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (info.status !== "running") return Effect.void
      if (this.deadlineOf(info) <= now) return this.end(info.id)
      return Effect.sync(() => this.due?.addUnsafe(info.id, info.startedAt))
    })
  }

  private deadlineOf({ startedAt }: Runs.Info): number {
    return startedAt + Duration.toMillis(this.most)
  }

  /** A run that was interrupted after its time was so because of that. */
  private isLate(info: Runs.Info): boolean {
    return info.status === "interrupted" && info.endedAt !== undefined && info.endedAt >= this.deadlineOf(info)
  }

  private readonly told = (info: Runs.Info): Runs.Info => (this.isLate(info) ? { ...info, status: "failed" } : info)

  private ended(id: string, event: Transcript.Event): Effect.Effect<Transcript.Event, Runs.RunsError> {
    return Effect.map(this.runs.get(id), (info): Transcript.Event => {
      if (!this.isLate(info)) return event
      const reason = `the run took longer than ${Duration.format(this.most)}, which is the most`
      return { _tag: "failed", failure: { error: "RunTimeLimit", reason, trace: [] } }
    })
  }
}
