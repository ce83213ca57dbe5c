/**
 * The tree of everything that runs in the background: each node is a fiber (or one yet to be started) under the one
 * that asked for it. The tree says who is interrupted with whom and what a closing runtime has to wait for; a node
 * stays in it until it and everything below it has ended.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Waiter } from "./log.ts"
import type { Place } from "./place.ts"

/** The task whose code is running, for its fiber and those it forks. */
export const CurrentTask = Context.Reference<Task | undefined>("miniagents/CurrentTask", {
  defaultValue: () => undefined
})

/** Who waits for something; whoever is interrupted waits no longer. */
class Waiters {
  private readonly resumes = new Set<() => void>()

  /** Waits until it is over in a moment in which whoever waits can see it. */
  until(isOver: () => boolean): Effect.Effect<void> {
    const wait: Effect.Effect<void> = Effect.callback((resume) => {
      // what happens between two steps counts, so this looks when it registers
      if (isOver()) return resume(Effect.void)
      const wake = () => resume(wait)
      this.resumes.add(wake)
      return Effect.sync(() => this.resumes.delete(wake))
    })
    return wait
  }

  wake(): void {
    const resumes = [...this.resumes]
    this.resumes.clear()
    for (const resume of resumes) resume()
  }
}

/** Counts, and wakes who waits for none. */
export class WaitGroup {
  count = 0
  private readonly waiters = new Waiters()

  begin(): void {
    this.count++
  }

  done(): void {
    this.count--
    if (this.count === 0) this.waiters.wake()
  }

  /** Waits until none is left. */
  readonly none: Effect.Effect<void> = this.waiters.until(() => this.count === 0)
}

/** Something that can be sent to until it is finished: well, or because who would have sent more cannot any longer. */
export interface Open {
  readonly finishUnsafe: (exit: Exit.Exit<void>) => void
}

/** Everything that runs in one runtime. */
export class Supervisor {
  readonly root: Task = new Task(this, undefined, undefined)
  /** The fibers that have been asked to run and have not ended. */
  readonly running = new WaitGroup()
  /** Once closed, what is asked to run ends as interrupted. */
  closed = false
  /** How the work ends that a runtime which closes does not wait for, as somebody else owns it; none once it begins to close. */
  guests: Set<Effect.Effect<void>> | undefined = new Set()
  private readonly callers = new WeakMap<Fiber.Fiber<unknown, unknown>, Caller>()

  /** The task that what this fiber asks for belongs to. */
  ownerOf(fiber: Fiber.Fiber<unknown, unknown>): Task {
    const current = Context.get(fiber.context, CurrentTask)
    const task = current?.supervisor === this ? current : undefined
    return task !== undefined && task.fiber === fiber ? task : this.callerOf(fiber, task)
  }

  /** The calls kept open by the code that this fiber runs; they are finished when that ends. */
  openedBy(fiber: Fiber.Fiber<unknown, unknown>): Set<Open> {
    const current = Context.get(fiber.context, CurrentTask)
    return (current?.supervisor === this && !current.ended ? current : this.root).opened
  }

  private callerOf(fiber: Fiber.Fiber<unknown, unknown>, task: Task | undefined): Caller {
    let caller = this.callers.get(fiber)
    if (caller === undefined) {
      caller = new Caller(this, task ?? this.root, undefined)
      this.callers.set(fiber, caller)
      fiber.addObserver((exit) => caller!.leave(exit))
    }
    return caller
  }
}

/** What a task runs: an effect, with the context captured where it was asked for. */
export interface Work {
  readonly effect: Effect.Effect<unknown, unknown, unknown>
  readonly context: Context.Context<never>
}

export type TaskExit = Exit.Exit<unknown, unknown>

export class Task {
  readonly supervisor: Supervisor
  fiber: Fiber.Fiber<unknown, unknown> | undefined = undefined
  ended = false
  /** What the task's own code waits for, while it waits for a log. */
  waiting: Waiter | undefined = undefined
  /** Whether it runs code of the call above it, beside that call's body. */
  helps = false
  /** Interrupted together with its whole subtree, so that its own end has nothing left to interrupt. */
  interrupted = false
  private openCalls: Set<Open> | undefined = undefined
  protected work: Work | undefined
  private readonly atEnd: ((exit: TaskExit) => void) | undefined
  /** Who waits for its end, or until it has left the tree. */
  private waiters: Waiters | undefined
  private counted = false
  private parent: Task | undefined
  private first: Task | undefined = undefined
  private next: Task | undefined = undefined
  private previous: Task | undefined = undefined

  /** `atEnd` is called once: when the fiber has ended, or when the task was interrupted before it had one. */
  constructor(
    supervisor: Supervisor,
    parent: Task | undefined,
    work: Work | undefined,
    atEnd?: (exit: TaskExit) => void,
    place: Place | undefined = parent?.place
  ) {
    this.supervisor = supervisor
    this.place = place
    this.work = work
    this.atEnd = atEnd
    // a task that has left the tree can be interrupted with nobody: what its stray fibers ask for belongs to the root
    this.parent = parent?.isGone === true ? supervisor.root : parent
    this.parent?.adopt(this)
    if (parent?.interrupted === true) this.interrupted = true
  }

  /** Starts the fiber as soon as the given one gives way. */
  startSoon(fiber: Fiber.Fiber<unknown, unknown>): void {
    if (this.refused()) return
    this.count()
    fiber.currentDispatcher.scheduleTask(() => this.startUnsafe(), 0)
  }

  startUnsafe(): void {
    const work = this.work
    if (work === undefined || this.ended || this.refused()) return
    this.work = undefined
    this.count()
    this.run(work)
  }

  get opened(): Set<Open> {
    return (this.openCalls ??= new Set())
  }

  finishOpened(exit: TaskExit): void {
    this.openCalls?.forEach((call) => call.finishUnsafe(Exit.isSuccess(exit) ? Exit.void : Exit.interrupt()))
  }

  /** The call that this task works for, if any. It stays known when the task has left the tree. */
  readonly place: Place | undefined

  /** What is below this task and must go on although the task itself has failed. */
  survivors(): ReadonlySet<Task> {
    return this.parent?.survivors() ?? nothing
  }

  /** Interrupts what is below this task, but for what was handed on. */
  interruptUnreadable(): void {
    const spared = this.survivors()
    for (const child of [...this.children()]) child.interruptTree(spared)
  }

  interruptTree(spared: ReadonlySet<Task> = nothing): void {
    const tasks = this.subtree(spared)
    for (const task of tasks) task.interrupted = true
    for (const task of tasks) task.interruptSelf()
  }

  *children(): Generator<Task> {
    for (let child = this.first; child !== undefined; child = child.next) yield child
  }

  /** Whether this task and everything below it has ended, so that it is in the tree no more. */
  get isGone(): boolean {
    return this.ended && this.parent === undefined
  }

  /** Waits until this task and everything below it has ended. */
  get gone(): Effect.Effect<void> {
    return this.until(() => this.isGone)
  }

  /**
   * Waits until nothing of this task and below it runs or is about to, and ends what has not started by then: for who
   * knows that nobody will read it any more.
   */
  get settled(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const busy = this.subtree(nothing).find((task) => !task.ended && (task.work === undefined || task.counted))
      if (busy === undefined) {
        this.endUnstarted()
        return this.gone
      }
      const ended = busy.until(() => busy.ended)
      return Effect.andThen(ended, this.settled)
    })
  }

  private until(isOver: () => boolean): Effect.Effect<void> {
    return Effect.suspend(() => (this.waiters ??= new Waiters()).until(isOver))
  }

  /** Ends everything below that has not started and that nobody will read any more. */
  endUnstarted(): void {
    for (const task of this.subtree(nothing)) if (task.work !== undefined) task.end(Exit.interrupt())
  }

  protected onStart(): void {}

  protected onEnd(exit: TaskExit): void {
    this.atEnd?.(exit)
  }

  protected end(exit: TaskExit): void {
    if (this.ended) return
    this.ended = true
    this.work = undefined
    this.onEnd(exit)
    this.finishOpened(exit)
    this.fiber = undefined
    const left = this.release()
    if (this.counted) this.supervisor.running.done()
    for (const task of [this, ...left]) task.waiters?.wake()
  }

  private run(work: Work): void {
    const effect = Effect.withFiber((fiber) => {
      this.fiber = fiber
      this.onStart()
      return work.effect as Effect.Effect<unknown, unknown> // its services are in the context it runs with
    })
    const fiber = Effect.runForkWith(Context.add(work.context, CurrentTask, this))(effect)
    fiber.addObserver((exit) => this.end(exit))
  }

  /** What is to be done for this task before it can go on: the code that it runs beside its own. */
  get helpers(): ReadonlyArray<Task> {
    return []
  }

  subtree(spared: ReadonlySet<Task>): ReadonlyArray<Task> {
    const tasks: Array<Task> = []
    const pending: Array<Task> = [this]
    for (let task = pending.pop(); task !== undefined; task = pending.pop()) {
      if (spared.has(task)) continue
      tasks.push(task)
      for (let child = task.first; child !== undefined; child = child.next) pending.push(child)
    }
    return tasks
  }

  protected refused(): boolean {
    if (!this.supervisor.closed && !this.interrupted) return false
    this.end(Exit.interrupt())
    return true
  }

  protected count(): void {
    if (this.counted) return
    this.counted = true
    this.supervisor.running.begin()
  }

  private interruptSelf(): void {
    if (this.fiber !== undefined) this.fiber.interruptUnsafe()
    else if (this.work !== undefined) this.end(Exit.interrupt())
  }

  private adopt(child: Task): void {
    child.next = this.first
    if (this.first !== undefined) this.first.previous = child
    this.first = child
  }

  /** Leaves the tree, with every ancestor that was only kept for what is below it; gives those. */
  private release(): ReadonlyArray<Task> {
    const ancestors: Array<Task> = []
    let task: Task | undefined = this
    while (task !== undefined && task.ended && task.first === undefined && task.parent !== undefined) {
      const parent: Task = task.parent
      if (task.previous === undefined) parent.first = task.next
      else task.previous.next = task.next
      if (task.next !== undefined) task.next.previous = task.previous
      task.parent = task.next = task.previous = undefined
      if (task !== this) ancestors.push(task)
      task = parent
    }
    return ancestors
  }
}

/** A fiber that is no task but asked for some: its calls are interrupted when it is. */
class Caller extends Task {
  override helps = true

  leave(exit: TaskExit): void {
    if (Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause)) this.interruptUnreadable()
    this.end(exit)
  }
}

const nothing: ReadonlySet<Task> = new Set()
