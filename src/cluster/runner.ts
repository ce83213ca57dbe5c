/** The entity of an agent: runs its calls in this process. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as Entity from "effect/cluster/Entity"
import * as Sharding from "effect/cluster/Sharding"
import * as SecureRandom from "effect/crypto/SecureRandom"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Runs from "../runs/Runs.ts"
import * as callRequest from "../serve/routes/callRequest.ts"
import * as durableCall from "./durableCall.ts"
import { type Attempt, Line } from "./line.ts"
import * as protocol from "./protocol.ts"
import * as Room from "./room.ts"
import * as servedCall from "./servedCall.ts"
import type { AnyService } from "./service.ts"

export interface Options<R = unknown> {
  readonly key: ((parameters: never) => string) | undefined
  readonly concurrency: number
  readonly max: number
  readonly drain: Duration.Input
  /** Where calls are kept as runs, if they are. */
  readonly runs: Effect.Effect<Runs.Service | undefined, never, R | MiniAgents.MiniAgents | Scope.Scope>
}

export const layer = <R>(
  service: AnyService,
  options: Options<R>
): Layer.Layer<never, never, R | MiniAgents.MiniAgents | Sharding.Sharding> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const sharding = yield* Sharding.Sharding
      const context = yield* Effect.context<R | MiniAgents.MiniAgents>()
      const room = Room.of(sharding)
      // the scope of this Layer takes nothing new from the moment it closes, while calls still come and go
      const scope = yield* Scope.make()
      const calls = new Calls(service, options, context, yield* options.runs, room, scope)
      const entity = protocol.entity(service.name)
      const build = Effect.map(Entity.CurrentAddress, ({ entityId }) => {
        const turns = Semaphore.makeUnsafe(options.concurrency)
        return entity.of({
          Open: ({ payload }) => calls.open(payload.json, entityId),
          Turn: ({ payload }) => calls.turn(payload.json, entityId, turns),
          Talk: ({ payload }) => calls.talk(payload.json),
          Listen: ({ payload }) => calls.listen(payload.json),
          Hold: ({ payload }) => calls.hold(payload.json)
        })
      })
      // a defect of one call must not begin the others anew
      yield* sharding.registerEntity(entity, build, {
        concurrency: "unbounded",
        disableFatalDefects: true,
        maxIdleTime: "5 seconds"
      })
      room.agents.add(calls)
      yield* Effect.forkIn(calls.sweep, scope)
      // before what was registered goes, for then the calls can be sent to no more
      yield* Effect.addFinalizer((exit) =>
        Effect.ensuring(
          room.close(options.drain),
          Effect.suspend(() => {
            room.agents.delete(calls)
            return Scope.close(scope, exit)
          })
        )
      )
    })
  )

/** How often is looked whether a caller is gone, in milliseconds. */
const often = 500
/** How long a call that is ready waits to be begun, in milliseconds. */
const patience = 10_000
/** How many lines that have ended are known. */
const most = 10_000

/** A call that is ready to begin. */
interface Ready {
  readonly attempt: Attempt
  readonly since: number
}

/** The calls of one agent in this process. */
class Calls implements Room.Calls {
  private readonly service: AnyService
  private readonly key: Options["key"]
  private readonly context: Context.Context<MiniAgents.MiniAgents>
  private readonly runs: Runs.Service | undefined
  private readonly room: Room.Room
  private readonly scope: Scope.Scope
  private readonly ready = new Map<string, Ready>()
  private readonly lines = new Map<string, Line>()
  private readonly gone = new Set<string>()
  private readonly max: number
  private count = 0

  constructor(
    service: AnyService,
    options: Options,
    context: Context.Context<MiniAgents.MiniAgents>,
    runs: Runs.Service | undefined,
    room: Room.Room,
    scope: Scope.Scope
  ) {
    this.service = service
    this.key = options.key
    this.max = options.max
    this.context = context
    this.runs = runs
    this.room = room
    this.scope = scope
  }

  open(json: string, entityId: string): Effect.Effect<string> {
    return Effect.gen({ self: this }, function* () {
      const call = parsed<protocol.Call>(json)
      const parameters = yield* Effect.catch(this.parametersOf(call), (problem) => Effect.die(new Error(problem)))
      const entity = this.entityFor(parameters) ?? entityId
      if (entity !== entityId) return moved(entity)
      if (this.count >= this.max) return full
      return this.opened(yield* this.prepare(call, parameters, Effect.void), yield* Clock.currentTimeMillis)
    })
  }

  /** The same for an entity of a key, when it is its turn; ends when the call is over. */
  turn(json: string, entityId: string, turns: Semaphore.Semaphore): Stream.Stream<string> {
    return Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const call = parsed<protocol.Call>(json)
        const parameters = yield* Effect.catch(this.parametersOf(call), (problem) => Effect.die(new Error(problem)))
        const entity = this.entityFor(parameters) ?? entityId
        if (entity !== entityId) return Stream.make(moved(entity))
        if (this.count >= this.max) return Stream.make(full)
        const over = Deferred.makeUnsafe<void>()
        const release = Effect.andThen(turns.release(1), Deferred.succeed(over, undefined))
        const taken = Effect.uninterruptibleMask((restore) =>
          Effect.andThen(
            restore(turns.take(1)),
            Effect.onError(this.prepare(call, parameters, Effect.asVoid(release)), () => release)
          )
        )
        const attempt = yield* taken
        const opened = this.opened(attempt, yield* Clock.currentTimeMillis)
        const said = Stream.concat(Stream.make(opened), Stream.drain(Stream.fromEffect(Deferred.await(over))))
        // a caller that goes before it has begun the call leaves its turn to the next one
        return Stream.ensuring(said, this.drop(attempt))
      })
    )
  }

  talk(json: string): Effect.Effect<string> {
    return Effect.gen({ self: this }, function* () {
      const { at, had, line: name, orders, process } = parsed<protocol.Talk>(json)
      if (process !== this.room.process) return "elsewhere"
      if (orders.length === 0) return this.gone.has(name) ? "gone" : "here"
      const line = yield* this.line(name)
      if (line === undefined || at > line.at + 1) return "gone"
      if (at <= line.at) return line.answer // it was heard, but not what was said to it
      line.at = at
      line.heard(had)
      for (const order of orders) yield* order._tag === "leave" ? this.forget(name, line) : this.obey(line, order)
      const begun = orders.flatMap((order) => (order._tag === "run" || order._tag === "begin" ? [order.n] : []))
      return begun.length === 0 ? (line.answer = "here") : yield* line.soon(begun, () => this.room.near)
    })
  }

  listen(json: string): Effect.Effect<string> {
    return Effect.gen({ self: this }, function* () {
      const listen = parsed<protocol.Listen>(json)
      if (listen.process !== this.room.process) return "elsewhere"
      const line = yield* this.line(listen.line)
      return line === undefined ? "gone" : yield* line.listen(listen, () => this.room.near)
    })
  }

  hold(json: string): Effect.Effect<protocol.Heard> {
    return Effect.gen({ self: this }, function* () {
      const { line: name, process } = parsed<protocol.Hold>(json)
      if (process !== this.room.process) return "elsewhere"
      const line = yield* this.line(name)
      return line === undefined ? "gone" : yield* line.hold
    })
  }

  /** Ends the calls whose callers are gone, and forgets those that were never begun. */
  get sweep(): Effect.Effect<never> {
    const once = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.gen({ self: this }, function* () {
        for (const { attempt, since } of [...this.ready.values()]) {
          if (now - since >= patience) yield* this.drop(attempt)
        }
        for (const [name, line] of this.lines) {
          if (line.isAbandoned(now)) yield* this.forget(name, line)
        }
      })
    )
    return Effect.forever(Effect.delay(once, often))
  }

  /** Gives up a call that is ready, if it was not begun. */
  private drop(attempt: Attempt): Effect.Effect<void> {
    return Effect.suspend(() => {
      const [id] = [...this.ready].find(([, ready]) => ready.attempt === attempt) ?? []
      if (id === undefined) return Effect.void
      this.ready.delete(id)
      attempt.done()
      return attempt.release
    })
  }

  /** Ends a line whose caller is gone. */
  private forget(name: string, line: Line): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.lines.delete(name)
      this.gone.add(name)
      if (this.gone.size > most) this.gone.delete([...this.gone][0]!)
      return Effect.asVoid(Effect.forkIn(line.leave, this.scope))
    })
  }

  get letGo(): Effect.Effect<void> {
    return this.each((line) => this.leaves(line))
  }

  /** The process is there until the caller has heard that it takes nothing new. */
  private leaves(line: Line): Effect.Effect<void> {
    const { running } = this.room
    running.begin()
    return line.letGo(() => running.done())
  }

  get cut(): Effect.Effect<void> {
    return this.each((line) => line.cut)
  }

  private each(what: (line: Line) => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.lines.values()], what, { concurrency: "unbounded", discard: true })
    )
  }

  /** A line that is there, or a new one: what is said first about it need not come first. */
  private line(name: string): Effect.Effect<Line | undefined> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const found = this.lines.get(name)
      if (found !== undefined || this.gone.has(name)) return Effect.succeed(found)
      const line = new Line(now)
      this.lines.set(name, line)
      return Effect.as(this.room.isClosing ? this.leaves(line) : Effect.void, line)
    })
  }

  private obey(line: Line, order: protocol.OfCall): Effect.Effect<void> {
    switch (order._tag) {
      case "run":
        if (!this.isFor(order.entity)) return line.say(order.n, [{ _tag: "again" }])
        return this.count < this.max ? this.run(line, order) : line.say(order.n, [{ _tag: "full" }])
      case "begin": {
        const ready = this.ready.get(order.attempt)
        this.ready.delete(order.attempt)
        if (ready === undefined) return line.say(order.n, [{ _tag: "again" }])
        return this.begin(line, order.n, ready.attempt, order.events)
      }
      case "send":
        line.get(order.n)?.send(order.events)
        return Effect.void
      case "stop":
        // all that is below it ends first, and others are not waited for meanwhile
        return Effect.asVoid(Effect.forkIn(line.stop(order.n), this.scope))
    }
  }

  /** Whether this process has calls without a key of an entity. */
  private isFor(entity: string): boolean {
    return this.key === undefined && !this.room.isClosing && this.room.isHere(entity)
  }

  private run(line: Line, { call, events, n }: Extract<protocol.Order, { _tag: "run" }>): Effect.Effect<void> {
    return Effect.matchEffect(this.parametersOf(call), {
      onSuccess: (parameters) =>
        Effect.flatMap(this.prepare(call, parameters, Effect.void), (attempt) => this.begin(line, n, attempt, events)),
      onFailure: (reason) => line.say(n, [{ _tag: "refused", reason }])
    })
  }

  private begin(line: Line, n: number, attempt: Attempt, events: protocol.Events): Effect.Effect<void> {
    const { served } = attempt
    served.send(events)
    const said = Stream.runForEachArray(served.events, (said) => line.say(n, said))
    const running = Effect.onExit(said, (exit) => line.end(n, attempt, lastOf(exit, served)))
    return line.begin(n, attempt, this.spanned(served.call, Effect.ignoreCause(running)), this.scope)
  }

  /** What the call does here is below the span that it was made in. */
  private spanned<A>({ span }: protocol.Call, effect: Effect.Effect<A>): Effect.Effect<A> {
    const parent = span === undefined ? { root: true } : { parent: Tracer.externalSpan(span) }
    return Effect.withSpan(effect, `Agent/${this.service.name}.Run`, { ...parent, kind: "server" })
  }

  private opened(attempt: Attempt, now: number): string {
    const id = SecureRandom.uuidV4Unsafe()
    this.ready.set(id, { attempt, since: now })
    const { near, process } = this.room
    const { isDurable: durable } = attempt.served
    return JSON.stringify({ _tag: "opened", process, attempt: id, near, durable } satisfies protocol.Opened)
  }

  private parametersOf({ parameters }: protocol.Call): Effect.Effect<unknown, string> {
    return Effect.mapError(
      callRequest.parameters(this.service.parameters, undefined, parameters),
      (problem) => `\`${this.service.name}\` was called by another version of it: ${problem}`
    )
  }

  /** Where the call belongs, if that is not where it is: to its key, or to another process when this one closes. */
  private entityFor(parameters: unknown): string | undefined {
    if (this.key === undefined) return this.room.elsewhere
    return protocol.entityOfKey(this.key(parameters as never)) // they fit the schema of its parameters
  }

  private prepare(call: protocol.Call, parameters: unknown, release: Effect.Effect<void>): Effect.Effect<Attempt> {
    const { context, room, runs, service } = this
    const given = { service, call, parameters, context }
    const served = runs === undefined ? servedCall.make(given) : durableCall.make(given, runs)
    return Effect.map(served, (served): Attempt => {
      room.running.begin()
      this.count++
      let isDone = false
      const done = () => {
        if (isDone) return
        isDone = true
        room.running.done()
      }
      const ended = Effect.andThen(
        Effect.sync(() => void this.count--),
        release
      )
      return { served, release: ended, done, fiber: undefined }
    })
  }
}

/** What is said last of a call, by how it ended. */
const lastOf = (exit: Exit.Exit<void>, { isDurable }: servedCall.Served): ReadonlyArray<protocol.Said> => {
  if (Exit.isSuccess(exit)) return [{ _tag: "over" }]
  if (!Cause.hasInterruptsOnly(exit.cause)) return [{ _tag: "refused", reason: String(Cause.squash(exit.cause)) }]
  return isDurable ? [{ _tag: "again" }] : [{ _tag: "cut" }, { _tag: "over" }]
}

const moved = (entity: string): string => JSON.stringify({ _tag: "moved", entity } satisfies protocol.Opened)

const full = JSON.stringify({ _tag: "full" } satisfies protocol.Opened)

/** What the other side of the protocol has written. */
const parsed = <A>(json: string): A => JSON.parse(json) as A
