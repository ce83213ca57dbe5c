/** A recording: its events, and the tree of calls that a fold makes of them. */
import type { End, Event, Failure, Fields, Json, Kept, Lost, Moment, OfferedTool, Span, Usage, Wait } from "../wire.ts"

/** A call of the tree. */
export interface Call {
  readonly id: number
  readonly parent: number | undefined
  readonly path: string
  readonly agent: string
  readonly description: string | undefined
  readonly parameters: Json
  readonly at: number
  readonly children: Array<number>
  sent: Array<number>
  replied: Array<number>
  readonly requests: Array<number>
  readonly spans: Array<number>
  started: number | undefined
  returned: { readonly t: number; readonly end: End } | undefined
  spoken: { readonly t: number; readonly end: End } | undefined
  waitsFor: number | undefined
  stuck: boolean
  /** What the run waits for from outside, which this call stands for. */
  asks: ReadonlyArray<Wait>
  readonly kept: Array<Kept>
  /** The id of the run that it is. */
  run: string | undefined
  /** Characters that it said itself. */
  chars: number
  failedBelow: number
}

/** A message that was said. */
export interface Message {
  readonly at: number
  readonly opened: number
  by: number | undefined
  known: Fields
  message: Fields | undefined
  /** What knows its hash key, which may be made only when it is asked for. */
  keyed: { readonly hashKey: string } | undefined
  ended: number | undefined
  broken: boolean
  failure: Failure | undefined
  text: string
  readonly readBy: Array<number>
  readonly repliedBy: Array<number>
}

/** A request to a model. */
export interface Request {
  readonly id: number
  readonly call: number
  readonly at: number
  readonly step: number
  readonly format: "text" | "json"
  readonly tools: ReadonlyArray<OfferedTool>
  readonly prompt: ReadonlyArray<Json>
  model: string | undefined
  answered: { readonly t: number; readonly end: End } | undefined
  usage: Usage | undefined
  reason: string | undefined
  cost: number | undefined
  readonly rest: Fields | undefined
  readonly lost: Array<Lost>
  response: ReadonlyArray<Moment>
  error: Json | undefined
  reused: boolean
}

/** Is told what an event has changed. */
export interface Listener {
  readonly call: (id: number) => void
  /** `to` is how much of its text stayed as it was, where some was taken back. */
  readonly message: (at: number, to?: number) => void
  readonly span: (call: number, id: number) => void
}

/**
 * The state of a program, as a fold of the events of its recording.
 *
 * Invariants:
 * 1. The state depends on the events alone, so that the first `n` of them give the state of the program back then.
 * 2. An event about what was never made changes nothing: a file that was cut off can be read as far as it goes.
 */
export class Recording {
  readonly events: Array<Event> = []
  title = ""
  startedAt = 0
  now = 0
  readonly calls: Array<Call> = []
  readonly messages: Array<Message> = []
  readonly requests: Array<Request> = []
  readonly spans: Array<Span & { readonly call: number }> = []
  readonly roots: Array<number> = []
  private readonly listeners = new Set<Listener>()

  /** Adds a listener, and gives what removes it. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** The recording as it was at a time. */
  at(t: number): Recording {
    const before = new Recording()
    for (const event of this.events) if (!("t" in event) || event.t <= t) before.add(event)
    before.now = t
    return before
  }

  add(event: Event): void {
    this.events.push(event)
    if ("t" in event && event.t > this.now) this.now = event.t
    switch (event._tag) {
      case "run":
        this.title = event.title
        this.startedAt = event.startedAt
        return
      case "call":
        return this.addCall(event)
      case "open":
      case "text":
      case "message":
      case "broken":
        return this.addToMessage(event)
      case "asked":
        return this.addRequest(event)
      case "lost":
        this.requests[event.request]?.lost.push(event)
        return this.changed(this.requests[event.request]?.call ?? -1)
      case "answered":
        return this.endRequest(event)
      case "taken":
        return this.takeBack(event)
      case "span":
      case "closed":
        return this.addSpan(event)
      default:
        return this.addToCall(event)
    }
  }

  private addCall(event: Event & { readonly _tag: "call" }): void {
    const { agent, call: id, description, parameters, parent, path, t: at } = event
    const lists = { children: [], sent: [], replied: [], requests: [], spans: [], kept: [] }
    const none = {
      started: undefined,
      returned: undefined,
      spoken: undefined,
      waitsFor: undefined,
      stuck: false,
      run: undefined
    }
    const counts = { chars: 0, failedBelow: 0, asks: [] }
    this.calls[id] = { id, parent, path, agent, description, parameters, at, ...lists, ...none, ...counts }
    const above = parent === undefined ? undefined : this.calls[parent]
    if (above === undefined) this.roots.push(id)
    else above.children.push(id)
    this.changed(id)
  }

  private addToCall(event: CallEvent): void {
    const call = this.calls[event.call]
    if (call === undefined) return
    switch (event._tag) {
      case "started":
        call.started = event.t
        break
      case "returned":
        call.returned = { t: event.t, end: event.end }
        if (event.end.is === "failed") this.countFailure(call.parent)
        call.waitsFor = undefined
        call.stuck = false
        break
      case "spoken":
        call.spoken = { t: event.t, end: event.end }
        break
      case "waits":
        call.waitsFor = event.on
        call.stuck = event.stuck ?? false
        break
      case "named":
        call.run = event.run
        break
      case "kept": {
        const { reused, value, what } = event
        call.kept.push({ what, value, ...(reused === undefined ? {} : { reused }) })
        break
      }
      case "asks":
        for (const { path } of [...call.asks, ...event.waits]) this.changed(this.below(call, path))
        call.asks = event.waits
        break
      default:
        this.pass(call, event._tag, event.messages)
    }
    this.changed(call.id)
  }

  /** The call of a path that begins with that of a call. */
  private below(call: Call, path: string): number {
    for (const child of call.children) {
      const { path: own } = this.calls[child]!
      if (path === own || path.startsWith(`${own}/`)) return this.below(this.calls[child]!, path)
    }
    return call.id
  }

  /** Messages came into the input or the replies of a call. */
  private pass(call: Call, where: "sent" | "replied", messages: ReadonlyArray<number>): void {
    for (const at of messages) {
      call[where].push(at)
      this.messages[at]?.[where === "sent" ? "readBy" : "repliedBy"].push(call.id)
      for (const { message } of this.listeners) message(at)
    }
  }

  private countFailure(from: number | undefined): void {
    for (let call = this.calls[from ?? -1]; call !== undefined; call = this.calls[call.parent ?? -1]) {
      call.failedBelow++
      this.changed(call.id)
    }
  }

  private addToMessage(event: MessageEvent): void {
    const message = (this.messages[event.at] ??= emptyMessage(event.at, event.t))
    switch (event._tag) {
      case "open":
        message.known = event.known
        message.by = event.by
        break
      case "text":
        this.say(message, event.text)
        break
      case "message": {
        const { by, content } = { by: event.by, content: event.message.content }
        if (by !== undefined) message.by = by
        message.message = event.message
        message.keyed = event
        message.ended = event.t
        if (typeof content === "string" && message.text === "") this.say(message, content)
        break
      }
      case "broken":
        message.broken = true
        message.failure = event.failure
        message.ended = event.t
    }
    for (const { message: tell } of this.listeners) tell(event.at)
  }

  private say(message: Message, text: string): void {
    message.text += text
    const by = this.calls[message.by ?? -1]
    if (by === undefined) return
    by.chars += text.length
    this.changed(by.id)
  }

  /** A message, or the end of it, was never said. */
  private takeBack({ at, t, to = 0 }: Event & { readonly _tag: "taken" }): void {
    const message = this.messages[at]
    if (message === undefined) return
    const by = this.calls[message.by ?? -1]
    if (by !== undefined) by.chars -= message.text.length - to
    message.text = message.text.slice(0, to)
    if (to === 0) {
      message.ended = t
      for (const where of ["sent", "replied"] as const) {
        for (const id of message[where === "sent" ? "readBy" : "repliedBy"]) {
          const call = this.calls[id]
          if (call !== undefined) call[where] = call[where].filter((other) => other !== at)
          this.changed(id)
        }
      }
    }
    if (by !== undefined) this.changed(by.id)
    for (const { message: tell } of this.listeners) tell(at, to)
  }

  private addRequest(event: Event & { readonly _tag: "asked" }): void {
    const { call, format, keeps, model, request: id, step, t: at, tools } = event
    const asks = this.calls[call]
    if (asks === undefined) return
    const before = this.requests[asks.requests.at(-1) ?? -1]?.prompt.slice(0, keeps) ?? []
    const prompt = [...before, ...event.prompt]
    const unknown = { answered: undefined, usage: undefined, reason: undefined, cost: undefined, reused: false }
    const lists = { lost: [], response: [], error: undefined, rest: event.rest }
    this.requests[id] = { id, call, at, step, format, tools, prompt, model, ...lists, ...unknown }
    asks.requests.push(id)
    this.changed(call)
  }

  private endRequest(event: Event & { readonly _tag: "answered" }): void {
    const request = this.requests[event.request]
    if (request === undefined) return
    request.answered = { t: event.t, end: event.end }
    request.model = event.model ?? request.model
    request.usage = event.usage
    request.reason = event.reason
    request.cost = event.cost
    request.response = event.response ?? []
    request.error = event.error
    request.reused = event.reused === true
    this.changed(request.call)
  }

  private addSpan(event: Event & { readonly _tag: "span" | "closed" }): void {
    const { attributes, span: id, t } = event
    const begun = this.spans[id]
    if (event._tag === "span") {
      const { call, kind, name, parent } = event
      if (this.calls[call] === undefined) return
      const above = parent === undefined ? {} : { parent }
      this.spans[id] = { span: id, call, name, kind, at: t, attributes, notes: [], ...above }
      this.calls[call].spans.push(id)
    } else if (begun === undefined) return
    else this.spans[id] = { ...begun, attributes, notes: event.notes, end: event.end, ended: t }
    for (const { span } of this.listeners) span(this.spans[id]!.call, id)
  }

  private changed(id: number): void {
    for (const { call } of this.listeners) call(id)
  }
}

type CallEvent = Event & {
  readonly _tag: "started" | "returned" | "spoken" | "sent" | "replied" | "waits" | "asks" | "kept" | "named"
}
type MessageEvent = Event & { readonly _tag: "open" | "text" | "message" | "broken" }

const emptyMessage = (at: number, opened: number): Message => ({
  at,
  opened,
  by: undefined,
  known: {},
  message: undefined,
  keyed: undefined,
  ended: undefined,
  broken: false,
  failure: undefined,
  text: "",
  readBy: [],
  repliedBy: []
})
