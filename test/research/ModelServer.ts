/** A server of language models on the loopback interface, by either protocol, for the agents of the research run. */
import type { ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ModelChoice } from "miniagents/models"
import * as Loopback from "../llm/Loopback.ts"

/** What the model says: pieces of text, or how it fails; `babble` says them again and again until nobody listens. */
export type Said =
  | ReadonlyArray<string>
  | { readonly status: number; readonly message: string }
  | { readonly pieces: ReadonlyArray<string>; readonly end: "babble" | "cut" | "hang" | "length" }

export interface Asked {
  /** Which agent asks. */
  readonly agent: "planner" | "reader" | "writer"
  readonly system: string
  readonly user: string
  /** How many tokens it may answer with. */
  readonly limit: number | undefined
}

export interface Server {
  readonly choice: ModelChoice.Choice
  readonly asked: ReadonlyArray<Asked>
  /** Done when somebody left before an answer was at its end. */
  readonly left: Effect.Effect<void>
}

export type Script = (asked: Asked) => Said

export const protocols = ["openai", "anthropic"] as const

/** A server for the current scope, and the choice of its model. */
export const serve = (provider: ModelChoice.Name, script: Script): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    const asked: Array<Asked> = []
    const server = yield* Loopback.serve((response, { body }) => {
      const one = askedOf(body as Body)
      asked.push(one)
      answer(provider, response, script(one))
    })
    const baseUrl = provider === "openai" ? `${server.url}/v1` : server.url
    return { asked, left: server.closed, choice: { provider, model: "test-model", apiKey: undefined, baseUrl } }
  })

interface Body {
  readonly max_tokens?: number
  readonly system?: Text
  readonly messages: ReadonlyArray<{ readonly role: string; readonly content: Text }>
}

type Text = string | ReadonlyArray<{ readonly text: string }>

const textOf = (text: Text): string => (typeof text === "string" ? text : text.map(({ text }) => text).join("\n"))

const askedOf = ({ max_tokens, messages, system }: Body): Asked => {
  const said = messages.map(({ content, role }) => ({ role, text: textOf(content) }))
  const first = said.find(({ role }) => role === "system")?.text ?? textOf(system ?? "")
  const agent = first.startsWith("You plan") ? "planner" : first.startsWith("You read") ? "reader" : "writer"
  return { agent, system: first, user: said.findLast(({ role }) => role === "user")?.text ?? "", limit: max_tokens }
}

const answer = (provider: ModelChoice.Name, response: ServerResponse, said: Said): void => {
  const received = { method: "", url: "", headers: {}, body: undefined }
  if ("status" in said) {
    const error = { error: { message: said.message, type: "server" } }
    return Loopback.answer(said.status, provider === "openai" ? error : { type: "error", ...error })(
      response,
      received,
      1
    )
  }
  const [pieces, end] = "pieces" in said ? [said.pieces, said.end] : [said, "stop"]
  const events = provider === "openai" ? openAi(pieces, end) : anthropic(pieces, end)
  Loopback.stream(events, end === "babble" || end === "hang" ? "hang" : end === "cut" ? "cut" : "end")(
    response,
    received,
    1
  )
  if (end === "babble") babble(response, events[events.length - 1]!)
}

const babble = (response: ServerResponse, event: string): void => {
  while (!response.destroyed && response.write(event)) continue
  response.once("drain", () => babble(response, event))
}

const isOpen = (end: string): boolean => ["babble", "cut", "hang"].includes(end)

const openAi = (pieces: ReadonlyArray<string>, end: string): ReadonlyArray<string> => {
  const event = (choice: object) =>
    `data: ${JSON.stringify({ id: "1", object: "chat.completion.chunk", choices: [{ index: 0, ...choice }] })}\n\n`
  const content = pieces.map((piece) => event({ delta: { content: piece } }))
  return isOpen(end) ? content : [...content, event({ delta: {}, finish_reason: end }), "data: [DONE]\n\n"]
}

const anthropic = (pieces: ReadonlyArray<string>, end: string): ReadonlyArray<string> => {
  const event = (type: string, more: object = {}) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`
  const content = [
    event("message_start", { message: { id: "1", model: "m", usage: { input_tokens: 1, output_tokens: 0 } } }),
    event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    ...pieces.map((piece) => event("content_block_delta", { index: 0, delta: { type: "text_delta", text: piece } }))
  ]
  if (isOpen(end)) return content
  const stop_reason = end === "length" ? "max_tokens" : "end_turn"
  return [
    ...content,
    event("content_block_stop", { index: 0 }),
    event("message_delta", { delta: { stop_reason }, usage: { output_tokens: 1 } }),
    event("message_stop")
  ]
}
