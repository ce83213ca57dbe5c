/**
 * Agents as the models of an API like OpenAI's: any of its clients speaks to them, by chat completions or by responses,
 * which a reader that was cut off reads on.
 *
 * @since 0.1.0
 */
import type * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as Agent from "../Agent.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Runs from "../runs/Runs.ts"
import type * as Transcript from "../Transcript.ts"
import type * as Guard from "./Guard.ts"
import * as openAiChat from "./openAi/chat.ts"
import * as openAiResponse from "./openAi/response.ts"
import { refuse, Server } from "./openAi/server.ts"
import * as server from "./routes/server.ts"

/**
 * Options for what a client may set, and where the API is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The path of the API.
   * @default "/v1"
   */
  readonly path?: `/${string}` | undefined
  /**
   * Whether a client may instruct the agents: messages of the roles `system` and `developer`, and `instructions`.
   * @default false
   */
  readonly instructions?: boolean | undefined
  /**
   * The parameters of the agents that a client may set. Those of the agents on models are spelled as in OpenAI's API
   * (`maxTokens` is `max_completion_tokens`), others as they are or with underscores.
   * @default none
   */
  readonly parameters?: ReadonlyArray<string> | undefined
  /**
   * Whether the agents on models are told of the tools of a client, which it runs itself.
   * @default false
   */
  readonly tools?: boolean | undefined
}

/**
 * Agents by the names under which clients ask for them as models.
 *
 * @since 0.1.0
 * @category models
 */
export interface Agents {
  readonly [model: string]: Agent.Agent<never, unknown, unknown>
}

/**
 * The services that the served agents require.
 *
 * @since 0.1.0
 * @category models
 */
export type Services<A extends Agents> = A[keyof A] extends infer Each
  ? Each extends Agent.Agent<infer _P, infer _E, infer R>
    ? R
    : never
  : never

/**
 * Serves agents as the models of an API like OpenAI's.
 *
 * **When to use**
 *
 * For programs that speak to OpenAI already: its clients, and chat pages such as Open WebUI.
 *
 * **Details**
 *
 * - `GET /v1/models` and `GET /v1/models/:model` list them.
 * - `POST /v1/chat/completions` answers as a stream or as a whole. The run ends when its reader leaves.
 * - `POST /v1/responses` does as well. With `background: true` the run goes on when its reader leaves, and without
 *   `stream` the answer is the response as it has begun.
 * - `GET /v1/responses/:id` gives a response as a whole once it has ended, and with `?stream=true` its events, from the
 *   start or, with `&starting_after=N`, after the event of that number.
 * - `POST /v1/responses/:id/cancel` interrupts it.
 *
 * The answer is what an agent says: its messages but for the asides, each a paragraph of a completion, and an output of
 * its own in a response. What the agent that was asked thinks stands in `reasoning_content`, and in `reasoning` items.
 * Its own tools and what happens in them are not shown. The usage is that of all models that worked on it.
 *
 * **Gotchas**
 *
 * Both APIs send the whole conversation with each request, so that a client can make an agent believe that it has said
 * anything.
 *
 * **Example**
 *
 * ```ts
 * import { Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Runs } from "miniagents/runs"
 * import { Guard, OpenAiApi } from "miniagents/serve"
 *
 * const assistant = Agent.make("Assistant", (ctx) => ctx.reply(["You said:", ctx.messages]))
 *
 * const served = HttpRouter.serve(OpenAiApi.layer({ assistant })).pipe(
 *   Layer.provide([Guard.layer(), Runs.layerMemory(), MiniAgents.layer()])
 * ) // a Layer that needs an `HttpServer`
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const A extends Agents>(
  agents: A,
  options: Options = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | Guard.Guard | Runs.Runs | MiniAgents.MiniAgents | Services<A>> => {
  const { path = "/v1" } = options
  const unknown = refuse(404, "not_found", "There is nothing at this address")
  const routesOf = (given: server.Given<Services<A>>): ReadonlyArray<server.Route> => {
    const routes = new Server(agents, options, given)
    return [
      ["GET", `${path}/models`, routes.models],
      ["GET", `${path}/models/:model`, routes.model],
      ["POST", `${path}/chat/completions`, routes.chat],
      ["POST", `${path}/responses`, routes.respond],
      ["GET", `${path}/responses/:id`, routes.retrieve],
      ["POST", `${path}/responses/:id/cancel`, routes.cancel],
      ["*", `${path}/*`, unknown]
    ]
  }
  return server.layer(routesOf, [{ path, refuse }])
}

/**
 * The facts of an answer that are known from the start: its id (`chatcmpl-…`, `resp_…`), when it was asked for, in seconds since
 * 1970, and the name under which the agent is served.
 *
 * @since 0.1.0
 * @category models
 */
export interface Head {
  readonly id: string
  readonly created: number
  readonly model: string
}

/**
 * An event of a response. Its number says how much was given up to and with it, one for each event but those of a text,
 * which count its UTF-16 units: so it does not depend on how the text was cut.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResponseEvent extends Schema.JsonObject {
  readonly type: string
  readonly sequence_number: number
}

/**
 * The events of a transcript as the chunks of a chat completion, the last one with the usage where that is asked for.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toChunks = <E, R>(
  events: Stream.Stream<Transcript.Event, E, R>,
  head: Head,
  options: { readonly usage?: boolean | undefined } = {}
): Stream.Stream<Schema.Json, E, R> => openAiChat.toChunks(events, head, options)

/**
 * The events of a transcript as those of a response, from its start or after the event of a number.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toResponseEvents = <E, R>(
  events: Stream.Stream<Transcript.Event, E, R>,
  head: Head,
  options: { readonly after?: number | undefined } = {}
): Stream.Stream<ResponseEvent, E, R> => openAiResponse.toEvents(events, head, options)
