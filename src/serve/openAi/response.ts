/** The answer of an agent as a response of OpenAI's Responses API: as events with sequence numbers, and as a whole. */
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Transcript from "../../Transcript.ts"
import { Answer, type Change, type End, type Item } from "../folds/answer.ts"
import * as told from "../folds/told.ts"
import { begunAnew, failureOf, type Head } from "./chat.ts"

/** An event of a response. */
export interface Event extends Schema.JsonObject {
  readonly type: string
  readonly sequence_number: number
}

/**
 * The events of a response, of the events of a transcript.
 *
 * A sequence number says how much was given up to and with its event: one for each event that opens or closes
 * something, one for each UTF-16 unit of a text. So it is the same however the text was cut into events, in whichever
 * process, and who has had a number goes on after exactly that.
 */
export class Events {
  private readonly answer = new Answer()
  private readonly head: Head
  /** The number that the reader has had. */
  private readonly after: number
  private number = -1
  private over = false

  constructor(head: Head, after = -1) {
    this.head = head
    this.after = after
  }

  get first(): ReadonlyArray<Event> {
    const response = running(this.head)
    return [...this.give("response.created", { response }), ...this.give("response.in_progress", { response })]
  }

  take(event: Transcript.Event): ReadonlyArray<Event> {
    return this.over ? [] : this.answer.take(event).flatMap((change) => this.say(change))
  }

  private say(change: Change): ReadonlyArray<Event> {
    switch (change._tag) {
      case "open":
        return this.open(change.item)
      case "text":
        return this.giveText(change.item, change.text)
      case "close":
        return this.close(change.item)
      case "reset": {
        this.over = true
        const { error, reason } = begunAnew
        return this.give("error", { code: error, message: reason, param: null })
      }
      case "end":
        this.over = true
        return this.give(endings[statusOf(change.end)], { response: whole(this.answer, this.head) })
    }
  }

  private open(item: Item): ReadonlyArray<Event> {
    const place = this.placeOf(item)
    const added = this.give("response.output_item.added", {
      output_index: place.output_index,
      item: outputOf(this.head, { ...item, text: "" }, true)
    })
    if (item.kind === "call") return added
    return [...added, ...this.give("response.content_part.added", { ...place, part: partOf(item.kind, "") })]
  }

  private close(item: Item): ReadonlyArray<Event> {
    const place = this.placeOf(item)
    const { call, kind, text } = item
    const output = { output_index: place.output_index, item: outputOf(this.head, item) }
    const done = () => this.give("response.output_item.done", output)
    if (kind === "call") {
      const { item_id, output_index } = place
      const all = { item_id, output_index, name: call?.name ?? "", arguments: text }
      return [...this.give("response.function_call_arguments.done", all), ...done()]
    }
    const said =
      kind === "text"
        ? this.give("response.output_text.done", { ...place, text, logprobs: [] })
        : this.give("response.reasoning_text.done", { ...place, text })
    return [...said, ...this.give("response.content_part.done", { ...place, part: partOf(kind, text) }), ...done()]
  }

  private placeOf(item: Item) {
    return { item_id: idOf(this.head, item), output_index: this.answer.items.lastIndexOf(item), content_index: 0 }
  }

  private giveText(item: Item, text: string): ReadonlyArray<Event> {
    const had = Math.max(0, this.after - this.number)
    this.number += text.length
    if (had >= text.length) return []
    const delta = text.slice(had)
    const place = this.placeOf(item)
    switch (item.kind) {
      case "text":
        return [this.numbered("response.output_text.delta", { ...place, delta, logprobs: [] })]
      case "reasoning":
        return [this.numbered("response.reasoning_text.delta", { ...place, delta })]
      case "call": {
        const { item_id, output_index } = place
        return [this.numbered("response.function_call_arguments.delta", { item_id, output_index, delta })]
      }
    }
  }

  private give(type: string, fields: Schema.JsonObject): ReadonlyArray<Event> {
    return ++this.number > this.after ? [this.numbered(type, fields)] : []
  }

  private numbered(type: string, fields: Schema.JsonObject): Event {
    return { type, sequence_number: this.number, ...fields }
  }
}

/** A response that goes on. */
export const running = (head: Head): Schema.JsonObject => responseOf(head, "in_progress", [], {})

/** A response as a whole. */
export const whole = (answer: Answer, head: Head): Schema.JsonObject => {
  const { end, items } = answer
  const status = statusOf(end)
  const failure = end?._tag === "failed" ? failureOf(end) : undefined
  const reason = end?._tag === "done" && end.reason === "length" ? "max_output_tokens" : "content_filter"
  return responseOf(
    head,
    status,
    items.map((item) => outputOf(head, item)),
    {
      ...(failure === undefined ? {} : { error: errorOf(failure) }),
      ...(status === "incomplete" ? { incomplete_details: { reason } } : {}),
      usage: usageOf(answer)
    }
  )
}

type Status = "completed" | "failed" | "incomplete" | "cancelled"

/** There is no event for a response that was cancelled: it is one that is not complete. */
const endings: { readonly [_ in Status]: string } = {
  completed: "response.completed",
  failed: "response.failed",
  incomplete: "response.incomplete",
  cancelled: "response.incomplete"
}

const statusOf = (end: End | undefined): Status => {
  if (end === undefined || end._tag === "interrupted") return "cancelled"
  if (end._tag === "failed") return "failed"
  return end.reason === "length" || end.reason === "content-filter" ? "incomplete" : "completed"
}

const responseOf = (
  { created, id, model }: Head,
  status: string,
  output: ReadonlyArray<Schema.JsonObject>,
  fields: Schema.JsonObject
): Schema.JsonObject => ({
  id,
  object: "response",
  created_at: created,
  status,
  model,
  output,
  error: null,
  incomplete_details: null,
  instructions: null,
  metadata: {},
  parallel_tool_calls: true,
  previous_response_id: null,
  temperature: null,
  tool_choice: "auto",
  tools: [],
  top_p: null,
  usage: null,
  ...fields
})

const errorOf = ({ error, id, reason }: Transcript.Failure): Schema.JsonObject => ({
  code: "server_error",
  message: id === undefined ? `${error}: ${reason}` : `${reason} (${id})`
})

const outputOf = (head: Head, item: Item, opening = false): Schema.JsonObject => {
  const { call, kind, text } = item
  const id = idOf(head, item)
  const status = opening ? "in_progress" : item.status === "broken" ? "incomplete" : "completed"
  const content = opening ? [] : [partOf(kind, text)]
  switch (kind) {
    case "text":
      return { id, type: "message", role: "assistant", status, content }
    case "reasoning":
      return { id, type: "reasoning", summary: [], content, status }
    case "call":
      return { id, type: "function_call", call_id: call?.id ?? "", name: call?.name ?? "", arguments: text, status }
  }
}

const partOf = (kind: Item["kind"], text: string): Schema.JsonObject =>
  kind === "text" ? { type: "output_text", text, annotations: [], logprobs: [] } : { type: "reasoning_text", text }

const prefixes = { text: "msg", reasoning: "rs", call: "fc" } as const

const idOf = ({ id }: Head, { at, kind }: Item): string => `${prefixes[kind]}_${id.slice("resp_".length)}_${at}`

const usageOf = ({ usage }: Answer): Schema.JsonObject => ({
  input_tokens: usage.inputTokens,
  input_tokens_details: { cached_tokens: usage.cacheReadTokens },
  output_tokens: usage.outputTokens,
  output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  total_tokens: usage.inputTokens + usage.outputTokens
})

/** The events of a response, of those of a transcript. */
export const toEvents = <E, R>(
  events: Stream.Stream<Transcript.Event, E, R>,
  head: Head,
  options: { readonly after?: number | undefined }
): Stream.Stream<Event, E, R> =>
  Stream.suspend(() => {
    const made = new Events(head, options.after)
    const later = told.by(events, (event) => made.take(event))
    return Stream.concat(Stream.fromIterable(made.first), later)
  })
