/** The runs and conversations of a store, to be looked at and gone on with. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import type * as DurableRuns from "../../durable/DurableRuns.ts"
import * as Message from "../../Message.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import type * as Runs from "../../runs/Runs.ts"
import * as callRequest from "../../serve/routes/callRequest.ts"
import { Recording } from "../record/recording.ts"
import { aboutOf, type Acts, type Shelf, type Shown } from "../server/shown.ts"
import type { Known } from "../watch/program.ts"
import type { About, Fields, ToRerun } from "../wire.ts"
import { RunEvents } from "./runEvents.ts"

/** What a run begins again with. */
export interface Kept {
  readonly runs: Runs.Service
  readonly durable: DurableRuns.DurableRuns["Service"]
  /** The agent of a name, where it is here; the run is begun again by whoever serves it otherwise. */
  readonly find: (agent: string) => Effect.Effect<Known | undefined>
  /** In which a run begins again whose agent is not here. */
  readonly context: Context.Context<MiniAgents.MiniAgents>
  readonly classes: ReadonlyArray<Message.AnyClass>
}

/** How often is looked whether a run goes on. */
const pause = "250 millis"
/** How many of what was opened is kept, the last ones. */
const mostOpen = 24

/** The id of a run among all that can be looked at. */
const idOf = (run: string): string => `run:${run}`

export class Library implements Shelf {
  private readonly kept: Kept
  private readonly opened = new Map<string, StoredRun>()

  constructor(kept: Kept) {
    this.kept = kept
  }

  get list(): Effect.Effect<ReadonlyArray<About>> {
    return Effect.map(
      Effect.orElseSucceed(this.kept.runs.list, () => []),
      (runs) =>
        // those that began last are looked for most
        runs.map((info) => aboutOf({ ...this.shownOf(info), recording: nothing, now: () => 0 })).reverse()
    )
  }

  find(id: string | undefined): Effect.Effect<Shown | undefined> {
    return Effect.gen({ self: this }, function* () {
      const run = id === undefined ? (yield* this.list)[0]?.id.slice(idOf("").length) : runOf(id)
      if (run === undefined) return undefined
      const info = yield* Effect.option(this.kept.runs.get(run))
      if (info._tag === "None") return undefined
      const stored = this.opened.get(run) ?? new StoredRun(run, this.kept)
      this.opened.delete(run)
      this.opened.set(run, stored)
      const [oldest] = this.opened.keys()
      if (this.opened.size > mostOpen && oldest !== undefined) this.opened.delete(oldest)
      yield* stored.look
      const { recording } = stored
      return { ...this.shownOf(info.value, stored), recording, now: () => recording.now, follow: stored.follow }
    })
  }

  private shownOf(info: Runs.Info, stored?: StoredRun): Pick<Shown, "about" | "acts"> {
    const { agent, id, startedAt } = info
    const about = () => {
      const { endedAt, status, waits } = stored?.info ?? info
      const live = status === "running"
      const standing = stored?.problem ?? (live && waits.length > 0 ? "waiting" : status)
      return {
        id: idOf(id),
        title: `${agent} ${id}`,
        startedAt,
        live,
        unit: "steps" as const,
        status: standing,
        ...(endedAt === undefined ? {} : { endedAt })
      }
    }
    return { about, acts: stored === undefined ? {} : stored.acts }
  }
}

const nothing = new Recording()

const runOf = (id: string): string | undefined => (id.startsWith(idOf("")) ? id.slice(idOf("").length) : undefined)

/** One run, which is read as far as it is kept whenever somebody looks. */
class StoredRun {
  readonly recording = new Recording()
  info: (Pick<Runs.Info, "status" | "waits"> & { readonly endedAt: number | undefined }) | undefined = undefined
  /** Why it cannot be read. */
  problem: string | undefined = undefined
  private readonly id: string
  private readonly kept: Kept
  private readonly events = new RunEvents()
  private readonly turn = Semaphore.makeUnsafe(1)
  private after = 0

  constructor(id: string, kept: Kept) {
    this.id = id
    this.kept = kept
  }

  /** Reads what is new. */
  readonly look: Effect.Effect<void> = Effect.suspend(() => {
    const { log } = this.kept.durable as DurableRuns.Internal // all such services are made by that module
    return Effect.matchEager(log(this.id, this.after), {
      onFailure: ({ message }) => {
        this.problem = message
      },
      onSuccess: ({ row, rows }) => {
        this.problem = undefined
        this.info = { status: row.status, waits: row.waiting, endedAt: row.endedAt }
        this.after = rows.at(-1)?.seq ?? this.after
        for (const event of this.events.take(row, rows)) this.recording.add(event)
      }
    })
  }).pipe((look) => this.once(look))

  private once(look: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => this.turn.withPermit(look))
  }

  readonly follow: Effect.Effect<void> = Effect.suspend(() =>
    this.info?.status === "running" ? Effect.andThen(Effect.sleep(pause), this.look) : Effect.sleep("2 seconds")
  ).pipe(Effect.forever)

  readonly acts: Acts = {
    answer: ({ name, value }) => this.done(this.kept.runs.signal(this.id, name, value)),
    stop: () => this.done(this.kept.runs.interrupt(this.id)),
    rerun: (again) => rerun(this.kept, this.id, this.recording, { ...again, call: 0 })
  }

  private done(effect: Effect.Effect<void, Runs.RunsError>): Effect.Effect<void, string> {
    return Effect.andThen(
      Effect.mapError(effect, ({ message }) => message),
      this.look
    )
  }
}

/** Begins a run again, with other texts and parameters, and gives the id under which the new one can be looked at. */
export const rerun = (
  kept: Kept,
  id: string,
  recording: Recording,
  { call, parameters: json, texts }: ToRerun
): Effect.Effect<string, string> =>
  Effect.gen(function* () {
    const { agent: name, sent } = recording.calls[call]!
    const known = yield* kept.find(name)
    const input = texts.length === 0 ? {} : { input: yield* edited(recording, sent, texts, kept.classes) }
    const decoded =
      json === undefined || known === undefined
        ? json
        : yield* callRequest.parameters(known.agent.parameters, undefined, json)
    const given = decoded === undefined ? {} : { parameters: decoded as never }
    const options = { ...input, ...given, ...(known === undefined ? {} : { agent: known.agent }) }
    const run = yield* Effect.setContext(kept.durable.rerun(id, options), known?.context ?? kept.context).pipe(
      Effect.mapError(({ message }) => message)
    )
    return idOf(run.id)
  })

/** What was sent, with other texts. */
const edited = (
  recording: Recording,
  sent: ReadonlyArray<number>,
  texts: ToRerun["texts"],
  classes: ReadonlyArray<Message.AnyClass>
): Effect.Effect<ReadonlyArray<Message.Message>, string> => {
  const decode = Schema.decodeUnknownEffect(Message.keepingCodec(classes))
  return Effect.forEach(sent, (at) => {
    const { message } = recording.messages[at] ?? {}
    if (message === undefined) return Effect.fail("A message that it was sent is not there as a whole")
    const text = texts.find((edit) => edit.at === at)?.text
    if (text !== undefined && typeof message.content !== "string") {
      return Effect.fail("A message without a text cannot be edited")
    }
    const fields: Fields = text === undefined ? message : { ...message, content: text }
    return Effect.mapError(decode(fields), ({ message }) => message)
  })
}
