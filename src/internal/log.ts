/**
 * An append-only log: the one buffer behind every replayable thing of this library. Readers keep an index of their own
 * and share the items, so a late reader sees what an early one saw, and a reader costs no memory.
 *
 * Invariants:
 * 1. Items are only ever added, and none after the exit is set.
 * 2. A reader that finds nothing new takes what it waits for in the same synchronous step, so that no wake-up is lost.
 * 3. However many items arrive before the woken readers run, they are woken once.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"

interface Waiter {
  readonly resume: (effect: Effect.Effect<void>) => void
  readonly dispatcher: Scheduler.SchedulerDispatcher
}

export class Log<A> {
  items: Array<A> = []
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  /** Starts a lazy source; the first reader calls it. */
  start: (() => void) | undefined = undefined
  /** Called when a reader has seen this log end in a failure, which therefore needs no report. */
  onFailureSeen: (() => void) | undefined = undefined
  /** The agents that a failure came through, the innermost first. */
  trace: ReadonlyArray<string> = noTrace
  private waiters: Array<Waiter> | undefined = undefined
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
  }

  startUnsafe(): void {
    const start = this.start
    if (start === undefined) return
    this.start = undefined
    start()
  }

  get hasWaiters(): boolean {
    return this.waiters !== undefined
  }

  wake(): void {
    this.wakes++
    const waiters = this.waiters
    if (waiters === undefined) return
    this.waiters = undefined
    waiters[0].dispatcher.scheduleTask(() => {
      for (const waiter of waiters) waiter.resume(Effect.void)
    }, 0)
  }

  /**
   * Waits until something is added or the log ends. Take it in the step in which nothing new was found: what happens
   * between that and the waiting wakes it too.
   */
  get changed(): Effect.Effect<void> {
    const seen = this.wakes
    return Effect.callback<void>((resume) => {
      if (this.wakes !== seen) return resume(Effect.void)
      const waiter: Waiter = { resume, dispatcher: Fiber.getCurrent()!.currentDispatcher }
      if (this.waiters === undefined) this.waiters = [waiter]
      else this.waiters.push(waiter)
      return Effect.sync(() => this.forget(waiter))
    })
  }

  private forget(waiter: Waiter): void {
    const index = this.waiters?.indexOf(waiter) ?? -1
    if (index < 0) return
    if (this.waiters!.length === 1) this.waiters = undefined
    else this.waiters!.splice(index, 1)
  }
}

const noTrace: ReadonlyArray<string> = []
