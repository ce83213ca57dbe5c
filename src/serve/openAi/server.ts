/** The routes of the API of OpenAI: models, chat completions and responses. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Agent from "../../Agent.ts"
import * as ClientTools from "../../llm/agents/ClientTools.ts"
import type * as Message from "../../Message.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import * as Runs from "../../runs/Runs.ts"
import type * as Transcript from "../../Transcript.ts"
import { Answer } from "../folds/answer.ts"
import type * as Guard from "../Guard.ts"
import type { Agents, Head, Options, ResponseEvent } from "../OpenAiApi.ts"
import * as callRequest from "../routes/callRequest.ts"
import * as jsonBody from "../routes/jsonBody.ts"
import type { Refuse } from "../routes/refusal.ts"
import * as server from "../routes/server.ts"
import * as openAiChat from "./chat.ts"
import * as openAiRequest from "./request.ts"
import * as openAiResponse from "./response.ts"

type Response = HttpServerResponse.HttpServerResponse
type Request = HttpServerRequest.HttpServerRequest
type Events = Stream.Stream<Transcript.Event, Runs.RunsError>

/** A call that a request asks for. */
interface Call {
  readonly model: string
  readonly input: ReadonlyArray<Message.Message>
  readonly parameters: unknown
  readonly tools: ReadonlyArray<ClientTools.ClientTool>
}

export class Server<R> {
  private readonly agents: Agents
  private readonly options: Options
  private readonly guard: Guard.Service
  private readonly context: Context.Context<Runs.Runs | MiniAgents.MiniAgents | R>

  constructor(agents: Agents, options: Options, { context, guard }: server.Given<R>) {
    this.agents = agents
    this.options = options
    this.guard = guard
    this.context = context
  }

  private stream(frames: Stream.Stream<string>): Response {
    return server.events(frames, this.guard)
  }

  private get handler() {
    return server.handler(this.context, refuse)
  }

  get models() {
    return this.handler(() => Effect.sync(() => json({ object: "list", data: Object.keys(this.agents).map(modelOf) })))
  }

  get model() {
    return this.handler(() =>
      Effect.gen({ self: this }, function* () {
        const { model = "" } = yield* HttpRouter.params
        yield* this.find(model)
        return json(modelOf(model))
      })
    )
  }

  get chat() {
    return this.handler((request) =>
      Effect.gen({ self: this }, function* () {
        const body = yield* this.body(request)
        const call = yield* this.call(body, (instructions) => openAiRequest.chatMessages(body.messages, instructions))
        const id = `chatcmpl-${hex()}`
        const head = { id, created: yield* seconds, model: call.model }
        const events = yield* this.start(id, call, true)
        if (body.stream !== true) return yield* this.completed(events, (answer) => openAiChat.completion(answer, head))
        const options = body.stream_options as { readonly include_usage?: Schema.Json } | null | undefined
        return this.stream(
          openAiChat.toChunks(events, head, { usage: options?.include_usage === true }).pipe(
            Stream.catchCause((cause) =>
              Stream.fromEffect(
                Effect.map(lost(cause), (said) => openAiChat.errorBody("server_error", "InternalError", said))
              )
            ),
            Stream.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`),
            Stream.concat(Stream.make("data: [DONE]\n\n"))
          )
        )
      })
    )
  }

  get respond() {
    return this.handler((request) =>
      Effect.gen({ self: this }, function* () {
        const body = yield* this.body(request)
        const call = yield* this.call(body, (instructions) =>
          openAiRequest.responseInput(body.input, body.instructions, instructions)
        )
        const id = `resp_${hex()}.${call.model}`
        const inBackground = body.background === true
        const events = yield* this.start(id, call, !inBackground)
        const head = yield* this.head(id)
        if (body.stream === true) return this.responseEvents(head, events)
        if (inBackground) return json(openAiResponse.running(head))
        return yield* this.completed(events, (answer) => openAiResponse.whole(answer, head))
      })
    )
  }

  get retrieve() {
    return this.handler((request) =>
      Effect.gen({ self: this }, function* () {
        const { head, info } = yield* this.response
        const query = new URL(request.url, "http://localhost").searchParams
        const events = Runs.read(info.id).pipe(Stream.provideContext(this.context))
        if (query.get("stream") !== "true") {
          return info.status === "running" ? json(openAiResponse.running(head)) : yield* this.whole(head, events)
        }
        const after = query.get("starting_after")
        if (after !== null && !/^\d{1,15}$/.test(after)) {
          return yield* refuseParam("starting_after", "It must be the number of an event", "invalid_value")
        }
        return this.responseEvents(head, events, after === null ? undefined : Number(after))
      })
    )
  }

  get cancel() {
    return this.handler(() =>
      Effect.gen({ self: this }, function* () {
        const { head, info } = yield* this.response
        yield* Runs.interrupt(info.id)
        return yield* this.whole(head, Runs.read(info.id).pipe(Stream.provideContext(this.context)))
      })
    )
  }

  private find(model: unknown): Effect.Effect<Agent.Agent<never, unknown, unknown>, Response> {
    return typeof model === "string" && Object.hasOwn(this.agents, model)
      ? Effect.succeed(this.agents[model])
      : refuseParam("model", `The model \`${String(model)}\` does not exist`, "model_not_found", 404)
  }

  private body(request: Request): Effect.Effect<Schema.JsonObject, Response, Scope.Scope> {
    return Effect.flatMap(jsonBody.read(request, this.guard.bodyTimeout, refuse), (json) =>
      typeof json === "object" && json !== null && !Array.isArray(json)
        ? Effect.succeed(json as Schema.JsonObject)
        : Effect.flip(refuse(400, "invalid_value", "The body of the request must be an object"))
    )
  }

  /** What a request asks for. */
  private call(
    body: Schema.JsonObject,
    messages: (instructions: boolean) => Effect.Effect<ReadonlyArray<Message.Message>, openAiRequest.Problem>
  ): Effect.Effect<Call, Response> {
    const { instructions = false, parameters: allowed = [], tools: takesTools = false } = this.options
    return Effect.gen({ self: this }, function* () {
      const agent = yield* this.find(body.model)
      const checked = Effect.gen(function* () {
        yield* openAiRequest.refuseForms(body, allowed)
        const input = yield* messages(instructions)
        const tools = body.tool_choice === "none" ? [] : yield* openAiRequest.clientTools(body.tools)
        if (tools.length === 0 || takesTools) return { input, tools }
        const message = "`tools`: this agent has tools of its own, and takes none from outside"
        return yield* Effect.fail<openAiRequest.Problem>({ param: "tools", message, code: "unsupported_value" })
      })
      const { input, tools } = yield* Effect.catch(checked, ({ code, message, param }) =>
        refuseParam(param, message, code)
      )
      const given = openAiRequest.parameters(body, allowed)
      const parameters = yield* Effect.catch(callRequest.parameters(agent.parameters, allowed, given), (problem) =>
        refuseParam(null, problem, "invalid_value")
      )
      return { model: body.model as string, input, parameters, tools }
    })
  }

  /** Starts a run, and gives its events; where it is bound to their reader, it ends with that. */
  private start(
    id: string,
    { input, model, parameters, tools }: Call,
    bound: boolean
  ): Effect.Effect<Events, Runs.RunsError, Runs.Runs | MiniAgents.MiniAgents | R> {
    return Effect.gen({ self: this }, function* () {
      const runs = yield* Runs.Runs
      const agent = this.agents[model] as Agent.Agent<unknown, unknown, R> // its parameters were checked
      const options = { id, linger: bound ? server.abandoned : undefined } as const
      yield* ClientTools.withClientTools(tools)(runs.start({ agent, input, parameters, options }))
      const events = runs.read(id, undefined)
      return bound ? server.bound(runs, id, events) : events
    })
  }

  /** A response that is all there, or what the agent failed with as an error. */
  private completed(
    events: Events,
    make: (answer: Answer) => Schema.JsonObject | Transcript.Failure
  ): Effect.Effect<Response, Runs.RunsError> {
    return Effect.map(answerOf(events), (answer) => {
      const { end } = answer
      if (end?._tag === "done") return json(make(answer) as Schema.JsonObject)
      // clients try again what failed, unless they are told not to
      const headers = { "x-should-retry": "false" }
      return HttpServerResponse.jsonUnsafe(openAiChat.errorOf(openAiChat.failureOf(end)), { status: 500, headers })
    })
  }

  private whole(head: Head, events: Events): Effect.Effect<Response, Runs.RunsError> {
    return Effect.map(answerOf(events), (answer) => json(openAiResponse.whole(answer, head)))
  }

  private responseEvents(head: Head, events: Events, after?: number): Response {
    let last = after ?? -1
    const said = Stream.map(openAiResponse.toEvents(events, head, { after }), (event) => {
      last = event.sequence_number
      return event
    })
    const broken = (cause: Cause.Cause<unknown>) =>
      Effect.map(lost(cause), (message): ResponseEvent => {
        return { type: "error", sequence_number: last + 1, code: "InternalError", message, param: null }
      })
    return this.stream(
      said.pipe(
        Stream.catchCause((cause) => Stream.fromEffect(broken(cause))),
        Stream.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
      )
    )
  }

  /** The response that a path names. Its id says the model, and is that of its run. */
  private get response(): Effect.Effect<
    { readonly head: Head; readonly info: Runs.Info },
    Runs.RunsError | Response,
    Runs.Runs | HttpRouter.RouteContext
  > {
    return Effect.gen({ self: this }, function* () {
      const { id = "" } = yield* HttpRouter.params
      const model = modelIn(id)
      const unknown = new Runs.RunsError({ reason: { _tag: "NotFound", id } })
      if (model === undefined || !Object.hasOwn(this.agents, model)) return yield* unknown
      const info = yield* Runs.get(id)
      if (info.agent !== this.agents[model].name) return yield* unknown
      return { head: { id, created: Math.floor(info.startedAt / 1000), model }, info }
    })
  }

  private head(id: string): Effect.Effect<Head, Runs.RunsError, Runs.Runs> {
    return Effect.map(Runs.get(id), ({ startedAt }) => ({
      id,
      created: Math.floor(startedAt / 1000),
      model: modelIn(id) ?? ""
    }))
  }
}

const modelOf = (id: string) => ({ id, object: "model", created: 0, owned_by: "miniagents" })

const modelIn = (id: string): string | undefined => /^resp_[0-9a-f]{32}\.(.+)$/s.exec(id)?.[1]

const hex = (): string => SecureRandom.uuidV4Unsafe().replaceAll("-", "")

const seconds = Effect.map(Clock.currentTimeMillis, (millis) => Math.floor(millis / 1000))

const json = (body: Schema.Json): Response => HttpServerResponse.jsonUnsafe(body)

const answerOf = (events: Events): Effect.Effect<Answer, Runs.RunsError> =>
  Effect.suspend(() => {
    const answer = new Answer()
    return Effect.as(
      Stream.runForEach(events, (event) => Effect.sync(() => void answer.take(event))),
      answer
    )
  })

/** A refusal in the words of this protocol. */
export const refuse: Refuse = (status, code, message, headers = {}) =>
  Effect.succeed(
    HttpServerResponse.jsonUnsafe(openAiChat.errorBody(typeOf(status), code, message), { status, headers })
  )

const refuseParam = (
  param: string | null,
  message: string,
  code: string,
  status = 400
): Effect.Effect<never, Response> =>
  Effect.fail(HttpServerResponse.jsonUnsafe(openAiChat.errorBody(typeOf(status), code, message, param), { status }))

const typeOf = (status: number): string =>
  status === 401
    ? "authentication_error"
    : status === 403
      ? "permission_error"
      : status === 429
        ? "rate_limit_error"
        : "invalid_request_error"

/** What breaks in the middle of a response must not cut the connection without a word. */
const lost = (cause: Cause.Cause<unknown>): Effect.Effect<string> =>
  Effect.gen(function* () {
    const id = SecureRandom.uuidV4Unsafe()
    if (!Cause.hasInterruptsOnly(cause)) yield* Effect.logError(`Internal error ${id}`, cause)
    return `internal error (${id})`
  })
