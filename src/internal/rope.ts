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
import { given, isRope, Reader, RopeId } from "./ropeReader.ts"
import type { Task } from "./task.ts"

/** How a rope turns failures below it into elements. */
export interface Recover<A> {
  readonly element: (element: A) => A
  /** Gives nothing where the failure stands in an element before it already. */
  readonly failure: (cause: Cause.Cause<unknown>, rope: Rope<A>) => A | undefined
}

/** Runs an effect in the background, owned by whoever owns the rope. */
export type Fork = (effect: Effect.Effect<void>, onExit: (exit: Exit.Exit<unknown, unknown>) => void) => void

/** In which order the lanes of a rope come, where that is recorded or was recorded before. Without it they come as they come. */
export interface Turns {
  /** Whether an order was recorded: then all elements come by it, also those before there were lanes. */
  readonly isRecorded: boolean
  /** Calls `give` when it is that lane's turn, at once or in the effect that it returns. */
  readonly take: (lane: number, give: () => void) => Effect.Effect<void> | undefined
  /** So many elements of the first lane were given before there were others. */
  readonly given: (elements: number) => void
  /** Nothing more comes from this lane. */
  readonly ended: (lane: number) => void
  /** There are no more lanes than so many. */
  readonly closed: (lanes: number) => void
}

export class Rope<A> extends Log<A | Rope<A>> {
  declare readonly [RopeId]: true
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
    // merged before its time: until then these would have been ordered
    const isEarly = lanes.begun === 1 && this.turns?.isRecorded === true
    if (isEarly && !parts.some((part) => isRope(part)) && !lanes.added.items.some((part) => isRope(part))) {
      return this.add(parts)
    }
    lanes.added.appendAll(parts)
    for (const part of parts) {
      if (!isRope(part) && this.turns === undefined) this.append(given(part, this))
      else {
        const lane = this.another()
        lane.nests = true
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
      this.turns?.closed(this.lanes.begun)
      this.endMerged()
    }
  }

  /** Merges a rope whose order was recorded from its first element on: who reads sees no other order first. */
  mergeRecorded(fork: Fork): void {
    if (this.turns?.isRecorded === true && this.lanes === undefined && this.exit === undefined) this.merge(fork)
  }

  /** The element that stands for the failure of a nested rope: one and the same for every reader. */
  failureOf(rope: Rope<A>): A | undefined {
    this.failures ??= new Map()
    if (!this.failures.has(rope)) {
      const exit = rope.exit as Exit.Failure<unknown, unknown> // asked of ropes that failed alone
      this.failures.set(rope, this.recover!.failure(exit.cause, rope))
    }
    return this.failures.get(rope)
  }

  override failureRead(): void {
    super.failureRead()
    this.lanes?.failed.forEach((rope) => rope.failureRead())
  }

  /** A rope for the parts of this one. */
  another(): Rope<A> {
    const other = new Rope<A>()
    other.nests = this.nests
    other.recover = this.recover
    other.mark = this.mark
    return other
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
    this.turns?.given(prefix.length)
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
      this.turns?.ended(number)
      this.endMerged()
    })
  }

  /** Gives elements when it is their turn; the decision and what follows from it are one step. */
  private inTurn(lane: number, chunk: ReadonlyArray<A>): Effect.Effect<void> {
    const give = (element: A) => this.turns!.take(lane, () => this.append(element)) ?? Effect.void
    return Effect.forEach(chunk, give, { discard: true })
  }

  private endMerged(): void {
    const { exit, open, ordered } = this.lanes!
    if (open.size === 0 && ordered.exit !== undefined) this.end(both(exit, ordered.exit))
  }
}

Object.defineProperty(Rope.prototype, RopeId, { value: true })

interface Lanes<A> {
  /** All parts in the order in which they were added. */
  readonly added: Log<A | Rope<A>>
  readonly ordered: Rope<A>
  readonly open: Set<Rope<A>>
  readonly failed: Array<Rope<A>>
  begun: number
  exit: Exit.Exit<unknown, unknown>
}

/** The end of two things: both their failures, if both failed. */
export const both = (
  left: Exit.Exit<unknown, unknown>,
  right: Exit.Exit<unknown, unknown>
): Exit.Exit<unknown, unknown> =>
  Exit.isSuccess(left) ? right : Exit.isSuccess(right) ? left : Exit.failCause(Cause.combine(left.cause, right.cause))
