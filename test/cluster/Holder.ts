/** An agent that says which process runs it and then hands on what it is sent, and the cluster that it runs in. */
import * as NodeClusterHttp from "@effect/platform-node/NodeClusterHttp"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import { Agent, MiniAgents } from "miniagents"
import { AgentCluster } from "miniagents/cluster"
import { Durable, DurableRuns } from "miniagents/durable"
import { Store } from "miniagents/store"

export class Holder extends Agent.Service<Holder>()("Holder", {
  parameters: { name: Schema.String },
  error: AgentCluster.AgentLost
}) {}

/** One below the other, so that a whole tree has to end. */
const held = Agent.make(
  "Held",
  { parameters: { name: Schema.String } },
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.waitFor(
      Effect.onExit(Effect.asVoid(ctx.messages.messages), ({ _tag }) =>
        Effect.sync(() => console.log(`${ctx.parameters.name} ${_tag}`))
      )
    )
    yield* ctx.reply([`${process.pid}`, ctx.messages])
  })
)

const HolderLive = Holder.toLayer((ctx) =>
  Effect.flatMap(held.trigger(ctx.messages, ctx.parameters), (replies) => ctx.reply(replies))
)

/** In the first process that it runs in it stops after its first words, in another one it goes on. */
export class Goer extends Agent.Service<Goer>()("Goer") {}

const GoerLive = Goer.toLayer(
  Effect.fnUntraced(function* (ctx) {
    const first = yield* Durable.step("first", Schema.Int, Effect.succeed(process.pid))
    yield* ctx.reply(String(first))
    if (first === process.pid) return yield* Effect.never
    yield* ctx.reply("gone on")
  })
)

const shardingConfig = {
  shardsPerGroup: 30,
  shardLockExpiration: "2 seconds",
  shardLockRefreshInterval: "500 millis",
  runnerHealthCheckInterval: "1 second",
  refreshAssignmentsInterval: "300 millis",
  sendRetryInterval: "50 millis"
} as const

const options = { transport: "websocket", storage: "sql" } as const

export const database = (host: string, database = "postgres") =>
  PgClient.layer({ host, port: 5432, username: "miniagents", database, maxConnections: 4 })

/** Runs the agents in this process, reached at a port of the loopback interface. */
export const runner = (host: string, port: number) => {
  const address = RunnerAddress.make("127.0.0.1", port)
  const cluster = NodeClusterHttp.layer({
    ...options,
    shardingConfig: { ...shardingConfig, runnerAddress: Option.some(address) }
  })
  const runs = DurableRuns.layer({ lease: "2 seconds" }).pipe(Layer.provide(Store.layer()), Layer.orDie)
  return Layer.mergeAll(AgentCluster.layer(Holder), AgentCluster.layer(Goer, { durable: true })).pipe(
    Layer.provide([HolderLive, GoerLive, cluster, runs]),
    Layer.provide([MiniAgents.layer(), database(host)])
  )
}

/** Calls the agents from this process. */
export const client = (host: string) =>
  Layer.mergeAll(AgentCluster.clientLayer(Holder), AgentCluster.clientLayer(Goer)).pipe(
    Layer.provide(NodeClusterHttp.layer({ ...options, clientOnly: true, shardingConfig })),
    Layer.provide(database(host))
  )
