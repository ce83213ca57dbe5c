/**
 * Agents for other agents: the A2A protocol, version 1.0, over JSON-RPC and over REST. What is asked of an agent is a task,
 * which can be followed from anywhere, answered where it asks, and cancelled.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as Agent from "../Agent.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Runs from "../runs/Runs.ts"
import type * as Transcript from "../Transcript.ts"
import { Server } from "./a2a/server.ts"
import { Task } from "./a2a/task.ts"
import { refuseRest, refuseRpc } from "./a2a/wire.ts"
import type * as Guard from "./Guard.ts"
import * as server from "./routes/server.ts"

/**
 * Options for what the agent's card says, and what a client may set.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The address of the server as its clients see it, such as `https://agents.example.org`.
   * @default the host that a request names, by `http`
   */
  readonly url?: string | undefined
  /**
   * The path of the agent's card, beside the one below its own path. Another one for each agent of a server.
   * @default "/.well-known/agent-card.json"
   */
  readonly card?: `/${string}` | undefined
  /**
   * The version of the agent.
   * @default "1.0.0"
   */
  readonly version?: string | undefined
  /**
   * The media types of what a client may send, such as `image/png` or `image/*`.
   * @default text and JSON
   */
  readonly inputModes?: ReadonlyArray<string> | undefined
  /** The skills of the agent; by default one, of its name and description. */
  readonly skills?: ReadonlyArray<Skill> | undefined
  /**
   * The parameters of the agent that a client may set, by fields of those names in the metadata of a request.
   * @default none
   */
  readonly parameters?: ReadonlyArray<string> | undefined
}

/**
 * Something that an agent can do, for those who look for one that can.
 *
 * @since 0.1.0
 * @category models
 */
export interface Skill {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly tags: ReadonlyArray<string>
  readonly examples?: ReadonlyArray<string>
}

/**
 * Serves an agent at a path.
 *
 * **When to use**
 *
 * For agents of other frameworks that speak A2A.
 *
 * **Details**
 *
 * Its card is at `/.well-known/agent-card.json` and at the same below its path. `POST path` speaks JSON-RPC; `POST
 * path/message:send`, `path/message:stream`, `GET path/tasks`, `path/tasks/:id` and `POST path/tasks/:id:cancel`,
 * `path/tasks/:id:subscribe` are the same over REST.
 *
 * - A message starts a task, which is a run: it goes on whoever leaves, and ends by itself or when it is cancelled.
 * - What the agent says are artifacts, one for each message, text token by token, and fields as data. What it thinks, and
 *   its tools, are not shown.
 * - An agent that waits (`Runs.wait`, or for an approval) makes the task require input. The next message with the id of
 *   the task answers: data as it is, a text as a text, for an approval "yes", or anything else as the reason for a no.
 * - Who subscribes gets the task as it is, and then what follows.
 *
 * There are no push notifications, and no gRPC.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Runs } from "miniagents/runs"
 * import { A2a, Guard } from "miniagents/serve"
 *
 * const echo = Agent.make("Echo", { description: "Says it again" }, (ctx) => ctx.reply(ctx.messages))
 *
 * const served = HttpRouter.serve(A2a.layer("/a2a", echo)).pipe(
 *   Layer.provide([Guard.layer(), Runs.layerMemory(), MiniAgents.layer()])
 * ) // a Layer that needs an `HttpServer`
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <P, E, R>(
  path: `/${string}`,
  agent: Agent.Agent<P, E, R>,
  options: Options = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | Guard.Guard | Runs.Runs | MiniAgents.MiniAgents | R> =>
  server.layer<R>(
    (given) => {
      const routes = new Server(path, agent, options, given)
      const cards = new Set([options.card ?? wellKnown, `${path}${wellKnown}` as const])
      return [
        ...[...cards].map((card): server.Route => ["GET", card, routes.card]),
        ["*", `${path}/*`, routes.answer] // which is the path itself as well
      ]
    },
    [
      { path, refuse: refuseRpc },
      { path: `${path}/`, refuse: refuseRest }
    ]
  )

/**
 * The ids that a task is known by: its own id, and that of the conversation it is in.
 *
 * @since 0.1.0
 * @category models
 */
export interface Head {
  readonly id: string
  readonly contextId: string
}

/**
 * The events of a transcript as the updates of a task: `artifactUpdate` and `statusUpdate`, the last one with how it ended.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toUpdates = <E, R>(
  events: Stream.Stream<Transcript.Event, E, R>,
  head: Head
): Stream.Stream<Schema.JsonObject, E, R> =>
  Stream.suspend(() => {
    const task = new Task(head)
    const updates = (event: Transcript.Event) =>
      Effect.map(Clock.currentTimeMillis, (now) => Stream.fromIterable(task.take(event, now)))
    return Stream.flatMap(events, (event) => Stream.unwrap(updates(event)))
  })

const wellKnown = "/.well-known/agent-card.json"
