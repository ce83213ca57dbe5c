/** A running call: what makes `InteractionContext` go. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import type * as Tracer from "effect/Tracer"
import type * as Contract from "../InteractionContext.ts"
import * as Message from "../Message.ts"
import { withErrorType } from "./errorType.ts"
import { put, type Source } from "./input.ts"
import { Observed } from "./observers.ts"
import { CurrentNumbering, Place, traced } from "./place.ts"
import { inside, isPromise } from "./promise.ts"
import { both, Rope, type Turns } from "./rope.ts"
import { Sequence } from "./sequence.ts"
import { Task, type TaskExit, WaitGroup, type Work } from "./task.ts"

/**
 * Records in which order things came that could come in any, or gives the order that was recorded before. Without one
 * they come as they come.
 */
export interface Arbiter {
  /** The turns of one sequence, by the path of its call and whether it is the input or the replies. */
  readonly turnsOf: (path: string, sequence: "input" | "replies") => Turns
}

export const CurrentArbiter = Context.Reference<Arbiter | undefined>("miniagents/CurrentArbiter", {
  defaultValue: () => undefined
})

/** The service under which the context of the running call is found. */
export const Service: Context.Service<Contract.InteractionContext, Contract.InteractionContext> = Context.Service(
  "miniagents/InteractionContext"
)

export class Call extends Task implements Contract.InteractionContext {
  override readonly place: Place
  /** The agent itself, of which the body sees the name alone. */
  readonly agent: Contract.AgentInfo
  readonly parameters: unknown
  /** Where it was called from. */
  readonly source: Source
  readonly replies: Sequence
  /** What was sent; the agent's callers fill it, or put the sequence they were given in its place. */
  input: Sequence
  private waits: Waits | undefined = undefined
  private observed: Observed | undefined = undefined

  /** Without an `input`, the call is kept open and its input is filled by hand. */
  constructor(
    agent: Contract.AgentInfo,
    parameters: unknown,
    source: Source,
    errorsAsMessages: boolean,
    input: Sequence | undefined
  ) {
    super(source.runtime.supervisor, source.owner, undefined)
    const arbiter = Context.get(source.fiber.context, CurrentArbiter)
    const numbering = arbiter === undefined ? undefined : Context.get(source.fiber.context, CurrentNumbering)
    this.place = new Place(source.owner.place, agent.name, numbering)
    this.agent = agent
    this.parameters = parameters
    this.source = source
    this.replies = new Sequence(errorsAsMessages, this.place)
    this.replies.task = this
    this.input = input ?? openInput(source)
    if (arbiter !== undefined) {
      this.replies.turns = arbiter.turnsOf(this.path, "replies")
      if (input === undefined) this.input.turns = arbiter.turnsOf(this.path, "input")
    }
  }

  get name(): string {
    return this.agent.name
  }

  get path(): string {
    return this.place.path
  }

  get trace(): ReadonlyArray<string> {
    return this.place.trace
  }

  get messages(): Contract.InteractionContext["messages"] {
    return this.input as Sequence<never> // what it can fail with, the caller's type says
  }

  // fields, so that `const { reply } = ctx` works
  readonly reply = (input: unknown): Effect.Effect<void> => this.put(input, "reply", false)

  readonly replyOutOfOrder = (input: unknown): Effect.Effect<void> => this.put(input, "replyOutOfOrder", true)

  readonly waitFor = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Contract.WaitOptions
  ): Effect.Effect<void, never, R> =>
    Effect.withFiber<void, never, R>((fiber) => {
      if (this.ended) return Effect.die(Message.invalid(`${this.name}.waitFor`, "effect", effect, ended))
      this.waits ??= new Waits()
      this.waits.add(this, { effect, context: fiber.context }, options?.ignoreFailure === true).startSoon(fiber)
      return Effect.void
    })

  get awaitNow(): Effect.Effect<void> {
    return Effect.suspend(() => this.waits?.none ?? Effect.void)
  }

  get finishEarly(): Effect.Effect<void> {
    return Effect.andThen(this.awaitNow, this.finishNow)
  }

  get finishNow(): Effect.Effect<void> {
    return Effect.sync(() => this.finishReplies(this.waits?.take() ?? Exit.void))
  }

  /** What is to run: the agent's body, with this call as its context. */
  prepare(body: Effect.Effect<Contract.Body, never, unknown>): void {
    const { cache, context } = this.source.fiber
    const traced = this.observed?.traced
    const run = Effect.matchCauseEffect(
      Effect.flatMap(body, (run) => run(this as unknown as Contract.InteractionContext<never>)), // its parameters were checked
      { onSuccess: () => this.ending(Exit.void), onFailure: (cause) => this.ending(Exit.failCause(cause)) }
    )
    this.work = {
      effect:
        cache.tracer !== undefined || traced !== undefined
          ? Effect.withSpan(withErrorType(run), `invoke_agent ${this.name}`, spanOf(this))
          : run,
      context: Context.add(traced ?? context, Service, this)
    }
  }

  /** Shows the call to the observers of the runtime. */
  observe(encode: (parameters: unknown) => Schema.Json): void {
    const { fiber, runtime } = this.source
    const { agent, input, parameters, replies } = this
    const call = { agent, parameters, input: input.watched, replies: replies.watched }
    this.observed = new Observed(this, this.place, call, encode)
    runtime.watchers.observe(this.observed, fiber.context)
  }

  /** Ends the call without running anything. */
  refuse(defect: unknown): void {
    this.end(Exit.die(defect))
  }

  override get helpers(): ReadonlyArray<Task> {
    return [...this.children()].filter((child) => child.helps && !child.ended)
  }

  override survivors(): ReadonlySet<Task> {
    return readableFrom(this.replies)
  }

  protected override onStart(): void {
    this.observed?.begin()
  }

  protected override onEnd(exit: TaskExit): void {
    const end = Exit.isSuccess(exit) ? exit : Exit.failCause(traced(exit.cause, this.place))
    this.finishReplies(end)
    if (Exit.isSuccess(exit)) this.leaveInput()
    else if (!Cause.hasInterruptsOnly(exit.cause)) this.interruptUnreadable()
    else if (!this.interrupted) this.interruptTree()
    this.observed?.end(end)
  }

  private put(input: unknown, operation: string, outOfOrder: boolean): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const name = `${this.name}.${operation}`
      if (!this.replies.isOpen) return Effect.die(Message.invalid(name, "input", input, ended))
      const source = { ...this.source, owner: this.source.runtime.supervisor.ownerOf(fiber), place: this.place, fiber }
      const invalid = put(this.replies, input, source, name, outOfOrder)
      return invalid === undefined ? Effect.void : Effect.die(invalid)
    })
  }

  /** After the body: what the call has to wait for, and then the end of both. */
  private ending(exit: TaskExit): Effect.Effect<unknown, unknown> {
    const { waits } = this
    return waits === undefined
      ? exit
      : Effect.andThen(
          waits.none,
          Effect.suspend(() => both(exit, waits.take()))
        )
  }

  private finishReplies(exit: TaskExit): void {
    const { fiber, runtime } = this.source
    if (this.replies.isOpen) this.replies.finish(exit, this.place, runtime, fiber.context)
    else if (Exit.isFailure(exit)) runtime.reports.lost(traced(exit.cause, this.place), fiber.context)
  }

  /** Streams that were sent to this call alone need not run on when nothing of it is left to read them. */
  private leaveInput(): void {
    if (this.input.shared) return
    const sources = this.input.contents.flatMap((part) =>
      part instanceof Sequence && !part.shared && !part.hasWaiters ? part.tasks : []
    )
    const own = [...this.children()]
    if (own.every((child) => sources.includes(child))) for (const child of own) child.interruptTree()
  }
}

const openInput = ({ owner, runtime }: Source): Sequence => {
  const input = new Sequence(runtime.errorsAsMessages, owner.place)
  input.opener = owner
  return input
}

/** The attributes are those of the OpenTelemetry conventions for generative AI. */
const spanOf = ({ agent: { description, name }, path }: Call): Tracer.SpanOptions => ({
  captureStackTrace: false, // it would always be this file, and a failure names the agents that it came through by itself
  attributes: {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": name,
    "miniagents.path": path,
    ...(description === undefined ? {} : { "gen_ai.agent.description": description })
  }
})

/** What a call has to wait for. */
class Waits extends WaitGroup {
  private exit: TaskExit = Exit.void

  add(call: Call, work: Work, ignoreFailure: boolean): Task {
    this.begin()
    const task = new Task(call.supervisor, call, work, (exit) => {
      if (!ignoreFailure) this.exit = both(this.exit, Exit.asVoid(exit))
      this.done()
    })
    task.helps = true
    return task
  }

  take(): TaskExit {
    const { exit } = this
    this.exit = Exit.void
    return exit
  }
}

/** The tasks whose work can still be read through a sequence. */
const readableFrom = (sequence: Sequence): ReadonlySet<Task> => {
  const tasks = new Set<Task>()
  const seen = new Set<unknown>()
  const pending: Array<unknown> = [sequence]
  while (pending.length > 0) {
    const part = pending.pop()
    if (seen.has(part)) continue
    seen.add(part)
    if (part instanceof Rope) for (const each of part.contents) pending.push(each)
    if (isPromise(part)) {
      const { source, task } = inside(part)
      if (task !== undefined) tasks.add(task)
      pending.push(source)
    }
    if (!(part instanceof Sequence)) continue
    for (const task of part.tasks) {
      tasks.add(task)
      if (task instanceof Call) pending.push(task.input)
    }
  }
  return tasks
}

const ended = "the call has ended: reply before the body does, or keep the call going with `waitFor`"
