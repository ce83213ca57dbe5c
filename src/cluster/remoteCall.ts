/** A call that runs in another process, on the side of the caller. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ClusterError from "effect/cluster/ClusterError"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type { Call } from "../internal/call.ts"
import type * as MessageSequence from "../MessageSequence.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Transcript from "../Transcript.ts"
import * as callerFailures from "./callerFailures.ts"
import * as protocol from "./protocol.ts"
import { type AnyService, type Context, encodeParameters } from "./service.ts"

export type Client = Effect.Success<ReturnType<typeof protocol.entity>["client"]>

/** Why a call cannot go on: its runner died, shut down before the call had ended, or has no room for more. */
export type Why = "died" | "shut down" | "full"

/** What the replies fail with then. */
export type Lost = (why: Why) => Cause.Cause<unknown>

/** The body of an agent whose calls run in another process. */
export const body = (service: AnyService, client: Client, lost: Lost): ((ctx: Context) => Effect.Effect<void>) => {
  const encode = encodeParameters(service)
  return Effect.fnUntraced(function* (ctx) {
    const parameters = yield* encode(ctx.parameters)
    const said = yield* Queue.unbounded<Transcript.Event, unknown>()
    const call = new RemoteCall(service, client, lost, ctx, said)
    yield* ctx.reply((yield* call.replies) as MessageSequence.MessageSequence) // what it can fail with, the service says
    yield* Effect.scoped(call.run(parameters))
  }) as (ctx: Context) => Effect.Effect<void> // the phantom of `reply` is no requirement, and the runtime is the caller's
}

/** How many events of the input are kept until they are sent. */
const ahead = 256

class RemoteCall {
  private readonly id = SecureRandom.uuidV4Unsafe()
  private readonly service: AnyService
  private readonly client: Client
  private readonly lost: Lost
  private readonly ctx: Context
  private readonly failures: Schema.Codec<unknown, unknown>
  /** The events of the replies, for who makes a sequence of them. */
  private readonly said: Queue.Queue<Transcript.Event, unknown>
  private entity: string
  /** The attempt to run it that has begun. */
  private attempt: string | undefined = undefined
  private ended = false

  constructor(
    service: AnyService,
    client: Client,
    lost: Lost,
    ctx: Context,
    said: Queue.Queue<Transcript.Event, unknown>
  ) {
    this.service = service
    this.client = client
    this.lost = lost
    this.ctx = ctx
    this.said = said
    this.failures = callerFailures.make(this.id)
    this.entity = protocol.entityOf(this.id)
  }

  /** What the agent replies, made of what it is said to. */
  get replies(): Effect.Effect<MessageSequence.MessageSequence<unknown>, never, MiniAgents.MiniAgents> {
    const events = Stream.ensuring(Stream.fromQueue(this.said), Queue.shutdown(this.said))
    const error = Schema.Union([this.failures, this.service.error])
    return Transcript.decode(events, { classes: this.service.messages, error })
  }

  /** Runs the call, up to the end of all that it has started there. */
  run(parameters: Schema.Json): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const input = yield* this.input
      yield* Effect.onInterrupt(this.attempts(parameters, input), () => this.stop)
      if (!this.ended) Queue.failCauseUnsafe(this.said, this.lost("died"))
      Queue.endUnsafe(this.said as Queue.Queue<Transcript.Event, Cause.Done>)
    })
  }

  /** The input as events, as it comes: what is there already is there at once. */
  private get input(): Effect.Effect<Queue.Queue<Transcript.Event, Cause.Done>, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const queue = yield* Queue.bounded<Transcript.Event, Cause.Done>(ahead)
      const events = Transcript.encode(this.ctx.messages, { error: this.failures })
      const read = Stream.runForEachArray(events, (chunk) => Queue.offerAll(queue, chunk))
      yield* Effect.forkScoped(Effect.ensuring(read, Queue.end(queue)), { startImmediately: true })
      return queue
    })
  }

  private attempts(
    parameters: Schema.Json,
    input: Queue.Queue<Transcript.Event, Cause.Done>
  ): Effect.Effect<void, never, Scope.Scope> {
    return Effect.suspend(() => {
      const { entity } = this
      const { path, replies } = this.ctx as unknown as Call // which every context is
      const errorsAsMessages = replies.recover !== undefined
      const events = this.client(entity).Run({ call: this.id, path, parameters, errorsAsMessages })
      const read = Stream.runForEachArray(events, (chunk) => this.take(chunk, input))
      return Effect.matchCauseEffect(read, {
        onSuccess: () => (this.entity === entity ? Effect.void : this.attempts(parameters, input)),
        onFailure: (cause) => Effect.sync(() => void Queue.failCauseUnsafe(this.said, this.failureOf(cause)))
      })
    })
  }

  private take(
    chunk: ReadonlyArray<protocol.Said>,
    input: Queue.Queue<Transcript.Event, Cause.Done>
  ): Effect.Effect<void, BeganAnew, Scope.Scope> {
    const events: Array<Transcript.Event> = []
    let attempt: string | undefined
    for (const event of chunk) {
      if (event._tag === "hello") attempt = event.attempt
      else if (event._tag === "moved") this.entity = event.entity
      else {
        events.push("failure" in event && event.failure !== undefined ? this.arrived(event) : event)
        if (!("at" in event)) this.ended = true
      }
    }
    if (attempt !== undefined) {
      if (this.attempt !== undefined) return Effect.fail(new BeganAnew())
      this.attempt = attempt
      return Effect.asVoid(Effect.forkScoped(this.send(attempt, input)))
    }
    Queue.offerAllUnsafe(this.said, events)
    return this.ended ? this.ctx.finishEarly : Effect.void
  }

  /** Sends the input. The call begins with the first of it, even if that is nothing. */
  private send(attempt: string, input: Queue.Queue<Transcript.Event, Cause.Done>): Effect.Effect<void> {
    const send = (events: ReadonlyArray<Transcript.Event>) =>
      this.client(this.entity).Send({ call: this.id, attempt, events })
    const all = Effect.andThen(
      Effect.flatMap(Queue.clear(input), send),
      Stream.runForEachArray(Stream.fromQueue(input), send)
    )
    return Effect.ignore(all) // where it cannot be sent, the replies say why
  }

  /** Interrupts the call there, and waits until it has ended, for a few seconds. */
  private get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { attempt, entity, id } = this
      if (attempt === undefined) return Effect.void
      const stopped = this.client(entity).Interrupt({ call: id, attempt })
      return Effect.ignore(Effect.timeout(stopped, "5 seconds"))
    })
  }

  /** A failure as it arrives: the agents above the call are named on the way through them here. */
  private arrived(event: Extract<Transcript.Event, { readonly failure?: Transcript.Failure }>): Transcript.Event {
    const { failure } = event
    if (failure === undefined) return event
    const { trace } = this.ctx
    const start = failure.trace.length - trace.length
    if (start < 0 || trace.some((agent, index) => failure.trace[start + index] !== agent)) return event
    return { ...event, failure: { ...failure, trace: failure.trace.slice(0, start) } } as Transcript.Event // it has a failure as before
  }

  private failureOf(cause: Cause.Cause<unknown>): Cause.Cause<unknown> {
    if (Cause.hasInterruptsOnly(cause)) return this.lost("shut down")
    if (!Cause.hasFails(cause)) return cause
    const error = Cause.squash(cause)
    return this.lost(error instanceof ClusterError.MailboxFull ? "full" : "died")
  }
}

/** The runner that had begun the call has died, and another one was about to begin it again. */
class BeganAnew {
  readonly _tag = "BeganAnew"
}
