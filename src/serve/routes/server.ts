/** What the routes of all protocols have in common. */
import * as Cause from "effect/Cause"
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
import type * as Agent from "../../Agent.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import * as Runs from "../../runs/Runs.ts"
import type * as Transcript from "../../Transcript.ts"
import * as Guard from "../Guard.ts"
import * as eventBody from "./eventBody.ts"
import * as jsonBody from "./jsonBody.ts"
import * as limitedRuns from "./limitedRuns.ts"
import { ofRuns, type Refuse, refusal } from "./refusal.ts"

export type Request = HttpServerRequest.HttpServerRequest
export type Response = HttpServerResponse.HttpServerResponse

/** What the routes of a protocol run with: the guard, what is here, and runs that take no longer than the guard lets them. */
export interface Given<R> {
  readonly guard: Guard.Service
  readonly context: Context.Context<Runs.Runs | MiniAgents.MiniAgents | R>
}

/** The method and the path of a route, and what answers there. */
export type Route = readonly [
  method: "GET" | "POST" | "DELETE" | "*",
  path: `/${string}`,
  handler: Effect.Effect<Response> | ((request: Request) => Effect.Effect<Response, never, HttpRouter.RouteContext>)
]

/** The routes of a protocol as a Layer, guarded; `spoken` is where and how the protocol refuses in its own words. */
export const layer = <R>(
  routes: (given: Given<R>) => ReadonlyArray<Route>,
  spoken: ReadonlyArray<Guard.Spoken> = []
): Layer.Layer<never, never, HttpRouter.HttpRouter | Guard.Guard | Runs.Runs | MiniAgents.MiniAgents | R> =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const guard = yield* Guard.Guard
      const here = yield* Effect.context<Runs.Runs | MiniAgents.MiniAgents | R>()
      const context = yield* limitedRuns.limit<MiniAgents.MiniAgents | R>(here, guard.maxRunTime)
      yield* guard.install(router)
      for (const each of spoken) yield* guard.install(router, each)
      for (const [method, path, handler] of routes({ guard, context }))
        yield* router.add(method, path, handler as never)
    })
  )

/** What the routes of one agent have. */
export abstract class Served<P, E, R, O> {
  protected readonly agent: Agent.Agent<P, E, R>
  protected readonly options: O
  protected readonly guard: Guard.Service
  protected readonly context: Given<R>["context"]

  constructor(agent: Agent.Agent<P, E, R>, options: O, { context, guard }: Given<R>) {
    this.agent = agent
    this.options = options
    this.guard = guard
    this.context = context
  }
}

/** A route whose failures are responses, as the protocol says that it refuses. */
export const handler =
  <R>(context: Context.Context<R>, refuse: Refuse = refusal) =>
  <RX extends R | HttpRouter.RouteContext | Scope.Scope>(
    handle: (request: Request) => Effect.Effect<Response, Response | Runs.RunsError, RX>
  ): ((request: Request) => Effect.Effect<Response, never, HttpRouter.RouteContext>) =>
  (request) =>
    Effect.suspend(() => handle(request)).pipe(
      Effect.catch((refused) =>
        refused instanceof Runs.RunsError ? ofRuns(refused, refuse) : Effect.succeed(refused)
      ),
      Effect.provideContext(context)
    ) as Effect.Effect<Response, never, HttpRouter.RouteContext> // a route has a scope of its own

/** The body of a request, which must be an object. */
export const bodyOf = (
  request: Request,
  guard: Guard.Service
): Effect.Effect<Schema.JsonObject, Response, Scope.Scope> =>
  Effect.flatMap(jsonBody.read(request, guard.bodyTimeout), (json) =>
    typeof json === "object" && json !== null && !Array.isArray(json)
      ? Effect.succeed(json as Schema.JsonObject)
      : badRequest("The body of the request must be an object")
  )

export const badRequest = (problem: string): Effect.Effect<never, Response> =>
  Effect.flip(refusal(400, "bad_request", problem))

/** How long a run that is bound to its reader waits for one: the client may have left before it began to read. */
export const abandoned = "10 seconds"

/**
 * A run that is interrupted when its reader leaves: in the scope of the response's body, which is open until the client
 * has had all of it or has left.
 */
export const bound = <A, E>(runs: Runs.Service, id: string, events: Stream.Stream<A, E>): Stream.Stream<A, E> =>
  Stream.unwrap(
    Effect.as(
      Effect.acquireRelease(Effect.void, () => Effect.ignore(runs.interrupt(id))),
      events
    )
  )

/** The last event of a response that breaks in the middle: it must not cut the connection without a word. */
export const broken = (cause: Cause.Cause<unknown>): Effect.Effect<Transcript.Event> =>
  Effect.gen(function* () {
    const id = SecureRandom.uuidV4Unsafe()
    if (!Cause.hasInterruptsOnly(cause)) yield* Effect.logError(`Internal error ${id}`, cause)
    return { _tag: "failed", failure: { error: "InternalError", reason: "internal error", trace: [], id } }
  })

/** A response of server-sent events, and what it begins with. */
export const events = (
  frames: Stream.Stream<string>,
  guard: Guard.Service,
  { first = "", headers = {} }: { readonly first?: string; readonly headers?: { readonly [name: string]: string } } = {}
): Response => {
  const { heartbeats } = guard
  const body = eventBody.make(frames, { hello: `: miniagents\n\n${first}`, alive: ":\n\n", heartbeats })
  return HttpServerResponse.stream(body, {
    contentType: "text/event-stream",
    headers: { ...eventBody.headers, ...headers }
  })
}
