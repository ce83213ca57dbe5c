/** The calls of a program that are runs: what they wait for, and what can be done with them by their ids. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Runs from "../../runs/Runs.ts"
import type { Recording } from "../record/recording.ts"
import * as Library from "../stored/library.ts"
import { SeenStores } from "../stored/seenStores.ts"
import type { Program } from "./program.ts"
import type { Recorder } from "./recorder.ts"
import type { Event, Json, ToRerun, Wait } from "../wire.ts"

/** What has started the current run, where that is not the program's own. */
export const CurrentRuns = Context.Reference<Runs.Service | undefined>("miniagents/inspector/CurrentRuns", {
  defaultValue: () => undefined
})

/** A run that a call is, and what has started it. */
export interface LiveRun {
  readonly id: string
  readonly runs: Runs.Service
}

/** How many runs are looked after at once. */
const most = 16

export class LiveRuns {
  private readonly now: () => number
  private readonly tell: (event: Event) => void
  /** The stores that are seen with the runs. */
  readonly stores: SeenStores
  private readonly byCall = new Map<number, LiveRun>()
  /** Those that go on, the one that is to be looked after next first. */
  private readonly open = new Map<number, string>()

  constructor(program: Program, now: () => number, tell: (event: Event) => void) {
    this.stores = new SeenStores(program)
    this.now = now
    this.tell = tell
  }

  /** To be told of each outermost call, with the context of who makes it. */
  see(call: number, context: Context.Context<never>): void {
    this.stores.see(context)
    const run = Context.get(context, Runs.CurrentRun)
    if (run === undefined) return
    const runs = Context.get(context, CurrentRuns) ?? Option.getOrUndefined(Context.getOption(context, Runs.Runs))
    if (runs === undefined) return
    this.byCall.set(call, { id: run.id, runs })
    this.open.set(call, "[]")
    this.tell({ _tag: "named", t: this.now(), call, run: run.id })
  }

  leave(call: number): void {
    if (this.open.get(call) === "[]") this.open.delete(call)
  }

  get(call: number): LiveRun | undefined {
    return this.byCall.get(call)
  }

  /** Tells what runs wait for, as far as that has changed. */
  get look(): Effect.Effect<void> {
    return Effect.forEach([...this.open].slice(0, most), ([call, before]) => this.lookAt(call, before), {
      discard: true
    })
  }

  private lookAt(call: number, before: string): Effect.Effect<void> {
    const { id, runs } = this.byCall.get(call)!
    return Effect.map(Effect.option(runs.get(id)), (info) => {
      const waits: ReadonlyArray<Wait> = Option.isSome(info) ? info.value.waits.map(waitOf) : []
      const after = JSON.stringify(waits)
      this.open.delete(call)
      if (Option.isSome(info) && info.value.status === "running") this.open.set(call, after)
      if (after !== before) this.tell({ _tag: "asks", t: this.now(), call, waits })
    })
  }

  /** Gives a run what it waits for. Fails with a sentence. */
  answer(call: number, name: string, value: Schema.Json): Effect.Effect<void, string> {
    const run = this.byCall.get(call)
    if (run === undefined) return Effect.fail("This call is no run that could be answered")
    return run.runs.signal(run.id, name, value).pipe(
      Effect.mapError(({ message }) => message),
      Effect.andThen(this.look)
    )
  }
}

/** Stops a call: as a run, if it is one, so that it has ended also for whoever keeps it. Fails with a sentence. */
export const stop = (recorder: Pick<Recorder, "stop" | "runs">, call: number): Effect.Effect<void, string> => {
  const run = recorder.runs.get(call)
  if (run !== undefined) return Effect.mapError(run.runs.interrupt(run.id), ({ message }) => message)
  return recorder.stop(call) ? Effect.void : Effect.fail("The call has ended already")
}

/** Begins the run that a call is again, with other words, and gives the id of the new one. Fails with a sentence. */
export const rerun = (runs: LiveRuns, recording: Recording, again: ToRerun): Effect.Effect<string, string> => {
  const run = runs.get(again.call)
  const kept = run === undefined ? undefined : runs.stores.keptBy(run.runs)
  if (run === undefined || kept === undefined) return Effect.fail("Only a durable run can be run again")
  return Library.rerun(kept, run.id, recording, again)
}

const waitOf = ({ asks, name, path }: Runs.Wait): Wait => ({
  name,
  path,
  ...(asks === undefined ? {} : { asks: asks as Json })
})
