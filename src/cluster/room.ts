/** The calls that a process runs for others. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as EntityId from "effect/cluster/EntityId"
import type * as Sharding from "effect/cluster/Sharding"
import { WaitGroup } from "../internal/task.ts"
import * as protocol from "./protocol.ts"
import type { Served } from "./servedCall.ts"

type Service = Sharding.Sharding["Service"]

/** How long a call goes on that nobody reads: its caller may only have lost the way to it. */
const linger = "3 seconds"
/** How long a process that shuts down waits until the callers of what it interrupts have been told. */
const lastWords = "2 seconds"
/** How many entities of this process a caller is told of, so that one is left when some move. */
const many = 4

/** One for all agents: the first of them that is closed takes the whole process out of the cluster. */
export const of = (sharding: Service): Room => {
  const room = rooms.get(sharding) ?? new Room(sharding)
  rooms.set(sharding, room)
  return room
}
const rooms = new WeakMap<Service, Room>()

interface Kept {
  readonly served: Served
  /** Closed when the call is over. */
  readonly scope: Scope.Closeable
}

export class Room {
  private closing = false
  private readonly sharding: Service
  private readonly running = new WaitGroup()
  private readonly kept = new Map<string, Kept>()
  private neighbours: ReadonlyArray<string> = []

  constructor(sharding: Service) {
    this.sharding = sharding
  }

  find(attempt: string): Served | undefined {
    return this.kept.get(attempt)?.served
  }

  /** Some entities that are in this process now. */
  get near(): ReadonlyArray<string> {
    if (this.neighbours.length < many || !this.neighbours.every((entity) => this.isHere(entity))) {
      this.neighbours = Array.from({ length: 100 }, protocol.anyEntity)
        .filter((entity) => this.isHere(entity))
        .slice(0, many)
    }
    return this.neighbours
  }

  /** An entity in another process that a new call can be sent to, while this one closes. */
  get elsewhere(): string | undefined {
    return this.closing
      ? Array.from({ length: 100 }, protocol.anyEntity).find((entity) => !this.isHere(entity))
      : undefined
  }

  /** Keeps a call until it is over; what was acquired in the scope is released then. */
  keep(served: Served, scope: Scope.Closeable): void {
    if (!served.isDurable) this.running.begin()
    this.kept.set(served.attempt, { served, scope })
  }

  /** Someone reads the call no more. It is over when it has ended, or when nobody reads it for a while. */
  leave(served: Served, owner: Scope.Scope): Effect.Effect<void> {
    return Effect.suspend(() => {
      served.readers--
      if (!this.kept.has(served.attempt)) return this.forget(served)
      if (served.isIdle) return this.end(served)
      const abandoned = Effect.suspend(() => (served.readers > 0 ? Effect.void : this.end(served)))
      return Effect.asVoid(Effect.forkIn(Effect.delay(abandoned, linger), owner))
    })
  }

  /** Interrupts what is left of a call, and forgets it. */
  end(served: Served): Effect.Effect<void> {
    return Effect.suspend(() => {
      const kept = this.kept.get(served.attempt)
      if (kept === undefined) return Effect.void
      this.kept.delete(served.attempt)
      return Effect.ensuring(Effect.ensuring(served.stop, Scope.close(kept.scope, Exit.void)), this.forget(served))
    })
  }

  /** A call that is over counts until its readers have had the end of it. */
  private forget(served: Served): Effect.Effect<void> {
    return Effect.sync(() => {
      if (served.readers === 0 && !served.isDurable) this.running.done()
    })
  }

  /** Waits for the calls to end, for a while, and interrupts the rest. */
  close(drain: Duration.Input): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.closing = true
      return Effect.timeoutOrElse(this.running.none, {
        duration: drain,
        orElse: () =>
          Effect.andThen(
            Effect.forEach([...this.kept.values()], ({ served }) => this.cut(served), {
              concurrency: "unbounded",
              discard: true
            }),
            Effect.timeoutOption(this.running.none, lastWords)
          )
      })
    })
  }

  private cut(served: Served): Effect.Effect<void> {
    served.isCut = true
    return this.end(served)
  }

  private isHere(entity: string): boolean {
    return this.sharding.hasShardId(this.sharding.getShardId(EntityId.make(entity), "default"))
  }
}
