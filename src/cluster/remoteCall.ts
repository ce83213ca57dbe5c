/** A call that runs in another process, on the side of the caller. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ClusterError from "effect/cluster/ClusterError"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type { Call } from "../internal/call.ts"
import { Place } from "../internal/place.ts"
import type * as MessageSequence from "../MessageSequence.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Runs from "../runs/Runs.ts"
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
  const failures = callerFailures.make(SecureRandom.uuidV4Unsafe())
  const errors: Errors = { failures, all: Schema.Union([failures, service.error]) }
  return Effect.fnUntraced(function* (ctx) {
    const parameters = yield* encode(ctx.parameters)
    const said = yield* Queue.unbounded<Transcript.Event, unknown>()
    const call = new RemoteCall(service, errors, client, lost, ctx, said)
    yield* ctx.reply((yield* call.replies) as MessageSequence.MessageSequence) // what it can fail with, the service says
    yield* Effect.scoped(call.run(parameters, yield* idOf(ctx)))
  }) as (ctx: Context) => Effect.Effect<void> // the phantom of `reply` is no requirement, and the runtime is the caller's
}

/** A call of a durable run is the same when the run is taken up again. */
const idOf = (ctx: Context): Effect.Effect<string> =>
  Effect.map(Runs.CurrentRun, (run) => (run === undefined ? SecureRandom.uuidV4Unsafe() : `${run.id}/${ctx.path}`))

/** How many events of the input are kept until they are sent. */
const ahead = 256
/** How long it takes until a call that was let go is made again. */
const again = "50 millis"
/** How many entities are tried to find the process of an attempt again, beside those that it named. */
const guesses = 30

/** How many milliseconds an entity may be silent: while it moves, nobody answers for it. */
const patience = 1000

/** What an entity says to a question that any process can answer; nothing in time is a no. */
const answerOf = <E>(answer: Effect.Effect<boolean, E>): Effect.Effect<boolean> =>
  Effect.orElseSucceed(Effect.timeout(answer, patience), () => false)

/** Whether nothing was said in time; if something was, it is listened to to its end. */
const orSilent = <E, R>(
  listening: Effect.Effect<void, E, R>,
  answered: Deferred.Deferred<void>,
  wait: number
): Effect.Effect<boolean, E, R> => {
  const silent = Effect.matchEffect(Effect.timeout(Deferred.await(answered), wait), {
    onSuccess: () => Effect.never,
    onFailure: () => Effect.succeed(true)
  })
  return Effect.raceFirst(Effect.as(listening, false), silent)
}

class RemoteCall {
  private readonly service: AnyService
  private readonly client: Client
  private readonly lost: Lost
  private readonly ctx: Context
  private readonly errors: Errors
  /** The events of the replies, for who makes a sequence of them. */
  private readonly said: Queue.Queue<Transcript.Event, unknown>
  private entity = protocol.anyEntity()
  /** The attempt to run it that has begun, and entities of its process, those first that were found last. */
  private attempt: string | undefined = undefined
  private near: ReadonlyArray<string> = []
  private isDurable = false
  private position: Transcript.Position | undefined = undefined
  private ended = false

  constructor(
    service: AnyService,
    errors: Errors,
    client: Client,
    lost: Lost,
    ctx: Context,
    said: Queue.Queue<Transcript.Event, unknown>
  ) {
    this.service = service
    this.errors = errors
    this.client = client
    this.lost = lost
    this.ctx = ctx
    this.said = said
  }

  /** What the agent replies, made of what it is said to. */
  get replies(): Effect.Effect<MessageSequence.MessageSequence<unknown>, never, MiniAgents.MiniAgents> {
    const events = Stream.ensuring(Stream.fromQueue(this.said), Queue.shutdown(this.said))
    return Transcript.decode(events, { classes: this.service.messages, error: this.errors.all })
  }

  /** Runs the call, up to the end of all that it has started there. */
  run(parameters: Schema.Json, id: string): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { path, replies } = this.ctx as unknown as Call // which every context is
      const call = { id, path, parameters, errorsAsMessages: replies.recover !== undefined }
      yield* Effect.onInterrupt(this.begin(call, yield* this.input), () => this.stop)
      Queue.endUnsafe(this.said as Queue.Queue<Transcript.Event, Cause.Done>)
    })
  }

  /** The input as events, as it comes: what is there already is there at once. */
  private get input(): Effect.Effect<Input, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const queue = yield* Queue.bounded<Transcript.Event, Cause.Done>(ahead)
      const events = Transcript.encode(this.ctx.messages, { error: this.errors.failures })
      const read = Stream.runForEachArray(events, (chunk) => Queue.offerAll(queue, chunk))
      yield* Effect.forkScoped(Effect.ensuring(read, Queue.end(queue)), { startImmediately: true })
      return queue
    })
  }

  /** Has the call run, and takes what is said of it; again where nothing had begun, and on where the way was lost. */
  private begin(call: protocol.Call, input: Input, wait = patience): Effect.Effect<void, never, Scope.Scope> {
    return Effect.suspend(() => {
      const { entity } = this
      const answered = Deferred.makeUnsafe<void>()
      const from = this.position === undefined ? {} : { from: this.position }
      const read = Stream.runForEachArray(this.client(entity).Run({ ...call, ...from }), (chunk) => {
        Deferred.doneUnsafe(answered, Effect.void)
        return this.take(chunk, input)
      })
      const isAny = protocol.isAnyEntity(entity)
      return Effect.matchCauseEffect(isAny ? orSilent(read, answered, wait) : Effect.as(read, false), {
        onSuccess: (isSilent) => {
          if (isSilent) {
            // who has it is about to hand it over; others are as good
            this.entity = protocol.anyEntity()
            return this.begin(call, input, wait * 2)
          }
          return this.entity === entity ? this.over(call, undefined) : this.begin(call, input)
        },
        onFailure: (cause) => {
          if (this.attempt !== undefined) return this.over(call, cause)
          // a process that shuts down lets go of what it has not begun
          return Cause.hasInterruptsOnly(cause) ? Effect.delay(this.begin(call, input), again) : this.over(call, cause)
        }
      })
    })
  }

  /** What is left to do when a stream of events has ended. */
  private over(call: protocol.Call, cause: Cause.Cause<unknown> | undefined): Effect.Effect<void, never, Scope.Scope> {
    return Effect.suspend(() => {
      if (this.ended) return Effect.void
      const isBroken = cause !== undefined && Cause.hasDies(cause)
      if (this.isDurable && !isBroken) {
        this.attempt = undefined
        this.entity = protocol.anyEntity()
        return Effect.flatMap(Effect.delay(this.input, again), (input) => this.begin(call, input))
      }
      if (this.attempt === undefined || isBroken) {
        return this.fail(this.failureOf(cause))
      }
      return Effect.flatMap(this.readOn, (found) => (found ? Effect.void : this.fail(this.lost("died"))))
    })
  }

  /** Goes on reading the attempt, where its process can be found; whether it was. */
  private get readOn(): Effect.Effect<boolean, never, Scope.Scope> {
    const attempt = this.attempt!
    return this.search((entity) => {
      let isHere = false
      const answered = Deferred.makeUnsafe<void>()
      const { position } = this
      const payload = position === undefined ? { attempt } : { attempt, from: position }
      const read = Stream.runForEachArray(this.client(entity).Read(payload), (chunk) => {
        Deferred.doneUnsafe(answered, Effect.void)
        isHere ||= chunk[0]._tag === "here"
        return this.take(chunk, undefined)
      })
      const found = Effect.suspend(() => (isHere && !this.ended ? this.readOn : Effect.succeed(isHere)))
      return Effect.matchCauseEffect(orSilent(read, answered, patience), {
        onSuccess: () => found,
        onFailure: () => found
      })
    })
  }

  /** Tries entities until one is in the process of the attempt. */
  private search<R>(isThere: (entity: string) => Effect.Effect<boolean, never, R>): Effect.Effect<boolean, never, R> {
    return Effect.gen({ self: this }, function* () {
      const guessed = Array.from({ length: guesses }, protocol.anyEntity)
      for (const entity of [...this.near, ...guessed]) {
        if (!(yield* isThere(entity))) continue
        this.near = [entity, ...this.near.filter((other) => other !== entity)].slice(0, 8)
        return true
      }
      return false
    })
  }

  private take(
    chunk: ReadonlyArray<protocol.Said>,
    input: Input | undefined
  ): Effect.Effect<void, BeganAnew, Scope.Scope> {
    const events: Array<Transcript.Event> = []
    for (const event of chunk) {
      switch (event._tag) {
        case "hello":
          return input === undefined || this.attempt !== undefined
            ? Effect.fail(new BeganAnew())
            : this.start(event, input)
        case "moved":
          this.entity = event.entity
          break
        case "cut":
          return this.fail(this.lost("shut down"))
        case "open":
          events.push(this.isDurable ? this.placed(event) : event)
          this.position = Transcript.after(this.position, event)
          break
        case "here":
        case "unknown":
          break
        default:
          events.push("failure" in event && event.failure !== undefined ? this.arrived(event) : event)
          this.position = Transcript.after(this.position, event)
          if (!("at" in event)) this.ended = true
      }
    }
    Queue.offerAllUnsafe(this.said, events)
    return this.ended ? this.ctx.finishEarly : Effect.void
  }

  private fail(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.ended = true
      Queue.failCauseUnsafe(this.said, cause)
      return this.ctx.finishEarly
    })
  }

  /** Sends the input. The call begins with the first of it, even if that is nothing. */
  private start({ attempt, durable, near }: Hello, input: Input): Effect.Effect<void, never, Scope.Scope> {
    this.attempt = attempt
    this.isDurable = durable
    this.near = [this.entity, ...near]
    const send = (events: ReadonlyArray<Transcript.Event>) =>
      this.search((entity) => answerOf(this.client(entity).Send({ attempt, events })))
    const all = Effect.andThen(
      Effect.flatMap(Queue.clear(input), send),
      Stream.runForEachArray(Stream.fromQueue(input), send)
    )
    return Effect.asVoid(Effect.forkScoped(all)) // where it cannot be sent, the replies say why
  }

  /** Interrupts the call there, and waits until it has ended, for a few seconds. */
  private get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { attempt } = this
      if (attempt === undefined) return Effect.void
      const stopped = this.search((entity) => answerOf(this.client(entity).Interrupt({ attempt })))
      return Effect.ignore(Effect.timeout(stopped, "5 seconds"))
    })
  }

  /** A message of a run, whose outermost call is that of the agent here. */
  private placed(event: Extract<Transcript.Event, { readonly _tag: "open" }>): Transcript.Event {
    const [root = ""] = event.origin?.path.split("/", 1) ?? []
    if (event.origin === undefined || Place.fromPath(root).agent !== this.service.name) return event
    return { ...event, origin: { ...event.origin, path: `${this.ctx.path}${event.origin.path.slice(root.length)}` } }
  }

  /** A failure as it arrives: the agents above the call are named on the way through them here. */
  private arrived(event: Extract<Transcript.Event, { readonly failure?: Transcript.Failure }>): Transcript.Event {
    const { failure } = event
    if (failure === undefined) return event
    const trace = this.isDurable ? [this.service.name] : this.ctx.trace
    const start = failure.trace.length - trace.length
    if (start < 0 || trace.some((agent, index) => failure.trace[start + index] !== agent)) return event
    return { ...event, failure: { ...failure, trace: failure.trace.slice(0, start) } } as Transcript.Event // it has a failure as before
  }

  private failureOf(cause: Cause.Cause<unknown> | undefined): Cause.Cause<unknown> {
    if (cause === undefined) return this.lost("died")
    if (!Cause.hasFails(cause)) return cause
    return this.lost(Cause.squash(cause) instanceof ClusterError.MailboxFull ? "full" : "shut down")
  }
}

/** The schemas of what the input fails with, and of what the replies fail with. */
interface Errors {
  readonly failures: Schema.Codec<unknown, unknown>
  readonly all: Schema.Codec<unknown, unknown>
}

type Hello = Extract<protocol.Said, { readonly _tag: "hello" }>
type Input = Queue.Queue<Transcript.Event, Cause.Done>

/** Another process is about to begin the call again, because the first cannot be reached. */
class BeganAnew {
  readonly _tag = "BeganAnew"
}
