/**
 * Agents that are services, run by the processes of a cluster: the code that calls them is the same, and a Layer says
 * where they run. It stands on `effect/cluster`, which finds the process, keeps the connections and notices deaths.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Sharding from "effect/cluster/Sharding"
import type * as Agent from "../Agent.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Message from "../Message.ts"
import * as DurableRuns from "../durable/DurableRuns.ts"
import * as Runs from "../runs/Runs.ts"
import { Links } from "./link.ts"
import * as protocol from "./protocol.ts"
import * as remoteCall from "./remoteCall.ts"
import * as runner from "./runner.ts"
import * as Service from "./service.ts"

/**
 * The process that ran a call cannot go on with it, and a call that may have done something is not begun again.
 *
 * **Details**
 *
 * - `died`: it was killed, or cannot be reached any more.
 * - `shut down`: it was told to end, and the call took longer than it waits for calls to end.
 * - `full`: it has as many calls as it may have; this one was not begun.
 *
 * It stands in the replies at its place, after all that had come. It is a failure where the `error` of the service
 * includes this class, and a defect where it does not.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "miniagents"
 * import { AgentCluster } from "miniagents/cluster"
 *
 * class Writer extends Agent.Service<Writer>()("Writer", { error: AgentCluster.AgentLost }) {}
 *
 * const program = Effect.gen(function*() {
 *   const replies = yield* Writer.trigger("a draft")
 *   return yield* Effect.catchTag(replies.text, "AgentLost", (lost) => Effect.succeed(lost.message))
 * })
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class AgentLost extends Schema.TaggedError<AgentLost>()("AgentLost", {
  agent: Schema.String,
  reason: Schema.Literals(["died", "shut down", "full"])
}) {
  override get message(): string {
    const why = {
      died: "the process that ran it has died",
      "shut down": "the process that ran it has shut down",
      full: "the process that would run it has as many calls as it may have"
    }
    return `The call of \`${this.agent}\` is lost: ${why[this.reason]}`
  }
}

/**
 * How a service is run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<in P> {
  /**
   * Keeps each call as a durable run, so that another process goes on with it where this one ended: `Durable` says what is
   * kept, and `DurableRuns.layer` where. A call begins when all of its input is there. One that is made inside of a durable
   * run is found again when that is taken up.
   *
   * @default false
   */
  readonly durable?: boolean | undefined
  /**
   * The key of the calls that belong together, made of their parameters: calls with the same key run in the same process, one after the
   * other unless `concurrency` is more than 1. Without it each call runs wherever it may.
   */
  readonly key?: ((parameters: P) => string) | undefined
  /**
   * How many calls with the same key run at once; the others wait for their turn.
   *
   * @default 1
   */
  readonly concurrency?: number | undefined
  /**
   * How many calls of the service this process has at once, those that wait for their turn aside. Another one is not begun:
   * it fails with `AgentLost` for the reason `full`.
   *
   * @default no limit
   */
  readonly max?: number | undefined
  /**
   * How long the calls that run here may take to end when this process is told to shut down; new ones go elsewhere
   * meanwhile. What has not ended then is lost to its callers.
   *
   * @default "15 seconds"
   */
  readonly drain?: Duration.Input | undefined
}

/**
 * Runs a service in this process, for callers anywhere in the cluster.
 *
 * **When to use**
 *
 * In the processes that run an agent for others.
 *
 * **Details**
 *
 * What runs it is the service itself, usually `toLayer` of it. It is provided to this Layer alone, so that calls of the
 * service elsewhere in this process may go to the cluster. What the calls start belongs to the runtime of this Layer.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { TestRunner } from "effect/cluster"
 * import { Agent, MiniAgents } from "miniagents"
 * import { AgentCluster } from "miniagents/cluster"
 *
 * class Writer extends Agent.Service<Writer>()("Writer", { parameters: { tone: Schema.String } }) {}
 * const WriterLive = Writer.toLayer((ctx) => ctx.reply(`A ${ctx.parameters.tone} text`))
 *
 * const Server = AgentCluster.layer(Writer).pipe(Layer.provide(WriterLive))
 * const Client = AgentCluster.clientLayer(Writer)
 *
 * const program = Effect.gen(function*() {
 *   return yield* (yield* Writer.trigger("draft", { tone: "dry" })).text // "A dry text"
 * }).pipe(Effect.provide(Layer.mergeAll(Client, Server).pipe(
 *   Layer.provideMerge(MiniAgents.layer()),
 *   Layer.provide(TestRunner.layer) // a cluster of this process alone
 * )))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <
  Self,
  P,
  E,
  Err extends Schema.Constraint,
  Classes extends ReadonlyArray<Message.AnyClass>,
  const O extends Options<P> = {}
>(
  service: Agent.ServiceClass<Self, P, E, Err, Classes>,
  options?: O & Options<P>
): Layer.Layer<never, never, Self | MiniAgents.MiniAgents | Sharding.Sharding | Keeper<O>> => {
  const {
    concurrency = 1,
    drain = "15 seconds",
    durable = false,
    key,
    max = Number.POSITIVE_INFINITY
  }: Options<P> = options ?? {}
  const any = Service.of(service)
  const runs = Effect.gen(function* () {
    yield* DurableRuns.serve(service as unknown as Agent.Agent<P, E, Self>, { error: any.error as never })
    return yield* Runs.Runs
  })
  const made = runner.layer<Self | Runs.Runs | DurableRuns.DurableRuns>(any, {
    ...{ key, concurrency, drain, max },
    runs: durable ? runs : Effect.undefined
  })
  return made as Layer.Layer<never, never, Self | MiniAgents.MiniAgents | Sharding.Sharding | Keeper<O>> // what it needs says `durable`
}

/** The service that keeps calls, where they are kept. */
type Keeper<O> = O extends { readonly durable: true } ? Runs.Runs | DurableRuns.DurableRuns : never

/**
 * A service that is run by whatever process of the cluster has its `layer`: what stands in the place of an
 * implementation in this process.
 *
 * **When to use**
 *
 * In the processes that call an agent which runs elsewhere in the cluster.
 *
 * **Details**
 *
 * The input goes there as it comes and the replies come back as they are made. Failures, paths and origins are those
 * that the same agent has in this process; interrupting a call interrupts it there, and waits until it has ended.
 *
 * @see `layer`, which has an example
 * @since 0.1.0
 * @category layers
 */
export const clientLayer = <Self, P, E, Err extends Schema.Constraint, Classes extends ReadonlyArray<Message.AnyClass>>(
  service: Agent.ServiceClass<Self, P, E, Err, Classes>
): Layer.Layer<Self, never, Sharding.Sharding> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const any = Service.of(service)
      const isDeclared = Schema.is(any.error)
      const lost: remoteCall.Lost = (reason) => {
        const error = new AgentLost({ agent: any.name, reason })
        return isDeclared(error) ? Cause.fail(error) : Cause.die(error)
      }
      const client = yield* protocol.entity(any.name).client
      const links = new Links(client, yield* Sharding.Sharding, yield* Effect.scope)
      yield* Effect.addFinalizer(() => links.close)
      // it fails with what the service says
      return service.toLayer(remoteCall.body(any, links, lost) as never)
    })
  )
