/** What a run says, written before it is given to anyone. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Transcript from "../Transcript.ts"
import type { Question } from "./journal.ts"
import { type Diverged, Recorder } from "./recorder.ts"
import { type DurableRun, isClosing, type Row } from "./run.ts"
import type * as Rows from "./tables.ts"
import { Fenced } from "./writer.ts"

/** Writes what a run says, until it has ended or is let go of. */
export const follow = (run: DurableRun): Effect.Effect<void, never, MiniAgents.MiniAgents> =>
  Effect.gen(function* () {
    const { call, replies } = yield* Effect.orDie(Deferred.await(run.opened))
    const recorder = new Recorder(run.events.items)
    let hasDiverged = false
    const take = (events: Arr.NonEmptyReadonlyArray<Transcript.Event>) => {
      const said: Array<Transcript.Event> = []
      for (const event of events) {
        const taken = recorder.take(event)
        if ("_tag" in taken) {
          hasDiverged = true
          return say(run, [...said, failedBy(taken)])
        }
        said.push(...taken)
      }
      return say(run, said)
    }
    const events = Transcript.encode(replies, { error: run.errorSchema })
    yield* Effect.raceFirst(Stream.runForEachArray(events, take), Deferred.await(run.left))
    if (run.lostBy !== undefined) yield* tell(run, run.lostBy)
    if (run.lostBy !== undefined || hasDiverged) yield* call.interrupt
  })

/** Says why a run goes on no longer here. */
const tell = (run: DurableRun, cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const message = `The run \`${run.id}\` goes on no longer here`
  if (Option.getOrUndefined(Cause.findErrorOption(cause)) instanceof Fenced) {
    return Effect.logWarning(`${message}: another process has taken it up`)
  }
  return Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(`${message}: it could not be written`, cause)
}

const failedBy = ({ at, path }: Diverged): Transcript.Event => {
  const reason = `message ${at}, by \`${path}\`, is not what it was when it was given out: the code has changed since`
  return { _tag: "failed", failure: { error: "Diverged", reason, trace: [] } }
}

const statusOf = { end: "succeeded", failed: "failed", interrupted: "interrupted" } as const

/** Writes events, and gives them to the readers when they are written. */
const say = (
  run: DurableRun,
  events: ReadonlyArray<Transcript.Event>
): Effect.Effect<void, never, MiniAgents.MiniAgents> =>
  Effect.gen(function* () {
    const last = events.at(-1)
    if (last === undefined) return
    const status = "at" in last ? undefined : statusOf[last._tag as keyof typeof statusOf]
    // a runtime that closes ends the run here, and nowhere else
    if (status === "interrupted" && !run.stopped && (yield* isClosing)) return yield* Effect.never
    const at = yield* Clock.currentTimeMillis
    const rows: Array<Row> = [["events", events]]
    const { unasked } = run.journal
    if (status !== undefined && unasked.length > 0) {
      const questions = unasked.map(({ hash, n, path, what }): Question => ({ path, what, hash, n }))
      rows.push(["unasked", questions])
      const paths = [...new Set(questions.map(({ path }) => path))].join(", ")
      yield* Effect.logWarning(`Nobody in the run \`${run.id}\` asked again for what ${paths} had been answered`)
    }
    yield* run.commit(rows, {
      ...(status === undefined ? {} : { end: { status, at } }),
      done: () => {
        run.events.appendAll(events)
        if (status === undefined) return
        run.events.end(Exit.void)
        Deferred.doneUnsafe(run.left, Exit.void)
      }
    })
  })

/** Ends a run that was taken up for nothing else. */
export const interrupt = (tables: Rows.Tables, { epoch, n }: Rows.Run, at: number): Effect.Effect<void, Rows.Trouble> =>
  Effect.flatMap(tables.log(n, 0), (rows) => {
    const body = JSON.stringify([{ _tag: "interrupted" }] satisfies ReadonlyArray<Transcript.Event>)
    const row = { seq: (rows.at(-1)?.seq ?? 0) + 1, kind: "events", body } as const
    return Effect.asVoid(tables.write([{ run: n, epoch, rows: [row], end: { status: "interrupted", at } }]))
  })
