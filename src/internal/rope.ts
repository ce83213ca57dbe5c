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
 * 3. No rope contains itself: a part that would close a ring is refused when it is added.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Log } from "./log.ts"
import type { Task } from "./task.ts"

/** How a rope turns failures below it into elements. */
export interface Recover<A> {
  readonly element: (element: A) => A
  /** Gives nothing where the failure stands in an element before it already. */
  readonly failure: (cause: Cause.Cause<unknown>, rope: Rope<A>) => A | undefined
}

/** Runs an effect in the background, owned by whoever owns the rope. */
export type Fork = (effect: Effect.Effect<void>, onExit: (exit: Exit.Exit<unknown, unknown>) => void) => void

/**
 * Asked before an element of a lane is given, where the order in which lanes come is recorded or was recorded before.
 * It calls `give` when it is that lane's turn, at once or in the effect that it returns.
 */
export type Turns = (lane: number, give: () => void) => Effect.Effect<void> | undefined

export class Rope<A> extends Log<A | Rope<A>> {
  recover: Recover<A> | undefined = undefined
  /** What each element in here is given as. Doing it twice is doing it once. */
  mark: ((element: A) => A) | undefined = undefined
  turns: Turns | undefined = undefined
  private failures: Map<Rope<A>, A | undefined> | undefined = undefined
  private lanes: Lanes<A> | undefined = undefined
  /** A reader has met a failure in here and left for good: what comes later must not go before that failure. */
  over = false
  /** The rope whose parts these were before it became merged. */
  movedFrom: Rope<A> | undefined = undefined
  /** Whether some rope has this one as a part. */
  nested = false
  /** Whether a part of this one is a rope, or reads from one. */
  nests = false
  /** How many of the ropes around this one became merged while this was what they waited for. */
  merges = 0

  get isMerged(): boolean {
    return this.lanes !== undefined
  }

  /** The elements in here, and the ropes that this one refers to. */
  get contents(): ReadonlyArray<A | Rope<A>> {
    return this.lanes === undefined ? this.items : [...this.items, ...this.lanes.open]
  }

  /** What was added, in the order of that, and then its end: not what nested ropes make of it. */
  get added(): Log<A | Rope<A>> {
    return this.lanes?.added ?? this
  }

  override get fillers(): ReadonlyArray<Task> {
    return this.movedFrom?.fillers ?? []
  }

  /** Whether the owner can still add parts. */
  get isOpen(): boolean {
    return this.exit === undefined && !(this.lanes?.ordered.exit !== undefined)
  }

  add(parts: ReadonlyArray<A | Rope<A>>): void {
    if (this.lanes === undefined) return this.appendAll(parts)
    this.lanes.added.appendAll(parts)
    this.lanes.ordered.appendAll(parts)
  }

  addOutOfOrder(parts: ReadonlyArray<A | Rope<A>>, fork: Fork): void {
    if (this.lanes === undefined) {
      if (this.over) return this.add(parts)
      if (!parts.some((part) => isRope(part)) && !this.items.some((part) => isRope(part))) return this.add(parts)
      this.merge(fork)
    }
    const lanes = this.lanes!
    lanes.added.appendAll(parts)
    for (const part of parts) {
      if (!isRope(part)) this.append(given(part, this))
      else {
        const lane = new Rope<A>()
        lane.recover = this.recover
        lane.nests = true
        lane.mark = this.mark
        lane.append(part)
        lane.end(Exit.void)
        this.follow(lane, new Reader(lane, "all"), fork)
      }
    }
  }

  /** Ends the parts; a merged rope ends when its lanes have. */
  close(exit: Exit.Exit<unknown, unknown>): void {
    if (this.lanes === undefined) this.end(exit)
    else {
      this.lanes.added.end(exit)
      this.lanes.ordered.end(exit)
      this.endMerged()
    }
  }

  /** The element that stands for the failure of a nested rope: one and the same for every reader. */
  failureOf(rope: Rope<A>): A | undefined {
    this.failures ??= new Map()
    if (!this.failures.has(rope)) {
      const exit = rope.exit as Exit.Failure<unknown, unknown>
      this.failures.set(rope, this.recover!.failure(exit.cause, rope))
    }
    return this.failures.get(rope)
  }

  override failureRead(): void {
    super.failureRead()
    this.lanes?.failed.forEach((rope) => rope.failureRead())
  }

  private merge(fork: Fork): void {
    const added = new Log<A | Rope<A>>()
    added.items = [...this.items]
    const reader = new Reader<A>(this, "all")
    const prefix = reader.read()
    const ordered = reader.moveRoot()
    this.items = prefix
    if (reader.blocked !== undefined) {
      reader.blocked.merges++
      reader.blocked.wake()
    }
    this.lanes = { added, ordered, open: new Set(), failed: [], begun: 0, exit: Exit.void }
    this.follow(ordered, reader, fork)
  }

  private follow(lane: Rope<A>, reader: Reader<A>, fork: Fork): void {
    const lanes = this.lanes!
    const number = lanes.begun++
    lanes.open.add(lane)
    const step: Effect.Effect<void> = Effect.suspend(() => {
      const chunk = reader.read()
      if (chunk.length > 0) {
        if (this.turns !== undefined) return Effect.andThen(this.inTurn(number, chunk), step)
        this.appendAll(chunk)
        return step
      }
      return reader.exit === undefined ? Effect.flatMap(reader.blocked!.changed, () => step) : Effect.void
    })
    fork(step, (exit) => {
      const end = reader.exit ?? exit
      if (end !== lanes.ordered.exit) lanes.exit = both(lanes.exit, end)
      if (reader.failed !== undefined) lanes.failed.push(reader.failed)
      lanes.open.delete(lane)
      this.endMerged()
    })
  }

  /** Gives elements when it is their turn; the decision and what follows from it are one step. */
  private inTurn(lane: number, chunk: ReadonlyArray<A>): Effect.Effect<void> {
    const give = (element: A) => this.turns!(lane, () => this.append(element)) ?? Effect.void
    return Effect.forEach(chunk, give, { discard: true })
  }

  private endMerged(): void {
    const { exit, open, ordered } = this.lanes!
    if (open.size === 0 && ordered.exit !== undefined) this.end(both(exit, ordered.exit))
  }
}

interface Lanes<A> {
  /** All parts in the order in which they were added. */
  readonly added: Log<A | Rope<A>>
  readonly ordered: Rope<A>
  readonly open: Set<Rope<A>>
  readonly failed: Array<Rope<A>>
  begun: number
  exit: Exit.Exit<unknown, unknown>
}

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
        if (part instanceof Rope) {
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
    const moved = new Rope<A>()
    moved.movedFrom = root.rope
    moved.nests = root.rope.nests
    moved.recover = root.rope.recover
    moved.mark = root.rope.mark
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

const isRope = <A>(part: A | Rope<A>): part is Rope<A> => part instanceof Rope

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
    if (current.items.length !== 1 || !(only instanceof Rope)) break
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
