/** Shared by the cases: a loopback server, pieces of both protocols, and a verdict that sets the exit code. */
import { createServer } from "node:http"
import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Cause, Effect, Exit, Layer, Redacted, Result, Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { LlmAgent } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"

export interface Asked {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: any
}
export type Handler = (response: ServerResponse, asked: Asked, count: number) => void

export interface Server {
  readonly url: string
  readonly asked: Array<Asked>
  readonly closed: Array<number>
}

/** Starts a server on a free port of 127.0.0.1; the process ends with `verdict`, and the server with it. */
export const serve = (handler: Handler): Promise<Server> =>
  new Promise((resolve) => {
    const asked: Array<Asked> = []
    const closed: Array<number> = []
    const server = createServer((request, response) => {
      let text = ""
      request.setEncoding("utf8")
      request.on("data", (piece) => (text += piece))
      request.on("error", () => {})
      request.on("end", () => {
        const one = {
          url: request.url ?? "",
          headers: request.headers,
          body: text === "" ? undefined : JSON.parse(text)
        }
        asked.push(one)
        const n = asked.length
        response.on("close", () => {
          if (!response.writableFinished) closed.push(n)
        })
        handler(response, one, n)
      })
    })
    server.listen(0, "127.0.0.1", () =>
      resolve({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, closed })
    )
  })

export const sse = (response: ServerResponse, pieces: ReadonlyArray<string | Uint8Array>, end = true): void => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  for (const piece of pieces) response.write(piece)
  if (end) response.end()
}

export const json = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {}
): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers })
  response.end(JSON.stringify(body))
}

/** A chunk of Chat Completions. */
export const chunk = (delta: object, finish_reason: string | null = null, more: object = {}): string =>
  event({ choices: [{ index: 0, delta, finish_reason }], ...more })
export const event = (data: object): string =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1700000000, model: "m", ...data })}\n\n`
export const DONE = "data: [DONE]\n\n"

/** An event of Anthropic's Messages API. */
export const anthropicEvent = (data: { readonly type: string; readonly [key: string]: unknown }): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`

export const openai = (server: Server, name = "m", config: OpenAi.Config = {}, options: OpenAi.Options = {}) =>
  Layer.provide(OpenAi.model(name, config), OpenAi.layer({ baseUrl: `${server.url}/v1`, ...options }))
export const anthropic = (server: Server, name = "claude", config: Anthropic.Config = {}) =>
  Layer.provide(
    Anthropic.model(name, config),
    Anthropic.layer({ baseUrl: server.url, apiKey: Redacted.make("sk-test") })
  )

/** Two tools: `weather` of a city, and `clock` without parameters. What they were called with is noted. */
export const calls: Array<readonly [string, unknown]> = []
export const kit = Toolkit.make(
  Tool.make("weather", { parameters: Schema.Struct({ city: Schema.String }), success: Schema.String }),
  Tool.make("clock", { success: Schema.String })
)
export const kitLive = kit.toLayer({
  weather: (parameters) =>
    Effect.sync(() => {
      calls.push(["weather", parameters])
      return `rain in ${parameters.city}`
    }),
  clock: () =>
    Effect.sync(() => {
      calls.push(["clock", {}])
      return "noon"
    })
})

/** An agent with these tools on a model. */
export const assistant = (model: Layer.Layer<any, any, any>, options: object = {}) =>
  LlmAgent.make("Assistant", { toolkit: kit, model: model as any, ...options } as any) as any

/** Runs in a fresh runtime and gives the exit, within a time. */
export const run = <A, E>(effect: Effect.Effect<A, E, any>, ms = 8000): Promise<Exit.Exit<A, E | string>> =>
  Effect.runPromiseExit(
    effect.pipe(
      Effect.timeoutOrElse({ duration: ms, orElse: () => Effect.fail(`nothing within ${ms} ms` as const) }),
      Effect.provide(Layer.mergeAll(MiniAgents.layer(), kitLive)) as any
    ) as any
  ) as any

/** All messages of what an agent replies to an input. */
export const ask = (agent: any, input: unknown, ms?: number): Promise<Exit.Exit<ReadonlyArray<any>, any>> =>
  run(Effect.flatMap(agent.trigger(input), (replies: any) => replies.messages) as any, ms) as any

export const errorOf = (exit: Exit.Exit<unknown, unknown>): any =>
  Exit.isSuccess(exit) ? undefined : Cause.squash(exit.cause)
export const valueOf = <A>(exit: Exit.Exit<A, unknown>): A | undefined =>
  Exit.isSuccess(exit) ? exit.value : undefined
export const short = (value: unknown): string => {
  const text =
    value instanceof Error
      ? `${(value as any)._tag ?? value.name}: ${value.message}`
      : typeof value === "string"
        ? value
        : (JSON.stringify(value) ?? String(value))
  return text.length > 400 ? `${text.slice(0, 400)}…` : text
}

/** Ends the process: 0 without complaints, 1 with one line. */
export const verdict = (name: string, complaints: ReadonlyArray<string | false | undefined>): never => {
  const wrong = complaints.filter((text): text is string => typeof text === "string")
  console.log(wrong.length === 0 ? `ok    ${name}` : `WRONG ${name}: ${wrong.join("; ").replaceAll(/\s+/g, " ")}`)
  process.exit(wrong.length === 0 ? 0 : 1)
}
process.on("unhandledRejection", (error) => {
  console.log("WRONG unhandledRejection", error)
  process.exit(1)
})

/** A tool call of Chat Completions in one delta. */
export const callChunk = (call: object): string => chunk({ tool_calls: [call] })

/** Answers the first request with pieces, and every later one with a text. */
export const first =
  (pieces: ReadonlyArray<string>, then = "done"): Handler =>
  (response, _, count) =>
    sse(response, count === 1 ? pieces : [chunk({ content: then }), chunk({}, "stop"), DONE])

/** What Anthropic says for a response with these blocks. */
export const anthropicReply = (
  blocks: ReadonlyArray<ReadonlyArray<string>>,
  stop = "end_turn"
): ReadonlyArray<string> => [
  anthropicEvent({
    type: "message_start",
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      content: [],
      model: "claude",
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 5, output_tokens: 1 }
    }
  }),
  ...blocks.flat(),
  anthropicEvent({
    type: "message_delta",
    delta: { stop_reason: stop, stop_sequence: null },
    usage: { output_tokens: 9 }
  }),
  anthropicEvent({ type: "message_stop" })
]
export const anthropicText = (index: number, text: string): ReadonlyArray<string> => [
  anthropicEvent({ type: "content_block_start", index, content_block: { type: "text", text: "" } }),
  anthropicEvent({ type: "content_block_delta", index, delta: { type: "text_delta", text } }),
  anthropicEvent({ type: "content_block_stop", index })
]
export const texts = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<string> =>
  ((valueOf(exit) ?? []) as ReadonlyArray<any>).map((message) => `${message._tag}:${String(message)}`)
