/** In which order the lanes of a merged sequence come: as they came before, and then as they come. */
import * as Effect from "effect/Effect"
import type * as Rope from "../internal/rope.ts"

interface Waiting {
  readonly lane: number
  readonly resume: (effect: Effect.Effect<void>) => void
}

/** Invariant: an element is given, and its lane recorded, in one step. */
export class Turns implements Rope.Turns {
  readonly isRecorded: boolean
  private readonly recorded: ReadonlyArray<number>
  private readonly own: number
  private readonly record: (lane: number) => void
  private next = 0
  private waiting: Array<Waiting> = []
  private readonly over = new Set<number>()
  private lanes = Number.POSITIVE_INFINITY

  /** The first `own` of the lanes are those of this run, the others those of the run that it is a rerun of. */
  constructor(recorded: ReadonlyArray<number>, own: number, record: (lane: number) => void) {
    this.isRecorded = recorded.length > 0
    this.recorded = recorded
    this.own = own
    this.record = record
  }

  take(lane: number, give: () => void): Effect.Effect<void> | undefined {
    if (this.isTurnOf(lane)) return void this.give(lane, give)
    const wait: Effect.Effect<void> = Effect.flatMap(
      Effect.callback<boolean>((resume) => {
        // what happens between two steps counts, so this looks when it registers
        if (this.isTurnOf(lane)) {
          this.give(lane, give)
          return resume(Effect.succeed(true))
        }
        const waiting: Waiting = { lane, resume: (effect) => resume(Effect.as(effect, false)) }
        this.waiting.push(waiting)
        return Effect.sync(() => {
          this.waiting = this.waiting.filter((other) => other !== waiting)
        })
      }),
      (given) => (given ? Effect.void : wait)
    )
    return wait
  }

  given(elements: number): void {
    for (let i = 0; i < elements; i++) this.give(0, () => {})
  }

  ended(lane: number): void {
    this.over.add(lane)
    this.wake()
  }

  closed(lanes: number): void {
    this.lanes = lanes
    this.wake()
  }

  private isTurnOf(lane: number): boolean {
    this.skip()
    return this.next >= this.recorded.length || this.recorded[this.next] === lane
  }

  /** What was recorded of lanes that give nothing more: the code has changed since. */
  private skip(): void {
    for (; this.next < this.recorded.length; this.next++) {
      const lane = this.recorded[this.next]
      if (!this.over.has(lane) && lane < this.lanes) return
    }
  }

  private give(lane: number, give: () => void): void {
    if (this.next >= this.own) this.record(lane)
    this.next++
    give()
    this.wake()
  }

  /** Wakes those whose turn it is, but not in the stack of who wakes them. */
  private wake(): void {
    const next = this.waiting.filter(({ lane }) => this.isTurnOf(lane))
    if (next.length === 0) return
    this.waiting = this.waiting.filter((waiting) => !next.includes(waiting))
    for (const { resume } of next) resume(Effect.yieldNow)
  }
}
