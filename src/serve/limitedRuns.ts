/** Runs that may take only so long: one that takes longer ends with a failure that says so. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Runs from "../runs/Runs.ts"
import type * as Transcript from "../Transcript.ts"

/** A context whose runs take at most so long; the same one where there is no limit. */
export const limit = <R>(
  context: Context.Context<Runs.Runs | R>,
  most: Duration.Duration | undefined
): Effect.Effect<Context.Context<Runs.Runs | R>, never, Scope.Scope> =>
  most === undefined
    ? Effect.succeed(context)
    : Effect.map(Effect.scope, (scope) =>
        Context.add(context, Runs.Runs, new LimitedRuns(Context.get(context, Runs.Runs), most, scope))
      )

class LimitedRuns implements Runs.Service {
  private readonly runs: Runs.Service
  private readonly most: Duration.Duration
  private readonly scope: Scope.Scope
  /** The runs that were started, and when each of them has to have ended, the first one first. */
  private readonly due = new Map<string, number>()
  private watching = false

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

  /** Sees to the end of a run, also of one that was begun by a server before this one. */
  private begin(info: Runs.Info): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { id, status } = info
      if (status !== "running" || this.due.has(id)) return Effect.void
      this.due.set(id, this.deadlineOf(info))
      if (this.watching) return Effect.void
      this.watching = true
      return Effect.asVoid(Effect.forkIn(this.watch, this.scope))
    })
  }

  /** One fiber for all of them, which is there as long as there is one to wait for. */
  private readonly watch = Effect.gen({ self: this }, function* () {
    for (let next = this.first; next !== undefined; next = this.first) {
      const [id, at] = next
      const left = at - (yield* Clock.currentTimeMillis)
      if (left > 0) {
        yield* Effect.sleep(left)
        continue
      }
      this.due.delete(id)
      const info = yield* Effect.option(this.runs.get(id))
      // what ended in time may have left its id to another run
      const isOver = info._tag === "Some" && this.deadlineOf(info.value) <= at
      if (isOver) yield* Effect.forkIn(Effect.ignore(this.runs.interrupt(id)), this.scope)
    }
    this.watching = false
  })

  private get first(): readonly [string, number] | undefined {
    return this.due.entries().next().value
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
