/**
 * AG-UI (version 1.0): any agent behind `HttpAgent`, CopilotKit and other clients of the protocol, with the agents inside
 * of it as sub-agents, approvals as interrupts, the tools of the page, and usage.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Agent from "../Agent.ts"
import * as ClientTools from "../llm/agents/ClientTools.ts"
import * as Message from "../Message.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Runs from "../runs/Runs.ts"
import type * as Transcript from "../Transcript.ts"
import { AgUiEvents } from "./agUi/events.ts"
import * as agUiMessages from "./agUi/messages.ts"
import * as told from "./folds/told.ts"
import type * as Guard from "./Guard.ts"
import * as callRequest from "./routes/callRequest.ts"
import * as conversationRuns from "./routes/conversationRuns.ts"
import * as server from "./routes/server.ts"
import * as untilAsked from "./routes/untilAsked.ts"

/**
 * Options of an agent that is served by this protocol.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The classes of messages that a client may send: instructions to a model only if `System` is here.
   * @default `User`
   */
  readonly accepts?: ReadonlyArray<Message.AnyClass> | undefined
  /**
   * The parameters that a client may set, in the `parameters` of its `forwardedProps`.
   * @default none
   */
  readonly parameters?: ReadonlyArray<string> | undefined
  /**
   * Whether a client may bring tools of its own, which it runs when the model calls them.
   * @default false
   */
  readonly tools?: boolean | undefined
  /**
   * Whether a run goes on when its client leaves, so that the client can come back to it. If not, leaving stops it, and
   * nobody can be asked for an approval.
   * @default true
   */
  readonly resumable?: boolean | undefined
  /**
   * How long such a run continues without a reader before it is interrupted. The default is that of the Layer of
   * `Runs`.
   */
  readonly linger?: Duration.Input | undefined
}

/**
 * One event of AG-UI: its type, and the fields that events of that type have.
 *
 * @since 0.1.0
 * @category models
 */
export interface AgUiEvent {
  readonly type: string
  readonly [field: string]: unknown
}

/**
 * Serves an agent to clients of AG-UI.
 *
 * **When to use**
 *
 * For pages and apps that speak AG-UI, such as those made with CopilotKit.
 *
 * **Details**
 *
 * - `POST path` runs the agent with the messages of a thread and answers with the events of the run. The same `runId`
 *   again, as after a lost connection, is the same run: what the client has of it is taken back and told anew.
 * - A call that needs approval ends the run with an interrupt; a run with `resume` answers it and goes on there.
 * - `GET path/:thread/stream` tells the last run of a thread from its start and goes on live; 204 where there is none.
 * - `POST path/:thread/stop` interrupts it. A client that aborts a run only leaves.
 *
 * The thread's history is what the client sends; what it holds as said by the assistant is taken as such. What is refused
 * is one JSON object, `{ error: { code, message } }`.
 *
 * What an agent says while it works as a tool is said by a sub-agent of that call. Messages with fields of their own
 * come as activities of their class, and other asides (`Message.isAside`) as reasoning.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Runs } from "miniagents/runs"
 * import { AgUi, Guard } from "miniagents/serve"
 *
 * const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
 *
 * const served = HttpRouter.serve(AgUi.layer("/ag-ui", echo)).pipe(
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
  server.layer<R>((given) => {
    const routes = new Threads(agent, options, given)
    return [
      ["POST", path, routes.run],
      ["GET", `${path}/:thread/stream`, routes.connect],
      ["POST", `${path}/:thread/stop`, routes.stop]
    ]
  })

/**
 * The events of a transcript as those of AG-UI, from `RUN_STARTED` to `RUN_FINISHED` or `RUN_ERROR`.
 *
 * **When to use**
 *
 * For routes of your own.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = <E, R>(
  events: Stream.Stream<Transcript.Event, E, R>,
  names: { readonly threadId: string; readonly runId: string }
): Stream.Stream<AgUiEvent, E, R> =>
  Stream.suspend(() => {
    const fold = new AgUiEvents({ ...names, prefix: prefixOf(names.runId) })
    return Stream.concat(
      Stream.succeed(started(names)),
      told.by(events, (event) => fold.take(event))
    )
  })

interface Input {
  readonly threadId: string
  readonly runId: string
  readonly messages: Schema.Json | undefined
}

class Threads<P, E, R> extends server.Served<P, E, R, Options> {
  get run() {
    return server.handler(this.context)((request) =>
      Effect.gen({ self: this }, function* () {
        const body = yield* server.bodyOf(request, this.guard)
        const { messages, runId, threadId } = body
        if (!conversationRuns.isId(threadId))
          return yield* server.badRequest("`threadId` must be of 1 to 128 characters")
        if (!conversationRuns.isId(runId)) return yield* server.badRequest("`runId` must be of 1 to 128 characters")
        const input: Input = { threadId, runId, messages }
        const answers = yield* Effect.catch(agUiMessages.answers(body.resume), server.badRequest)
        return answers.length > 0 ? yield* this.goOn(input, answers) : yield* this.start(input, body)
      })
    )
  }

  get connect() {
    return server.handler(this.context)(() =>
      Effect.gen({ self: this }, function* () {
        const threadId = yield* threadOf
        const run = yield* conversationRuns.last(this.agent, threadId)
        if (run === undefined) return HttpServerResponse.empty({ status: 204 })
        return yield* this.respond(run.id, { threadId, runId: conversationRuns.nameOf(run.id), messages: undefined })
      })
    )
  }

  get stop() {
    return server.handler(this.context)(() =>
      Effect.flatMap(threadOf, (thread) => conversationRuns.stop(this.agent, thread))
    )
  }

  private start(input: Input, body: Schema.JsonObject) {
    const { accepts = defaultAccepts, parameters: allowed = [] } = this.options
    const decoded = Effect.gen({ self: this }, function* () {
      const messages = yield* agUiMessages.messages(input.messages, accepts)
      const props = Predicate.isObject(body.forwardedProps) ? (body.forwardedProps as Schema.JsonObject) : {}
      const parameters = yield* callRequest.parameters(this.agent.parameters, allowed, props.parameters)
      const tools = yield* agUiMessages.tools(body.tools)
      if (tools.length === 0 || this.options.tools === true) return { messages, parameters: parameters as P, tools }
      return yield* Effect.fail("`tools`: this agent has tools of its own, and takes none from outside")
    })
    return Effect.gen({ self: this }, function* () {
      const { messages, parameters, tools } = yield* Effect.catch(decoded, server.badRequest)
      const id = conversationRuns.idOf(input.threadId, input.runId)
      const call = { agent: this.agent, input: messages, parameters }
      yield* ClientTools.withClientTools(tools)(conversationRuns.start<P, E, R>(call, id, this.options))
      return yield* this.respond(id, input)
    })
  }

  /** Answers what a run waits for, and tells what comes after its requests. */
  private goOn(input: Input, answers: ReadonlyArray<conversationRuns.Answer>) {
    return Effect.flatMap(conversationRuns.answer(this.agent, input.threadId, answers), ({ answered, id }) =>
      this.respond(id, input, answered)
    )
  }

  private respond(id: string, input: Input, answered: ReadonlySet<string> = new Set()) {
    return Effect.gen({ self: this }, function* () {
      const runs = yield* Runs.Runs
      const read = yield* conversationRuns.read(id, this.options)
      const prefix = prefixOf(conversationRuns.nameOf(id))
      /** Takes back what a client has of the run after a message of it, since it is told anew. */
      const restore = (at: number): ReadonlyArray<AgUiEvent> => {
        const messages = agUiMessages.restored(input.messages, prefix, at)
        return messages === undefined ? [] : [{ type: "MESSAGES_SNAPSHOT", messages }]
      }
      const frames = Stream.suspend(() => {
        const history = agUiMessages.without(input.messages, prefix)
        const fold = new AgUiEvents({ ...input, prefix }, agUiMessages.callIds(history))
        const going = {
          take: (event: Transcript.Event) => fold.take(event),
          pause: () => fold.pause(),
          goOn: () => [...restore(fold.at), ...fold.goOn()]
        }
        return untilAsked.read(read, going, { runs, id, answered }, say)
      })
      const first = say([started(input), ...(answered.size === 0 ? restore(-1) : [])])
      return server.events(frames, this.guard, { first })
    })
  }
}

const defaultAccepts: ReadonlyArray<Message.AnyClass> = [Message.User]

const say = (events: ReadonlyArray<AgUiEvent>): string =>
  events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")

const threadOf = Effect.map(HttpRouter.params, ({ thread = "" }) => thread)

/** What the ids of a run's messages begin with. */
const prefixOf = (runId: string): string => `${runId}-`

const started = ({ runId, threadId }: { readonly threadId: string; readonly runId: string }): AgUiEvent => ({
  type: "RUN_STARTED",
  threadId,
  runId,
  protocolVersion: "1.0"
})
