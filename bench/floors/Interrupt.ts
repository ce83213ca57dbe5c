/** S8: fibers that wait (on a timer, or on an event listener) interrupted at once. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { EventEmitter } from "node:events"
import type { Case, Outcome } from "../Case.ts"

/** Waits for ever, every other one on a timer, and counts how many wait. */
export class Waiters {
  private readonly emitter = new EventEmitter().setMaxListeners(0)
  waiting = 0

  readonly wait = (i: number): Effect.Effect<void> => {
    const forever = i % 2 === 0 ? Effect.sleep("1 hour") : this.listen
    return Effect.suspend(() => {
      this.waiting++
      return Effect.onExit(forever, () => Effect.sync(() => this.waiting--))
    })
  }

  private readonly listen = Effect.callback<void>((resume) => {
    const heard = () => resume(Effect.void)
    this.emitter.on("never", heard)
    return Effect.sync(() => this.emitter.off("never", heard))
  })

  /** Throws when anything that waited is still there. */
  check(timersBefore: number): void {
    const left = {
      fibers: this.waiting,
      timers: timers() - timersBefore,
      listeners: this.emitter.listenerCount("never")
    }
    if (Object.values(left).some((count) => count > 0)) throw new Error(`left behind: ${JSON.stringify(left)}`)
  }
}

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length

/** Takes the time from the interruption of `program` until it has ended, once all are waiting. */
export const interrupted = (waiters: Waiters, size: number, program: Effect.Effect<unknown>): Promise<Outcome> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const before = timers()
      const fiber = yield* Effect.forkChild(program)
      while (waiters.waiting < size) yield* Effect.yieldNow
      const start = performance.now()
      yield* Fiber.interrupt(fiber)
      const ms = performance.now() - start
      waiters.check(before)
      return { ms }
    })
  )

export const fibers: Case = (size) => {
  const waiters = new Waiters()
  const all = Array.from({ length: size }, (_, i) => waiters.wait(i))
  return interrupted(waiters, size, Effect.all(all, { concurrency: "unbounded", discard: true }))
}
