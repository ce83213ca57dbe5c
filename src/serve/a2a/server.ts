/** The routes of A2A: the agent's card, and the operations over JSON-RPC and over REST. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Agent from "../../Agent.ts"
import * as Json from "../../internal/json.ts"
import type { Options, Skill } from "../A2a.ts"
import type * as Guard from "../Guard.ts"
import * as eventBody from "../routes/eventBody.ts"
import * as jsonBody from "../routes/jsonBody.ts"
import type { Given } from "../routes/server.ts"
import { A2aError } from "./error.ts"
import { type Fails, Operations } from "./operations.ts"
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
} from "./wire.ts"

type Response = HttpServerResponse.HttpServerResponse
type Request = HttpServerRequest.HttpServerRequest

export class Server<P, E, R> {
  private readonly path: string
  private readonly agent: Agent.Agent<P, E, R>
  private readonly options: Options & { readonly inputModes: ReadonlyArray<string> }
  private readonly guard: Guard.Service
  private readonly operations: Operations<P, E, R>["all"]

  constructor(path: string, agent: Agent.Agent<P, E, R>, options: Options, { context, guard }: Given<R>) {
    this.path = path
    this.agent = agent
    this.options = { ...options, inputModes: options.inputModes ?? textAndJson }
    this.guard = guard
    this.operations = new Operations(agent, this.options, context).all
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
        defaultInputModes: options.inputModes,
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

const textAndJson = ["text/plain", "application/json"]
