/** What an agent says to who asked it, of the events of its replies: its texts, its thoughts, and calls of their tools. */
import type * as Schema from "effect/Schema"
import * as Message from "../../Message.ts"
import type * as Transcript from "../../Transcript.ts"
import * as files from "./files.ts"

/** A message that is shown: what is said, what the agent that was asked thinks, or a call for who asked to make. */
export interface Item {
  /** Its index in the transcript. */
  readonly at: number
  readonly kind: "text" | "reasoning" | "call"
  /** The agent that it came from, where that is known. */
  readonly agent: string | undefined
  /** Its text so far; of a call its parameters as JSON. */
  text: string
  status: "open" | "whole" | "broken"
  /** Of a call: its id and the name of the tool. */
  readonly call: { readonly id: string; readonly name: string } | undefined
  /** The class of the message. */
  readonly tag: string
  /** The files of a whole message, or that which it is. */
  files: ReadonlyArray<Schema.JsonObject>
  /** Of a whole message with fields of its own instead of a text: these. */
  data: Schema.JsonObject | undefined
}

/** How it all ended. */
export type End =
  | { readonly _tag: "done"; readonly reason: "stop" | "length" | "content-filter" | "tool-calls" }
  | { readonly _tag: "failed"; readonly failure: Transcript.Failure }
  | { readonly _tag: "interrupted" }

/** What is new. */
export type Change =
  | { readonly _tag: "open" | "close"; readonly item: Item }
  | { readonly _tag: "text"; readonly item: Item; readonly text: string }
  /** The producer began anew: something that was given is taken back. */
  | { readonly _tag: "reset" }
  | { readonly _tag: "end"; readonly end: End }

/** The sums of what the models used, inside of tools as well. */
export type Usage = { readonly [Name in keyof Required<Message.Usage>]: number }

/** The fold. It keeps all that was said; what was taken back is no longer there. */
export class Answer {
  readonly items: Array<Item> = []
  end: End | undefined = undefined
  private current: Item | undefined = undefined
  /** The calls of tools that are running, which what the agents in them think is not shown of. */
  private readonly running: Array<{ readonly at: number; readonly id: string }> = []
  private readonly used: Array<{ readonly at: number; readonly usage: Message.Usage }> = []
  private readonly finished: Array<{ readonly at: number; readonly reason: string }> = []
  private failure: { readonly at: number; readonly failure: Transcript.Failure } | undefined = undefined

  /** What a transcript's next event changes. */
  take(event: Transcript.Event): ReadonlyArray<Change> {
    switch (event._tag) {
      case "open":
        return this.open(event)
      case "text":
        return this.say(event.text)
      case "message":
        return this.whole(event)
      case "broken":
        return this.broken(event)
      case "reset":
        return this.reset(event)
      case "end":
        return this.over(this.failed ?? { _tag: "done", reason: this.reason })
      case "failed":
        return this.over({ _tag: "failed", failure: event.failure })
      case "interrupted":
        return this.over({ _tag: "interrupted" })
    }
  }

  /** What is said, as `replies.text` would give it. */
  get text(): string {
    const said = this.items.filter(({ kind }) => kind === "text")
    return said.map(({ text }) => text).join("\n\n")
  }

  get usage(): Usage {
    const sum = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
    for (const { usage } of this.used) {
      for (const name of Object.keys(sum) as Array<keyof Message.Usage>) sum[name] += usage[name] ?? 0
    }
    return sum
  }

  private open({ at, known, origin }: Extract<Transcript.Event, { _tag: "open" }>): ReadonlyArray<Change> {
    const thinks = known._tag === "Reasoning" && this.running.length === 0
    if (known.aside === true && !thinks) return []
    const agent = origin?.agent ?? (typeof known.agent === "string" ? known.agent : undefined)
    return this.add({ at, kind: thinks ? "reasoning" : "text", agent, ...empty, tag: String(known._tag) })
  }

  private add(item: Item): ReadonlyArray<Change> {
    this.items.push(item)
    this.current = item
    return [{ _tag: "open", item }]
  }

  private say(text: string): ReadonlyArray<Change> {
    const { current: item } = this
    if (item === undefined || text === "") return []
    item.text += text
    return [{ _tag: "text", item, text }]
  }

  private whole({ at, message }: Extract<Transcript.Event, { _tag: "message" }>): ReadonlyArray<Change> {
    const { finishReason, usage } = message
    if (typeof usage === "object" && usage !== null) this.used.push({ at, usage: usage as Message.Usage })
    const { current } = this
    if (current === undefined) return this.aside(at, message)
    // a model's last word stands in the last message of its last response
    if (typeof finishReason === "string") this.finished.push({ at, reason: finishReason })
    current.files = files.inside(message)
    if (current.text === "" && message.content === undefined && message._tag !== "File") {
      current.data = message._tag === "Data" ? (message.data as Schema.JsonObject) : message
      return [...this.say(textOf(message)), ...this.close("whole")]
    }
    return this.close("whole")
  }

  private close(status: "whole" | "broken"): ReadonlyArray<Change> {
    const { current: item } = this
    this.current = undefined
    if (item === undefined) return []
    item.status = status
    return [{ _tag: "close", item }]
  }

  private aside(at: number, message: Schema.JsonObject): ReadonlyArray<Change> {
    const { _tag: tag, agent, id, name, parameters } = message
    if (typeof id !== "string") return []
    if (tag === "ToolResult") {
      const last = this.running.findLastIndex((call) => call.id === id)
      if (last >= 0) this.running.splice(last, 1)
    } else if (tag === "ToolCall" && message.clientExecuted === true) {
      const from = typeof agent === "string" ? agent : undefined
      const call = { id, name: String(name) }
      const opened = this.add({ at, kind: "call", agent: from, ...empty, call })
      const text = typeof parameters === "string" ? parameters : JSON.stringify(parameters)
      return [...opened, ...this.say(text), ...this.close("whole")]
    } else if (tag === "ToolCall" && message.providerExecuted !== true) {
      this.running.push({ at, id })
    }
    return []
  }

  private broken({ at, failure }: Extract<Transcript.Event, { _tag: "broken" }>): ReadonlyArray<Change> {
    // what breaks inside of a tool is told to the model that called it
    if (this.current !== undefined) this.failure ??= { at, failure: failure ?? interrupted }
    return this.close("broken")
  }

  private reset({ at, to }: Extract<Transcript.Event, { _tag: "reset" }>): ReadonlyArray<Change> {
    const { length } = this.items
    takeBack(this.items, to > 0 ? at + 1 : at)
    for (const all of [this.running, this.used, this.finished]) takeBack(all, at)
    if (this.failure !== undefined && this.failure.at >= at) this.failure = undefined
    const last = this.items.at(-1)
    this.current = last?.at === at ? last : undefined
    const cut = this.current !== undefined && this.current.text.length > to
    if (this.current !== undefined) {
      this.current.text = this.current.text.slice(0, to)
      this.current.status = "open"
    }
    return cut || this.items.length < length ? [{ _tag: "reset" }] : []
  }

  private over(end: End): ReadonlyArray<Change> {
    this.end = end
    return [...this.close("broken"), { _tag: "end", end }]
  }

  private get failed(): End | undefined {
    return this.failure && { _tag: "failed", failure: this.failure.failure }
  }

  private get reason(): Extract<End, { _tag: "done" }>["reason"] {
    if (this.items.some(({ kind }) => kind === "call")) return "tool-calls"
    const reason = this.finished.at(-1)?.reason
    return reason === "length" || reason === "content-filter" ? reason : "stop"
  }
}

/** Removes what began at a message or later. */
const takeBack = (all: Array<{ readonly at: number }>, from: number): void => {
  while (all.length > 0 && all[all.length - 1].at >= from) all.pop()
}

const empty = { tag: "", text: "", status: "open", call: undefined, files: [], data: undefined } as const

const interrupted: Transcript.Failure = { error: "Interrupted", reason: "it was interrupted", trace: [] }

/** The text of a message that follows from its fields. */
const textOf = (message: Schema.JsonObject): string => {
  const { data, metadata } = message
  const said = message._tag === "Data" ? Message.data(data as Schema.JsonObject, metadata as Message.Metadata) : message
  return Message.isMessage(said) ? String(said) : String(Message.unknownOf(said) ?? "")
}
