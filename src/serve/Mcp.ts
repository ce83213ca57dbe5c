/**
 * Agents as the tools of an MCP server, over HTTP or through the standard input and output.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Duration from "effect/Duration"
import * as Layer from "effect/Layer"
import type * as Stdio from "effect/Stdio"
import * as McpProtocol from "effect/ai/McpProtocol"
import * as McpServer from "effect/ai/McpServer"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as Agent from "../Agent.ts"
import type * as Message from "../Message.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Runs from "../runs/Runs.ts"
import * as Guard from "./Guard.ts"
import { type AnyAgent, McpCalls } from "./mcp/calls.ts"
import * as mcpHttp from "./mcp/http.ts"
import * as mcpTasks from "./mcp/tasks.ts"
import * as limitedRuns from "./routes/limitedRuns.ts"

/**
 * Options for what the server says of itself, and what it has beside agents.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<R = never> {
  /**
   * The name of the server.
   * @default "miniagents"
   */
  readonly name?: string | undefined
  /**
   * The version of the server.
   * @default "1.0.0"
   */
  readonly version?: string | undefined
  /** A text for models that use the server, about what it is for. */
  readonly instructions?: string | undefined
  /** The classes of messages of your own that the agents reply with. */
  readonly classes?: ReadonlyArray<Message.AnyClass> | undefined
  /**
   * How long a call that waits for an answer of the client's user, and a task, go on without hearing from the client.
   * @default "5 minutes"
   */
  readonly linger?: Duration.Input | undefined
  /**
   * The agents, by name, whose calls become tasks: for every client that understands those (`"offered"`), or for no other
   * client (`"required"`). A task goes on while nobody listens; the client asks how it stands, answers what it wants to
   * know, and cancels it.
   * @default none
   */
  readonly tasks?: { readonly [agent: string]: "offered" | "required" } | undefined
  /** Resources, prompts and tools that are no agents, by `McpServer` of `effect/ai`. */
  readonly registrations?: Layer.Layer<never, never, R> | undefined
}

/**
 * Serves agents as the tools of an MCP server at a path.
 *
 * **When to use**
 *
 * For editors and assistants that use MCP servers over HTTP. For those that start a program use `layerStdio`.
 *
 * **Details**
 *
 * Both ages of the protocol are spoken: 2025-11-25 with its sessions, and 2026-07-28 without. A tool has the name, the
 * description and the parameters of its agent; an agent that needs none is sent a message. Its result is the text that
 * the agent says, with the files that its models made; what it says meanwhile is told as progress to a client that asks
 * for progress. A client that leaves, or cancels, interrupts the run.
 *
 * Where a tool of the agent needs approval and nobody else decides (`Approval`), the client's user is asked, if the
 * client can do that.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Runs } from "miniagents/runs"
 * import { Guard, Mcp } from "miniagents/serve"
 *
 * const echo = Agent.make("Echo", { description: "Says it again" }, (ctx) => ctx.reply(ctx.messages))
 *
 * const served = HttpRouter.serve(Mcp.layer("/mcp", [echo])).pipe(
 *   Layer.provide([Guard.layer(), Runs.layerMemory(), MiniAgents.layer()])
 * ) // a Layer that needs an `HttpServer`
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const Agents extends ReadonlyArray<Agent.Any>, R = never>(
  path: `/${string}`,
  agents: Agents,
  options: Options<R> = {}
): Layer.Layer<
  never,
  never,
  | HttpRouter.HttpRouter
  | Guard.Guard
  | Runs.Runs
  | MiniAgents.MiniAgents
  | Agent.ServicesOf<Agents[number]>
  | Registered<R>
> =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const guard = yield* Guard.Guard
      yield* guard.install(router, { path, refuse: mcpHttp.refuse })
      // a router of its own, so that what effect's server leaves to others stands before its routes
      const inner = yield* HttpRouter.make
      const context = yield* limitedRuns.limit<MiniAgents.MiniAgents>(
        yield* Effect.context<Runs.Runs | MiniAgents.MiniAgents>(),
        guard.maxRunTime
      )
      const server = McpServer.layerHttp({
        ...(yield* Effect.provideContext(described(agents, options), context)),
        path,
        allowSessionTermination: true
      })
      yield* Effect.orDie(Layer.build(Layer.provide(server, Layer.succeed(HttpRouter.HttpRouter, inner))))
      yield* router.add("*", path, mcpHttp.before(inner.asHttpEffect(), guard))
    })
  ) as never // the requirements of the agents and the registrations are asked for when the server is built

/**
 * Serves agents as the tools of an MCP server through the standard input and output, for a host that starts the program.
 *
 * **Gotchas**
 *
 * The standard output belongs to the protocol: nothing else may write to it, a logger neither.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Runs } from "miniagents/runs"
 * import { Mcp } from "miniagents/serve"
 *
 * const echo = Agent.make("Echo", { description: "Says it again" }, (ctx) => ctx.reply(ctx.messages))
 *
 * const served = Mcp.layerStdio([echo]).pipe(
 *   Layer.provide([Runs.layerMemory(), MiniAgents.layer()])
 * ) // a Layer that needs `Stdio`
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerStdio = <const Agents extends ReadonlyArray<Agent.Any>, R = never>(
  agents: Agents,
  options: Options<R> = {}
): Layer.Layer<
  never,
  never,
  Stdio.Stdio | Runs.Runs | MiniAgents.MiniAgents | Agent.ServicesOf<Agents[number]> | Registered<R>
> => Layer.unwrap(Effect.map(described(agents, options), McpServer.layerStdio)) as never // as above

/** What registrations require that the server does not give them. */
type Registered<R> = Exclude<McpServer.McpRequest.Without<R>, McpServer.McpServer>

const described = <R>(agents: ReadonlyArray<Agent.Any>, options: Options<R>) =>
  Effect.map(Effect.context<Runs.Runs | MiniAgents.MiniAgents>(), (context) => {
    const { classes = [], instructions, linger = "5 minutes", name = "miniagents", tasks = {} } = options
    const calls = new McpCalls(context, { classes, linger, tasks })
    const tools = Layer.effectDiscard(
      Effect.flatMap(McpServer.McpServer, (server) =>
        Effect.forEach(agents, (agent) => calls.register(server, agent as unknown as AnyAgent), { discard: true })
      )
    )
    const more = (options.registrations ?? Layer.empty) as Layer.Layer<never> // what it requires is asked for by `layer`
    return {
      name,
      version: options.version ?? "1.0.0",
      ...(instructions === undefined ? {} : { instructions }),
      protocols: [McpProtocol.v2025_11_25, mcpTasks.protocol(calls)] as const,
      extensions: Object.keys(tasks).length === 0 ? {} : { [mcpTasks.extension]: {} },
      registrations: Layer.merge(tools, more)
    }
  })
