/** The entity of an agent: runs its calls in this process. */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Entity from "effect/cluster/Entity"
import * as Sharding from "effect/cluster/Sharding"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Runs from "../runs/Runs.ts"
import * as callRequest from "../serve/callRequest.ts"
import type * as Transcript from "../Transcript.ts"
import * as durableCall from "./durableCall.ts"
import * as protocol from "./protocol.ts"
import * as Room from "./room.ts"
import * as servedCall from "./servedCall.ts"
import type { AnyService } from "./service.ts"

export interface Options<R = unknown> {
  readonly key: ((parameters: never) => string) | undefined
  readonly concurrency: number
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
          Run: ({ payload }) => calls.run(payload, entityId, turns),
          Send: ({ payload }) => Effect.sync(() => calls.send(payload.attempt, payload.events)),
          Read: ({ payload }) => calls.read(payload.attempt, payload.from),
          Interrupt: ({ payload }) => calls.interrupt(payload.attempt)
        })
      })
      // a defect of one call must not begin the others anew
      yield* sharding.registerEntity(entity, build, {
        concurrency: "unbounded",
        disableFatalDefects: true,
        maxIdleTime: "5 seconds"
      })
      // before what was registered goes, for then the calls can be sent to no more
      yield* Effect.addFinalizer((exit) => Effect.ensuring(room.close(options.drain), Scope.close(scope, exit)))
    })
  )

/** The calls of one agent in this process. */
class Calls {
  private readonly service: AnyService
  private readonly key: Options["key"]
  private readonly context: Context.Context<MiniAgents.MiniAgents>
  private readonly runs: Runs.Service | undefined
  private readonly room: Room.Room
  private readonly scope: Scope.Scope

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
    this.context = context
    this.runs = runs
    this.room = room
    this.scope = scope
  }

  run(call: protocol.Call, entityId: string, turns: Semaphore.Semaphore): Stream.Stream<protocol.Said> {
    return Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const parameters = yield* Effect.catch(
          callRequest.parameters(this.service.parameters, undefined, call.parameters),
          (problem) => Effect.die(new Error(`\`${this.service.name}\` was called by another version of it: ${problem}`))
        )
        const entity = this.entityFor(parameters) ?? entityId
        if (entity !== entityId) return Stream.make<[protocol.Said]>({ _tag: "moved", entity })
        const served = yield* this.reading(this.open(call, parameters, turns))
        const { attempt, isDurable: durable } = served
        const hello: protocol.Said = { _tag: "hello", attempt, near: this.room.near, durable }
        return Stream.concat(Stream.make(hello), served.events(call.from))
      })
    )
  }

  send(attempt: string, events: ReadonlyArray<Transcript.Event>): boolean {
    const served = this.room.find(attempt)
    served?.send(events)
    return served !== undefined
  }

  read(attempt: string, from: Transcript.Position | undefined): Stream.Stream<protocol.Said> {
    return Stream.suspend(() => {
      const served = this.room.find(attempt)
      if (served === undefined) return Stream.make<[protocol.Said]>({ _tag: "unknown" })
      served.readers++
      const events = Stream.concat(Stream.make<[protocol.Said]>({ _tag: "here" }), served.events(from))
      return Stream.unwrap(Effect.as(this.reading(Effect.succeed(served)), events))
    })
  }

  interrupt(attempt: string): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const served = this.room.find(attempt)
      if (served === undefined) return Effect.succeed(false)
      return Effect.as(Effect.andThen(served.interrupt, this.room.end(served)), true)
    })
  }

  /** Where the call belongs, if that is not where it is: to its key, or to another process when this one closes. */
  private entityFor(parameters: unknown): string | undefined {
    if (this.key === undefined) return this.room.elsewhere
    return protocol.entityOfKey(this.key(parameters as never)) // they fit the schema of its parameters
  }

  /** A call that is read until the scope closes. */
  private reading(open: Effect.Effect<servedCall.Served>): Effect.Effect<servedCall.Served, never, Scope.Scope> {
    return Effect.acquireRelease(open, (served) => this.room.leave(served, this.scope), { interruptible: true })
  }

  /** A call that is ready to begin, as soon as it is its turn. */
  private open(call: protocol.Call, parameters: unknown, turns: Semaphore.Semaphore): Effect.Effect<servedCall.Served> {
    const { context, key, runs, service } = this
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const scope = yield* Scope.fork(this.scope)
        if (key !== undefined) {
          yield* Effect.onInterrupt(restore(turns.take(1)), () => Scope.close(scope, Exit.void))
          yield* Scope.addFinalizer(scope, Effect.asVoid(turns.release(1)))
        }
        const given = { service, call, parameters, context }
        const served = yield* runs === undefined ? servedCall.make(given) : durableCall.make(given, runs)
        served.readers++
        this.room.keep(served, scope)
        yield* Effect.forkIn(served.begin, scope)
        return served
      })
    )
  }
}
