/** One run as its owner has it open. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as AgentCall from "../AgentCall.ts"
import { InteractionContext } from "../InteractionContext.ts"
import type { Arbiter, Call } from "../internal/call.ts"
import type { Keep } from "../llm/model/decided.ts"
import { Log } from "../internal/log.ts"
import { CurrentNumbering, type Place } from "../internal/place.ts"
import type * as MessageSequence from "../MessageSequence.ts"
import { current } from "../MiniAgents.ts"
import type { Info, RunContext, Wait } from "../runs/Runs.ts"
import type * as Transcript from "../Transcript.ts"
import type { Branch } from "./branch.ts"
import type { Answer, Asked, Journal, Order } from "./journal.ts"
import * as Shape from "./shape.ts"
import { Turns } from "./turns.ts"
import type * as Rows from "./tables.ts"
import type { Writer, Written } from "./writer.ts"

/** The run that the current code belongs to. */
export const CurrentRun = Context.Reference<DurableRun | undefined>("miniagents/durable/CurrentRun", {
  defaultValue: () => undefined
})

/** Asks something of the journal of a run, as the call that the current code belongs to, in the branch where it is. */
export const asking = (run: DurableRun, what: string, request: Schema.Json): Effect.Effect<Asked> =>
  Effect.map(here, ({ branch, path }) => run.journal.ask(`${path}${branch?.name ?? ""}`, what, request))

/** The call that the current code belongs to, and the branch of it, if it is in one. */
export const here: Effect.Effect<{
  readonly path: string
  readonly place: Place | undefined
  readonly branch: Branch | undefined
}> = Effect.contextWith((context: Context.Context<never>) => {
  const call = Option.getOrUndefined(Context.getOption(context, InteractionContext)) as Call | undefined // the only ones
  const branch = Context.get(context, CurrentNumbering) as Branch | undefined // nothing else numbers calls
  const place = call?.place
  return Effect.succeed({ path: call?.path ?? "", place, branch: branch?.place === place ? branch : undefined })
})

/** Whether the runtime of the current code ends everything. */
export const isClosing: Effect.Effect<boolean> = Effect.withFiber((fiber) =>
  Effect.succeed(current(fiber).supervisor.closed)
)

interface Waiter {
  readonly wait: Rows.Waiting
  readonly asked: Asked
  readonly check: (value: Schema.Json) => string | undefined
  readonly resume: (effect: Effect.Effect<Schema.Json>) => void
}

/** A response under way, of which what it says is written so that it can go on from there. */
export interface Speaking {
  /** What it has said since it was asked the last time, as it is written. */
  readonly said: () => object | undefined
}

export interface Opened {
  readonly call: AgentCall.AgentCall<unknown, unknown>
  readonly replies: MessageSequence.MessageSequence<unknown>
}

/**
 * Invariants:
 * 1. What is given to anyone outside of the run was written before.
 * 2. Once it could not write, it writes nothing more, and all of it is interrupted.
 */
export class DurableRun implements RunContext, Arbiter {
  readonly row: Rows.Run
  readonly journal: Journal
  /** The events that are written. */
  readonly events: Log<Transcript.Event>
  readonly opened = Deferred.makeUnsafe<Opened, unknown>()
  /** Done when it has ended, and when it was let go of. */
  readonly left = Deferred.makeUnsafe<void>()
  readonly errorSchema: Schema.Codec<unknown, unknown> | undefined
  readonly partial: "continue" | "restart"
  readers = 0
  linger: Duration.Input | undefined = undefined
  timer: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** Somebody has asked for its end. */
  stopped = false
  /** It writes no more: it was ended, or is another one's, or cannot be written. */
  isOver = false
  /** Why it was let go of. */
  lostBy: Cause.Cause<unknown> | undefined = undefined
  readonly recordings = new Set<Speaking>()
  private readonly writer: Writer
  private seq: number
  private waiters: Array<Waiter> = []
  private readonly inbox: Array<Rows.Signal> = []
  private readonly received = new Set<number>()

  constructor(
    row: Rows.Run,
    journal: Journal,
    { events, seq }: Rows.Said,
    writer: Writer,
    options: {
      readonly partial: "continue" | "restart"
      readonly error: Schema.Codec<unknown, unknown> | undefined
    }
  ) {
    this.row = row
    this.journal = journal
    this.writer = writer
    this.seq = seq
    this.partial = options.partial
    this.errorSchema = options.error
    this.events = new Log()
    this.events.items = [...events]
  }

  get id(): string {
    return this.row.id
  }

  get waits(): ReadonlyArray<Rows.Waiting> {
    return this.waiters.map(({ wait }) => wait)
  }

  /** Writes something sometime, before everything that is written later. */
  append(kind: Rows.Kind, body: unknown): void {
    this.write([[kind, body]])
  }

  /** Writes something, and waits until it is there. */
  commit(
    rows: ReadonlyArray<Row>,
    write: { readonly end?: Rows.Write["end"]; readonly done?: () => void } = {}
  ): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      this.write(rows, write, (written) => {
        if (Exit.isFailure(written) || this.lostBy !== undefined) return // whoever waits is interrupted
        write.done?.()
        resume(Effect.void)
      })
    })
  }

  /** Keeps an answer, before it is given. */
  keep({ question }: Asked, value: Schema.Json, by: Pick<Answer, "signal" | "reused"> = {}): Effect.Effect<void> {
    const answer: Answer = { ...question, ...by, value }
    return this.commit([["answer", answer]])
  }

  /** What was answered before, in this run or the one that it is a rerun of. */
  answered(asked: Asked): Effect.Effect<Answer | undefined> {
    const { kept, other } = asked
    if (kept !== undefined || other === undefined) return Effect.succeed(kept)
    return Effect.as(this.keep(asked, other.value, { reused: true }), other)
  }

  /** What was decided before, or else what an effect says now; when something began is no answer for another run. */
  readonly decided: Keep = (what, name, effect) =>
    Effect.flatMap(asking(this, what, name), (asked) =>
      Effect.flatMap(this.answered(what === "beginning" ? { ...asked, other: undefined } : asked), (answer) =>
        answer === undefined
          ? Effect.tap(effect, (value) => this.keep(asked, value))
          : Effect.succeed(answer.value as number)
      )
    )

  turnsOf(path: string, sequence: "input" | "replies"): Turns {
    const key = `${path} ${sequence}`
    const write = (lane: number) => this.append("order", { key, lane } satisfies Order)
    const { lanes, own } = this.journal.orderOf(key)
    return new Turns(lanes, own, write)
  }

  readonly wait: RunContext["wait"] = (wait, check, schema) =>
    Effect.flatMap(asking(this, "wait", wait.name), (asked) => {
      if (asked.kept !== undefined || asked.other !== undefined) {
        return Effect.map(this.answered(asked), (answer) => answer!.value)
      }
      return Effect.callback<Schema.Json>((resume) => {
        const takes = Shape.of(schema)
        const waiter: Waiter = { wait: takes === undefined ? wait : { ...wait, takes }, asked, check, resume }
        this.waiters.push(waiter)
        const index = this.inbox.findIndex(
          ({ name, value }) => name === wait.name && check(JSON.parse(value) as Schema.Json) === undefined
        )
        if (index >= 0) this.deliver(waiter, this.inbox.splice(index, 1)[0])
        else this.showWaits()
        // where all of the runtime ends, the run goes on waiting elsewhere
        return Effect.map(isClosing, (isClosing) => (isClosing ? undefined : this.forget(waiter)))
      })
    })

  /** What is wrong with a signal, if those who wait for one of that name take no such value. */
  refusal(name: string, value: Schema.Json): string | undefined {
    const waiters = this.waiters.filter(({ wait }) => wait.name === name)
    if (waiters.length === 0 || waiters.some(({ check }) => check(value) === undefined)) return undefined
    return waiters[0].check(value)
  }

  /** A signal that was sent, by whomever. */
  receive(signal: Rows.Signal): void {
    if (this.received.has(signal.n) || this.journal.signals.has(signal.n)) return
    this.received.add(signal.n)
    const value = JSON.parse(signal.value) as Schema.Json
    const waiter = this.waiters.find(({ check, wait }) => wait.name === signal.name && check(value) === undefined)
    if (waiter === undefined) this.inbox.push(signal)
    else this.deliver(waiter, signal)
  }

  /** It is another one's now, or cannot be written. */
  lost(cause: Cause.Cause<unknown>): void {
    if (this.lostBy !== undefined) return
    this.lostBy = cause
    this.isOver = true
    this.events.end(Exit.interrupt())
    Deferred.doneUnsafe(this.left, Exit.void)
  }

  private deliver(waiter: Waiter, signal: Rows.Signal): void {
    this.forget(waiter)
    const value = JSON.parse(signal.value) as Schema.Json
    waiter.resume(Effect.as(this.keep(waiter.asked, value, { signal: signal.n }), value))
  }

  private forget(waiter: Waiter): void {
    const left = this.waiters.filter((other) => other !== waiter)
    if (left.length === this.waiters.length) return
    this.waiters = left
    this.showWaits()
  }

  private showWaits(): void {
    this.write([], { waiting: this.waits })
  }

  /** Writes rows sometime, and before them what responses under way have said: nobody reads what could not go on. */
  write(
    rows: ReadonlyArray<Row> = [],
    write: Pick<Rows.Write, "waiting" | "end"> = {},
    done?: (written: Written) => void
  ): void {
    if (this.isOver) return
    const all: Array<Rows.LogRow> = []
    const add = (kind: Rows.Kind, body: unknown) => all.push({ seq: ++this.seq, kind, body: JSON.stringify(body) })
    for (const recording of this.recordings) {
      const said = recording.said()
      if (said !== undefined) add("tokens", said)
    }
    for (const [kind, body] of rows) add(kind, body)
    const { epoch, n: run } = this.row
    if (write.end !== undefined) this.isOver = true
    this.writer.add({
      ...{ ...write, rows: all, run, epoch },
      done: (written) => {
        if (Exit.isFailure(written)) this.lost(written.cause)
        done?.(written)
      }
    })
  }
}

/** What is to be written. */
export type Row = readonly [kind: Rows.Kind, body: unknown]

/** The same for a run that is not open here, as far as what it waits for says it. */
export const refusalOf = ({ status, waiting }: Rows.Run, name: string, value: Schema.Json): string | undefined => {
  const problems = waiting.flatMap((wait) => {
    if (status !== "running" || wait.name !== name) return []
    return [wait.takes === undefined ? undefined : Shape.problem(wait.takes, value)]
  })
  return problems.includes(undefined) ? undefined : problems[0]
}

export const infoOf = (row: Rows.Run, open?: DurableRun): Info => {
  const { agent, endedAt, id, startedAt, status } = row
  const known = status !== "running" ? [] : open === undefined ? row.waiting : open.waits
  const waits = known.map(({ takes: _, ...wait }): Wait => wait)
  const waiting = waits.map(({ name }) => name)
  return { id, agent, status, startedAt, waiting, waits, ...(endedAt === undefined ? {} : { endedAt }) }
}
