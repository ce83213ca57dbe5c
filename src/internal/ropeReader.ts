/** One reader's position in a rope: it walks the parts depth first, and goes on where the rope is rebuilt. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type { Recover, Rope } from "./rope.ts"

/** The mark of ropes, which tells them from elements. */
export const RopeId = "~miniagents/Rope"

export const isRope = <A>(part: A | Rope<A>): part is Rope<A> => Predicate.hasProperty(part, RopeId)

interface Frame<A> {
  rope: Rope<A>
  index: number
  merged: boolean
  /** How many of the merges around its rope the reader has taken note of. */
  merges: number
  readonly parent: Frame<A> | undefined
  /** How many elements the reader had given before it came here. */
  readonly base: number
  /** What the nearest rope that turns failures into elements, from here down to the root, does with an element. */
  readonly recover: Recover<A> | undefined
  /** What an element is given as, from here down to the root. */
  readonly mark: ((element: A) => A) | undefined
}

/**
 * What a reader does to what it reads: it starts lazy sources, and a failure that becomes an element counts as read. One
 * that only watches does neither.
 */
export type Observes = "all" | "none"

/** One reader's position in a rope. */
export class Reader<A> {
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  /** The log to wait for when `read` gave nothing. */
  blocked: Rope<A> | undefined = undefined
  /** The rope whose failure ended the reading. */
  failed: Rope<A> | undefined = undefined
  private count = 0
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
    while (true) {
      const frame = this.frame
      const { rope } = frame
      if (rope.merges !== frame.merges || (rope.isMerged && !frame.merged)) {
        this.resync(frame)
        continue
      }
      if (rope.start !== undefined && this.observes !== "none") {
        // who asked for what is there has not asked for what would have to start first
        if (out.length > 0) return out
        // what it starts may run at once, and merge a rope that this reader is inside of
        rope.startUnsafe()
        continue
      }
      const { items } = rope
      if (frame.index < items.length) {
        const part = items[frame.index++]
        if (isRope(part)) {
          const nested = shortcut(part)
          items[frame.index - 1] = nested
          this.frame = this.enter(nested, frame)
        } else {
          out.push(given(part, frame))
          this.count++
        }
      } else if (rope.exit === undefined) {
        this.blocked = rope
        return out
      } else if (this.leave(frame, out)) {
        this.blocked = undefined
        return out
      }
    }
  }

  /** What the whole ended with, as it is given to who reads: having read ahead of them is not having read it. */
  readExit(): Exit.Exit<unknown, unknown> {
    if (this.observes !== "none") this.failed?.failureRead()
    return this.exit!
  }

  /** Gives the root's parts to a rope of its own, so that this reader goes on while the root is rebuilt. */
  moveRoot(): Rope<A> {
    let root = this.frame
    while (root.parent !== undefined) root = root.parent
    const moved = root.rope.another()
    moved.movedFrom = root.rope
    moved.items = root.rope.items
    if (this.blocked === root.rope) this.blocked = moved
    root.rope.wake()
    root.rope = moved
    return moved
  }

  private enter(rope: Rope<A>, parent: Frame<A> | undefined): Frame<A> {
    const recover = rope.recover ?? parent?.recover
    const mark = rope.mark ?? parent?.mark
    return { rope, index: 0, merged: rope.isMerged, merges: 0, parent, base: this.count, recover, mark }
  }

  /** Leaves a rope that ended; true when that ends the whole. */
  private leave(frame: Frame<A>, out: Array<A>): boolean {
    const exit = frame.rope.exit!
    const parent = Exit.isSuccess(exit) ? frame.parent : recovering(frame, exit.cause)
    if (Exit.isFailure(exit)) {
      if (this.observes !== "none" && parent !== undefined) frame.rope.failureRead()
      if (this.observes !== "none")
        for (let left = frame.parent; left !== parent; left = left!.parent) left!.rope.over = true
      if (parent === undefined) this.failed = frame.rope
      else {
        const failure = parent.rope.failureOf(frame.rope)
        if (failure !== undefined) {
          out.push(failure)
          this.count++
        }
      }
    }
    if (parent === undefined) {
      this.exit = exit
      return true
    }
    this.frame = parent
    return false
  }

  /** Some rope around this one, or this one, became merged: the reader goes on in the merged form of the outermost. */
  private resync(inner: Frame<A>): void {
    inner.merges = inner.rope.merges
    let target: Frame<A> | undefined
    for (let frame: Frame<A> | undefined = inner; frame !== undefined; frame = frame.parent) {
      if (frame.rope.isMerged && !frame.merged) target = frame
    }
    if (target === undefined) return
    target.merged = true
    target.index = this.count - target.base
    this.frame = target
  }
}

/** An element as it is given to readers. */
export const given = <A>(part: A, { mark, recover }: Pick<Rope<A>, "mark" | "recover">): A => {
  const element = recover === undefined ? part : recover.element(part)
  return mark === undefined ? element : mark(element)
}

/** The nearest frame below that turns this failure into an element; an interruption stays one. */
const recovering = <A>(frame: Frame<A>, cause: Cause.Cause<unknown>): Frame<A> | undefined => {
  if (Cause.hasInterruptsOnly(cause)) return undefined
  let parent = frame.parent
  while (parent !== undefined && parent.rope.recover === undefined) parent = parent.parent
  return parent
}

/** Skips ropes that ended well and hold nothing but another rope, so that chains of relays stay short. */
const shortcut = <A>(rope: Rope<A>): Rope<A> => {
  let current = rope
  while (current.exit?._tag === "Success" && current.recover === undefined && current.merges === 0) {
    if (current.mark !== undefined) break
    const [only] = current.items
    if (current.items.length !== 1 || !isRope(only)) break
    current = only
  }
  return current
}
