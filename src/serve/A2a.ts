/**
 * Agents for other agents: the A2A protocol, version 1.0, over JSON-RPC and over REST. What is asked of an agent is a task,
 * which can be followed from anywhere, answered where it asks, and cancelled.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Agent from "../Agent.ts"
import * as Json from "../internal/json.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Runs from "../runs/Runs.ts"
import type * as Transcript from "../Transcript.ts"
import { A2aError } from "./a2aError.ts"
import { Follower, type Seen } from "./a2aFollower.ts"
import * as a2aRequest from "./a2aRequest.ts"
import { statusOf, Task } from "./a2aTask.ts"
import {
  checkVersion,
  contentType,
  errorOf,
  protocolVersion,
  queryValue,
  refuseRest,
  refuseRpc,
  requestOf,
  route
} from "./a2aWire.ts"
import * as approvals from "../runs/approvals.ts"
import * as callRequest from "./callRequest.ts"
import * as eventBody from "./eventBody.ts"
import * as Guard from "./Guard.ts"
import * as jsonBody from "./jsonBody.ts"
import * as server from "./server.ts"

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
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const { card = wellKnown } = options
      const guard = yield* Guard.Guard
      const context = yield* server.contextOf<MiniAgents.MiniAgents | R>(guard)
      yield* guard.install(router, { path, refuse: refuseRpc })
      yield* guard.install(router, { path: `${path}/`, refuse: refuseRest })
      const routes = new Server(path, agent, options, guard, context)
      yield* router.add("GET", card, routes.card)
      if (card !== `${path}${wellKnown}`) yield* router.add("GET", `${path}${wellKnown}`, routes.card)
      // which is the path itself as well
      yield* router.add("*", `${path}/*`, routes.answer)
    })
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

type Response = HttpServerResponse.HttpServerResponse
type Request = HttpServerRequest.HttpServerRequest
type Fails = A2aError | Runs.RunsError

/** What an operation gives: an answer, or a stream of them. */
type Given =
  | { readonly _tag: "one"; readonly result: Schema.Json }
  | { readonly _tag: "many"; readonly results: Stream.Stream<Schema.Json, Fails> }

/** A task to be followed: what its stream says first, and as far as it was seen. */
interface Begun {
  readonly head: Head
  readonly first: Schema.JsonObject
  readonly seen: Seen | undefined
}

type Operation = (params: Schema.Json | undefined) => Effect.Effect<Given, Fails, never>

class Server<P, E, R> {
  private readonly path: string
  private readonly agent: Agent.Agent<P, E, R>
  private readonly options: Options
  private readonly guard: Guard.Service
  private readonly context: Context.Context<Runs.Runs | MiniAgents.MiniAgents | R>

  constructor(
    path: string,
    agent: Agent.Agent<P, E, R>,
    options: Options,
    guard: Guard.Service,
    context: Context.Context<Runs.Runs | MiniAgents.MiniAgents | R>
  ) {
    this.path = path
    this.agent = agent
    this.options = options
    this.guard = guard
    this.context = context
  }

  private get inputModes(): ReadonlyArray<string> {
    return this.options.inputModes ?? textAndJson
  }

  readonly card = (request: Request): Effect.Effect<Response> =>
    Effect.sync(() => {
      const { agent, options } = this
      const { skills, url = `http://${request.headers.host ?? "localhost"}`, version = "1.0.0" } = options
      const description = agent.description ?? agent.name
      const own = { id: agent.name, name: agent.name, description, tags: ["agent"] }
      const at = `${url.replace(/\/$/, "")}${this.path}`
      const card = {
        name: agent.name,
        description,
        version,
        supportedInterfaces: ["JSONRPC", "HTTP+JSON"].map((protocolBinding) => ({
          url: at,
          protocolBinding,
          protocolVersion
        })),
        capabilities: { streaming: true, pushNotifications: false, extendedAgentCard: false },
        defaultInputModes: this.inputModes,
        defaultOutputModes: textAndJson,
        skills: (skills ?? [own]) as ReadonlyArray<Schema.JsonObject & Skill>
      }
      const headers = { "cache-control": "max-age=300", etag: `"${Json.hash(card)}"` }
      return HttpServerResponse.jsonUnsafe(card, { headers })
    })

  readonly answer = (request: Request): Effect.Effect<Response> => {
    const { pathname } = new URL(request.url, "http://localhost")
    // some clients end an address with a slash
    const isRpc = request.method === "POST" && (pathname === this.path || pathname === `${this.path}/`)
    return isRpc ? this.rpc(request) : this.rest(request, pathname)
  }

  /** JSON-RPC: the operation stands in the body. */
  private readonly rpc = (request: Request): Effect.Effect<Response> => {
    let id: Schema.Json = null
    const answer = (fields: Schema.JsonObject) => ({ jsonrpc: "2.0", id, ...fields })
    const handled = Effect.gen({ self: this }, function* () {
      const body = yield* jsonBody.read(request, this.guard.bodyTimeout, refuseRpc)
      const rpc = yield* requestOf(body)
      ;({ id } = rpc)
      yield* checkVersion(request)
      const operation = this.operations[rpc.method]
      if (operation === undefined) {
        return yield* Effect.fail(new A2aError("METHOD_NOT_FOUND", `There is no method \`${rpc.method}\``))
      }
      const given = yield* operation(rpc.params)
      if (given._tag === "one") return HttpServerResponse.jsonUnsafe(answer({ result: given.result }))
      return this.stream(
        given.results,
        (result) => answer({ result }),
        (error) => answer({ error: error.toRpc })
      )
    })
    return this.respond(handled, (error) => HttpServerResponse.jsonUnsafe(answer({ error: error.toRpc })))
  }

  /** REST: the operation stands in the path and the method. */
  private readonly rest = (request: Request, pathname: string): Effect.Effect<Response> => {
    const handled = Effect.gen({ self: this }, function* () {
      const url = new URL(request.url, "http://localhost")
      const found = route(request.method, pathname.slice(this.path.length))
      if (found === undefined) return yield* Effect.fail(new A2aError("METHOD_NOT_FOUND", "There is no such operation"))
      yield* checkVersion(request)
      const query = Object.fromEntries([...url.searchParams].map(([name, value]) => [name, queryValue(name, value)]))
      const body = request.method === "POST" ? yield* jsonBody.read(request, this.guard.bodyTimeout, refuseRest) : query
      const params = found.id === undefined ? body : { ...(body as Schema.JsonObject), id: found.id }
      const given = yield* this.operations[found.operation]!(params)
      if (given._tag === "one") return HttpServerResponse.jsonUnsafe(given.result, { contentType })
      return this.stream(
        given.results,
        (result) => result,
        (error) => error.toRest
      )
    })
    return this.respond(handled, (error) =>
      HttpServerResponse.jsonUnsafe(error.toRest, { status: error.status, contentType })
    )
  }

  private readonly send: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const sent = yield* a2aRequest.sent(params, this.inputModes)
      const { head, seen } = yield* this.begin(sent)
      if (sent.returnImmediately) return one({ task: yield* this.taskNow(head) })
      const whole = (follower: Follower) =>
        Effect.andThen(
          Stream.runDrain(follower.updates),
          Effect.map(follower.status, (now) => follower.task.task(now))
        )
      return one({ task: yield* this.following(head, seen, whole) })
    })

  private readonly sendStreaming: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const { first, head, seen } = yield* this.begin(yield* a2aRequest.sent(params, this.inputModes))
      return this.many(head, first, seen)
    })

  private readonly subscribe: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const { head, info } = yield* this.find(yield* a2aRequest.taskId(params))
      if (info.status !== "running") {
        return yield* Effect.fail(new A2aError("UNSUPPORTED_OPERATION", "The task has ended: get it"))
      }
      const { status, ...seen } = yield* this.following(head, undefined, (follower) => follower.snapshot)
      return this.many(head, seen.task.task(status), seen)
    })

  private readonly get: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const { head } = yield* this.find(yield* a2aRequest.taskId(params))
      return one(yield* this.taskNow(head))
    })

  private readonly cancel: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const { head, info } = yield* this.find(yield* a2aRequest.taskId(params))
      if (info.status !== "running") {
        return yield* Effect.fail(new A2aError("TASK_NOT_CANCELABLE", "The task has ended"))
      }
      yield* this.runs((runs) => runs.interrupt(head.id))
      return one(yield* this.taskNow(head))
    })

  private readonly list: Operation = (params) =>
    Effect.gen({ self: this }, function* () {
      const {
        after = -Infinity,
        contextId,
        includeArtifacts,
        pageSize,
        pageToken,
        status
      } = yield* a2aRequest.listed(params)
      const runs = (yield* this.runs((runs) => runs.list)).flatMap((info) => {
        const head = headOf(info.id)
        return head !== undefined && info.agent === this.agent.name
          ? [{ head, info, at: info.endedAt ?? info.startedAt }]
          : []
      })
      const found = runs
        .filter(({ at, head, info }) => {
          const isOf = contextId === undefined || head.contextId === contextId
          return isOf && at >= after && (status === undefined || `TASK_STATE_${stateOf(info)}` === status)
        })
        .sort((one, other) => other.at - one.at || (one.head.id < other.head.id ? -1 : 1))
      const last = pageToken === undefined ? -1 : found.findIndex(({ head }) => head.id === pageToken)
      if (pageToken !== undefined && last < 0) {
        return yield* Effect.fail(new A2aError("INVALID_PARAMS", "`pageToken`: It is none that was given", "pageToken"))
      }
      const page = found.slice(last + 1, last + 1 + pageSize)
      const tasks = yield* Effect.forEach(page, ({ at, head, info }) =>
        includeArtifacts ? this.taskNow(head) : Effect.succeed({ ...head, status: statusOf(stateOf(info), at) })
      )
      const isLast = last + 1 + page.length >= found.length
      return one({
        tasks,
        nextPageToken: isLast ? "" : page[page.length - 1].head.id,
        pageSize: tasks.length,
        totalSize: found.length
      })
    })

  private readonly operations: { readonly [method: string]: Operation | undefined } = {
    __proto__: null as never,
    SendMessage: this.send,
    SendStreamingMessage: this.sendStreaming,
    SubscribeToTask: this.subscribe,
    GetTask: this.get,
    CancelTask: this.cancel,
    ListTasks: this.list,
    CreateTaskPushNotificationConfig: () => a2aRequest.noPush,
    GetTaskPushNotificationConfig: () => a2aRequest.noPush,
    ListTaskPushNotificationConfigs: () => a2aRequest.noPush,
    DeleteTaskPushNotificationConfig: () => a2aRequest.noPush,
    GetExtendedAgentCard: () => Effect.fail(new A2aError("UNSUPPORTED_OPERATION", "There is no extended card"))
  }

  /** Starts a task, or answers one that waits; gives it as it was then. */
  private begin(sent: a2aRequest.Sent): Effect.Effect<Begun, Fails> {
    return Effect.gen({ self: this }, function* () {
      if (sent.taskId !== undefined) return yield* this.goOn(sent, sent.taskId)
      const { parameters: allowed = [] } = this.options
      const given = Object.fromEntries(Object.entries(sent.metadata).filter(([name]) => allowed.includes(name)))
      const parameters = yield* Effect.mapError(
        callRequest.parameters(this.agent.parameters, allowed, given),
        (problem) => new A2aError("INVALID_PARAMS", problem, "metadata")
      )
      const { contextId = SecureRandom.uuidV4Unsafe(), messages } = sent
      const id = `task_${SecureRandom.uuidV4Unsafe().replaceAll("-", "")}.${contextId}`
      const request = { agent: this.agent, input: messages, parameters: parameters as P, options: { id } }
      const started = approvals.byReader(Effect.flatMap(Runs.Runs, (runs) => runs.start(request)))
      yield* Effect.provideContext(started, this.context)
      const head = { id, contextId }
      const first = new Task(head).task(statusOf("SUBMITTED", yield* Clock.currentTimeMillis))
      return { head, first, seen: undefined }
    })
  }

  /** Sends what a task waits for. */
  private goOn(sent: a2aRequest.Sent, id: string): Effect.Effect<Begun, Fails> {
    return Effect.gen({ self: this }, function* () {
      const { head, info } = yield* this.find(id)
      if (sent.contextId !== undefined && sent.contextId !== head.contextId) {
        return yield* Effect.fail(
          new A2aError("INVALID_PARAMS", "`message.contextId`: The task is in another context", "message.contextId")
        )
      }
      const named = sent.metadata.signal
      const signal = typeof named === "string" ? named : info.waiting[0]
      if (signal === undefined || !info.waiting.includes(signal)) {
        const why = info.status === "running" ? "does not wait for a message" : "has ended"
        return yield* Effect.fail(new A2aError("UNSUPPORTED_OPERATION", `The task ${why}`))
      }
      const { said, status, task } = yield* this.following(head, undefined, (follower) => follower.snapshot)
      const first = task.task(status)
      yield* this.runs((runs) => runs.signal(id, signal, a2aRequest.answer(sent, signal)))
      // it may be that it waits for the same once more
      return { head, first, seen: { task, said: said.filter((name) => name !== signal) } }
    })
  }

  /** The task that an id names: a run of this agent. */
  private find(id: string): Effect.Effect<{ readonly head: Head; readonly info: Runs.Info }, Fails> {
    return Effect.gen({ self: this }, function* () {
      const head = headOf(id)
      const info = head === undefined ? undefined : yield* this.runs((runs) => runs.get(id))
      if (head !== undefined && info?.agent === this.agent.name) return { head, info }
      return yield* Effect.fail(new A2aError("TASK_NOT_FOUND", `There is no task \`${id}\``))
    })
  }

  private taskNow(head: Head): Effect.Effect<Schema.JsonObject, Fails> {
    const now = this.following(head, undefined, (follower) => follower.snapshot)
    return Effect.map(now, ({ status, task }) => task.task(status))
  }

  /** The task first, and then what follows. */
  private many(head: Head, task: Schema.JsonObject, seen: Seen | undefined): Given {
    const updates = Stream.unwrap(
      Effect.map(
        this.runs((runs) => Follower.make(runs, head, seen)),
        (follower) => follower.updates
      )
    )
    return { _tag: "many", results: Stream.concat(Stream.make<[Schema.Json]>({ task }), updates) }
  }

  private following<A>(
    head: Head,
    seen: Seen | undefined,
    use: (follower: Follower) => Effect.Effect<A, Runs.RunsError>
  ): Effect.Effect<A, Runs.RunsError> {
    const follower = this.runs((runs) => Follower.make(runs, head, seen))
    return Effect.scoped(Effect.flatMap(follower, use))
  }

  private runs<A, EX, RX>(use: (runs: Runs.Service) => Effect.Effect<A, EX, RX>): Effect.Effect<A, EX, RX> {
    return Effect.flatMap(Effect.provideContext(Runs.Runs, this.context), use)
  }

  private stream(
    results: Stream.Stream<Schema.Json, Fails>,
    say: (result: Schema.Json) => Schema.Json,
    fail: (error: A2aError) => Schema.Json
  ): Response {
    const frames = results.pipe(
      Stream.map(say),
      Stream.catchCause((cause) => Stream.fromEffect(Effect.map(errorOf(cause), fail))),
      Stream.map((json) => `data: ${JSON.stringify(json)}\n\n`)
    )
    const body = eventBody.make(frames, {
      hello: ": miniagents\n\n",
      alive: ":\n\n",
      heartbeats: this.guard.heartbeats
    })
    return HttpServerResponse.stream(body, { contentType: "text/event-stream", headers: eventBody.headers })
  }

  private respond(
    handled: Effect.Effect<Response, Response | Fails, Scope.Scope>,
    fail: (error: A2aError) => Response
  ): Effect.Effect<Response> {
    return Effect.catchCause(handled, (cause) => {
      const failed = Cause.squash(cause)
      return HttpServerResponse.isHttpServerResponse(failed)
        ? Effect.succeed(failed)
        : Effect.map(errorOf(cause as Cause.Cause<Fails>), fail)
    }) as Effect.Effect<Response> // a route has a scope of its own
  }
}

const wellKnown = "/.well-known/agent-card.json"

const textAndJson = ["text/plain", "application/json"]

const one = (result: Schema.Json): Given => ({ _tag: "one", result })

const headOf = (id: string): Head | undefined => {
  const contextId = /^task_[0-9a-f]{32}\.([\w-]{1,64})$/.exec(id)?.[1]
  return contextId === undefined ? undefined : { id, contextId }
}

const stateOf = ({ status, waiting }: Runs.Info) =>
  status === "running" ? (waiting.length === 0 ? "WORKING" : "INPUT_REQUIRED") : states[status]
const states = { succeeded: "COMPLETED", failed: "FAILED", interrupted: "CANCELED" } as const
