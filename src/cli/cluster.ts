/**
 * `miniagents cluster`: a process of a cluster that runs the agents of a file. Like `serve` it runs with the `effect` and
 * the `miniagents` that the file imports.
 */
import { createServer } from "node:http"
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as ClusterMetrics from "effect/cluster/ClusterMetrics"
import * as HttpRunner from "effect/cluster/HttpRunner"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import type * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "effect/cluster/SqlMessageStorage"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Otlp from "effect/observability/Otlp"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as SqlClient from "effect/sql/SqlClient"
import type * as Agent from "../Agent.ts"
import * as AgentCluster from "../cluster/AgentCluster.ts"
import * as Exported from "../inspector/watch/exported.ts"
import * as DurableRuns from "../durable/DurableRuns.ts"
import * as MiniAgents from "../MiniAgents.ts"
import type * as Runs from "../runs/Runs.ts"
import * as Store from "../store/Store.ts"
import * as AgentsFile from "./agentsFile.ts"
import * as Failed from "./failed.ts"
import * as RunsStore from "./serveStore.ts"

export interface Settings {
  readonly file: string
  /** What all processes of the cluster share: an address of Postgres, or a file of SQLite for those of one machine. */
  readonly store: string
  /** How the other processes reach this one. */
  readonly host: string
  readonly port: number
  /** The port of the probes and the metrics. */
  readonly probes: number
  readonly durable: boolean
  readonly drain: Duration.Input
}

/** Runs the agents until it is told to end, and their calls have ended. Gives why it cannot, if it cannot. */
export const cluster = (settings: Settings, signal: AbortSignal): Promise<Failed.Failed | undefined> =>
  Failed.run(program(settings), signal)

type Service = Agent.ServiceClass<unknown, never, unknown>
type Provided = Sharding.Sharding | MiniAgents.MiniAgents | Runs.Runs | DurableRuns.DurableRuns

const program = (settings: Settings): Effect.Effect<never, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { durable, file, host, port, probes, store } = settings
    const { exported, layer: given } = yield* AgentsFile.load(file, durable ? RunsStore.model : undefined)
    const services = servicesOf(exported)
    const agents = yield* agentsOf(exported, services, settings)
    const database = yield* reached(store)
    const base = Layer.mergeAll(
      shardingAt(host, port),
      MiniAgents.layer(),
      DurableRuns.layer().pipe(Layer.provide(Store.layer()))
    ).pipe(Layer.provideMerge(Layer.succeedContext(database)), Layer.provideMerge(yield* telemetry))
    const context = yield* Effect.mapError(Layer.build(base), takenBy(port, "--port"))
    let status: Status = "starting"
    const probing = HttpRouter.serve(
      probesOf(() => status),
      { disableLogger: true, disableListenLog: true }
    ).pipe(
      Layer.provideMerge(
        NodeHttpServer.layer(createServer, { host, port: probes, gracefulShutdownTimeout: "1 second" })
      )
    )
    const building = Effect.gen(function* () {
      yield* Effect.mapError(Layer.build(probing), takenBy(probes, "--probes"))
      yield* Layer.build(Layer.provide(agents, given)) // closed before the probes are
    })
    yield* Effect.provideContext(building, context)
    yield* Effect.addFinalizer(() => Effect.sync(() => (status = "closing")))
    status = "running"
    yield* Console.log(card(services, settings))
    return yield* Effect.never
  })

/** The agents that are services; others run where they are called. */
const servicesOf = (exported: AgentsFile.AgentsFile["exported"]): ReadonlyArray<Service> =>
  Exported.agentsIn(exported).filter((agent) =>
    Predicate.hasProperty(agent, "toLayer")
  ) as unknown as ReadonlyArray<Service>

/** What the file exports as `cluster`, or else each of its services as the flags say. */
const agentsOf = (
  exported: AgentsFile.AgentsFile["exported"],
  services: ReadonlyArray<Service>,
  { drain, durable, file }: Settings
): Effect.Effect<Layer.Layer<never, unknown, Provided>, Failed.Failed> => {
  if (Layer.isLayer(exported.cluster)) {
    return Effect.succeed(exported.cluster as unknown as Layer.Layer<never, unknown, Provided>)
  }
  const [first, ...others] = services.map((service) => AgentCluster.layer(service, { drain, durable }))
  return first !== undefined && Layer.isLayer(exported.layer)
    ? Effect.succeed(Layer.mergeAll(first, ...others) as Layer.Layer<never, unknown, Provided>) // the file's `layer` has the rest
    : Effect.fail(
        Failed.misuse(
          `${file} exports no ${first === undefined ? "service: export class Writer extends" : "`layer`: export const layer ="} ${
            first === undefined ? 'Agent.Service<Writer>()("Writer") {}' : "Writer.toLayer(…)"
          }`
        )
      )
}

/** The database, which was asked something. Why it cannot be says nothing of its address, which may have a password. */
const reached = (store: string): Effect.Effect<Context.Context<SqlClient.SqlClient>, Failed.Failed, Scope.Scope> => {
  const [, scheme = "sqlite"] = /^([a-z]+):\/\//.exec(store) ?? []
  if (!["postgres", "postgresql", "sqlite", "file"].includes(scheme)) {
    const message = `The store must be an address of Postgres or a file of SQLite, got one of \`${scheme}\``
    return Effect.fail(Failed.misuse(message))
  }
  return Layer.build(RunsStore.clientOf(store)).pipe(
    Effect.tap((context) =>
      Effect.provideContext(
        SqlClient.SqlClient.use((sql) => sql`SELECT 1`),
        context
      )
    ),
    Effect.mapError((error) =>
      Failed.isFailed(error) ? error : Failed.failure(`The store cannot be used: ${RunsStore.innermost(error)}`)
    )
  )
}

const takenBy =
  (port: number, flag: string) =>
  (error: unknown): unknown =>
    Predicate.hasProperty(error, "_tag") && error._tag === "ServeError"
      ? Failed.failure(`The port ${port} is taken: choose another one with ${flag}`)
      : error

/**
 * The cluster, over WebSockets. As `NodeClusterHttp` makes it, but that its server waits for no open connection when it
 * closes: the calls have ended by then.
 */
const shardingAt = (host: string, port: number) => {
  const clients = Layer.provide(HttpRunner.layerClientProtocolWebsocketDefault, NodeSocket.layerWebSocketConstructor)
  const health = RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc), Layer.provide(clients))
  return HttpRunner.layerWebsocketOptions({ path: "/" }).pipe(
    (runner) => HttpRouter.serve(runner, { disableLogger: true, disableListenLog: true }),
    Layer.provide([
      NodeHttpServer.layer(createServer, { host, port, gracefulShutdownTimeout: "100 millis" }),
      clients,
      health
    ]),
    Layer.provide([SqlMessageStorage.layer.pipe(Layer.provide(NodeCrypto.layerDigest)), SqlRunnerStorage.layer]),
    Layer.provide([
      ShardingConfig.layerFromEnv({ runnerAddress: Option.some(RunnerAddress.make(host, port)) }),
      RpcSerialization.layerSchemaBinary()
    ])
  )
}

/** Spans, metrics and logs go to a collector where the environment names one, as OpenTelemetry says. */
const telemetry = Effect.map(
  Effect.orElseSucceed(Config.option(Config.String("OTEL_EXPORTER_OTLP_ENDPOINT")), Option.none<string>),
  Option.match({
    onNone: (): Layer.Layer<never> => Layer.empty,
    onSome: () =>
      Layer.provide(Otlp.layerFromConfig({ resource: { serviceName: "miniagents" } }), [
        FetchHttpClient.layer,
        OtlpSerialization.layerJson
      ])
  })
)

type Status = "starting" | "running" | "closing"

/**
 * `/health`: the process answers. `/ready`: it runs calls, that is it has shards of the cluster, reaches the database and
 * does not shut down. `/metrics`: for Prometheus.
 */
const probesOf = (status: () => Status): Layer.Layer<never, never, HttpRouter.HttpRouter | SqlClient.SqlClient> => {
  const answer = (body: object, status = 200) =>
    HttpServerResponse.jsonUnsafe(body, { status, headers: { "cache-control": "no-store" } })
  const routes = HttpRouter.use((router) =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const reaches = Effect.match(Effect.timeout(sql`SELECT 1`, "2 seconds"), {
        onSuccess: () => true,
        onFailure: () => false
      })
      const ready = Effect.gen(function* () {
        const { value } = yield* Metric.value(ClusterMetrics.shards)
        const [database, shards, now] = [yield* reaches, Number(value), status()]
        return answer({ status: now, database, shards }, database && shards > 0 && now === "running" ? 200 : 503)
      })
      yield* router.add(
        "GET",
        "/health",
        Effect.sync(() => answer({ status: status() }))
      )
      yield* router.add("GET", "/ready", ready)
    })
  )
  return Layer.merge(routes, PrometheusMetrics.layerHttp())
}

const card = (services: ReadonlyArray<Service>, { host, port, probes }: Settings): string => {
  const at = host.includes(":") ? `[${host}]` : host
  return [
    ...services.map(({ name }) => name),
    `  cluster  ${at}:${port}`,
    ...["health", "ready", "metrics"].map((name) => `  ${name.padEnd(7)}  http://${at}:${probes}/${name}`)
  ].join("\n")
}
