/** The rows of runs that live as long as their store does. */
import * as Effect from "effect/Effect"
import { Log } from "../internal/log.ts"
import * as Rows from "./tables.ts"

/** The tables that belong to a store, whatever stands for that. */
export const of = (store: object): Rows.Tables => {
  let tables = known.get(store)
  if (tables === undefined) known.set(store, (tables = new MemoryTables()))
  return tables
}

/** A store in memory has no place for rows of other kinds, so they are found by it. */
const known = new WeakMap<object, MemoryTables>()

class MemoryTables implements Rows.Tables {
  readonly name = "memory"
  readonly outside = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => effect
  private readonly changes = new Log<never>()
  readonly changed = Effect.suspend(() => this.changes.changed)
  private readonly runs = new Map<number, Rows.Run>()
  private readonly logs = new Map<number, Array<Rows.LogRow>>()
  private sent: Array<Rows.Signal> = []
  private ids = 0
  private signalIds = 0

  add(
    run: Pick<Rows.Run, "id" | "agent" | "lease" | "startedAt" | "parameters" | "source">,
    rows: ReadonlyArray<Rows.LogRow>
  ): Effect.Effect<Rows.Run | undefined> {
    return Effect.sync(() => {
      if (this.byId(run.id) !== undefined) return undefined
      const n = ++this.ids
      const added: Rows.Run = { ...run, n, status: "running", epoch: 1, endedAt: undefined, waiting: [] }
      this.runs.set(n, added)
      this.logs.set(n, [...rows])
      return added
    })
  }

  remove(run: number): Effect.Effect<void> {
    return Effect.sync(() => {
      this.runs.delete(run)
      this.logs.delete(run)
      this.sent = this.sent.filter((signal) => signal.run !== run)
    })
  }

  find(id: string): Effect.Effect<Rows.Run | undefined> {
    return Effect.sync(() => this.byId(id))
  }

  readonly list = Effect.sync(() => [...this.runs.values()])

  take(id: string, now: number, lease: number): Effect.Effect<Rows.Run | undefined> {
    return Effect.sync(() => {
      const run = this.byId(id)
      if (run === undefined || run.status !== "running" || run.lease > now) return undefined
      return this.set({ ...run, epoch: run.epoch + 1, lease })
    })
  }

  log(run: number, after: number, kinds?: ReadonlyArray<Rows.Kind>): Effect.Effect<ReadonlyArray<Rows.LogRow>> {
    return Effect.sync(() =>
      (this.logs.get(run) ?? []).filter(({ kind, seq }) => seq > after && (kinds === undefined || kinds.includes(kind)))
    )
  }

  said(run: number): Effect.Effect<Rows.Said> {
    return Effect.sync(() => {
      const log = this.logs.get(run) ?? []
      return { events: Rows.eventsOf(log), seq: log.at(-1)?.seq ?? 0 }
    })
  }

  write(writes: ReadonlyArray<Rows.Write>): Effect.Effect<ReadonlySet<number>> {
    return Effect.sync(() => {
      const owned = new Set<number>()
      for (const { end, epoch, rows, run, waiting } of writes) {
        const found = this.runs.get(run)
        if (found?.epoch !== epoch) continue
        owned.add(run)
        this.logs.get(run)!.push(...rows)
        this.changes.wake()
        const ended = end === undefined ? {} : { status: end.status, endedAt: end.at }
        if (waiting !== undefined || end !== undefined)
          this.set({ ...found, ...(waiting === undefined ? {} : { waiting }), ...ended })
      }
      return owned
    })
  }

  hold(runs: ReadonlyArray<Pick<Rows.Run, "n" | "epoch">>, lease: number): Effect.Effect<ReadonlySet<number>> {
    return Effect.sync(() => {
      const owned = new Set<number>()
      for (const { epoch, n } of runs) {
        const run = this.runs.get(n)
        if (run?.epoch === epoch) owned.add(this.set({ ...run, lease }).n)
      }
      return owned
    })
  }

  lapsed(now: number): Effect.Effect<ReadonlyArray<Pick<Rows.Run, "id" | "agent">>> {
    return Effect.sync(() => [...this.runs.values()].filter((run) => run.status === "running" && run.lease <= now))
  }

  ended(before: number): Effect.Effect<ReadonlyArray<number>> {
    return Effect.sync(() => {
      const runs = [...this.runs.values()]
      const sources = new Set(runs.flatMap(({ source, status }) => (status === "running" ? [source] : [])))
      return runs.flatMap(({ endedAt, n, status }) => {
        const isOld = status !== "running" && endedAt !== undefined && endedAt <= before && !sources.has(n)
        return isOld && this.logs.get(n)!.some(isJournal) ? [n] : []
      })
    })
  }

  condense(run: number, rows: ReadonlyArray<Rows.LogRow>): Effect.Effect<number> {
    return Effect.sync(() => {
      const log = this.logs.get(run)!
      const kept = [...log.filter((row) => !isJournal(row)), ...rows].sort((a, b) => a.seq - b.seq)
      this.logs.set(run, kept)
      this.sent = this.sent.filter((signal) => signal.run !== run)
      return log.length - kept.length
    })
  }

  send(signal: Omit<Rows.Signal, "n">): Effect.Effect<number> {
    return Effect.sync(() => {
      const n = ++this.signalIds
      this.sent.push({ ...signal, n })
      this.changes.wake()
      return n
    })
  }

  signals(runs: ReadonlyArray<number>): Effect.Effect<ReadonlyArray<Rows.Signal>> {
    return Effect.sync(() => this.sent.filter(({ run }) => runs.includes(run)))
  }

  private byId(id: string): Rows.Run | undefined {
    for (const run of this.runs.values()) if (run.id === id) return run
    return undefined
  }

  private set(run: Rows.Run): Rows.Run {
    this.runs.set(run.n, run)
    this.changes.wake()
    return run
  }
}

const isJournal = ({ kind }: Rows.LogRow): boolean => Rows.JOURNAL.includes(kind as never)
