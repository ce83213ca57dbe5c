/** A call that runs in another process, on the side of the caller. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as ClusterError from "effect/cluster/ClusterError"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type { Call } from "../internal/call.ts"
import * as callerFailures from "../internal/callerFailures.ts"
import { Place } from "../internal/place.ts"
import type * as MessageSequence from "../MessageSequence.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Runs from "../runs/Runs.ts"
import * as Transcript from "../Transcript.ts"
import type { Caller, Link, Links } from "./link.ts"
import * as protocol from "./protocol.ts"
import { type AnyService, type Context, encodeParameters } from "./service.ts"

/** Why a call cannot go on: its runner died, shut down before the call had ended, or has no room for more. */
export type Why = "died" | "shut down" | "full"

/** What the replies fail with then. */
export type Lost = (why: Why) => Cause.Cause<unknown>

/** The body of an agent whose calls run in another process. */
export const body = (service: AnyService, links: Links, lost: Lost): ((ctx: Context) => Effect.Effect<void>) => {
  const encode = encodeParameters(service)
  const failures = callerFailures.make(SecureRandom.uuidV4Unsafe())
  const errors: Errors = { failures, all: Schema.Union([failures, service.error]) }
  return Effect.fnUntraced(function* (ctx) {
    const parameters = yield* encode(ctx.parameters)
    const said = yield* Queue.unbounded<Transcript.Event, unknown>()
    const call = new RemoteCall(service, errors, links, lost, ctx, said)
    yield* ctx.reply((yield* call.replies) as MessageSequence.MessageSequence) // what it can fail with, the service says
    yield* call.run(parameters, yield* idOf(ctx))
  }) as (ctx: Context) => Effect.Effect<void> // the phantom of `reply` is no requirement, and the runtime is the caller's
}

/** A call of a durable run is the same when the run is taken up again. */
const idOf = (ctx: Context): Effect.Effect<string> =>
  Effect.map(Runs.CurrentRun, (run) => (run === undefined ? SecureRandom.uuidV4Unsafe() : `${run.id}/${ctx.path}`))

/** How many events of the input are kept until they are sent. */
const ahead = 256
/** How long it takes until a call that was let go is made again. */
const again = "50 millis"
/** How many milliseconds an entity may be silent: while it moves, nobody answers for it. */
const patience = 1000

/** How an attempt to have a call run has ended: it is over, or it is to be made again at an entity. */
type Outcome = { readonly over: true } | { readonly over: false; readonly entity: string }
const over: Outcome = { over: true }
const anew = (entity: string = protocol.anyEntity()): Outcome => ({ over: false, entity })

class RemoteCall implements Caller {
  private readonly service: AnyService
  private readonly links: Links
  private readonly lostTo: Lost
  private readonly ctx: Context
  private readonly errors: Errors
  /** The events of the replies, for who makes a sequence of them. */
  private readonly said: Queue.Queue<Transcript.Event, unknown>
  /** How the attempt that is under way ends. */
  private outcome = Deferred.makeUnsafe<Outcome>()
  private readonly replied = Deferred.makeUnsafe<void>()
  /** Whether what was said has the end of the replies. */
  private ended = false
  private link: Link | undefined = undefined
  private n = 0
  private entity = ""
  private position: Transcript.Position | undefined = undefined
  private wait = patience

  constructor(
    service: AnyService,
    errors: Errors,
    links: Links,
    lost: Lost,
    ctx: Context,
    said: Queue.Queue<Transcript.Event, unknown>
  ) {
    this.service = service
    this.errors = errors
    this.links = links
    this.lostTo = lost
    this.ctx = ctx
    this.said = said
  }

  /** What the agent replies, made of what it is said to. */
  get replies(): Effect.Effect<MessageSequence.MessageSequence<unknown>, never, MiniAgents.MiniAgents> {
    const events = Stream.ensuring(Stream.fromQueue(this.said), Queue.shutdown(this.said))
    return Transcript.decode(events, { classes: this.service.messages, error: this.errors.all })
  }

  /** Runs the call, up to the end of all that it has started there. */
  run(parameters: Schema.Json, id: string): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const { path, replies } = this.ctx as unknown as Call // which every context is
      const span = Option.getOrUndefined(yield* Effect.serviceOption(Tracer.ParentSpan))
      const call: protocol.Call = {
        ...{ id, path, parameters, errorsAsMessages: replies.recover !== undefined },
        ...(span === undefined ? {} : { span: { traceId: span.traceId, spanId: span.spanId, sampled: span.sampled } })
      }
      let outcome = yield* this.attempt(call, protocol.anyEntity())
      while (!outcome.over) outcome = yield* this.attempt(call, outcome.entity)
      Queue.endUnsafe(this.said as Queue.Queue<Transcript.Event, Cause.Done>)
    })
  }

  /** One attempt to have it run, with the input from its start. */
  private attempt(call: protocol.Call, entity: string): Effect.Effect<Outcome> {
    const attempt = Effect.gen({ self: this }, function* () {
      const { position: from } = this
      const outcome = (this.outcome = Deferred.makeUnsafe())
      const input = yield* this.input
      yield* this.begin(from === undefined ? call : { ...call, from }, entity, input)
      yield* Effect.raceFirst(Deferred.await(this.replied), Deferred.await(outcome))
      if (this.ended) yield* this.ctx.finishEarly
      return yield* Deferred.await(outcome)
    })
    const left = Effect.sync(() => {
      this.link?.leave(this.n)
      this.link = undefined
    })
    return Effect.ensuring(
      Effect.onInterrupt(Effect.scoped(attempt), () => this.stop),
      left
    )
  }

  /** The input as events, as it comes: what is there already is there at once. */
  private get input(): Effect.Effect<Input, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const queue = yield* Queue.bounded<Transcript.Event>(ahead)
      const events = Transcript.encode(this.ctx.messages, { error: this.errors.failures })
      const read = Stream.runForEachArray(events, (chunk) => Queue.offerAll(queue, chunk))
      yield* Effect.forkScoped(read, { startImmediately: true })
      return queue
    })
  }

  /** Has it begun, at once where the process of the entity is known. */
  private begin(call: protocol.Call, entity: string, input: Input): Effect.Effect<void, never, Scope.Scope> {
    const known = protocol.isAnyEntity(entity) ? this.links.at(entity) : undefined
    this.entity = entity
    if (known !== undefined) {
      return this.send(known, input, (n, events) => ({ _tag: "run", n, entity, call, events }))
    }
    return Effect.matchCauseEffect(this.open(JSON.stringify(call), entity), {
      onSuccess: (opened) => {
        if (opened === undefined) {
          // who has it is about to hand it over; others are as good
          this.wait *= 2
          return this.end(anew())
        }
        if (opened._tag === "moved") return this.end(anew(opened.entity))
        if (opened._tag === "full") return Effect.sync(() => this.take([opened]))
        const { attempt } = opened
        return Effect.flatMap(this.links.to(entity, opened), (link) =>
          this.send(link, input, (n, events) => ({ _tag: "begin", n, attempt, events }))
        )
      },
      onFailure: (cause) =>
        // a process that shuts down lets go of what it has not begun
        Cause.hasInterruptsOnly(cause)
          ? Effect.delay(this.end(anew(protocol.isAnyEntity(entity) ? undefined : entity)), again)
          : Effect.sync(() => {
              this.fail(failureOf(cause, this.lostTo))
              this.finish(over)
            })
    })
  }

  /** A process that has the call ready, or where else it belongs; nothing if the entity says nothing in time. */
  private open(json: string, entity: string): Effect.Effect<protocol.Opened | undefined, unknown, Scope.Scope> {
    const client = this.links.client(entity)
    const opened = (text: string) => JSON.parse(text) as protocol.Opened
    if (protocol.isAnyEntity(entity)) {
      const answer = Effect.timeoutOption(client.Open({ json }), this.wait)
      return Effect.map(answer, (answer) => Option.getOrUndefined(Option.map(answer, opened)))
    }
    const first = Deferred.makeUnsafe<protocol.Opened, unknown>()
    const turn = Stream.runForEach(client.Turn({ json }), (text) => Deferred.succeed(first, opened(text)))
    const held = Effect.onExit(turn, (exit) =>
      Deferred.failCause(first, Exit.isFailure(exit) ? exit.cause : Cause.interrupt())
    )
    return Effect.andThen(Effect.forkScoped(Effect.ignoreCause(held)), Deferred.await(first))
  }

  /** Sends the input over a line: the call begins with what of it is there, even if that is nothing. */
  private send(
    link: Link,
    input: Input,
    first: (n: number, events: protocol.Events) => protocol.OfCall
  ): Effect.Effect<void, never, Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      this.link = link
      const n = (this.n = link.join(this))
      const events = yield* Queue.clear(input)
      link.order(first(n, events))
      if (events.some((event) => !("at" in event))) return
      const more = (events: protocol.Events) => Effect.sync(() => link.order({ _tag: "send", n, events }))
      yield* Effect.forkScoped(Stream.runForEachArray(Stream.fromQueue(input), more))
    })
  }

  take(said: ReadonlyArray<protocol.Said>): void {
    const events: Array<Transcript.Event> = []
    for (const event of said) {
      switch (event._tag) {
        case "cut":
          this.tell(events.splice(0))
          this.fail(this.lostTo("shut down"))
          break
        case "full":
          this.fail(this.lostTo("full"))
          this.finish(over)
          return
        case "refused":
          this.tell(events.splice(0))
          this.fail(Cause.die(new Error(event.reason)))
          this.finish(over)
          return
        case "again":
          this.tell(events.splice(0))
          this.links.isNotAt(this.entity)
          this.finish(this.ended ? over : anew())
          return
        case "over":
          this.tell(events.splice(0))
          this.finish(over)
          return
        case "open":
          events.push(this.link?.isDurable === true ? this.placed(event) : event)
          this.position = Transcript.after(this.position, event)
          break
        default:
          events.push("failure" in event && event.failure !== undefined ? this.arrived(event) : event)
          this.position = Transcript.after(this.position, event)
          if (!("at" in event)) this.ended = true
      }
    }
    this.tell(events)
  }

  lost(mayHaveBegun: boolean): void {
    if (this.ended) this.finish(over)
    else if (this.link?.isDurable === true || !mayHaveBegun) this.finish(anew())
    else {
      this.fail(this.lostTo("died"))
      this.finish(over)
    }
  }

  private tell(events: ReadonlyArray<Transcript.Event>): void {
    Queue.offerAllUnsafe(this.said, events)
    if (this.ended) Deferred.doneUnsafe(this.replied, Exit.void)
  }

  /** It has failed, and cannot go on. */
  private fail(cause: Cause.Cause<unknown>): void {
    if (this.ended) return
    this.ended = true
    Queue.failCauseUnsafe(this.said, cause)
    Deferred.doneUnsafe(this.replied, Exit.void)
  }

  private finish(outcome: Outcome): void {
    Deferred.doneUnsafe(this.outcome, Exit.succeed(outcome))
  }

  private end(outcome: Outcome): Effect.Effect<void> {
    return Effect.sync(() => this.finish(outcome))
  }

  /** Interrupts the call there, and waits until it has ended, for a few seconds. */
  private get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.link?.order({ _tag: "stop", n: this.n })
      return this.link === undefined
        ? Effect.void
        : Effect.ignore(Effect.timeout(Deferred.await(this.outcome), "5 seconds"))
    })
  }

  /** A message of a run, whose outermost call is that of the agent here. */
  private placed(event: Extract<Transcript.Event, { readonly _tag: "open" }>): Transcript.Event {
    const [root = ""] = event.origin?.path.split("/", 1) ?? []
    if (event.origin === undefined || event.origin.run !== undefined) return event
    if (Place.fromPath(root).agent !== this.service.name) return event
    return { ...event, origin: { ...event.origin, path: `${this.ctx.path}${event.origin.path.slice(root.length)}` } }
  }

  /** A failure as it arrives: the agents above the call are named on the way through them here. */
  private arrived(event: Extract<Transcript.Event, { readonly failure?: Transcript.Failure }>): Transcript.Event {
    const { failure } = event
    if (failure === undefined) return event
    const trace = this.link?.isDurable === true ? [this.service.name] : this.ctx.trace
    const start = failure.trace.length - trace.length
    if (start < 0 || trace.some((agent, index) => failure.trace[start + index] !== agent)) return event
    return { ...event, failure: { ...failure, trace: failure.trace.slice(0, start) } } as Transcript.Event // it has a failure as before
  }
}

const failureOf = (cause: Cause.Cause<unknown>, lost: Lost): Cause.Cause<unknown> => {
  if (!Cause.hasFails(cause)) return cause
  return lost(Cause.squash(cause) instanceof ClusterError.MailboxFull ? "full" : "shut down")
}

/** The schemas of what the input fails with, and of what the replies fail with. */
interface Errors {
  readonly failures: Schema.Codec<unknown, unknown>
  readonly all: Schema.Codec<unknown, unknown>
}

type Input = Queue.Queue<Transcript.Event>
