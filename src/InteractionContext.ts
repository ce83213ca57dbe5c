/**
 * One running call, seen from inside the agent: what it was sent, and how it replies.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import type * as Tracer from "effect/Tracer"
import { Log } from "./internal/log.ts"
import { both, Rope } from "./internal/rope.ts"
import { Counter, Task, type TaskExit, type Work } from "./internal/task.ts"
import * as Message from "./Message.ts"
import type { ErrorOf, MessageInput } from "./MessageInput.ts"
import * as MessagePromise from "./MessagePromise.ts"
import * as MessageSequence from "./MessageSequence.ts"

declare const UpstreamId: unique symbol
declare const RepliesId: unique symbol

/**
 * What reading `ctx.messages` fails with: whatever the input of the caller fails with, who sees that instead. It exists
 * in types alone.
 *
 * @since 0.1.0
 * @category models
 */
export interface Upstream {
  readonly [UpstreamId]: "Upstream"
}

/**
 * A requirement that exists in types alone: what a reply can fail with, on its way to the agent's error type.
 *
 * @since 0.1.0
 * @category models
 */
export interface Replies<in out E> {
  readonly [RepliesId]: (_: E) => E
}

type RepliesOf<E> = [E] extends [never] ? never : Replies<E>

/**
 * One running call, seen from inside the agent.
 *
 * @since 0.1.0
 * @category models
 */
export interface InteractionContext<out P = unknown> {
  /** The messages the agent was sent; they may still be arriving. */
  readonly messages: MessageSequence.MessageSequence<Upstream>
  readonly parameters: P
  /** The agent that was called. */
  readonly agent: AgentInfo
  /** The names of the agents from this one to the outermost caller. */
  readonly trace: ReadonlyArray<string>
  /**
   * Adds to the reply. Returns at once: what is given may be still under way, and is delivered at its place, in the
   * order of the calls to `reply`. Dies with `Message.InvalidMessage` when it can be no message, or when the call has
   * ended.
   */
  reply<const I extends MessageInput<unknown>>(input: I): Effect.Effect<void, never, RepliesOf<ErrorOf<I>>>
  /**
   * Adds to the reply what is delivered as soon as it is there, before what was replied earlier if that is not there
   * yet. Each sequence in it keeps its inner order; its failure comes after all else that can be delivered.
   */
  replyOutOfOrder<const I extends MessageInput<unknown>>(input: I): Effect.Effect<void, never, RepliesOf<ErrorOf<I>>>
  /** Runs an effect in the background; the call does not end before it has. Its failure becomes the call's. */
  waitFor<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R | RepliesOf<E>>
  /** Waits for all that was given to `waitFor` so far. */
  readonly awaitNow: Effect.Effect<void>
  /** Waits as `awaitNow` does, then ends the reply, while the body goes on. */
  readonly finishEarly: Effect.Effect<void>
}

/**
 * The context of the call that is running, for code that an agent calls.
 *
 * @since 0.1.0
 * @category services
 */
export const InteractionContext: Context.Service<InteractionContext, InteractionContext> = Context.Service(
  "miniagents/InteractionContext"
)

/**
 * An agent by name.
 *
 * @since 0.1.0
 * @category models
 */
export interface AgentInfo {
  readonly name: string
  readonly description: string | undefined
}

/**
 * A running call.
 *
 * @internal
 */
export class Call extends Task implements InteractionContext {
  override readonly name: string
  readonly agent: AgentInfo
  readonly parameters: unknown
  /** Where it was called from. */
  readonly source: MessageSequence.Source
  readonly replies: MessageSequence.Sequence
  /** What was sent; the agent's callers fill it, or put the sequence they were given in its place. */
  input: MessageSequence.Sequence
  private waits: Waits | undefined = undefined

  constructor(agent: AgentInfo, parameters: unknown, source: MessageSequence.Source, errorsAsMessages: boolean) {
    super(source.runtime.activity, source.owner, undefined)
    this.agent = agent
    this.name = agent.name
    this.parameters = parameters
    this.source = source
    this.input = new MessageSequence.Sequence(source.runtime.errorsAsMessages)
    this.replies = new MessageSequence.Sequence(errorsAsMessages)
    this.replies.task = this
  }

  get messages(): MessageSequence.MessageSequence<Upstream> {
    return this.input as MessageSequence.Sequence<never> // what it can fail with, the caller's type says
  }

  // fields, so that `const { reply } = ctx` works
  readonly reply = (input: unknown): Effect.Effect<void> => this.put(input, "reply", false)

  readonly replyOutOfOrder = (input: unknown): Effect.Effect<void> => this.put(input, "replyOutOfOrder", true)

  readonly waitFor = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R | RepliesOf<E>> =>
    Effect.withFiber<void, never, R>((fiber) => {
      if (this.ended) return Effect.die(Message.invalid(`${this.name}.waitFor`, "effect", effect, ended))
      this.waits ??= new Waits()
      this.waits.add(this, { effect, context: fiber.context }).startSoon(fiber)
      return Effect.void
    })

  get awaitNow(): Effect.Effect<void> {
    return Effect.suspend(() => this.waits?.none ?? Effect.void)
  }

  get finishEarly(): Effect.Effect<void> {
    return Effect.andThen(
      this.awaitNow,
      Effect.sync(() => this.finishReplies(this.waits?.take() ?? Exit.void))
    )
  }

  /** What is to run: the agent's body, with this call as its context. */
  prepare(body: Effect.Effect<Body, never, unknown>): void {
    const { cache, context } = this.source.fiber
    const run = Effect.matchCauseEffect(
      Effect.flatMap(body, (run) => run(this as unknown as InteractionContext<never>)), // its parameters were checked
      { onSuccess: () => this.ending(Exit.void), onFailure: (cause) => this.ending(Exit.failCause(cause)) }
    )
    this.work = {
      effect: cache.tracer !== undefined ? Effect.withSpan(run, `invoke_agent ${this.name}`, spanOf(this.agent)) : run,
      context: Context.add(context, InteractionContext, this)
    }
  }

  /** Ends the call without running anything. */
  refuse(defect: unknown): void {
    this.end(Exit.die(defect))
  }

  override handedOn(): ReadonlySet<Task> {
    return readableFrom(this.replies)
  }

  protected override onEnd(exit: TaskExit): void {
    this.finishReplies(exit)
    if (Exit.isSuccess(exit)) this.leaveInput()
    else if (!Cause.hasInterruptsOnly(exit.cause)) this.interruptUnreadable()
    else if (!this.interrupted) this.interruptTree()
  }

  private put(input: unknown, operation: string, outOfOrder: boolean): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const name = `${this.name}.${operation}`
      if (!this.replies.isOpen) return Effect.die(Message.invalid(name, "input", input, ended))
      const source = { ...this.source, owner: this.source.runtime.activity.ownerOf(fiber), fiber }
      const invalid = this.replies.put(input, source, name, outOfOrder)
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
    if (this.replies.isOpen) this.replies.finish(exit, this.source, () => this.trace)
    else if (Exit.isFailure(exit)) this.source.runtime.reports.watch(new Log(), exit.cause, this.trace)
  }

  /** Streams that were sent to this call alone need not run on when nothing of it is left to read them. */
  private leaveInput(): void {
    if (this.input.shared) return
    const sources = this.input.parts.flatMap((part) =>
      part instanceof MessageSequence.Sequence && !part.shared && !part.hasWaiters ? part.tasks : []
    )
    const own = [...this.children()]
    if (own.every((child) => sources.includes(child))) for (const child of own) child.interruptTree()
  }
}

/**
 * What an agent does with a call.
 *
 * @since 0.1.0
 * @category models
 */
export type Body = (ctx: InteractionContext<never>) => Effect.Effect<unknown, unknown, unknown>

/** The attributes are those of the OpenTelemetry conventions for generative AI. */
const spanOf = ({ description, name }: AgentInfo): Tracer.SpanOptionsNoTrace => ({
  attributes: {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": name,
    ...(description === undefined ? {} : { "gen_ai.agent.description": description })
  }
})

/** What a call has to wait for. */
class Waits extends Counter {
  private exit: TaskExit = Exit.void

  add(call: Call, work: Work): Task {
    this.begin()
    return new Task(call.activity, call, work, (exit) => {
      this.exit = both(this.exit, Exit.asVoid(exit))
      this.done()
    })
  }

  take(): TaskExit {
    const { exit } = this
    this.exit = Exit.void
    return exit
  }
}

/** The tasks whose work can still be read through a sequence. */
const readableFrom = (sequence: MessageSequence.Sequence): ReadonlySet<Task> => {
  const tasks = new Set<Task>()
  const seen = new Set<unknown>()
  const pending: Array<unknown> = [sequence]
  while (pending.length > 0) {
    const part = pending.pop()
    if (seen.has(part)) continue
    seen.add(part)
    if (part instanceof Rope) for (const each of part.parts) pending.push(each)
    if (MessagePromise.isMessagePromise(part)) {
      const { source, task } = MessagePromise.inside(part)
      if (task !== undefined) tasks.add(task)
      pending.push(source)
    }
    if (!(part instanceof MessageSequence.Sequence)) continue
    for (const task of part.tasks) {
      tasks.add(task)
      if (task instanceof Call) pending.push(task.input)
    }
  }
  return tasks
}

/**
 * Gives a call to the persistence hook as it goes: each message when it is whole, then the records of the call and of
 * the reply. It reads along without being a reader: it starts nothing and takes no failure as seen.
 *
 * @internal
 */
export const record = (call: Call, encode: (parameters: unknown) => Schema.Json): void => {
  const { fiber, runtime } = call.source
  const { persister } = runtime
  if (persister === undefined) return
  const effect = Effect.gen(function* () {
    const offer = (message: Message.Message) =>
      Effect.withFiber((self) => {
        runtime.steps++
        persister.addInBackground([message], self)
        return Effect.void
      })
    const both = [MessageSequence.watch(call.input, offer), MessageSequence.watch(call.replies, offer)] as const
    const [messages, replies] = yield* Effect.all(both, { concurrency: "unbounded" })
    if (messages === undefined || replies === undefined) return
    const { name: agent } = call
    const made = new Message.CallRecord({ agent, parameters: encode(call.parameters), messages })
    yield* offer(new Message.ReplyRecord({ agent, call: made, replies }))
  })
  const recorder: Recorder = new Recorder(runtime.activity, undefined, { effect, context: fiber.context }, () =>
    runtime.recorders.delete(recorder)
  )
  runtime.recorders.add(recorder)
  recorder.startSoon(fiber)
}

/** It belongs to no call, so that it outlives the interruption of the one it records; the runtime ends it. */
class Recorder extends Task {
  protected override count(): void {}

  protected override refused(): boolean {
    return false
  }
}

const ended = "the call has ended: reply before the body does, or keep the call going with `waitFor`"
