/** A call from elsewhere, in the process that runs it. */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as InteractionContext from "../InteractionContext.ts"
import { Place } from "../internal/place.ts"
import type { RuntimeImpl } from "../internal/runtime.ts"
import { CurrentTask, Task } from "../internal/task.ts"
import type * as MessageSequence from "../MessageSequence.ts"
import * as MiniAgents from "../MiniAgents.ts"
import * as Transcript from "../Transcript.ts"
import type * as protocol from "./protocol.ts"
import type { AnyService } from "./service.ts"

/** It begins when it is first sent something. */
export class ServedCall {
  readonly attempt: string
  private readonly service: AnyService
  private readonly call: protocol.Call
  private readonly parameters: unknown
  private readonly context: Context.Context<MiniAgents.MiniAgents>
  private readonly input: Queue.Queue<Transcript.Event, Cause.Done>
  private readonly sent = Deferred.makeUnsafe<void>()
  /** The call stands under this task, which is at the place of the caller. */
  private task: Task | undefined = undefined

  constructor(
    attempt: string,
    service: AnyService,
    call: protocol.Call,
    parameters: unknown,
    context: Context.Context<MiniAgents.MiniAgents>,
    input: Queue.Queue<Transcript.Event, Cause.Done>
  ) {
    this.attempt = attempt
    this.service = service
    this.call = call
    this.parameters = parameters
    this.context = context
    this.input = input
  }

  send(events: ReadonlyArray<Transcript.Event>): void {
    Queue.offerAllUnsafe(this.input, events)
    if (events.some((event) => !("at" in event))) Queue.endUnsafe(this.input)
    Deferred.doneUnsafe(this.sent, Effect.void)
  }

  /** What the agent replies, up to the end of all that the call has started. */
  get events(): Stream.Stream<Transcript.Event> {
    const replies = Effect.map(Effect.andThen(Deferred.await(this.sent), this.begin), (replies) =>
      Transcript.encode(replies, { error: this.service.error })
    )
    const settled = Effect.suspend(() => this.task?.settled ?? Effect.void)
    return Stream.concat(Stream.unwrap(replies), Stream.drain(Stream.fromEffect(settled)))
  }

  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.task?.interruptTree()
      return this.task?.gone ?? Effect.void
    })
  }

  private get begin(): Effect.Effect<MessageSequence.MessageSequence<unknown>> {
    return Effect.withFiber((fiber) => {
      const { agent, caller } = Place.fromPath(this.call.path)
      const { supervisor } = Context.get(this.context, MiniAgents.MiniAgents) as RuntimeImpl
      const replies = Deferred.makeUnsafe<MessageSequence.MessageSequence<unknown>>()
      const { errorsAsMessages } = this.call
      const { messages, name } = this.service
      const { trigger } = agent === name ? this.service : this.service.fork({ name: agent })
      const effect = Effect.gen({ self: this }, function* () {
        const input = yield* Transcript.decode(Stream.fromQueue(this.input), { classes: messages })
        return yield* trigger(input, this.parameters, { errorsAsMessages, startSoon: true })
      })
      const span = Context.getOption(fiber.context, Tracer.ParentSpan)
      const own = Context.omit(CurrentTask, InteractionContext.InteractionContext)(this.context)
      const context = span._tag === "Some" ? Context.add(own, Tracer.ParentSpan, span.value) : own
      const work = { effect, context: context as Context.Context<never> }
      const opened = (exit: Parameters<NonNullable<ConstructorParameters<typeof Task>[3]>>[0]) =>
        void Deferred.doneUnsafe(replies, exit as never)
      this.task = new Task(supervisor, supervisor.root, work, opened, caller)
      this.task.startUnsafe()
      return Deferred.await(replies)
    })
  }
}
