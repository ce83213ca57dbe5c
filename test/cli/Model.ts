/** A server that speaks the protocol of OpenAI and says what a test wants, when it wants it. */
import type { ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Loopback from "../llm/Loopback.ts"

/** A request that waits for its answer. */
export interface Asked {
  /** The messages, as `role: text`. */
  readonly messages: ReadonlyArray<string>
  readonly say: (text: string) => void
  readonly think: (text: string) => void
  /** Says this, if anything, and ends the answer. */
  readonly finish: (text?: string, usage?: object) => void
  readonly refuse: (status: number, message: string) => void
  /** Ends the connection in the middle of the answer. */
  readonly cut: () => void
  /** Done when the program has hung up. */
  readonly hungUp: Promise<void>
}

export interface Server {
  readonly env: Readonly<Record<string, string>>
  /** The requests in their order: the next one, maybe one still to come. */
  readonly asked: () => Promise<Asked>
  /** Answers every request that nobody waits for. */
  answerAll: ((messages: ReadonlyArray<string>) => string) | undefined
  readonly close: () => Promise<void>
}

export const serve = async (): Promise<Server> => {
  const scope = Scope.makeUnsafe()
  const waiting: Array<(asked: Asked) => void> = []
  const unclaimed: Array<Asked> = []
  const handler: Loopback.Handler = (response, { body }) => {
    const asked = answerable(response, body)
    const claim = waiting.shift()
    if (claim !== undefined) claim(asked)
    else if (server.answerAll !== undefined) asked.finish(server.answerAll(asked.messages))
    else unclaimed.push(asked)
  }
  const { url } = await Effect.runPromise(Scope.provide(Loopback.serve(handler), scope))
  const server: Server = {
    env: { OPENAI_BASE_URL: `${url}/v1`, MINIAGENTS_MODEL: "some-model" },
    answerAll: undefined,
    asked: () => {
      const first = unclaimed.shift()
      return first === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(first)
    },
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
  return server
}

interface Body {
  readonly messages: ReadonlyArray<{ readonly role: string; readonly content: unknown }>
}

const answerable = (response: ServerResponse, body: unknown): Asked => {
  const hungUp = new Promise<void>((resolve) => {
    response.on("close", () => resolve())
  })
  const write = (delta: object, finishReason: string | null) => {
    if (!response.headersSent) Loopback.startStream(response)
    const chunk = { id: "1", object: "chat.completion.chunk", model: "some-model" }
    const choices = [{ index: 0, delta, finish_reason: finishReason }]
    response.write(`data: ${JSON.stringify({ ...chunk, choices })}\n\n`)
  }
  const say = (content: string) => write({ content }, null)
  return {
    messages: (body as Body).messages.map(({ content, role }) => `${role}: ${textOf(content)}`),
    say,
    think: (text) => write({ reasoning_content: text }, null),
    finish: (text, usage) => {
      if (text !== undefined) say(text)
      write({}, "stop")
      if (usage !== undefined) response.write(`data: ${JSON.stringify({ id: "1", choices: [], usage })}\n\n`)
      response.end("data: [DONE]\n\n")
    },
    refuse: (status, message) => Loopback.answer(status, { error: { message } })(response, received, 1),
    // what was written must leave first
    cut: () => response.write(": cut\n", () => response.socket?.destroy()),
    hungUp
  }
}

const received: Loopback.Received = { method: "POST", url: "/", headers: {}, body: undefined }

const textOf = (content: unknown): string =>
  Array.isArray(content) ? content.map((part: { readonly text?: string }) => part.text ?? "").join("") : String(content)
