/**
 * The UI message stream of the AI SDK (version 7): any agent behind `useChat`, with its reasoning, its tools, approvals
 * and the agents inside of it, resumable by the id of the chat, with nothing else to run.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Agent from "../Agent.ts"
import * as Message from "../Message.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Runs from "../runs/Runs.ts"
import type * as Transcript from "../Transcript.ts"
import { UiChunks } from "./aiSdk/chunks.ts"
import * as uiMessages from "./aiSdk/messages.ts"
import * as told from "./folds/told.ts"
import type * as Guard from "./Guard.ts"
import * as callRequest from "./routes/callRequest.ts"
import * as conversationRuns from "./routes/conversationRuns.ts"
import * as server from "./routes/server.ts"
import * as untilAsked from "./routes/untilAsked.ts"

/**
 * Options of an agent that is served to pages.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The classes of messages that a page may send as a user: those that instruct a model only if they are here.
   * @default `User` and `Data`
   */
  readonly accepts?: ReadonlyArray<Message.AnyClass> | undefined
  /**
   * The parameters that a page may set, in the `parameters` of its `body`.
   * @default none
   */
  readonly parameters?: ReadonlyArray<string> | undefined
  /**
   * Whether a run goes on when its page leaves, so that the page can come back to it. If not, leaving stops it, and
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
 * One chunk of a UI message stream: its type, and the fields that chunks of that type have.
 *
 * @since 0.1.0
 * @category models
 */
export interface Chunk {
  readonly type: string
  readonly [field: string]: unknown
}

/**
 * Serves an agent to `useChat`.
 *
 * **When to use**
 *
 * For web pages that use `useChat` of the AI SDK.
 *
 * **Details**
 *
 * - `POST path` calls the agent with the messages of the chat and answers with the chunks of its reply. A page that has
 *   answered a request for approval sends the chat again, and the answer goes on where it stopped.
 * - `GET path/:chat/stream` replays the last reply of the chat from its start and goes on live, as `resume` of `useChat`
 *   expects; 204 where there is none.
 * - `POST path/:chat/stop` interrupts it. The `stop()` of `useChat` only leaves.
 *
 * The chat's history is what the page sends; what it holds as said by the assistant is taken as such. What is refused is
 * one JSON object, `{ error: { code, message } }`.
 *
 * What is shown but not said (`Message.isAside`), such as what an agent says while it works as a tool, comes as
 * reasoning; `providerMetadata.miniagents` of each part names its agent, path, and the call it was said in.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Runs } from "miniagents/runs"
 * import { AiSdk, Guard } from "miniagents/serve"
 *
 * const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
 *
 * const served = HttpRouter.serve(AiSdk.layer("/api/chat", echo)).pipe(
 *   Layer.provide([Guard.layer({ origins: ["http://localhost:3000"] }), Runs.layerMemory(), MiniAgents.layer()])
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
    const routes = new Chats(agent, options, given)
    return [
      ["POST", path, routes.send],
      ["GET", `${path}/:chat/stream`, routes.resume],
      ["POST", `${path}/:chat/stop`, routes.stop]
    ]
  })

/**
 * The events of a transcript as the chunks of a UI message stream, from `start` to `finish`.
 *
 * **When to use**
 *
 * For routes of your own. The chunks are those of one assistant message with the given id, which must be a new one.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = <E, R>(
  events: Stream.Stream<Transcript.Event, E, R>,
  options: { readonly messageId: string }
): Stream.Stream<Chunk, E, R> =>
  Stream.suspend(() => {
    const chunks = new UiChunks()
    const start: Chunk = { type: "start", messageId: options.messageId }
    return Stream.concat(
      Stream.succeed(start),
      told.by(events, (event) => chunks.take(event))
    )
  })

class Chats<P, E, R> extends server.Served<P, E, R, Options> {
  get send() {
    return server.handler(this.context)((request) =>
      Effect.gen({ self: this }, function* () {
        const body = yield* server.bodyOf(request, this.guard)
        const { id: chat } = body
        if (!conversationRuns.isId(chat)) {
          return yield* server.badRequest("`id` must be the id of a chat: 1 to 128 characters")
        }
        const { accepts = defaultAccepts, parameters: allowed = [] } = this.options
        const conversation = yield* Effect.catch(uiMessages.decode(body.messages, accepts), server.badRequest)
        if (conversation.answers.length > 0) return yield* this.goOn(chat, conversation.answers)
        if (conversation.last === "assistant") {
          return yield* server.badRequest("The last message is from the assistant, and nothing in it was answered")
        }
        const parameters = yield* Effect.catch(
          callRequest.parameters(this.agent.parameters, allowed, body.parameters),
          server.badRequest
        )
        return yield* this.start(chat, conversation.messages, parameters as P)
      })
    )
  }

  get resume() {
    return server.handler(this.context)(() =>
      Effect.gen({ self: this }, function* () {
        const run = yield* conversationRuns.last(this.agent, yield* chatOf)
        return run === undefined ? HttpServerResponse.empty({ status: 204 }) : yield* this.respond(run.id)
      })
    )
  }

  get stop() {
    return server.handler(this.context)(() => Effect.flatMap(chatOf, (chat) => conversationRuns.stop(this.agent, chat)))
  }

  private start(chat: string, messages: ReadonlyArray<Message.Message>, parameters: P) {
    return Effect.gen({ self: this }, function* () {
      const id = conversationRuns.idOf(chat, SecureRandom.uuidV4Unsafe())
      const call = { agent: this.agent, input: messages, parameters }
      yield* conversationRuns.start<P, E, R>(call, id, this.options)
      return yield* this.respond(id)
    })
  }

  /** Answers what a run waits for, and shows what comes after its requests. */
  private goOn(chat: string, answers: uiMessages.Conversation["answers"]) {
    return Effect.flatMap(conversationRuns.answer(this.agent, chat, answers), ({ answered, id }) =>
      this.respond(id, answered)
    )
  }

  /** All of a run, or only what comes after the requests for approval that a page has answered. */
  private respond(id: string, answered: ReadonlySet<string> = new Set()) {
    return Effect.gen({ self: this }, function* () {
      const runs = yield* Runs.Runs
      const read = yield* conversationRuns.read(id, this.options)
      const start: Chunk = { type: "start", messageId: id.slice(-uuidLength) }
      const say = (chunks: ReadonlyArray<Chunk>) => chunks.map(frame).join("")
      const shown = Stream.suspend(() => untilAsked.read(read, new UiChunks(), { runs, id, answered }, say))
      const frames = Stream.concat(shown, Stream.succeed("data: [DONE]\n\n"))
      const headers = { "x-vercel-ai-ui-message-stream": "v1" }
      return server.events(frames, this.guard, { first: frame(start), headers })
    })
  }
}

const defaultAccepts: ReadonlyArray<Message.AnyClass> = [Message.User, Message.Data]
const uuidLength = 36

const chatOf = Effect.map(HttpRouter.params, ({ chat = "" }) => chat)

const frame = (chunk: Chunk): string => `data: ${JSON.stringify(chunk)}\n\n`
