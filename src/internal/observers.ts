/** The observers of a runtime. What watches runs beside the calls: it counts as no work and outlives their interruption. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type { Call, Observer } from "../Observer.ts"
import type { Place } from "./place.ts"
import { type Supervisor, Task, WaitGroup } from "./task.ts"

/** An observer that can see a call also in the very step that makes it, whatever runs next. It must not throw. */
export interface Early extends Observer {
  readonly beforeCall?: (call: Observed, context: Context.Context<never>) => void
}

/** Makes the observer of one runtime; it calls `step` whenever it goes on. */
type Make = (step: () => void) => Early

let registered: ReadonlyArray<Make> = []

/** The observers of runtimes that are built together, those that were registered before among them. */
class Observers {
  list: ReadonlyArray<Make> = registered

  add(make: Make): void {
    this.list = [...this.list, make]
  }
}

class Shared extends Context.Service<Shared, Observers>()("miniagents/Observers") {}

/** Built once for all Layers that need it, so that an observer may stand beside a runtime as well as below it. */
export const shared: Layer.Layer<Shared> = Layer.sync(Shared, () => new Observers())

export const layer = <R>(make: (context: Context.Context<R>) => Make): Layer.Layer<never, never, R> =>
  Layer.effectDiscard(
    Effect.contextWith((context: Context.Context<R | Shared>) =>
      // it stays as long as any runtime that shares it, for a closing runtime still has something to show
      Effect.sync(() => Context.get(context, Shared).add(make(context)))
    )
  ).pipe(Layer.provide(shared))

export const register = (observer: Early): (() => void) => {
  const make = () => observer
  registered = [...registered, make]
  return () => {
    registered = registered.filter((each) => each !== make)
  }
}

type Given = Pick<Call, "agent" | "parameters" | "input" | "replies">

/** What an observer is shown of a call. */
export interface Observed extends Given {}
export class Observed implements Call {
  /** What runs, until its body has ended. */
  task: Task | undefined
  /** Where the call runs, if an observer has given it a tracer that it did not have. */
  traced: Context.Context<never> | undefined = undefined
  private readonly place: Place
  private readonly encode: (parameters: unknown) => Schema.Json
  private readonly begun = Deferred.makeUnsafe<void>()
  private readonly ended = Deferred.makeUnsafe<Exit.Exit<unknown, unknown>>()

  constructor(task: Task, place: Place, given: Given, encode: (parameters: unknown) => Schema.Json) {
    this.task = task
    this.place = place
    place.observed = this
    this.encode = encode
    Object.assign(this, given)
  }

  get path(): string {
    return this.place.path
  }

  get parent(): Call | undefined {
    return this.place.parent?.observed as Call | undefined // nothing else is set there
  }

  get encodedParameters(): Schema.Json {
    return this.encode(this.parameters)
  }

  get started(): Effect.Effect<void> {
    return Deferred.await(this.begun)
  }

  get exit(): Effect.Effect<Exit.Exit<unknown, unknown>> {
    return Deferred.await(this.ended)
  }

  begin(): void {
    Deferred.doneUnsafe(this.begun, Effect.void)
  }

  end(exit: Exit.Exit<unknown, unknown>): void {
    this.task = undefined
    Deferred.doneUnsafe(this.ended, Effect.succeed(exit))
  }
}

/** The observers of one runtime, and what they do. */
export class Watchers {
  private readonly shared: Observers
  private readonly own: ReadonlyArray<Make>
  private readonly supervisor: Supervisor
  private readonly made = new Map<Make, Early>()
  private readonly running = new Set<Task>()
  private readonly left = new WaitGroup()
  /** How often one of them had something to do. */
  private steps = 0

  constructor(context: Context.Context<never>, own: ReadonlyArray<Make>, supervisor: Supervisor) {
    this.shared = Context.getOrElse(context, Shared, () => new Observers())
    this.own = own
    this.supervisor = supervisor
  }

  /** Whether there are any. */
  get any(): boolean {
    return this.own.length > 0 || this.shared.list.length > 0
  }

  /** All of them; each is made once, also one that was added after the runtime. */
  get all(): ReadonlyArray<Early> {
    return [...this.shared.list, ...this.own].map((make) => {
      let observer = this.made.get(make)
      if (observer === undefined) this.made.set(make, (observer = make(() => void this.steps++)))
      return observer
    })
  }

  observe(call: Observed, context: Context.Context<never>): void {
    for (const observer of this.all) {
      observer.beforeCall?.(call, context)
      this.start(observer, call, context)
    }
  }

  private start(observer: Observer, call: Call, context: Context.Context<never>): void {
    const effect = Effect.catchCause(
      Effect.suspend(() => observer.onCall(call)),
      (cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("An observer failed", cause))
    )
    const watcher: Task = new Watcher(this.supervisor, undefined, { effect, context }, () => {
      this.running.delete(watcher)
      this.left.done()
    })
    this.left.begin()
    this.running.add(watcher)
    watcher.startUnsafe()
  }

  /** Gives the watchers the time to finish, but for those that wait for something that other runtimes own. */
  readonly settle: Effect.Effect<void> = Effect.gen({ self: this }, function* () {
    for (let quiet = 0; this.running.size > 0 && quiet < 1_000; quiet++) {
      const { steps } = this
      const { size } = this.running
      yield* Effect.yieldNow
      if (steps !== this.steps || size !== this.running.size) quiet = 0
    }
    for (const watcher of [...this.running]) watcher.interruptTree()
    yield* this.left.none
  })
}

/** It belongs to no call, so that it outlives the interruption of the one it watches; the runtime ends it. */
class Watcher extends Task {
  protected override count(): void {}

  protected override refused(): boolean {
    return false
  }
}
