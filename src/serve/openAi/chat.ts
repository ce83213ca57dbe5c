/** The answer of an agent as a chat completion: as chunks, and as a whole. */
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Transcript from "../../Transcript.ts"
import { Answer, type Change, type End, type Item } from "../folds/answer.ts"
import * as told from "../folds/told.ts"

/** What is known of an answer from the start. */
export interface Head {
  readonly id: string
  /** When it was asked for, in seconds since 1970. */
  readonly created: number
  /** The name that the agent is served under. */
  readonly model: string
}

/** The chunks of a completion, of the events of a transcript. */
export class Chunks {
  private readonly answer = new Answer()
  private readonly head: Head
  private readonly withUsage: boolean
  /** How many texts, thoughts and calls have begun. */
  private readonly begun = { text: 0, reasoning: 0, call: 0 }
  private over = false

  constructor(head: Head, withUsage: boolean) {
    this.head = head
    this.withUsage = withUsage
  }

  get first(): Schema.Json {
    return this.chunk({ role: "assistant", content: "" })
  }

  take(event: Transcript.Event): ReadonlyArray<Schema.Json> {
    return this.over ? [] : this.answer.take(event).flatMap((change) => this.say(change))
  }

  private say(change: Change): ReadonlyArray<Schema.Json> {
    switch (change._tag) {
      case "open": {
        const { kind } = change.item
        // the next message stands in a paragraph of its own
        return this.begun[kind]++ > 0 && kind !== "call" ? [this.delta(change.item, "\n\n")] : []
      }
      case "text":
        return change.item.kind === "call" ? [] : [this.delta(change.item, change.text)]
      case "close":
        return change.item.kind === "call"
          ? [this.chunk({ tool_calls: [{ index: this.begun.call - 1, ...toolCall(change.item) }] })]
          : []
      case "reset":
        this.over = true
        return [errorOf(begunAnew)]
      case "end":
        return this.end(change.end)
    }
  }

  private end(end: End): ReadonlyArray<Schema.Json> {
    this.over = true
    if (end._tag !== "done") return [errorOf(failureOf(end))]
    const last = this.chunk({}, finishReasons[end.reason])
    return this.withUsage ? [last, { ...this.common, choices: [], usage: usageOf(this.answer) }] : [last]
  }

  private delta({ kind }: Item, text: string): Schema.Json {
    return this.chunk(kind === "reasoning" ? { reasoning_content: text } : { content: text })
  }

  private chunk(delta: Schema.JsonObject, finish_reason: string | null = null): Schema.Json {
    return { ...this.common, choices: [{ index: 0, delta, logprobs: null, finish_reason }] }
  }

  private get common(): Schema.JsonObject {
    const { created, id, model } = this.head
    return { id, object: "chat.completion.chunk", created, model }
  }
}

/** A completion as a whole, or what the agent failed with. */
export const completion = (answer: Answer, { created, id, model }: Head): Schema.JsonObject | Transcript.Failure => {
  const { end, items } = answer
  if (end?._tag !== "done") return failureOf(end)
  const reasoning = items.filter(({ kind }) => kind === "reasoning").map(({ text }) => text)
  const calls = items.filter(({ kind }) => kind === "call").map(toolCall)
  const message = {
    role: "assistant",
    content: calls.length > 0 && answer.text === "" ? null : answer.text,
    refusal: null,
    ...(reasoning.length === 0 ? {} : { reasoning_content: reasoning.join("\n\n") }),
    ...(calls.length === 0 ? {} : { tool_calls: calls })
  }
  const choice = { index: 0, message, logprobs: null, finish_reason: finishReasons[end.reason] }
  return { id, object: "chat.completion", created, model, choices: [choice], usage: usageOf(answer) }
}

/** An error as OpenAI spells it. */
export const errorBody = (type: string, code: string, message: string, param: string | null = null): Schema.Json => ({
  error: { message, type, param, code }
})

/** What an agent failed with. */
export const errorOf = ({ error, id, reason }: Transcript.Failure): Schema.Json =>
  errorBody("server_error", error, id === undefined ? `${error}: ${reason}` : `${reason} (${id})`)

export const failureOf = (end: End | undefined): Transcript.Failure =>
  end?._tag === "failed" ? end.failure : { error: "Interrupted", reason: "the run was interrupted", trace: [] }

export const begunAnew: Transcript.Failure = {
  error: "Reset",
  reason: "the agent had to begin anew, and what was given of its answer is taken back",
  trace: []
}

const finishReasons = {
  stop: "stop",
  length: "length",
  "content-filter": "content_filter",
  "tool-calls": "tool_calls"
} as const

const toolCall = ({ call, text }: Item): Schema.JsonObject => ({
  id: call?.id ?? "",
  type: "function",
  function: { name: call?.name ?? "", arguments: text }
})

const usageOf = ({ usage }: Answer): Schema.JsonObject => ({
  prompt_tokens: usage.inputTokens,
  completion_tokens: usage.outputTokens,
  total_tokens: usage.inputTokens + usage.outputTokens,
  prompt_tokens_details: { cached_tokens: usage.cacheReadTokens },
  completion_tokens_details: { reasoning_tokens: usage.reasoningTokens }
})

/** The chunks of a completion, of the events of a transcript. */
export const toChunks = <E, R>(
  events: Stream.Stream<Transcript.Event, E, R>,
  head: Head,
  options: { readonly usage?: boolean | undefined }
): Stream.Stream<Schema.Json, E, R> =>
  Stream.suspend(() => {
    const chunks = new Chunks(head, options.usage === true)
    const later = told.by(events, (event) => chunks.take(event))
    return Stream.concat(Stream.make(chunks.first), later)
  })
