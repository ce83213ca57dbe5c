/** A call from elsewhere, in the process that runs it. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as InteractionContext from "../InteractionContext.ts"
import { Place } from "../internal/place.ts"
import type { RuntimeImpl } from "../internal/runtime.ts"
import { CurrentTask, Task, type TaskExit } from "../internal/task.ts"
import type * as MessageSequence from "../MessageSequence.ts"
import * as MiniAgents from "../MiniAgents.ts"
import * as Transcript from "../Transcript.ts"
import type * as protocol from "./protocol.ts"
import type { AnyService } from "./service.ts"

type Replies = MessageSequence.MessageSequence<unknown>

/** One attempt to run a call, as its process has it. */
export interface Served {
  readonly attempt: string
  /** Whether others can go on with the call. */
  readonly isDurable: boolean
  /** Whether nothing of it has to be interrupted when it is not read any more. */
  readonly isIdle: boolean
  /** How many read it. */
  readers: number
  /** Interrupted because its process shuts down. */
  isCut: boolean
  readonly send: (events: ReadonlyArray<Transcript.Event>) => void
  /** What the agent replies after a position, up to the end of all that the call has started. */
  readonly events: (from: Transcript.Position | undefined) => Stream.Stream<protocol.Said>
  /** Runs the agent, once something was sent. */
  readonly begin: Effect.Effect<void>
  /** Ends what of it is only here. */
  readonly stop: Effect.Effect<void>
  /** Interrupts the call. */
  readonly interrupt: Effect.Effect<void>
}

/** What a call is given to run with. */
export interface Given {
  readonly service: AnyService
  readonly call: protocol.Call
  readonly parameters: unknown
  readonly context: Context.Context<MiniAgents.MiniAgents>
}

export const make = (given: Given): Effect.Effect<Served> =>
  Effect.map(Queue.unbounded<Transcript.Event, Cause.Done>(), (input) => new ServedCall(given, input))

/** It begins when it is first sent something. */
class ServedCall implements Served {
  readonly attempt = SecureRandom.uuidV4Unsafe()
  readonly isDurable = false
  readers = 0
  isCut = false
  private readonly given: Given
  private readonly input: Queue.Queue<Transcript.Event, Cause.Done>
  private readonly sent = Deferred.makeUnsafe<void>()
  private readonly replies = Deferred.makeUnsafe<Replies>()
  /** The call stands under this task, which is at the place of the caller. */
  private task: Task | undefined = undefined

  constructor(given: Given, input: Queue.Queue<Transcript.Event, Cause.Done>) {
    this.given = given
    this.input = input
  }

  /** All that it started has ended. One that has not begun may be about to: its caller knows of it. */
  get isIdle(): boolean {
    return this.task?.isGone === true
  }

  send(events: ReadonlyArray<Transcript.Event>): void {
    Queue.offerAllUnsafe(this.input, events)
    if (events.some((event) => !("at" in event))) Queue.endUnsafe(this.input)
    Deferred.doneUnsafe(this.sent, Effect.void)
  }

  events(from: Transcript.Position | undefined): Stream.Stream<protocol.Said> {
    const { error } = this.given.service
    const events = Effect.map(Deferred.await(this.replies), (replies) =>
      Stream.map(Transcript.encode(replies, { error, from }), (event): protocol.Said =>
        event._tag === "interrupted" && this.isCut ? { _tag: "cut" } : event
      )
    )
    const settled = Effect.suspend(() => this.task?.settled ?? Effect.void)
    return Stream.concat(Stream.unwrap(events), Stream.drain(Stream.fromEffect(settled)))
  }

  get begin(): Effect.Effect<void> {
    return Effect.andThen(
      Deferred.await(this.sent),
      Effect.withFiber((fiber) => {
        const { agent, caller } = Place.fromPath(this.given.call.path)
        const { supervisor } = Context.get(this.given.context, MiniAgents.MiniAgents) as RuntimeImpl
        const own = Context.omit(CurrentTask, InteractionContext.InteractionContext)(this.given.context)
        const span = Context.getOption(fiber.context, Tracer.ParentSpan)
        const context = span._tag === "Some" ? Context.add(own, Tracer.ParentSpan, span.value) : own
        const work = { effect: this.trigger(agent), context: context as Context.Context<never> }
        const opened = (exit: TaskExit) => void Deferred.doneUnsafe(this.replies, exit as Exit.Exit<Replies, never>) // of `trigger`
        this.task = new Task(supervisor, supervisor.root, work, opened, caller)
        this.task.startUnsafe()
        return Effect.void
      })
    )
  }

  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.task?.interruptTree()
      return this.task?.gone ?? Effect.void
    })
  }

  get interrupt(): Effect.Effect<void> {
    return this.stop
  }

  private trigger(agent: string): Effect.Effect<Replies, never, MiniAgents.MiniAgents> {
    const { call, parameters, service } = this.given
    const { errorsAsMessages } = call
    return Effect.gen({ self: this }, function* () {
      const { trigger } = agent === service.name ? service : service.fork({ name: agent })
      const input = yield* Transcript.decode(Stream.fromQueue(this.input), { classes: service.messages })
      return yield* trigger(input, parameters, { errorsAsMessages, startSoon: true })
    })
  }
}
