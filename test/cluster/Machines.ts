/**
 * A cluster of machines in this process and in the time of a `TestClock`: all of `effect/cluster` but for the wire, on
 * which each message takes a time of its own, and a request may overtake another one.
 */
import { vi } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as RunnerServer from "effect/cluster/RunnerServer"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as Runners from "effect/cluster/Runners"
import type * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcClientError from "effect/rpc/RpcClientError"
import type * as RpcMessage from "effect/rpc/RpcMessage"
import type * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as TestClock from "effect/testing/TestClock"

/** As many shards as it takes; everything else is as in production. */
const config = { shardsPerGroup: 12 }

const codecFor = Schema.toCodecJson as RpcSerialization.CodecFor

/** One client of a machine, as the machine has it. */
interface Connection {
  readonly write: (response: RpcMessage.FromServerEncoded) => Effect.Effect<void>
}

/** A machine that can be reached. */
interface Server {
  readonly connections: Map<number, Connection>
  readonly write: (connection: number, message: RpcMessage.FromClientEncoded) => Effect.Effect<void>
  readonly disconnects: Queue.Queue<number>
}

/** Lets time pass until this has ended. */
export const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(100)
    return yield* Fiber.join(fiber)
  })

/** How many milliseconds a message is on its way: what is asked (by the name of what is called) or an answer to that. */
export type Latency = (what: string, isAnswer: boolean) => Effect.Effect<number>

interface Given {
  readonly latency: Latency
  readonly storage: MessageStorage.MessageStorage["Service"]
  readonly scope: Scope.Scope
}

export class Machines {
  private readonly servers = new Map<string, Server>()
  private readonly locks = new Map<string, { readonly address: string; readonly until: number }>()
  private readonly runners = new Map<string, [runner: string, healthy: boolean]>()
  private readonly dead = new Set<string>()
  private readonly scopes = new Map<string, Scope.Closeable>()
  private readonly given: Given
  private connections = 0
  private registered = 0

  static make(latency: Latency = () => Effect.succeed(1)): Effect.Effect<Machines, never, Scope.Scope> {
    return Effect.gen(function* () {
      // entities and ids are chosen by this: they are the same for the same seed
      const random = yield* Effect.acquireRelease(
        Effect.gen(function* () {
          const { nextIntUnsafe } = yield* Random.withSeed(Random.Random, yield* Random.nextInt)
          return vi.spyOn(globalThis.crypto, "getRandomValues").mockImplementation((bytes) => {
            for (let i = 0; i < bytes.byteLength; i++) (bytes as Uint8Array)[i] = nextIntUnsafe() & 255
            return bytes
          })
        }),
        (random) => Effect.sync(() => random.mockRestore())
      )
      void random
      const { storage } = yield* Effect.provide(
        MessageStorage.MemoryDriver,
        MessageStorage.MemoryDriver.layer.pipe(Layer.provide(ShardingConfig.layer(config)))
      )
      return new Machines({ latency, storage, scope: yield* Effect.scope })
    })
  }

  private constructor(given: Given) {
    this.given = given
  }

  /** Starts a machine that runs this, and is there when it has shards. */
  start<E>(name: string, what: Layer.Layer<never, E, Sharding.Sharding>): Effect.Effect<void, E> {
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.fork(this.given.scope)
      this.scopes.set(name, scope)
      yield* Layer.buildWithMemoMap(Layer.provide(what, this.machine(name)), Layer.makeMemoMapUnsafe(), scope) // nothing is shared
    })
  }

  /** Tells a machine to end; it has when this has. */
  stop(name: string): Effect.Effect<void> {
    return Effect.suspend(() => Scope.close(this.scopes.get(name)!, Exit.void))
  }

  /** Cuts a machine off from all others and from their locks, and ends it. */
  kill(name: string): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.dead.add(name)
      yield* this.disconnect(name)
      yield* Effect.forkIn(this.stop(name), this.given.scope)
    })
  }

  /** Calls the agents from outside of all machines. */
  get client(): Layer.Layer<Sharding.Sharding> {
    return RunnerServer.layerClientOnly.pipe(
      Layer.provide(this.parts("client")),
      Layer.provide(ShardingConfig.layer({ ...config, runnerAddress: Option.none() }))
    )
  }

  private machine(name: string): Layer.Layer<Sharding.Sharding> {
    return RunnerServer.layerWithClients.pipe(
      Layer.provide(Layer.effect(RpcServer.Protocol, this.server(name))),
      Layer.provide(this.parts(name)),
      Layer.provide(ShardingConfig.layer({ ...config, runnerAddress: Option.some(RunnerAddress.make(name, 1)) }))
    )
  }

  private parts(name: string) {
    return Layer.mergeAll(
      Layer.succeed(MessageStorage.MessageStorage, this.given.storage),
      Layer.succeed(RunnerStorage.RunnerStorage, this.runnerStorage(name)),
      Layer.succeed(RunnerHealth.RunnerHealth, {
        isAlive: ({ host }) => Effect.sync(() => this.servers.has(host))
      }),
      Layer.succeed(Runners.RpcClientProtocol, { codecFor, make: ({ host }) => this.connect(name, host) })
    )
  }

  /** What one says to another, a message after the other for each request. */
  private wire() {
    const order = new Map<string | number, Semaphore.Semaphore>()
    return (request: string | number, latency: Effect.Effect<number>, deliver: Effect.Effect<void>) =>
      Effect.gen({ self: this }, function* () {
        const turns = order.get(request) ?? Semaphore.makeUnsafe(1)
        order.set(request, turns)
        const carried = turns.withPermits(1)(Effect.andThen(Effect.flatMap(latency, Effect.sleep), deliver))
        yield* Effect.forkIn(carried, this.given.scope, { startImmediately: true })
      })
  }

  private server(name: string): Effect.Effect<RpcServer.Protocol["Service"], never, Scope.Scope> {
    return RpcServer.Protocol.make((write) =>
      Effect.gen({ self: this }, function* () {
        const disconnects = yield* Queue.unbounded<number>()
        const connections = new Map<number, Connection>()
        this.servers.set(name, { connections, write, disconnects })
        yield* Effect.addFinalizer(() => this.disconnect(name))
        return {
          disconnects,
          codecFor,
          send: (id, response) => connections.get(id)?.write(response) ?? Effect.void,
          end: () => Effect.void,
          clientIds: Effect.sync(() => new Set(connections.keys())),
          initialMessage: Effect.succeedNone,
          supportsAck: true,
          supportsTransferables: false,
          supportsSpanPropagation: true,
          supportsNotifications: true
        }
      })
    )
  }

  /** All connections of a machine are closed. */
  private disconnect(name: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const connections = [...(this.servers.get(name)?.connections.values() ?? [])]
      this.servers.delete(name)
      return Effect.forEach(connections, ({ write }) => write({ _tag: "ClientProtocolError", error: closed }), {
        discard: true
      })
    })
  }

  private connect(from: string, to: string) {
    return RpcClient.Protocol.make((write, clientIds) =>
      Effect.gen({ self: this }, function* () {
        const id = this.connections++
        const { latency } = this.given
        const requests = new Map<string | number, { readonly client: number; readonly what: string }>()
        const [there, back] = [this.wire(), this.wire()]
        const take = (response: RpcMessage.FromServerEncoded): Effect.Effect<void> => {
          if (this.dead.has(from)) return Effect.void
          const request = "requestId" in response ? requests.get(response.requestId) : undefined
          if (request !== undefined) return write(request.client, response)
          return Effect.forEach([...clientIds], (client) => write(client, response), { discard: true })
        }
        const connection: Connection = {
          write: (response) => {
            if (!("requestId" in response)) return back("", Effect.succeed(5000), take(response)) // nothing comes after it
            const { what } = requests.get(response.requestId)!
            return back(response.requestId, latency(what, true), take(response))
          }
        }
        yield* Effect.addFinalizer(() =>
          Effect.suspend(() => {
            const server = this.servers.get(to)
            server?.connections.delete(id)
            return server === undefined ? Effect.void : Queue.offer(server.disconnects, id)
          })
        )
        return {
          codecFor,
          supportsAck: true,
          supportsTransferables: false,
          send: (client, message) =>
            Effect.suspend(() => {
              const server = this.servers.get(to)
              if (server === undefined || this.dead.has(from)) return Effect.fail(closed)
              server.connections.set(id, connection)
              const request = "requestId" in message ? message.requestId : "id" in message ? message.id : ""
              if (message._tag === "Request") requests.set(request, { client, what: calledBy(message) })
              const arrive = Effect.suspend(() =>
                this.servers.get(to) === server ? server.write(id, message) : Effect.void
              )
              return there(request, latency(requests.get(request)?.what ?? "", false), arrive)
            })
        }
      })
    )
  }

  /** The database that all machines share, in which a machine that is gone holds its locks until they expire. */
  private runnerStorage(name: string): RunnerStorage.RunnerStorage["Service"] {
    const expiration = Duration.toMillis(Duration.fromInputUnsafe(ShardingConfig.defaults.shardLockExpiration))
    const alive = <A>(effect: Effect.Effect<A>, otherwise: A): Effect.Effect<A> =>
      Effect.suspend(() => (this.dead.has(name) ? Effect.succeed(otherwise) : effect))
    const locked = (address: string, shards: ReadonlyArray<string>) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const free = shards.filter((shard) => {
          const lock = this.locks.get(shard)
          return lock === undefined || lock.address === address || lock.until < now
        })
        for (const shard of free) this.locks.set(shard, { address, until: now + expiration })
        return free
      })
    return RunnerStorage.makeEncoded({
      getRunners: alive(
        Effect.sync(() => [...this.runners.values()]),
        []
      ),
      register: (address, runner, healthy) =>
        alive(
          Effect.sync(() => {
            this.runners.set(address, [runner, healthy])
            return this.registered++
          }),
          0
        ),
      unregister: (address) =>
        alive(
          Effect.sync(() => void this.runners.delete(address)),
          undefined
        ),
      setRunnerHealth: (address, healthy) =>
        alive(
          Effect.sync(() => {
            const known = this.runners.get(address)
            if (known !== undefined) this.runners.set(address, [known[0], healthy])
          }),
          undefined
        ),
      acquire: (address, shards) => alive(locked(address, shards), []),
      refresh: (address, shards) =>
        alive(
          Effect.suspend(() =>
            locked(
              address,
              shards.filter((shard) => this.locks.get(shard)?.address === address)
            )
          ),
          []
        ),
      release: (address, shard) =>
        alive(
          Effect.sync(() => void (this.locks.get(shard)?.address === address && this.locks.delete(shard))),
          undefined
        ),
      releaseAll: (address) =>
        alive(
          Effect.sync(() => {
            for (const [shard, lock] of this.locks) if (lock.address === address) this.locks.delete(shard)
          }),
          undefined
        )
    })
  }
}

const closed = new RpcClientError.RpcClientError({
  reason: new RpcClientError.RpcClientDefect({ message: "The connection is closed", cause: "closed" })
})

/** The name of what a runner calls at another one, on behalf of an entity's client if it does so. */
const calledBy = ({ payload, tag }: RpcMessage.RequestEncoded): string =>
  (payload as { readonly request?: { readonly tag: string } } | null)?.request?.tag ?? tag
