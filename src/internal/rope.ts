/**
 * A rope: a log whose parts are elements or other ropes. A nested rope is referenced, never copied, so that handing a
 * sequence on through d levels costs O(d) whatever its length; readers walk the parts depth first.
 *
 * Elements that are to be delivered as soon as they are available (out of order) need a decision that every reader
 * shares. The first such part turns the rope from an ordered one into a merged one: what is available so far becomes a
 * flat prefix, and from then on lanes (one for the ordered parts, one for each part out of order) append to it as
 * their elements arrive.
 *
 * Invariants:
 * 1. No reader has consumed more than the prefix that is available when a rope becomes merged: beyond it all of them
 *    are blocked in the same log.
 * 2. The elements before a reader's position never change, whichever form the rope has.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Log } from "./log.ts"

/** How a rope turns failures below it into elements. */
export interface Absorb<A> {
  readonly element: (element: A) => A
  readonly failure: (cause: Cause.Cause<unknown>, rope: Rope<A>) => A
}

/** Runs an effect in the background, owned by whoever owns the rope. */
export type Fork = (effect: Effect.Effect<void>, onExit: (exit: Exit.Exit<unknown, unknown>) => void) => void

/** A hint for readers: it counts how often a rope became merged, so that they look for it only when one did. */
let merges = 0

export class Rope<A> extends Log<A | Rope<A>> {
  absorb: Absorb<A> | undefined = undefined
  private failures: Map<Rope<A>, A> | undefined = undefined
  private lanes: Lanes<A> | undefined = undefined
  /** A reader has met a failure in here and left for good: what comes later must not go before that failure. */
  over = false

  get isMerged(): boolean {
    return this.lanes !== undefined
  }

  /** The elements in here, and the ropes that this one refers to. */
  get parts(): ReadonlyArray<A | Rope<A>> {
    return this.lanes === undefined ? this.items : [...this.items, ...this.lanes.sources]
  }

  /** Whether the owner can still add parts. */
  get isOpen(): boolean {
    return this.exit === undefined && !(this.lanes?.ordered.exit !== undefined)
  }

  add(parts: ReadonlyArray<A | Rope<A>>): void {
    if (this.lanes === undefined) this.appendAll(parts)
    else this.lanes.ordered.appendAll(parts)
  }

  addOutOfOrder(parts: ReadonlyArray<A | Rope<A>>, fork: Fork): void {
    if (this.lanes === undefined) {
      if (this.over) return this.appendAll(parts)
      if (!parts.some((part) => isRope(part)) && !this.items.some((part) => isRope(part))) return this.appendAll(parts)
      this.merge(fork)
    }
    for (const part of parts) {
      if (!isRope(part)) this.append(this.absorb === undefined ? part : this.absorb.element(part))
      else {
        const lane = new Rope<A>()
        lane.absorb = this.absorb
        lane.append(part)
        lane.end(Exit.void)
        this.lanes!.sources.push(lane)
        this.follow(new Reader(lane, "all"), fork)
      }
    }
  }

  /** Ends the parts; a merged rope ends when its lanes have. */
  close(exit: Exit.Exit<unknown, unknown>): void {
    if (this.lanes === undefined) this.end(exit)
    else {
      this.lanes.ordered.end(exit)
      this.endMerged()
    }
  }

  /** The element that stands for the failure of a nested rope: one and the same for every reader. */
  failureOf(rope: Rope<A>): A {
    this.failures ??= new Map()
    let failure = this.failures.get(rope)
    if (failure === undefined) {
      const exit = rope.exit as Exit.Failure<unknown, unknown>
      failure = this.absorb!.failure(exit.cause, rope)
      this.failures.set(rope, failure)
    }
    return failure
  }

  /** A reader has met the failure of this rope. */
  failureSeen(): void {
    this.onFailureSeen?.()
    this.lanes?.failed.forEach((rope) => rope.failureSeen())
  }

  private merge(fork: Fork): void {
    const reader = new Reader<A>(this, "all")
    const prefix = reader.read()
    const ordered = reader.moveRoot()
    this.items = prefix
    merges++
    reader.blocked?.wake()
    this.lanes = { ordered, sources: [ordered], running: 0, exit: Exit.void, failed: [] }
    this.follow(reader, fork)
  }

  private follow(reader: Reader<A>, fork: Fork): void {
    const lanes = this.lanes!
    lanes.running++
    const step: Effect.Effect<void> = Effect.suspend(() => {
      const chunk = reader.read()
      if (chunk.length > 0) {
        this.appendAll(chunk)
        return step
      }
      return reader.exit === undefined ? Effect.flatMap(reader.blocked!.changed, () => step) : Effect.void
    })
    fork(step, (exit) => {
      const end = reader.exit ?? exit
      if (end !== lanes.ordered.exit) lanes.exit = both(lanes.exit, end)
      if (reader.failed !== undefined) lanes.failed.push(reader.failed)
      lanes.running--
      this.endMerged()
    })
  }

  private endMerged(): void {
    const { exit, ordered, running } = this.lanes!
    if (running === 0 && ordered.exit !== undefined) this.end(both(exit, ordered.exit))
  }
}

interface Lanes<A> {
  readonly ordered: Rope<A>
  readonly sources: Array<Rope<A>>
  readonly failed: Array<Rope<A>>
  running: number
  exit: Exit.Exit<unknown, unknown>
}

interface Frame<A> {
  rope: Rope<A>
  index: number
  merged: boolean
  readonly parent: Frame<A> | undefined
  /** How many elements the reader had given before it came here. */
  readonly base: number
  /** What the nearest rope that turns failures into elements, from here down to the root, does with an element. */
  readonly absorb: Absorb<A> | undefined
}

/**
 * What a reader does to what it reads: it starts lazy sources, and a failure that becomes an element counts as seen. One
 * that only watches does neither.
 */
export type Observes = "all" | "none"

/** One reader's position in a rope. */
export class Reader<A> {
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  /** The log to wait for when `read` gave nothing. */
  blocked: Log<A | Rope<A>> | undefined = undefined
  /** The rope whose failure ended the reading. */
  failed: Rope<A> | undefined = undefined
  private count = 0
  private seen = merges
  private frame: Frame<A>
  private readonly observes: Observes

  constructor(rope: Rope<A>, observes: Observes) {
    this.observes = observes
    this.frame = this.enter(rope, undefined)
  }

  /** All that is available now. Nothing means: look at `exit`, or wait for `blocked` and read again. */
  read(): Array<A> {
    const out: Array<A> = []
    if (this.exit !== undefined) return out
    if (this.seen !== merges) this.resync()
    while (true) {
      const frame = this.frame
      if (frame.rope.start !== undefined && this.observes !== "none") {
        // who asked for what is there has not asked for what would have to start first
        if (out.length > 0) return out
        // what it starts may run at once, and merge a rope that this reader is inside of
        frame.rope.startUnsafe()
        if (this.seen !== merges) this.resync()
        continue
      }
      const { items } = frame.rope
      if (frame.index < items.length) {
        const part = items[frame.index++]
        if (part instanceof Rope) {
          const nested = shortcut(part)
          items[frame.index - 1] = nested
          this.frame = this.enter(nested, frame)
        } else {
          out.push(frame.absorb === undefined ? part : frame.absorb.element(part))
          this.count++
        }
      } else if (frame.rope.exit === undefined) {
        this.blocked = frame.rope
        return out
      } else if (this.leave(frame, out)) {
        this.blocked = undefined
        return out
      }
    }
  }

  /** What the whole ended with, as it is given to who reads: having read ahead of them is not having seen it. */
  giveExit(): Exit.Exit<unknown, unknown> {
    this.failed?.failureSeen()
    return this.exit!
  }

  /** Gives the root's parts to a rope of its own, so that this reader goes on while the root is rebuilt. */
  moveRoot(): Rope<A> {
    let root = this.frame
    while (root.parent !== undefined) root = root.parent
    const moved = new Rope<A>()
    moved.absorb = root.rope.absorb
    moved.items = root.rope.items
    if (this.blocked === root.rope) this.blocked = moved
    root.rope.wake()
    root.rope = moved
    return moved
  }

  private enter(rope: Rope<A>, parent: Frame<A> | undefined): Frame<A> {
    return { rope, index: 0, merged: rope.isMerged, parent, base: this.count, absorb: rope.absorb ?? parent?.absorb }
  }

  /** Leaves a rope that ended; true when that ends the whole. */
  private leave(frame: Frame<A>, out: Array<A>): boolean {
    const exit = frame.rope.exit!
    const parent = Exit.isSuccess(exit) ? frame.parent : absorbing(frame, exit.cause)
    if (Exit.isFailure(exit)) {
      if (this.observes !== "none" && parent !== undefined) frame.rope.failureSeen()
      for (let left = frame.parent; left !== parent; left = left!.parent) left!.rope.over = true
      if (parent === undefined) this.failed = frame.rope
      else out.push(parent.rope.failureOf(frame.rope))
      if (parent !== undefined) this.count++
    }
    if (parent === undefined) {
      this.exit = exit
      return true
    }
    this.frame = parent
    return false
  }

  /** Some rope became merged: if it is one this reader is inside of, it goes on in the merged form. */
  private resync(): void {
    this.seen = merges
    let target: Frame<A> | undefined
    for (let frame: Frame<A> | undefined = this.frame; frame !== undefined; frame = frame.parent) {
      if (frame.rope.isMerged && !frame.merged) target = frame
    }
    if (target === undefined) return
    target.merged = true
    target.index = this.count - target.base
    this.frame = target
  }
}

const isRope = <A>(part: A | Rope<A>): part is Rope<A> => part instanceof Rope

/** The nearest frame below that turns this failure into an element; an interruption stays one. */
const absorbing = <A>(frame: Frame<A>, cause: Cause.Cause<unknown>): Frame<A> | undefined => {
  if (Cause.hasInterruptsOnly(cause)) return undefined
  let parent = frame.parent
  while (parent !== undefined && parent.rope.absorb === undefined) parent = parent.parent
  return parent
}

/** Skips ropes that ended well and hold nothing but another rope, so that chains of relays stay short. */
const shortcut = <A>(rope: Rope<A>): Rope<A> => {
  let current = rope
  while (current.exit?._tag === "Success" && current.absorb === undefined && current.items.length === 1) {
    const only = current.items[0]
    if (!(only instanceof Rope)) break
    current = only
  }
  return current
}

/** The end of two things: both their failures, if both failed. */
export const both = (
  left: Exit.Exit<unknown, unknown>,
  right: Exit.Exit<unknown, unknown>
): Exit.Exit<unknown, unknown> =>
  Exit.isSuccess(left) ? right : Exit.isSuccess(right) ? left : Exit.failCause(Cause.combine(left.cause, right.cause))
