/** What is kept of a durable run, as the events of a recording whose time counts the rows of the run's log. */
import type * as Schema from "effect/Schema"
import type { Answer } from "../../durable/journal.ts"
import type * as Rows from "../../durable/tables.ts"
import { unescaped } from "../../internal/place.ts"
import type * as Transcript from "../../Transcript.ts"
import type { End, Event, Failure, Fields, Json, Usage, Wait } from "../wire.ts"

/** A message of the transcript, by its number in the recording. */
interface Open {
  readonly at: number
  text: string
}

/**
 * Makes events of the rows as they come.
 *
 * **Details**
 *
 * A run keeps what it was sent, what it replied and what it was answered. Its calls are those that made messages of its
 * replies or asked something, and the ones above those.
 */
export class RunEvents {
  private readonly calls = new Map<string, number>()
  private readonly steps = new Map<number, number>()
  private readonly said: Array<Open> = []
  private messages = 0
  private requests = 0
  private waiting = "[]"
  private isOver = false
  private t = 0
  private events: Array<Event> = []

  /** The events of a run as it is now, and of the rows that have not been given yet. */
  take(run: Rows.Run, rows: ReadonlyArray<Rows.LogRow>): ReadonlyArray<Event> {
    this.events = []
    if (this.calls.size === 0) this.begin(run)
    for (const { body, kind, seq } of rows) {
      this.t = seq
      if (kind === "input") this.input(JSON.parse(body) as ReadonlyArray<Transcript.Event>)
      else if (kind === "events")
        for (const event of JSON.parse(body) as ReadonlyArray<Transcript.Event>) this.hear(event)
      else if (kind === "answer") this.answer(JSON.parse(body) as Answer)
    }
    this.waits(run)
    return this.events
  }

  private tell(event: Event): void {
    this.events.push(event)
  }

  private begin({ agent, id, parameters, startedAt }: Rows.Run): void {
    this.tell({ _tag: "run", format: 1, startedAt, title: `${agent} ${id}` })
    const call = this.add(agent, agent, undefined, JSON.parse(parameters) as Json)
    this.tell({ _tag: "named", t: this.t, call, run: id })
  }

  private add(path: string, agent: string, parent: number | undefined, parameters: Json): number {
    const call = this.calls.size
    const { t } = this
    this.calls.set(path, call)
    this.tell({ _tag: "call", t, call, path, agent, parameters, ...(parent === undefined ? {} : { parent }) })
    this.tell({ _tag: "started", t, call })
    return call
  }

  /** The call of a path; those that were not seen yet are added. */
  private call(path: string): number {
    let call = 0
    const segments = segmentsOf(path)
    for (const { agent, path } of segments.slice(1)) call = this.calls.get(path) ?? this.add(path, agent, call, {})
    return call
  }

  private input(events: ReadonlyArray<Transcript.Event>): void {
    const open: Array<Open> = []
    for (const event of events) {
      this.message(event, open, undefined)
      if (event._tag === "open") this.tell({ _tag: "sent", t: this.t, call: 0, messages: [this.messages - 1] })
    }
  }

  private hear(event: Transcript.Event): void {
    const { t } = this
    if (event._tag === "open") {
      const { path = "", run } = event.origin ?? {}
      const by = run === undefined ? this.call(path) : undefined // it was made in another run
      this.message(event, this.said, by)
      for (const call of new Set([0, by ?? 0])) this.tell({ _tag: "replied", t, call, messages: [this.messages - 1] })
      return
    }
    if (event._tag === "reset") return this.takeBack(event)
    if ("at" in event) return this.message(event, this.said, undefined)
    this.end(
      event._tag === "failed"
        ? { is: "failed", failure: failureOf(event.failure) }
        : { is: event._tag === "end" ? "ok" : "interrupted" }
    )
  }

  private message(event: Transcript.Event, all: Array<Open>, by: number | undefined): void {
    const { t } = this
    if (!("at" in event) || event._tag === "reset") return
    if (event._tag === "open") {
      const open: Open = { at: this.messages++, text: "" }
      all[event.at] = open
      const known = event.known as Fields
      return this.tell({ _tag: "open", t, at: open.at, known, ...(by === undefined ? {} : { by }) })
    }
    const open = all[event.at]
    if (open === undefined) return
    const { at } = open
    if (event._tag === "text") {
      open.text = open.text.slice(0, event.to - event.text.length) + event.text
      this.tell({ _tag: "text", t, at, to: event.to, text: event.text })
    } else if (event._tag === "broken") {
      this.tell({
        _tag: "broken",
        t,
        at,
        ...(event.failure === undefined ? {} : { failure: failureOf(event.failure) })
      })
    } else {
      const content = "content" in event.message || open.text === "" ? {} : { content: open.text }
      const message = { ...event.message, ...content } as Fields
      this.tell({ _tag: "message", t, at, message, hashKey: event.hashKey })
    }
  }

  private takeBack({ at: first, to }: Extract<Transcript.Event, { _tag: "reset" }>): void {
    const { t } = this
    for (const { at } of this.said.splice(to > 0 ? first + 1 : first)) this.tell({ _tag: "taken", t, at })
    const open = this.said[first]
    if (open === undefined) return
    open.text = open.text.slice(0, to)
    this.tell({ _tag: "taken", t, at: open.at, to })
  }

  private answer({ path, reused, value, what }: Answer): void {
    const call = this.call(path.replace(/#.*/, "")) // whichever branch of a race asked
    if (what === "model") return this.response(call, value, reused)
    this.tell({
      _tag: "kept",
      t: this.t,
      call,
      what,
      value: value as Json,
      ...(reused === undefined ? {} : { reused })
    })
  }

  private response(call: number, value: Schema.Json, reused: true | undefined): void {
    const { t } = this
    const { error, parts = [] } = value as unknown as { readonly parts?: ReadonlyArray<Part>; readonly error?: Json }
    const request = this.requests++
    const step = (this.steps.get(call) ?? 0) + 1
    this.steps.set(call, step)
    this.tell({ _tag: "asked", t, request, call, step, format: "text", tools: [], keeps: 0, prompt: [] })
    const model = parts.find(({ type }) => type === "response-metadata")?.modelId
    const finish = parts.find(({ type }) => type === "finish")
    this.tell({
      _tag: "answered",
      t,
      request,
      response: [{ at: 0, parts: parts as unknown as ReadonlyArray<Json> }],
      end: error === undefined ? { is: "ok" } : { is: "failed", failure: failureOfModel(error) },
      ...(model === undefined ? {} : { model }),
      ...(finish?.usage === undefined ? {} : { usage: usageOf(finish.usage) }),
      ...(finish?.reason === undefined ? {} : { reason: finish.reason }),
      ...(reused === undefined ? {} : { reused })
    })
  }

  private end(end: End): void {
    this.isOver = true
    const below: End = end.is === "failed" ? { is: "ok" } : end
    for (const call of [...this.calls.values()].reverse()) {
      for (const _tag of ["returned", "spoken"] as const) {
        this.tell({ _tag, t: this.t, call, end: call === 0 ? end : below })
      }
    }
  }

  private waits({ waiting }: Rows.Run): void {
    const waits = this.isOver ? [] : waiting.map(waitOf)
    const after = JSON.stringify(waits)
    if (after === this.waiting) return
    this.waiting = after
    for (const { path } of waits) this.call(path)
    this.tell({ _tag: "asks", t: this.t, call: 0, waits })
  }
}

const waitOf = ({ asks, name, path }: Rows.Waiting): Wait => ({
  name,
  path,
  ...(asks === undefined ? {} : { asks: asks as Json })
})

const failureOf = ({ error, reason, trace }: Transcript.Failure): Failure => ({ error, reason, trace })

/** A part of a response as a journal keeps it. */
interface Part {
  readonly type: string
  readonly modelId?: string
  readonly reason?: string
  readonly usage?: Tokens
}

interface Tokens {
  readonly inputTokens?: { readonly total?: number; readonly cacheRead?: number; readonly cacheWrite?: number }
  readonly outputTokens?: { readonly total?: number; readonly reasoning?: number }
}

const usageOf = ({ inputTokens: input = {}, outputTokens: output = {} }: Tokens): Usage => ({
  ...(input.total === undefined ? {} : { inputTokens: input.total }),
  ...(output.total === undefined ? {} : { outputTokens: output.total }),
  ...(input.cacheRead === undefined ? {} : { cacheReadTokens: input.cacheRead }),
  ...(input.cacheWrite === undefined ? {} : { cacheWriteTokens: input.cacheWrite }),
  ...(output.reasoning === undefined ? {} : { reasoningTokens: output.reasoning })
})

const failureOfModel = (error: Json): Failure => {
  const { reason } = error as { readonly reason?: { readonly _tag?: string; readonly description?: string } }
  return { error: reason?._tag ?? "AiError", reason: reason?.description ?? JSON.stringify(error), trace: [] }
}

/** The calls that a path goes through, the outermost first: the path of each, and the name of its agent. */
const segmentsOf = (path: string): ReadonlyArray<{ readonly path: string; readonly agent: string }> => {
  const segments = path.split("/")
  return segments.map((segment, i) => ({
    path: segments.slice(0, i + 1).join("/"),
    agent: unescaped(i === 0 ? segment : segment.slice(segment.indexOf(":") + 1))
  }))
}
