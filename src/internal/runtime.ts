/** The runtime behind `MiniAgents`: what it owns, and how it closes. */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Message from "../Message.ts"
import type { Blocked, Options, Runtime } from "../MiniAgents.ts"
import * as Deadlocks from "./deadlocks.ts"
import { FailureReports } from "./failureReports.ts"
import { Watchers } from "./observers.ts"
import * as Persister from "./persister.ts"
import { Supervisor } from "./task.ts"

export class RuntimeImpl implements Runtime {
  readonly startSoon: boolean
  readonly errorsAsMessages: boolean
  readonly streamTokens: boolean
  readonly supervisor = new Supervisor()
  readonly reports = new FailureReports()
  readonly watchers: Watchers
  /** In milliseconds. */
  private readonly deadlockAfter: number
  private looking: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** The calls that have been said to wait for each other. */
  private readonly named = new Set<string>()

  constructor(options: Options, context: Context.Context<never>) {
    this.startSoon = options.startSoon ?? true
    this.errorsAsMessages = options.errorsAsMessages ?? false
    this.streamTokens = options.streamTokens ?? true
    this.deadlockAfter = Duration.toMillis(options.deadlockAfter ?? "10 seconds")
    const hook = options.onPersistMessages
    const own = hook === undefined ? [] : [Persister.make(hook, {}, context)]
    this.watchers = new Watchers(context, own, this.supervisor)
  }

  get running(): Effect.Effect<number> {
    return Effect.sync(() => this.supervisor.running.count)
  }

  get idle(): Effect.Effect<void> {
    return this.supervisor.running.none
  }

  get blocked(): Effect.Effect<ReadonlyArray<Blocked>> {
    return Effect.map(Clock.currentTimeMillis, (now) =>
      Deadlocks.find(this.supervisor).map(({ place, since, waitsFor }) => ({
        path: place.path,
        agent: place.agent,
        waitsFor: { path: waitsFor.path, agent: waitsFor.agent },
        since: now - since
      }))
    )
  }

  /** To be called for each call: while any runs, the runtime looks from time to time whether they wait for each other. */
  watchDeadlocks(context: Context.Context<never>): void {
    if (this.looking !== undefined) return
    this.looking = Effect.runForkWith(context)(
      Effect.ensuring(
        this.lookForDeadlocks,
        Effect.sync(() => {
          this.looking = undefined
        })
      )
    )
  }

  private readonly lookForDeadlocks = Effect.gen({ self: this }, function* () {
    do {
      yield* Effect.sleep(this.deadlockAfter / 4)
      const stuck = (yield* this.blocked).filter(({ path, since }) => {
        if (since < this.deadlockAfter || this.named.has(path)) return false
        this.named.add(path)
        return true
      })
      if (stuck.length === 0) continue
      const lines = stuck.map(({ path, waitsFor }) => `  ${path} waits for ${waitsFor.path}`)
      yield* Effect.logError(`These calls wait for each other and will never go on:\n${lines.join("\n")}`)
    } while (this.supervisor.running.count > 0)
    this.named.clear()
  })

  persist(messages: Iterable<Message.Message>): Effect.Effect<void, Persister.PersistError> {
    return Effect.suspend(() => {
      const list = [...messages]
      return Effect.forEach(this.persisters, (persister) => persister.persist(list), { discard: true })
    })
  }

  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Exit.isSuccess(exit)
      ? Effect.onInterrupt(Effect.interruptible(this.drain), () => this.interrupt)
      : this.interrupt
  }

  private get persisters(): ReadonlyArray<Persister.Persister> {
    return this.watchers.all.filter((observer) => observer instanceof Persister.Persister)
  }

  private readonly drain: Effect.Effect<void> = Effect.suspend(() => {
    const { guests = [] } = this.supervisor
    this.supervisor.guests = undefined
    return Effect.andThen(
      Effect.forEach(guests, (end) => end, { discard: true }),
      this.rest
    )
  })

  private readonly rest: Effect.Effect<void> = Effect.suspend(() => {
    this.supervisor.root.finishOpened(Exit.void)
    // what a late reader started meanwhile is waited for too: looking and closing are one step
    const closed = Effect.suspend(() => {
      if (this.supervisor.running.count > 0) return this.rest
      this.supervisor.closed = true
      return this.settle("settle")
    })
    return Effect.andThen(this.supervisor.running.none, closed)
  })

  /** Interrupts everything; what is still to be persisted gets a second at most. */
  private readonly interrupt: Effect.Effect<void> = Effect.suspend(() => {
    this.supervisor.closed = true
    this.supervisor.root.interruptTree()
    this.supervisor.root.finishOpened(Exit.interrupt())
    return Effect.andThen(
      this.supervisor.running.none,
      Effect.suspend(() => this.settle("settleSoon"))
    )
  })

  /** Ends what never started, lets the observers finish, and says what would otherwise be lost silently. */
  private settle(last: "settle" | "settleSoon"): Effect.Effect<void> {
    this.supervisor.closed = true
    this.supervisor.root.endUnstarted()
    const persisted = Effect.suspend(() =>
      Effect.forEach(this.persisters, (persister) => persister[last], { discard: true, concurrency: "unbounded" })
    )
    const looked = Effect.suspend(() => (this.looking === undefined ? Effect.void : Fiber.interrupt(this.looking)))
    return looked.pipe(
      Effect.andThen(this.watchers.settle),
      Effect.andThen(persisted),
      Effect.andThen(this.reports.flush)
    )
  }
}
