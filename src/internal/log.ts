/**
 * An append-only log: the one buffer behind every replayable thing of this library. Readers keep an index of their own
 * and share the items, so a late reader sees what an early one saw, and a reader costs no memory.
 *
 * Invariants:
 * 1. Items are only ever added, and none after the exit is set.
 * 2. A reader that finds nothing new takes what it waits for in the same synchronous step, so that no wake-up is lost.
 * 3. However many items arrive before the woken readers run, they are woken once.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import type { Observes } from "./ropeReader.ts"
import { CurrentTask, type Task } from "./task.ts"

/** A fiber that waits for a log to change. */
export interface Waiter {
  readonly log: Log<unknown>
  readonly resume: (effect: Effect.Effect<void>) => void
  readonly dispatcher: Scheduler.SchedulerDispatcher
  /** The task whose own code waits; none for a fiber that such code forked. */
  readonly task: Task | undefined
  /** Since when, in milliseconds; `0` where no task waits. */
  readonly since: number
}

export class Log<A> {
  items: Array<A> = []
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  /** Starts a lazy source; the first reader calls it. */
  start: (() => void) | undefined = undefined
  /** Called when a reader was given the failure that ended this log, which therefore needs no report. */
  onFailureRead: (() => void) | undefined = undefined
  private waiters: Array<Waiter> | undefined = undefined
  /** Those who only watch, which makes them no readers. */
  private watchers: Array<Waiter> | undefined = undefined
  /** Those that wait for the end alone. */
  private enders: Array<Waiter> | undefined = undefined
  /** For how many rounds of the scheduler who only watches is left waiting: what comes meanwhile takes one wake-up. */
  protected readonly patience: number = 0
  private wakes = 0

  append(item: A): void {
    this.items.push(item)
    this.wake()
  }

  appendAll(items: ReadonlyArray<A>): void {
    for (let i = 0; i < items.length; i++) this.items.push(items[i])
    this.wake()
  }

  end(exit: Exit.Exit<unknown, unknown>): void {
    if (this.exit !== undefined) return
    this.exit = exit
    this.start = undefined
    this.wake()
    const enders = this.enders
    this.enders = undefined
    resumeAll(enders)
  }

  /** The end, for a reader: a failure counts as read from now on. Undefined while there is none. */
  readExit(): Exit.Exit<unknown, unknown> | undefined {
    if (this.exit?._tag === "Failure") this.failureRead()
    return this.exit
  }

  failureRead(): void {
    this.onFailureRead?.()
  }

  startUnsafe(): void {
    const start = this.start
    if (start === undefined) return
    this.start = undefined
    start()
  }

  get hasWaiters(): boolean {
    return this.waiters !== undefined || this.enders !== undefined
  }

  wake(): void {
    this.wakes++
    const waiters = this.waiters
    this.waiters = undefined
    resumeAll(waiters)
    if (this.watchers === undefined) return
    const watchers = this.watchers
    this.watchers = undefined
    resumeAll(watchers, this.patience)
  }

  /**
   * Waits until something is added or the log ends. Take it in the step in which nothing new was found: what happens
   * between that and the waiting wakes it too.
   */
  get changed(): Effect.Effect<void> {
    return this.changedFor("all")
  }

  /** The same for who only watches, too. */
  changedFor(observes: Observes): Effect.Effect<void> {
    const seen = this.wakes
    return this.waitIn(observes === "all" ? "waiters" : "watchers", () => this.wakes !== seen)
  }

  /** Waits until the log ends; what is added until then wakes nobody who waits so. */
  get ended(): Effect.Effect<void> {
    return this.waitIn("enders", () => this.exit !== undefined)
  }

  private waitIn(list: "waiters" | "watchers" | "enders", isOver: () => boolean): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (isOver()) return resume(Effect.void)
      const waiter = this.waiter(Fiber.getCurrent()!, resume)
      if (this[list] === undefined) this[list] = [waiter]
      else this[list].push(waiter)
      return Effect.sync(() => {
        if (waiter.task !== undefined) waiter.task.waiting = undefined
        this[list] = without(this[list], waiter)
      })
    })
  }

  /** The tasks that can make this log change. */
  get fillers(): ReadonlyArray<Task> {
    return []
  }

  private waiter(fiber: Fiber.Fiber<unknown, unknown>, resume: Waiter["resume"]): Waiter {
    const current = Context.get(fiber.context, CurrentTask)
    const task = current?.fiber === fiber ? current : undefined
    const since = task === undefined ? 0 : Context.get(fiber.context, Clock.Clock).currentTimeMillisUnsafe()
    const waiter: Waiter = { log: this, resume, dispatcher: fiber.currentDispatcher, task, since }
    if (task !== undefined) task.waiting = waiter
    return waiter
  }
}

/** Those that a step has woken so far, while one runs. */
let woken: Array<Waiter> | undefined = undefined

/**
 * Runs a step that is called by the outside, such as one for what came over a network, and then, before the outside calls
 * again, those that wait for what it has added. Otherwise all that comes at once would come before anybody has seen the
 * first of it. What these add themselves wakes as it always does.
 */
export const withReaders = (step: () => void): void => {
  const outer = woken
  const inner: Array<Waiter> = (woken = [])
  try {
    step()
  } finally {
    woken = outer
    for (const waiter of inner) waiter.resume(Effect.void)
  }
}

const resumeAll = (waiters: ReadonlyArray<Waiter> | undefined, rounds = 0): void => {
  if (waiters === undefined) return
  // who is woken can go on, although it has not run yet
  for (const { task } of waiters) if (task !== undefined) task.waiting = undefined
  if (woken !== undefined && rounds === 0) {
    for (const waiter of waiters) woken.push(waiter)
    return
  }
  const { dispatcher } = waiters[0]!
  const next = (left: number): void =>
    dispatcher.scheduleTask(() => {
      if (left > 0) return next(left - 1)
      for (const waiter of waiters) waiter.resume(Effect.void)
    }, 0)
  next(rounds)
}

const without = (waiters: Array<Waiter> | undefined, waiter: Waiter): Array<Waiter> | undefined => {
  const index = waiters?.indexOf(waiter) ?? -1
  if (index >= 0) waiters!.splice(index, 1)
  return waiters?.length === 0 ? undefined : waiters
}
