/** The observers of a runtime. What watches runs beside the calls: it counts as no work and outlives their interruption. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type { Call, MessageSequence, Observer } from "../Observer.ts"
import type { Place } from "./place.ts"
import { type Supervisor, Task, WaitGroup } from "./task.ts"

/** An observer that can see a call also in the very step that makes it, whatever runs next. It must not throw. */
export interface Early extends Observer {
  readonly beforeCall?: (call: Observed, context: Context.Context<never>) => void
}

/** Makes the observer of one runtime; it calls `step` whenever it goes on. */
type Make = (step: () => void) => Early

/** The observers of runtimes that are built together, and all that was registered before. */
export class Observers {
  private readonly below: Observers | undefined
  private added: ReadonlyArray<Make>

  constructor(below: Observers | undefined, added: ReadonlyArray<Make>) {
    this.below = below
    this.added = added
  }

  get list(): ReadonlyArray<Make> {
    const below = this.below?.list
    return below === undefined || below.length === 0 ? this.added : [...below, ...this.added]
  }

  add(make: Make): void {
    this.added = [...this.added, make]
  }

  /** These, those that are still to be added, and one more. */
  with(make: Make): Observers {
    return new Observers(this, [make])
  }
}

class Shared extends Context.Service<Shared, Observers>()("miniagents/Observers") {}

/** Built once for all Layers that need it, so that an observer may stand beside a runtime as well as below it. */
export const shared: Layer.Layer<Shared> = Layer.sync(Shared, () => new Observers(undefined, registered))

export const layer = <R>(make: (context: Context.Context<R>) => Make): Layer.Layer<never, never, R> =>
  Layer.effectDiscard(
    Effect.contextWith((context: Context.Context<R | Shared>) =>
      // it stays as long as any runtime that shares it, for a closing runtime still has something to show
      Effect.sync(() => Context.get(context, Shared).add(make(context)))
    )
  ).pipe(Layer.provide(shared))

/** Those that are shared with a context, or those that were registered. */
export const of = (context: Context.Context<never>): Observers =>
  Context.getOrElse(context, Shared, () => new Observers(undefined, registered))

let registered: ReadonlyArray<Make> = []

export const register = (observer: Early): (() => void) => {
  const make = () => observer
  registered = [...registered, make]
  return () => {
    registered = registered.filter((each) => each !== make)
  }
}

/** What an observer is shown of a call. */
export class Observed implements Call {
  readonly agent: Call["agent"]
  readonly parameters: unknown
  readonly input: MessageSequence
  readonly replies: MessageSequence
  /** What runs, until its body has ended. */
  task: Task | undefined
  /** Where the call runs, if an observer has given it a tracer that it did not have. */
  traced: Context.Context<never> | undefined = undefined
  private readonly place: Place
  private readonly encode: (parameters: unknown) => Schema.Json
  private readonly begun = Deferred.makeUnsafe<void>()
  private readonly ended = Deferred.makeUnsafe<Exit.Exit<unknown, unknown>>()

  constructor(
    task: Task,
    place: Place,
    call: Pick<Call, "agent" | "parameters" | "input" | "replies">,
    encode: (parameters: unknown) => Schema.Json
  ) {
    this.task = task
    this.place = place
    place.observed = this
    this.agent = call.agent
    this.parameters = call.parameters
    this.input = call.input
    this.replies = call.replies
    this.encode = encode
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
  private readonly observers: Observers
  private readonly supervisor: Supervisor
  private readonly made = new Map<Make, Early>()
  private readonly running = new Set<Task>()
  private readonly left = new WaitGroup()
  /** How often one of them had something to do. */
  private steps = 0

  constructor(observers: Observers, supervisor: Supervisor) {
    this.observers = observers
    this.supervisor = supervisor
  }

  /** Whether there are any. */
  get any(): boolean {
    return this.observers.list.length > 0
  }

  /** All of them; each is made once, also one that was added after the runtime. */
  get all(): ReadonlyArray<Early> {
    return this.observers.list.map((make) => {
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
