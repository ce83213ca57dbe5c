/**
 * The runtime in which agents run: it owns every background fiber, carries the defaults and the persistence hook, and
 * reports the failures that nobody read. Provide it as a Layer around a program (`MiniAgents.layer`), open it by hand
 * in a scope (`MiniAgents.make`), or keep it in a `ManagedRuntime` that serves many requests.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type * as Fiber from "effect/Fiber"
import type { Log } from "./internal/log.ts"
import { Activity, Task } from "./internal/task.ts"
import * as Message from "./Message.ts"

/**
 * The defaults of a runtime, and its hook.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<out R = never> {
  /** Agents and streams run whether or not anyone reads (`true`), or from their first reader on. */
  readonly startSoon?: boolean
  /** A failure ends the sequence it is in (`false`), or becomes a `Message.Failure` at its place. */
  readonly errorsAsMessages?: boolean
  /** Tokens are given as they come (`true`), or each message's text at once when it is whole. */
  readonly streamTokens?: boolean
  /**
   * Called with the messages of every call and reply as they become whole, and with the records of both: each distinct
   * message once, nested messages before the ones that hold them, in batches.
   */
  readonly onPersistMessages?: (messages: ReadonlyArray<Message.Message>) => Effect.Effect<void, unknown, R>
}

/**
 * The persistence hook failed. The messages are kept and given to it again with the next batch, by the next
 * `MiniAgents.persist`, and when the runtime closes.
 *
 * @since 0.1.0
 * @category errors
 */
export class PersistError extends Schema.TaggedError<PersistError>()("PersistError", {
  /** How many messages wait to be persisted. */
  waiting: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `onPersistMessages failed, ${this.waiting} messages wait to be persisted: ${String(this.cause)}`
  }
}

/**
 * The service that agents run in.
 *
 * Law: **Finalization** (closing after success finishes open calls and waits for the rest, and that wait can be
 * interrupted; after failure or interruption it interrupts everything; afterwards no fiber is left, no reader hangs).
 *
 * @since 0.1.0
 * @category services
 */
export class MiniAgents extends Context.Service<MiniAgents, Runtime>()("miniagents/MiniAgents") {}

/**
 * What the service holds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Runtime {
  readonly startSoon: boolean
  readonly errorsAsMessages: boolean
  readonly streamTokens: boolean
  /** How many background fibers run or are about to. */
  readonly running: Effect.Effect<number>
  /** Gives messages to the hook now; see `MiniAgents.persist`. */
  readonly persist: (messages: Iterable<Message.Message>) => Effect.Effect<void, PersistError>
}

/**
 * Opens a runtime in the current scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R = never>(options: Options<R> = {}): Effect.Effect<Runtime, never, Scope.Scope | R> =>
  Effect.contextWith((context: Context.Context<Scope.Scope | R>) => {
    const runtime = new RuntimeImpl(options as Options, context)
    return Effect.as(
      Scope.addFinalizerExit(Context.get(context, Scope.Scope), (exit) => runtime.close(exit)),
      runtime
    )
  })

/**
 * A runtime around a program: it closes when the program ends.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <R = never>(options: Options<R> = {}): Layer.Layer<MiniAgents, never, R> =>
  Layer.effect(MiniAgents, make(options)) as Layer.Layer<MiniAgents, never, R>

/**
 * Gives messages to the persistence hook and waits for it. What the hook has had already is left out; nested messages
 * come first. Without a hook there is nothing to do.
 *
 * @since 0.1.0
 * @category combinators
 */
export const persist = (messages: Iterable<Message.Message>): Effect.Effect<void, PersistError, MiniAgents> =>
  MiniAgents.use((runtime) => runtime.persist(messages))

/**
 * How many background fibers of the runtime run or are about to: `0` means that nothing is left to wait for.
 *
 * @since 0.1.0
 * @category getters
 */
export const running: Effect.Effect<number, never, MiniAgents> = MiniAgents.use((runtime) => runtime.running)

/** @internal */
export const current = (fiber: Fiber.Fiber<unknown, unknown>): RuntimeImpl =>
  Context.getUnsafe(fiber.context, MiniAgents) as RuntimeImpl

/** @internal */
export class RuntimeImpl implements Runtime {
  readonly startSoon: boolean
  readonly errorsAsMessages: boolean
  readonly streamTokens: boolean
  readonly activity = new Activity()
  readonly reports: FailureReports
  readonly persister: Persister | undefined
  /** The calls that are being recorded for the persistence hook. */
  readonly recorders = new Set<Task>()
  /** How often one of them had something to do. */
  steps = 0

  constructor(options: Options, context: Context.Context<never>) {
    this.startSoon = options.startSoon ?? true
    this.errorsAsMessages = options.errorsAsMessages ?? false
    this.streamTokens = options.streamTokens ?? true
    this.reports = new FailureReports(context)
    const { onPersistMessages: hook } = options
    if (hook !== undefined) {
      this.persister = new Persister((messages) => Effect.provideContext(hook(messages), context), this.activity)
    }
  }

  get running(): Effect.Effect<number> {
    return Effect.sync(() => this.activity.running.count)
  }

  persist(messages: Iterable<Message.Message>): Effect.Effect<void, PersistError> {
    return Effect.suspend(() => {
      if (this.persister === undefined) return Effect.void
      this.persister.add(messages)
      return this.persister.flush
    })
  }

  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Exit.isSuccess(exit)
      ? Effect.onInterrupt(Effect.interruptible(this.drain), () => this.interrupt)
      : this.interrupt
  }

  private readonly drain: Effect.Effect<void> = Effect.suspend(() => {
    this.activity.root.finishOpened(Exit.void)
    // what a late reader started meanwhile is waited for too: looking and closing are one step
    const rest = Effect.suspend(() => {
      if (this.activity.running.count > 0) return this.drain
      this.activity.closed = true
      return this.settle
    })
    return Effect.andThen(this.activity.running.none, rest)
  })

  /** Interrupts everything; what is still to be persisted gets a second at most. */
  private readonly interrupt: Effect.Effect<void> = Effect.suspend(() => {
    this.activity.closed = true
    this.activity.root.interruptTree()
    this.activity.root.finishOpened(Exit.interrupt())
    const settle = this.persister === undefined ? this.settle : Effect.timeoutOrElse(this.settle, lastTry)
    return Effect.andThen(this.activity.running.none, settle)
  })

  /** Ends what never started, lets the records be finished, and says what would otherwise be lost silently. */
  private readonly settle: Effect.Effect<void> = Effect.suspend(() => {
    this.activity.closed = true
    this.activity.root.endUnstarted()
    const persisted = this.persister?.settle ?? Effect.void
    return this.recorded.pipe(Effect.andThen(persisted), Effect.andThen(this.reports.flush))
  })

  /** Gives the records the time to be finished, but for those that wait for something that other runtimes own. */
  private readonly recorded: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    for (let quiet = 0; this.recorders.size > 0 && quiet < 20; quiet++) {
      const { steps } = this
      yield* Effect.yieldNow
      if (steps !== this.steps) quiet = 0
    }
    for (const recorder of this.recorders) recorder.interruptTree()
  })
}

const lastTry = {
  duration: "1 second",
  orElse: () => Effect.logError("The last messages were not persisted in time")
} as const

interface Report {
  readonly cause: Cause.Cause<unknown>
  readonly trace: ReadonlyArray<string>
}

/**
 * The failures that nobody has read yet. One is reported when nobody can read it any more: when the log that ended
 * with it is garbage, or when the runtime closes.
 */
class FailureReports {
  private readonly unread = new Set<Report>()
  private readonly context: Context.Context<never>
  private readonly garbage = new FinalizationRegistry<Report>((report) =>
    Effect.runForkWith(this.context)(this.write(report))
  )

  constructor(context: Context.Context<never>) {
    this.context = context
  }

  watch(log: Log<unknown>, cause: Cause.Cause<unknown>, trace: ReadonlyArray<string>): void {
    if (Cause.hasInterruptsOnly(cause)) return
    log.trace = trace
    const report: Report = { cause, trace }
    this.unread.add(report)
    this.garbage.register(log, report, report)
    log.onFailureSeen = () => {
      log.onFailureSeen = undefined
      this.unread.delete(report)
      this.garbage.unregister(report)
    }
  }

  readonly flush: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.unread], (report) => this.write(report), { discard: true })
  )

  private write(report: Report): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.unread.delete(report)) return Effect.void
      this.garbage.unregister(report)
      const agents = report.trace.length === 0 ? "" : ` of ${report.trace.join(" <- ")}`
      return Effect.logError(`Nobody read this failure${agents}`, report.cause)
    })
  }
}

/** Feeds the persistence hook: what it has not had yet, in order, one batch at a time. */
class Persister {
  private readonly hook: (messages: ReadonlyArray<Message.Message>) => Effect.Effect<void, unknown>
  private readonly activity: Activity
  private readonly known = new Set<string>()
  private readonly turn = Semaphore.makeUnsafe(1)
  private waiting: Array<Message.Message> = []
  private busy = false

  constructor(hook: Persister["hook"], activity: Activity) {
    this.hook = hook
    this.activity = activity
  }

  /** Queues messages that are new, nested ones first. */
  add(messages: Iterable<Message.Message>): void {
    const isKnown = ({ hashKey }: Message.Message) => this.known.has(hashKey)
    for (const message of messages) {
      if (isKnown(message)) continue
      for (const each of [...Message.nestedBut(message, isKnown), message]) {
        if (isKnown(each)) continue // two equal messages inside of one
        this.known.add(each.hashKey)
        this.waiting.push(each)
      }
    }
  }

  /** Queues messages and hands the queue to the hook in the background. */
  addInBackground(messages: Iterable<Message.Message>, fiber: Fiber.Fiber<unknown, unknown>): void {
    this.add(messages)
    if (this.waiting.length === 0 || this.busy) return
    this.busy = true
    const effect = Effect.catchCause(this.flush, (cause) => Effect.logError("Messages are not persisted yet", cause))
    new Task(this.activity, this.activity.root, { effect, context: fiber.context }).startSoon(fiber)
  }

  /** Hands the queue to the hook and waits for it. */
  get flush(): Effect.Effect<void, PersistError> {
    return this.turn.withPermit(this.next)
  }

  /** The last try of a closing runtime: what still is not persisted then is named. */
  readonly settle: Effect.Effect<void> = Effect.suspend(() =>
    Effect.catchCause(Effect.retry(this.flush, { times: 1 }), (cause) => this.report(cause))
  )

  private report(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const keys = this.waiting.map((message) => message.hashKey).join(", ")
    return Effect.logError(`${this.waiting.length} messages were not persisted: ${keys}`, cause)
  }

  private readonly next: Effect.Effect<void, PersistError> = Effect.suspend(() => {
    const batch = this.waiting
    this.waiting = []
    if (batch.length === 0) {
      this.busy = false
      return Effect.void
    }
    const keep = () => {
      if (this.waiting[0] !== batch[0]) this.waiting = [...batch, ...this.waiting]
      this.busy = false
    }
    const hooked = Effect.onInterrupt(
      Effect.suspend(() => this.hook(batch)),
      () => Effect.sync(keep)
    )
    return Effect.matchCauseEffect(hooked, {
      onSuccess: () => this.next,
      onFailure: (cause) => {
        keep()
        return Effect.fail(new PersistError({ waiting: this.waiting.length, cause: Cause.squash(cause) }))
      }
    })
  })
}
