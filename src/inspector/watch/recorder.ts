/** Writes down what the calls of a program do. Tokens are gathered when they are asked for, and not one by one. */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Deadlocks from "../../internal/deadlocks.ts"
import { Log } from "../../internal/log.ts"
import type { Early, Observed } from "../../internal/observers.ts"
import { jsonOf } from "../../llm/model/lossless.ts"
import type { Place } from "../../internal/place.ts"
import { inside } from "../../internal/promise.ts"
import type { Supervisor } from "../../internal/task.ts"
import { InteractionContext } from "../../InteractionContext.ts"
import * as Message from "../../Message.ts"
import type { MessagePromise } from "../../MessagePromise.ts"
import * as MiniAgents from "../../MiniAgents.ts"
import type * as Observer from "../../Observer.ts"
import type { End, Event, Failure, Fields } from "../wire.ts"
import { LiveRuns } from "./liveRuns.ts"
import { Program } from "./program.ts"
import { spelled } from "./attributes.ts"
import { Spans } from "./spans.ts"
import { waitsOf } from "./waits.ts"

/** A message whose tokens are still coming. */
interface Live {
  readonly at: number
  readonly log: Log<string>
  /** How many tokens were had, and how long their text is. */
  had: number
  to: number
}

/** A message that was seen before; `ended` where it was not whole then. */
interface Seen {
  readonly at: number
  readonly ended: Deferred.Deferred<void> | undefined
}

/** A call that has not ended, as far as waiting goes. */
interface Waiting {
  readonly on: number
  readonly stuck: boolean
}

/**
 * Sees the calls of any number of runtimes, and tells their events in the order in which they happen.
 *
 * Invariants:
 * 1. A message has one number, wherever it is seen.
 * 2. Whatever was said of a message is told before it ends.
 */
export class Recorder implements Early {
  private readonly clock: Clock.Clock
  private readonly tell: (event: Event) => void
  private readonly startedAt: number
  private readonly calls = new WeakMap<object, number>()
  private readonly messages = new WeakMap<object, Seen>()
  private readonly live = new Set<Live>()
  /** The calls whose bodies run. */
  private readonly running = new Map<number, Observer.Call>()
  private readonly supervisors = new Map<Supervisor, number>()
  private readonly waiting = new Map<number, Waiting>()
  private seenWaiting: ReadonlyMap<number, Waiting> = new Map()
  private callCount = 0
  private messageCount = 0
  readonly program: Program
  readonly runs: LiveRuns
  private readonly spans: Spans

  constructor(title: string, clock: Clock.Clock, tell: (event: Event) => void, program = new Program()) {
    this.program = program
    this.runs = new LiveRuns(program, () => this.now, tell)
    this.spans = new Spans(clock, () => this.now, tell)
    this.clock = clock
    this.tell = tell
    this.startedAt = clock.currentTimeMillisUnsafe()
    tell({ _tag: "run", format: 1, startedAt: this.startedAt, title })
  }

  /** The time since the recording began, in milliseconds. */
  get now(): number {
    return this.clock.currentTimeMillisUnsafe() - this.startedAt
  }

  /** The number of a call, if it was seen. */
  numberOf(call: object | undefined): number | undefined {
    return call === undefined ? undefined : this.calls.get(call)
  }

  /** The number of the call whose code runs, if it was seen. */
  get current(): Effect.Effect<number | undefined> {
    return Effect.map(Effect.serviceOption(InteractionContext), (found) => {
      const { place } = Option.getOrElse(found, () => ({})) as { readonly place?: Place } // all contexts are calls
      return this.numberOf(place?.observed as object | undefined)
    })
  }

  readonly beforeCall = (call: Observed, context: Context.Context<never>): void => {
    const id = this.addCall(call)
    this.program.see(call, context)
    this.spans.trace(call, id, context)
    if (call.parent === undefined) this.runs.see(id, context)
  }

  readonly onCall = (call: Observer.Call): Effect.Effect<unknown> =>
    Effect.withFiber((fiber) => {
      const id = this.numberOf(call)!
      const { supervisor } = MiniAgents.current(fiber)
      this.supervisors.set(supervisor, (this.supervisors.get(supervisor) ?? 0) + 1)
      const leave = Effect.sync(() => {
        this.running.delete(id)
        this.runs.leave(id)
        const left = this.supervisors.get(supervisor)! - 1
        if (left === 0) this.supervisors.delete(supervisor)
        else this.supervisors.set(supervisor, left)
      })
      const parts = [this.body(call, id), this.follow(call.input, id, "sent"), this.replies(call, id)]
      return Effect.ensuring(Effect.all(parts, { concurrency: "unbounded", discard: true }), leave)
    })

  /** Interrupts a call and all below it, as the program itself can; gives whether it still ran. */
  stop(call: number): boolean {
    const { task } = (this.running.get(call) ?? {}) as Partial<Observed> // what is shown to observers is such
    task?.interruptTree()
    return task !== undefined
  }

  /** Tells the tokens that have come and the spans that have begun since it was last asked. */
  poll(): void {
    for (const live of this.live) this.drain(live)
    this.spans.poll()
  }

  /**
   * Tells which calls wait for which, as far as that has changed. What waits for the same call as when this was last
   * looked for has waited long enough to be told; tokens may have woken it between.
   */
  lookForWaits(): void {
    const seen = new Map<number, Waiting>()
    for (const supervisor of this.supervisors.keys()) {
      const stuck = new Set(Deadlocks.find(supervisor).map(({ place }) => place))
      for (const { place, waitsFor } of waitsOf(supervisor)) {
        const call = this.numberOf(place.observed as object | undefined)
        const on = this.numberOf(waitsFor.observed as object | undefined)
        if (call !== undefined && on !== undefined) seen.set(call, { on, stuck: stuck.has(place) })
      }
    }
    const waits = new Map([...seen].filter(([call, { on }]) => this.seenWaiting.get(call)?.on === on))
    this.seenWaiting = seen
    const t = this.now
    for (const call of this.waiting.keys()) {
      if (waits.has(call)) continue
      this.waiting.delete(call)
      this.tell({ _tag: "waits", t, call })
    }
    for (const [call, { on, stuck }] of waits) {
      const before = this.waiting.get(call)
      if (before?.on === on && before.stuck === stuck) continue
      this.waiting.set(call, { on, stuck })
      this.tell({ _tag: "waits", t, call, on, ...(stuck ? { stuck } : {}) })
    }
  }

  private addCall(call: Observer.Call): number {
    const id = this.callCount++
    this.calls.set(call, id)
    this.running.set(id, call)
    const parent = this.numberOf(call.parent)
    const { description, name: agent } = call.agent
    this.tell({
      _tag: "call",
      t: this.now,
      call: id,
      path: call.path,
      agent,
      // not by their schema, which would spell out what is redacted
      parameters: spelled(call.parameters),
      ...(parent === undefined ? {} : { parent }),
      ...(description === undefined ? {} : { description })
    })
    return id
  }

  private body(call: Observer.Call, id: number): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      let isTold = false
      const tell = () => {
        if (!isTold) this.tell({ _tag: "started", t: this.now, call: id })
        isTold = true
      }
      const starting = yield* Effect.forkChild(Effect.map(call.started, tell), { startImmediately: true })
      const exit = yield* call.exit
      yield* Fiber.interrupt(starting)
      // it may have started and ended before this could see it start: then there is nothing to wait for
      if (Exit.isSuccess(Effect.runSyncExit(call.started))) tell()
      this.tell({ _tag: "returned", t: this.now, call: id, end: endOf(exit) })
    })
  }

  private replies(call: Observer.Call, id: number): Effect.Effect<void> {
    return Effect.flatMap(this.follow(call.replies, id, "replied"), (exit) =>
      Effect.sync(() => this.tell({ _tag: "spoken", t: this.now, call: id, end: endOf(exit) }))
    )
  }

  /** Tells which messages come into a sequence, and what is said in them, until all of that has ended. */
  private follow(
    sequence: Observer.MessageSequence,
    call: number,
    _tag: "sent" | "replied"
  ): Effect.Effect<Exit.Exit<void, unknown>> {
    return Effect.gen({ self: this }, function* () {
      const open = new Set<Deferred.Deferred<void>>()
      const exit = yield* Effect.exit(
        Stream.runForEachArray(sequence, (promises) => {
          const news: Array<Effect.Effect<void>> = []
          const seen = promises.map((promise) => this.see(promise, news))
          this.tell({ _tag, t: this.now, call, messages: seen.map(({ at }) => at) })
          for (const { ended } of seen) if (ended !== undefined && !Deferred.isDoneUnsafe(ended)) open.add(ended)
          return Effect.forEach(news, (watch) => Effect.forkChild(watch, { startImmediately: true }), { discard: true })
        })
      )
      yield* Effect.forEach(open, Deferred.await, { discard: true })
      return exit
    })
  }

  /** Gives a message its number; what is to be done to see the end of a new one is added to a list. */
  private see(promise: Observer.MessagePromise, news: Array<Effect.Effect<void>>): Seen {
    const made = inside(promise as MessagePromise<unknown>) // what is watched is a promise
    const log = made.source instanceof Log ? (made.source as Log<string>) : undefined
    const key = log ?? promise
    const known = this.messages.get(key)
    if (known !== undefined) return known
    const { whole } = made
    const seen = { at: this.messageCount++, ended: whole === undefined ? Deferred.makeUnsafe<void>() : undefined }
    this.messages.set(key, seen)
    const origin = promise.origin as Partial<Place> | undefined // the place of the call, where it was made here
    const by = this.numberOf(origin?.observed as object | undefined)
    const maker = by === undefined ? {} : { by }
    if (whole !== undefined) this.whole(seen.at, whole, maker)
    else {
      const { at } = seen
      this.tell({ _tag: "open", t: this.now, at, known: jsonOf(promise.known) as Fields, ...maker })
      const watch = log === undefined ? this.watch(promise, at) : this.watchLog(promise, { at, log, had: 0, to: 0 })
      news.push(Effect.ensuring(watch, Deferred.succeed(seen.ended!, undefined)))
    }
    return seen
  }

  /** A message that is filled: its tokens are looked at when there is time, and at its end. */
  private watchLog(promise: Observer.MessagePromise, live: Live): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.live.add(live)
      return Effect.map(Effect.exit(promise.message), (exit) => {
        this.live.delete(live)
        this.drain(live)
        this.end(live.at, exit)
      })
    })
  }

  /** A message that reads from others. */
  private watch(promise: Observer.MessagePromise, at: number): Effect.Effect<void> {
    let to = 0
    const read = Stream.runForEachArray(promise, (tokens) =>
      Effect.sync(() => {
        const text = tokens.join("")
        to += text.length
        if (text !== "") this.tell({ _tag: "text", t: this.now, at, to, text })
      })
    )
    return Effect.andThen(Effect.exit(read), Effect.exit(promise.message)).pipe(
      Effect.map((exit) => this.end(at, exit))
    )
  }

  private drain(live: Live): void {
    const { items } = live.log
    if (items.length === live.had) return
    const text = (live.had === 0 ? items : items.slice(live.had)).join("")
    live.had = items.length
    live.to += text.length
    if (text !== "") this.tell({ _tag: "text", t: this.now, at: live.at, to: live.to, text })
  }

  private end(at: number, exit: Exit.Exit<Message.Message, unknown>): void {
    if (Exit.isSuccess(exit)) return this.whole(at, exit.value, {})
    const end = endOf(exit)
    this.tell({ _tag: "broken", t: this.now, at, ...(end.is === "failed" ? { failure: end.failure } : {}) })
  }

  private whole(at: number, message: Message.Message, maker: { readonly by?: number }): void {
    const json = (Message.isPlain(message) ? Message.toJson(message) : jsonOf(message)) as Fields
    this.tell(new Whole(this.now, at, json, message, maker.by))
  }
}

type WholeEvent = Event & { readonly _tag: "message" }

/** Making a hash key takes longer than all else that is told of a message, so it waits until somebody looks at it. */
class Whole implements WholeEvent {
  readonly _tag = "message"
  readonly t: number
  readonly at: number
  readonly message: Fields
  readonly by?: number
  private readonly said: Message.Message

  constructor(t: number, at: number, message: Fields, said: Message.Message, by: number | undefined) {
    this.t = t
    this.at = at
    this.message = message
    this.said = said
    if (by !== undefined) this.by = by
  }

  get hashKey(): string {
    return this.said.hashKey
  }

  toJSON(): WholeEvent {
    const { _tag, at, by, hashKey, message, t } = this
    return { _tag, t, at, message, hashKey, ...(by === undefined ? {} : { by }) }
  }
}

/** How something ended, in words. */
export const endOf = (exit: Exit.Exit<unknown, unknown>): End =>
  Exit.isSuccess(exit)
    ? { is: "ok" }
    : Cause.hasInterruptsOnly(exit.cause)
      ? { is: "interrupted" }
      : { is: "failed", failure: failureOf(exit.cause) }

const failureOf = (cause: Cause.Cause<unknown>): Failure => {
  const { error, reason, trace } = Message.fromCause(cause)
  return { error, reason, trace, stack: Cause.pretty(cause) }
}
