/** A call from elsewhere, in the process that runs it. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
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
  readonly call: protocol.Call
  /** Whether others can go on with the call. */
  readonly isDurable: boolean
  /** Interrupted because its process shuts down. */
  isCut: boolean
  readonly send: (events: ReadonlyArray<Transcript.Event>) => void
  /** Runs the agent: what it replies after a position, up to the end of all that the call has started. */
  readonly events: Stream.Stream<protocol.Said>
  /** Ends what of it is only here. */
  readonly stop: Effect.Effect<void>
  /** Ends it. */
  readonly interrupt: Effect.Effect<void>
}

export interface Given {
  readonly service: AnyService
  readonly call: protocol.Call
  readonly parameters: unknown
  readonly context: Context.Context<MiniAgents.MiniAgents>
}

export const make = (given: Given): Effect.Effect<Served> =>
  Effect.map(inputOf, (input) => new ServedCall(given, input))

class ServedCall implements Served {
  readonly isDurable = false
  readonly call: protocol.Call
  isCut = false
  private readonly given: Given
  private readonly input: Input
  private readonly replies = Deferred.makeUnsafe<Replies>()
  /** The call stands under this task, which is at the place of the caller. */
  private task: Task | undefined = undefined

  constructor(given: Given, input: Input) {
    this.given = given
    this.call = given.call
    this.input = input
  }

  send(events: ReadonlyArray<Transcript.Event>): void {
    sendTo(this.input, events)
  }

  get events(): Stream.Stream<protocol.Said> {
    const { error } = this.given.service
    const events = Effect.map(Effect.andThen(this.begin, Deferred.await(this.replies)), (replies) =>
      Stream.map(Transcript.encode(replies, { error, from: this.call.from }), (event): protocol.Said =>
        event._tag === "interrupted" && this.isCut ? { _tag: "cut" } : event
      )
    )
    const settled = Effect.suspend(() => this.task?.settled ?? Effect.void)
    return Stream.concat(Stream.unwrap(events), Stream.drain(Stream.fromEffect(settled)))
  }

  private get begin(): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const { agent, caller } = Place.fromPath(this.call.path)
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
    const { parameters, service } = this.given
    const { errorsAsMessages } = this.call
    return Effect.gen({ self: this }, function* () {
      const { trigger } = agent === service.name ? service : service.fork({ name: agent })
      const input = yield* Transcript.decode(Stream.fromQueue(this.input), { classes: service.messages })
      return yield* trigger(input, parameters, { errorsAsMessages, startSoon: true })
    })
  }
}

/** The input of a call, as events. */
export type Input = Queue.Queue<Transcript.Event, Cause.Done>

export const inputOf: Effect.Effect<Input> = Queue.unbounded<Transcript.Event, Cause.Done>()

/** Adds to an input, which ends with what has no place in it. */
export const sendTo = (input: Input, events: ReadonlyArray<Transcript.Event>): void => {
  Queue.offerAllUnsafe(input, events)
  if (events.some((event) => !("at" in event))) Queue.endUnsafe(input)
}
