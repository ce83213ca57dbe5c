/**
 * The protocol of this library over HTTP: the events of a transcript, as server-sent events or as lines of JSON. A
 * reader that was cut off anywhere goes on exactly there, as `EventSource` does by itself.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Agent from "../Agent.ts"
import type * as InteractionContext from "../InteractionContext.ts"
import * as LlmAgent from "../llm/agents/LlmAgent.ts"
import * as Message from "../Message.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Approvals from "../runs/approvals.ts"
import * as Runs from "../runs/Runs.ts"
import * as Transcript from "../Transcript.ts"
import type * as Guard from "./Guard.ts"
import * as liveInput from "./native/input.ts"
import * as runWaits from "./native/waits.ts"
import * as callRequest from "./routes/callRequest.ts"
import * as eventBody from "./routes/eventBody.ts"
import { refusal } from "./routes/refusal.ts"
import * as server from "./routes/server.ts"

/**
 * Options of an agent that is served by this protocol.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<E = never> {
  /** The schema of what the agent can fail with, so that a remote agent fails with the same. */
  readonly error?: Schema.Codec<E, unknown> | undefined
  /**
   * The classes of messages that a client may send: those that speak for a model or instruct it only if they are here.
   * @default `Text`, `User` and `Data`
   */
  readonly accepts?: ReadonlyArray<Message.AnyClass> | undefined
  /**
   * The parameters that a client may set.
   * @default all that the agent has, but those that every agent on a model has: `system` and the settings of the model
   */
  readonly parameters?: ReadonlyArray<string> | undefined
}

/**
 * Serves an agent at a path.
 *
 * **When to use**
 *
 * For clients that use this library (`RemoteAgent`), and for pages with a bare `EventSource`.
 *
 * **Details**
 *
 * - `POST path` calls the agent with `{ messages, parameters, id, resumable, linger, approvals }`, all optional, and
 *   answers with its events. The header `run-id` is the id of the run. It ends when its reader leaves, unless it is
 *   `resumable`: then
 *   it goes on to its end, or for `linger` seconds without a reader.
 *   A client that says `"approvals": true` is asked for approvals, where the program does not say who decides: a
 *   `ResponsePart` in the replies asks, and the signal `approval:` with its `approvalId` answers `{ approved, reason }`.
 *   One that says `"waits": true` is told what else the run waits for, as `waits` with their names, paths and what they ask,
 *   now and then: the signal of that name answers it.
 * - `GET path/:run/events` goes on after the position in `Last-Event-ID`, or in `?from=`; 204 after the end.
 * - `POST path/:run/signal` sends `{ name, value }` to who waits for it.
 * - A call whose input is still coming has `input` in the place of `messages`: what there is of it, as events of a
 *   transcript. Unless they have the end, more of them follow with `POST path/:run/input` and `{ events }`, while the agent
 *   reads and replies. A piece that is not answered can be sent again.
 * - `DELETE path/:run` interrupts it.
 *
 * The answer is `text/event-stream`, each event with the position after it as its id, or `application/x-ndjson` where
 * the client asks for that. What is refused is one JSON object, `{ error: { code, message } }`.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Runs } from "miniagents/runs"
 * import { Guard, Native } from "miniagents/serve"
 *
 * const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
 *
 * const served = HttpRouter.serve(Native.layer("/echo", echo)).pipe(
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
  options: Options<Exclude<E, InteractionContext.Upstream>> = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | Guard.Guard | Runs.Runs | MiniAgents.MiniAgents | R> =>
  server.layer<R>((given) => {
    const routes = new Server(agent, options, given)
    return [
      ["POST", path, routes.call],
      ["GET", `${path}/:run/events`, routes.events],
      ["POST", `${path}/:run/signal`, routes.signal],
      ["POST", `${path}/:run/input`, routes.input],
      ["DELETE", `${path}/:run`, routes.stop]
    ]
  })

/**
 * An event of a transcript as a server-sent event, with the position after it as its id; `end` for the last one.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toSse = (event: Transcript.Event, position: Transcript.Position | undefined): string =>
  `id: ${"at" in event ? (position ?? "") : "end"}\ndata: ${JSON.stringify(event)}\n\n`

/** What the body of a call can say. */
const fields = ["messages", "input", "parameters", "id", "resumable", "linger", "approvals", "waits"]

type HowOf<E> = Options<Exclude<E, InteractionContext.Upstream>>

class Server<P, E, R> extends server.Served<P, E, R, HowOf<E>> {
  private readonly inputs: liveInput.LiveInputs

  constructor(agent: Agent.Agent<P, E, R>, options: HowOf<E>, given: server.Given<R>) {
    super(agent, options, given)
    this.inputs = new liveInput.LiveInputs(this.accepts, given.guard.maxBody)
  }

  private get accepts(): ReadonlyArray<Message.AnyClass> {
    return this.options.accepts ?? defaultAccepts
  }

  private get ownParameters(): ReadonlyArray<string> {
    const { fields } = this.agent.parameters
    return Object.keys(fields).filter((name) => !LlmAgent.common.has(fields[name]))
  }

  get call() {
    return server.handler(this.context)((request) =>
      Effect.gen({ self: this }, function* () {
        const { error, parameters: allowed = this.ownParameters } = this.options
        const body = yield* server.bodyOf(request, this.guard)
        const refuse = server.badRequest
        const unknown = Object.keys(body).find((name) => !fields.includes(name))
        if (unknown !== undefined) return yield* refuse(`There is no \`${unknown}\`, but \`${fields.join("`, `")}\``)
        const { approvals = false, id = SecureRandom.uuidV4Unsafe(), linger, resumable = false, waits = false } = body
        if (typeof id !== "string" || !isId.test(id))
          return yield* refuse("`id` must be up to 128 letters, digits, `-`, `_` or `.`")
        if (typeof resumable !== "boolean") return yield* refuse("`resumable` must be true or false")
        if (typeof approvals !== "boolean") return yield* refuse("`approvals` must be true or false")
        if (typeof waits !== "boolean") return yield* refuse("`waits` must be true or false")
        if (linger !== undefined && !(typeof linger === "number" && linger >= 0)) {
          return yield* refuse("`linger` must be a number of seconds")
        }
        if (body.input !== undefined && body.messages !== undefined) {
          return yield* refuse("Send `messages` or `input`, not both")
        }
        const parameters = yield* Effect.catch(
          callRequest.parameters(this.agent.parameters, allowed, body.parameters),
          refuse
        )
        const runs = yield* Runs.Runs
        const input = yield* body.input === undefined
          ? Effect.catch(callRequest.messages(body.messages, this.accepts), refuse)
          : Effect.catch(this.inputs.begin(runs, id, body.input), refuseInput)
        const lingers = linger === undefined ? undefined : Duration.seconds(linger)
        const how = { id, error, linger: resumable ? lingers : server.abandoned }
        const started = runs.start({
          agent: this.agent,
          input,
          parameters: parameters as P,
          options: how as Runs.StartOptions<unknown>
        })
        yield* Effect.onError(approvals ? Approvals.byReader(started) : started, () => this.inputs.end(id))
        const read = this.inputs.until(id, runs.read(id, undefined))
        const events = waits ? runWaits.told(runs, id, read) : read
        return this.respond(request, id, undefined, resumable ? events : server.bound(runs, id, events))
      })
    )
  }

  get events() {
    return server.handler(this.context)((request) =>
      Effect.gen({ self: this }, function* () {
        const id = yield* this.run
        const query = new URL(request.url, "http://localhost").searchParams
        const from = request.headers["last-event-id"] ?? query.get("from") ?? ""
        if (from === "end") return HttpServerResponse.empty({ status: 204 })
        if (from !== "" && !Schema.is(Transcript.Position)(from)) {
          return yield* refusal(400, "bad_position", "A position is such as `3.120` or `3.x`")
        }
        const position = from === "" ? undefined : from
        const runs = yield* Runs.Runs
        const read = this.inputs.until(id, runs.read(id, position))
        return this.respond(request, id, position, query.get("waits") === "true" ? runWaits.told(runs, id, read) : read)
      })
    )
  }

  get signal() {
    return server.handler(this.context)((request) =>
      Effect.gen({ self: this }, function* () {
        const id = yield* this.run
        const { name, value = null } = (yield* server.bodyOf(request, this.guard)) as {
          readonly name?: Schema.Json
          readonly value?: Schema.Json
        }
        if (typeof name !== "string") return yield* refusal(400, "bad_request", "`name` must be a string")
        yield* Runs.signal(id, name, value)
        return HttpServerResponse.empty({ status: 204 })
      })
    )
  }

  get input() {
    return server.handler(this.context)((request) =>
      Effect.gen({ self: this }, function* () {
        const id = yield* this.run
        const { events = null } = yield* server.bodyOf(request, this.guard)
        yield* Effect.catch(this.inputs.add(id, events), refuseInput)
        return HttpServerResponse.empty({ status: 204 })
      })
    )
  }

  get stop() {
    return server.handler(this.context)(() =>
      Effect.gen({ self: this }, function* () {
        const id = yield* this.run
        yield* Runs.interrupt(id)
        yield* this.inputs.end(id)
        return HttpServerResponse.empty({ status: 204 })
      })
    )
  }

  /** The id of the run in the path: it must be one of this agent. */
  private get run(): Effect.Effect<string, Runs.RunsError, Runs.Runs | HttpRouter.RouteContext> {
    return Effect.gen({ self: this }, function* () {
      const { run: id = "" } = yield* HttpRouter.params
      const { agent } = yield* Runs.get(id)
      return agent === this.agent.name ? id : yield* new Runs.RunsError({ reason: { _tag: "NotFound", id } })
    })
  }

  private respond(
    request: server.Request,
    id: string,
    from: Transcript.Position | undefined,
    events: Stream.Stream<runWaits.Told, Runs.RunsError>
  ): server.Response {
    const lines = /\bapplication\/x-ndjson\b/.test(request.headers.accept ?? "")
    const told = Stream.catchCause(events, (cause) => Stream.fromEffect(server.broken(cause)))
    const body = Stream.suspend(() =>
      eventBody.saying(told, lines ? toLine : sayingFrom(from), {
        hello: lines ? "\n" : ": miniagents\nretry: 250\n\n", // an `EventSource` comes back soon
        alive: lines ? "\n" : ":\n\n",
        heartbeats: this.guard.heartbeats
      })
    )
    const contentType = lines ? "application/x-ndjson" : "text/event-stream"
    return HttpServerResponse.stream(body, { contentType, headers: { ...eventBody.headers, "run-id": id } })
  }
}

const refuseInput = (refused: liveInput.Refused): Effect.Effect<never, server.Response> =>
  refused === "closed"
    ? Effect.flip(refusal(409, "input_closed", "The run takes no more input"))
    : refused === "too large"
      ? Effect.flip(refusal(413, "too_large", "All of the input is too large"))
      : server.badRequest(refused.problem)

const defaultAccepts: ReadonlyArray<Message.AnyClass> = [Message.Text, Message.User, Message.Data]
const isId = /^[\w.-]{1,128}$/

const toLine = (event: runWaits.Told): string => `${JSON.stringify(event)}\n`

/** Says events one after the other, each with the position after it. */
const sayingFrom = (from: Transcript.Position | undefined): ((told: runWaits.Told) => string) => {
  let position = from
  return (event) => {
    if (event._tag === "waits") return `event: waits\ndata: ${JSON.stringify(event)}\n\n`
    position = Transcript.after(position, event)
    return toSse(event, position)
  }
}
