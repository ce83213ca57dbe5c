/** The agents that S19 calls, and the cluster that runs them. */
import * as NodeClusterHttp from "@effect/platform-node/NodeClusterHttp"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as SqlClient from "effect/sql/SqlClient"
import { Agent, MessagePromise, MiniAgents } from "miniagents"
import { AgentCluster } from "miniagents/cluster"
import { Durable, DurableRuns } from "miniagents/durable"
import { Store } from "miniagents/store"
import * as Tokens from "../Tokens.ts"

/**
 * Replies with so many tokens, one every `gap` milliseconds or all of them at once; with its input if `tokens` is 0, which
 * then takes one of the places of its process for `gap` milliseconds.
 */
export class Speaker extends Agent.Service<Speaker>()("Speaker", {
  parameters: { tokens: Schema.Int, gap: Schema.Int }
}) {}

const places = Semaphore.makeUnsafe(8)

export const SpeakerLive = Speaker.toLayer(
  Effect.fnUntraced(function* ({ messages, parameters: { gap, tokens }, reply }) {
    if (tokens === 0 && gap > 0) yield* places.withPermits(1)(Effect.sleep(gap))
    if (tokens === 0) return yield* reply(messages)
    const source = Stream.fromIterable(Tokens.take(tokens))
    yield* reply(yield* MessagePromise.fromStream(gap === 0 ? source : paced(source, gap)))
  })
)

/** One every `gap` milliseconds from the start on, as a provider says them: who is late does not fall behind. */
const paced = (source: Stream.Stream<string>, gap: number) =>
  Stream.suspend(() => {
    let due = performance.now()
    return Stream.tap(Stream.rechunk(source, 1), () => {
      due += gap
      return Effect.sleep(Math.max(0, due - performance.now()))
    })
  })

/**
 * A durable walk of so many steps. Each asks the outside, which writes down that it was asked, and says a message of words
 * that come one after the other.
 */
export class Walker extends Agent.Service<Walker>()("Walker", {
  parameters: { walk: Schema.Int, steps: Schema.Int }
}) {}

export const wordsOf = (walk: number, step: number): ReadonlyArray<string> =>
  ["one", "two", "three", "four"].map((word) => `${walk}.${step}.${word} `)

export const WalkerLive = Walker.toLayer(
  Effect.fnUntraced(function* ({ parameters: { steps, walk }, reply }) {
    for (let step = 0; step < steps; step++) {
      const asked = Effect.orDie(SqlClient.SqlClient.use((sql) => note(sql, "asked", walk, step)))
      const answer = yield* Durable.step(`step ${step}`, Schema.Int, Effect.as(asked, step))
      const words = Stream.fromIterable(wordsOf(walk, answer))
      const said = yield* MessagePromise.fromStream(paced(words, 15))
      yield* reply(said)
      yield* Effect.ignore(said.message)
    }
  })
)

/** A durable call that says which process it began in, and goes on in any other one. */
export class Goer extends Agent.Service<Goer>()("Goer") {}

export const GoerLive = Goer.toLayer(
  Effect.fnUntraced(function* ({ reply }) {
    const first = yield* Durable.step("first", Schema.Int, Effect.succeed(process.pid))
    yield* reply(`${first}`)
    if (first === process.pid) return yield* Effect.never
    yield* reply("gone on")
  })
)

/** A durable call that asks the outside once. */
export class Keeper extends Agent.Service<Keeper>()("Keeper") {}

export const KeeperLive = Keeper.toLayer(
  Effect.fnUntraced(function* ({ messages, reply }) {
    yield* Durable.step("asked", Schema.Int, Effect.succeed(1))
    yield* reply(messages)
  })
)

/** Writes down, in order, what was asked and what was seen. */
export const note = (sql: SqlClient.SqlClient, what: "asked" | "seen", walk: number, step: number) =>
  sql`INSERT INTO notes (what, walk, step) VALUES (${what}, ${walk}, ${step})`

const shardingConfig = {
  shardsPerGroup: 60,
  shardLockExpiration: "2 seconds",
  shardLockRefreshInterval: "500 millis",
  runnerHealthCheckInterval: "1 second",
  refreshAssignmentsInterval: "300 millis",
  sendRetryInterval: "50 millis"
} as const

const options = { transport: "websocket", storage: "sql" } as const

export const database = (host: string) =>
  PgClient.layer({ host, port: 5432, username: "miniagents", database: "postgres", maxConnections: 4 })

export const runner = (host: string, port: number) => {
  const runnerAddress = Option.some(RunnerAddress.make("127.0.0.1", port))
  const runs = DurableRuns.layer({ lease: "2 seconds" }).pipe(Layer.provide(Store.layer()))
  return Layer.mergeAll(
    AgentCluster.layer(Speaker),
    AgentCluster.layer(Walker, { durable: true }),
    AgentCluster.layer(Goer, { durable: true }),
    AgentCluster.layer(Keeper, { durable: true })
  ).pipe(
    Layer.provide([
      SpeakerLive,
      WalkerLive,
      GoerLive,
      KeeperLive,
      runs,
      NodeClusterHttp.layer({ ...options, shardingConfig: { ...shardingConfig, runnerAddress } })
    ]),
    Layer.provide([MiniAgents.layer(), database(host)])
  )
}

export const client = (host: string) =>
  Layer.mergeAll(
    AgentCluster.clientLayer(Speaker),
    AgentCluster.clientLayer(Walker),
    AgentCluster.clientLayer(Goer),
    AgentCluster.clientLayer(Keeper)
  ).pipe(
    Layer.provide(NodeClusterHttp.layer({ ...options, clientOnly: true, shardingConfig })),
    Layer.provide(database(host))
  )
