/** Follows a run as a task of A2A: what its agent says, and when it waits for somebody. */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Runs from "../../runs/Runs.ts"
import type * as Transcript from "../../Transcript.ts"
import { type Head, Task } from "./task.ts"

/** How long nothing comes before a task is taken for what it is, in milliseconds. */
const silence = 10
/** How long that may take where something comes all the time. */
const mostSilences = 10
/** How rarely it is looked whether a silent run waits, at most. */
const longest = 2000

type Json = Schema.JsonObject
type Events = ReadonlyArray<Transcript.Event>
type Next = Exit.Exit<Events, Runs.RunsError | Cause.Done<void>>

/** A task as far as it was seen, and the signals that it was said to wait for. */
export interface Seen {
  readonly task: Task
  readonly said: ReadonlyArray<string>
}

export class Follower {
  readonly task: Task
  private readonly runs: Runs.Service
  private readonly id: string
  private readonly scope: Scope.Scope
  private readonly pull: Pull.Pull<Events, Runs.RunsError>
  /** What is being waited for. */
  private pending: Fiber.Fiber<Events, Runs.RunsError | Cause.Done<void>> | undefined = undefined
  /** The signals that it was said to wait for. */
  private said: ReadonlyArray<string>
  private over: boolean

  private constructor(
    runs: Runs.Service,
    id: string,
    { said, task }: Seen,
    scope: Scope.Scope,
    pull: Pull.Pull<Events, Runs.RunsError>
  ) {
    this.runs = runs
    this.id = id
    this.scope = scope
    this.pull = pull
    this.task = task
    this.said = said
    this.over = task.end !== undefined
  }

  /** Follows a task from its start, or from where it was seen. */
  static make(runs: Runs.Service, head: Head, seen?: Seen): Effect.Effect<Follower, never, Scope.Scope> {
    return Effect.gen(function* () {
      const { said, task } = seen ?? { said: [], task: new Task(head) }
      const scope = yield* Effect.scope
      const pull = yield* Channel.toPullScoped(runs.read(head.id, task.position).channel, scope)
      return new Follower(runs, head.id, { said, task }, scope, pull)
    })
  }

  /** The task as it is: after all that comes without waiting for it. */
  readonly snapshot: Effect.Effect<Seen & { readonly status: Json }, Runs.RunsError> = Effect.gen(
    { self: this },
    function* () {
      for (let turn = 0; turn < mostSilences && !this.over; turn++) {
        const next = yield* this.next(silence)
        if (next === undefined) break
        yield* this.take(next)
      }
      const { waiting } = yield* this.runs.get(this.id)
      const { task } = this
      return { task, said: waiting, status: task.status(waiting, yield* Clock.currentTimeMillis) }
    }
  )

  /** How the task stands. */
  readonly status: Effect.Effect<Json, Runs.RunsError> = Effect.gen({ self: this }, function* () {
    const { waiting } = yield* this.runs.get(this.id)
    return this.task.status(waiting, yield* Clock.currentTimeMillis)
  })

  /** What follows, until the task has ended or waits for somebody. */
  get updates(): Stream.Stream<Json, Runs.RunsError> {
    let delay = silence
    let looked = ""
    const step: Pull.Pull<readonly [Json, ...Array<Json>], Runs.RunsError> = Effect.gen({ self: this }, function* () {
      if (this.over) return yield* Cause.done()
      const next = yield* this.next(delay)
      delay = next === undefined ? Math.min(delay * 2, longest) : silence
      const updates = next === undefined ? [] : yield* this.take(next)
      const asks = next !== undefined && Exit.isSuccess(next) && next.value.some(Task.asks)
      // what was said before it began to wait may not have come yet when it is first seen to wait
      const waiting = next === undefined && !this.over ? (yield* this.runs.get(this.id)).waiting.join() : ""
      const status = asks || (next === undefined && waiting === looked) ? yield* this.wait : undefined
      looked = waiting
      const all = status === undefined ? updates : [...updates, status]
      return all.length === 0 ? yield* step : (all as [Json, ...Array<Json>])
    })
    return Stream.fromPull(Effect.succeed(step))
  }

  /** What comes next, or nothing if it does not come in time. */
  private next(millis: number): Effect.Effect<Next | undefined> {
    return Effect.gen({ self: this }, function* () {
      const fiber = this.pending ?? (yield* Effect.forkIn(this.pull, this.scope, { startImmediately: true }))
      const exit = fiber.pollUnsafe() ?? Option.getOrUndefined(yield* Effect.timeoutOption(Fiber.await(fiber), millis))
      this.pending = exit === undefined ? fiber : undefined
      return exit
    })
  }

  private take(next: Next): Effect.Effect<ReadonlyArray<Json>, Runs.RunsError> {
    return Effect.gen({ self: this }, function* () {
      if (Exit.isFailure(next)) {
        this.over = true
        return Pull.isDoneCause(next.cause) ? [] : yield* Effect.failCause(next.cause as Cause.Cause<Runs.RunsError>)
      }
      const now = yield* Clock.currentTimeMillis
      const updates = next.value.flatMap((event) => this.task.take(event, now))
      if (this.task.end !== undefined) this.over = true
      return updates
    })
  }

  /** The status, where it is another one because the run waits for something, or no longer does. */
  private readonly wait: Effect.Effect<Json | undefined, Runs.RunsError> = Effect.gen({ self: this }, function* () {
    if (this.over) return undefined
    const { waiting } = yield* this.runs.get(this.id)
    if (waiting.join() === this.said.join()) return undefined
    this.said = waiting
    // who is asked answers with another request
    this.over = waiting.length > 0
    return this.task.statusUpdate(this.task.status(waiting, yield* Clock.currentTimeMillis))
  })
}
