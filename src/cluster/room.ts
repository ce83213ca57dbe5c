/** A process of a cluster, as the agents in it have it in common. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as EntityId from "effect/cluster/EntityId"
import type * as Sharding from "effect/cluster/Sharding"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { WaitGroup } from "../internal/task.ts"
import * as protocol from "./protocol.ts"

type Service = Sharding.Sharding["Service"]

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

/** The calls of one agent. */
export interface Calls {
  /** Has those go on elsewhere that can. */
  readonly letGo: Effect.Effect<void>
  /** Interrupts those that are left. */
  readonly cut: Effect.Effect<void>
}

export class Room {
  readonly process = SecureRandom.uuidV4Unsafe()
  isClosing = false
  /** The calls that are here and whose callers have not had the end of them. */
  readonly running = new WaitGroup()
  readonly agents = new Set<Calls>()
  private readonly sharding: Service
  private neighbours: ReadonlyArray<string> = []

  constructor(sharding: Service) {
    this.sharding = sharding
  }

  /** Some entities that are in this process now; the same list as long as they are. */
  get near(): ReadonlyArray<string> {
    if (this.neighbours.length < many || !this.neighbours.every((entity) => this.isHere(entity))) {
      this.neighbours = Array.from({ length: 100 }, protocol.anyEntity)
        .filter((entity) => this.isHere(entity))
        .slice(0, many)
    }
    return this.neighbours
  }

  isHere(entity: string): boolean {
    return this.sharding.hasShardId(this.sharding.getShardId(EntityId.make(entity), "default"))
  }

  /** An entity in another process that a new call can be sent to, while this one closes. */
  get elsewhere(): string | undefined {
    return this.isClosing
      ? Array.from({ length: 100 }, protocol.anyEntity).find((entity) => !this.isHere(entity))
      : undefined
  }

  /** Waits for the calls to end, for a while, and interrupts the rest. */
  close(drain: Duration.Input): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isClosing = true
      const each = (what: keyof Calls) =>
        Effect.forEach([...this.agents], (calls) => calls[what], { concurrency: "unbounded", discard: true })
      const rest = Effect.andThen(each("cut"), Effect.timeoutOption(this.running.none, lastWords))
      return Effect.andThen(
        each("letGo"),
        Effect.timeoutOrElse(this.running.none, { duration: drain, orElse: () => Effect.asVoid(rest) })
      )
    })
  }
}
