/** The events of a transcript as the chunks of a UI message stream. */
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as approvals from "../../runs/approvals.ts"
import type * as Transcript from "../../Transcript.ts"
import * as callScopes from "../folds/callScopes.ts"
import * as files from "../folds/files.ts"
import * as usageSum from "../folds/usageSum.ts"
import type { Fold } from "../routes/untilAsked.ts"

/** One chunk: its type, and the fields of that type. */
export interface Chunk {
  readonly type: string
  readonly [field: string]: unknown
}

type Event<Tag extends Transcript.Event["_tag"]> = Extract<Transcript.Event, { readonly _tag: Tag }>
type Fields = { readonly [field: string]: Schema.Json }

/** What a run has come to, beside the message under way. */
interface State {
  readonly open: ReadonlyArray<callScopes.Call>
  readonly usage: usageSum.UsageSum
  readonly finishReason: string
  readonly step: Step | undefined
}

/** The request of a model that is being shown, and the call of a tool that it is inside of. */
interface Step {
  readonly call: string | undefined
  /** Nothing for what no model says. */
  readonly request: string | undefined
}

/** The message under way. */
interface Current {
  readonly at: number
  readonly known: Fields
  readonly origin: typeof Transcript.Origin.Type | undefined
  readonly kind: "text" | "reasoning" | "other"
  started: boolean
}

/** Takes the events of one run in their order, from the first one. */
export class UiChunks implements Fold<Chunk> {
  private state: State = { open: [], usage: usageSum.none, finishReason: "stop", step: undefined }
  private readonly used: callScopes.Used = new Map()
  private current: Current | undefined = undefined
  /** The failure of a message, which may turn out to be that of the run. */
  private broken: Event<"broken"> | undefined = undefined
  /** How it stood before the step that is open, and the events since: a reset makes the step anew of those that stay. */
  private before: State = this.state
  private events: Array<Transcript.Event> = []
  /** The first message of that step, if one is open. */
  private first: number | undefined = undefined
  /** It was begun anew, and nothing stands in it yet. */
  private emptied = false
  private ended = false
  private out: Array<Chunk> = []

  /** The chunks that an event makes. */
  take(event: Transcript.Event): ReadonlyArray<Chunk> {
    this.out = []
    if (!this.ended) this.one(event)
    return this.out
  }

  pause(): ReadonlyArray<Chunk> {
    return [{ type: "finish-step" }, this.finish("tool-calls")]
  }

  /** A page has the message as it was. */
  goOn(): ReadonlyArray<Chunk> {
    return []
  }

  private one(event: Transcript.Event): void {
    switch (event._tag) {
      case "open":
        this.tellBroken()
        this.current = { ...event, origin: event.origin, kind: kindOf(event.known), started: false }
        break
      case "text":
        this.text(event.text)
        break
      case "message":
        if (this.current !== undefined) this.message(this.current, event.message)
        break
      case "broken":
        this.close()
        this.broken = event
        break
      case "reset":
        return this.reset(event)
      case "end":
        this.tellBroken()
        return this.end(this.state.finishReason)
      case "failed":
        return this.fail(errorText(event.failure))
      case "interrupted":
        this.tellBroken()
        this.say({ type: "abort", reason: "the run was interrupted" })
        return this.end("interrupted")
    }
    this.keep(event)
  }

  private text(delta: string): void {
    const { current } = this
    if (current === undefined || current.kind === "other") return
    const { at, kind } = current
    if (!current.started) {
      this.enter(current)
      current.started = true
      this.say({ type: `${kind}-start`, id: `m${at}`, ...this.saidBy(current) })
    }
    this.say({ type: `${kind}-delta`, id: `m${at}`, delta })
  }

  private message(current: Current, message: Fields): void {
    this.close()
    const { aside } = current.known
    const ends = typeof message.finishReason === "string" && aside !== true
    this.set({
      usage: usageSum.add(this.state.usage, message.usage),
      ...(ends ? { finishReason: String(message.finishReason) } : {})
    })
    switch (message._tag) {
      case "ToolCall":
        return this.call(current, message)
      case "ToolResult":
        return this.result(current, message)
      case "ResponsePart":
        return this.part(current, message.part)
      case "File":
        return this.files(current, message)
      default:
        if (current.kind === "other" || message._tag === "Failure") this.data(current, message)
        else this.files(current, message)
    }
  }

  private call(current: Current, message: Fields): void {
    this.enter(current)
    const said = this.saidBy(current)
    const call = callScopes.made(message, current.at, current.origin, this.used)
    this.set({ open: [...this.state.open, call] })
    const id = {
      toolCallId: call.uid,
      toolName: call.name,
      ...(call.providerExecuted ? { providerExecuted: true } : {})
    }
    this.say({ type: "tool-input-start", ...id })
    this.say({ type: "tool-input-available", ...id, input: message.parameters, ...said })
  }

  private result({ origin }: Current, { id, isFailure, name, result }: Fields): void {
    const call = callScopes.find(this.state.open, String(id), name, origin)
    if (call === undefined) return
    this.set({ open: this.state.open.filter((other) => other !== call) })
    const toolCallId = call.uid
    if (isFailure !== true) this.say({ type: "tool-output-available", toolCallId, output: result })
    else if (Predicate.hasProperty(result, "type") && result.type === "execution-denied") {
      this.say({ type: "tool-output-denied", toolCallId })
    } else {
      const text = typeof result === "string" ? result : JSON.stringify(result)
      this.say({ type: "tool-output-error", toolCallId, errorText: text })
    }
  }

  /** What else a model or a tool gives: files, sources, progress, and requests for approval. */
  private part(current: Current, part: Schema.Json): void {
    const request = Option.getOrUndefined(asked(part))
    const response = Option.getOrUndefined(answered(part))
    if (request !== undefined) {
      const call = callScopes.find(this.state.open, request.toolCallId, undefined, current.origin)
      if (call !== undefined) this.say({ ...request, toolCallId: call.uid })
    } else if (response !== undefined) this.say({ ...response })
    else if (Predicate.hasProperty(part, "type") && part.type === "progress") {
      const { id, result: output } = part as unknown as Fields
      const call = callScopes.find(this.state.open, String(id), undefined, current.origin)
      if (call !== undefined) {
        this.say({ type: "tool-output-available", toolCallId: call.uid, output, preliminary: true })
      }
    } else {
      const shown = fileOrSource(part)
      if (shown === undefined) return
      this.enter(current)
      this.say({ ...shown, ...this.saidBy(current) })
    }
  }

  /** The files in what is said. */
  private files(current: Current, message: Fields): void {
    for (const file of files.inside(message)) {
      this.enter(current)
      const { fileName, mediaType } = file
      const aside = current.known.aside === true ? { aside: true } : {}
      const said = this.saidBy(current, { ...aside, ...(fileName === undefined ? {} : { fileName }) })
      this.say({ type: "file", url: files.hrefOf(file), mediaType, ...said })
    }
  }

  private data(current: Current, message: Fields): void {
    this.enter(current)
    const { _tag: tag, metadata: _, ...fields } = message
    this.say({ type: `data-${String(tag)}`, id: `m${current.at}`, data: tag === "Data" ? fields.data : fields })
  }

  /** Ends the text that is under way. */
  private close(): void {
    const { current } = this
    this.current = undefined
    if (current?.started === true) this.say({ type: `${current.kind}-end`, id: `m${current.at}` })
  }

  private tellBroken(): void {
    const { broken } = this
    this.broken = undefined
    if (broken?.failure === undefined) return
    const { value: _, ...data } = broken.failure
    this.say({ type: "data-Failure", id: `m${broken.at}`, data })
  }

  private fail(text: string): void {
    // what the run failed with came out of the calls that are open
    for (const { uid } of this.state.open) this.say({ type: "tool-output-error", toolCallId: uid, errorText: text })
    this.say({ type: "error", errorText: text })
    this.end("error")
  }

  private end(reason: string): void {
    this.ended = true
    if (this.first !== undefined) this.say({ type: "finish-step" })
    this.say(this.finish(reason))
  }

  private finish(reason: string): Chunk {
    const finishReason = finishReasons.has(reason) ? reason : "other"
    return { type: "finish", finishReason, messageMetadata: { usage: usageOf(this.state.usage) } }
  }

  /** Begins a step where another request, or what is said inside of another call, begins to be shown. */
  private enter(current: Current): void {
    const { known, origin } = current
    const { step } = this.state
    const call = callScopes.around(this.state.open, current)?.uid
    const request = typeof known.step === "number" ? `${origin?.path ?? known.agent} ${known.step}` : undefined
    const same = step !== undefined && step.call === call && (request === undefined || request === step.request)
    if (same && !this.emptied) return
    if (!this.emptied) {
      if (this.first !== undefined) this.say({ type: "finish-step" })
      this.before = this.state
      this.say({ type: "start-step" })
    }
    this.emptied = false
    this.first = current.at
    this.events = [{ _tag: "open", at: current.at, known, ...(origin === undefined ? {} : { origin }) }]
    this.set({ step: { call, request } })
  }

  private keep(event: Transcript.Event): void {
    const last = this.events.at(-1)
    if (event._tag !== "text" || last?._tag !== "text") this.events.push(event)
    else this.events[this.events.length - 1] = { ...event, text: last.text + event.text }
  }

  /** Takes back what came after a place: the step that is open is made anew of what stays. */
  private reset({ at, to }: Event<"reset">): void {
    const { first } = this
    if (first !== undefined && at < first) return this.fail(beganAnew)
    const staying = this.events.flatMap((event) => cut(event, at, to))
    this.current = undefined
    this.broken = undefined
    this.events = []
    if (first !== undefined) {
      callScopes.forget(this.used, first)
      this.state = this.before
      this.emptied = true
      this.say({ type: "reset-step" })
    }
    for (const event of staying) this.one(event)
  }

  private saidBy({ known, kind, origin }: Current, more: object = {}): { readonly providerMetadata?: unknown } {
    const call = callScopes.around(this.state.open, { known, origin })?.uid
    const agent = known.agent ?? origin?.agent
    const shown = kind === "reasoning" && known._tag !== "Reasoning"
    const miniagents = {
      ...(agent === undefined ? {} : { agent }),
      ...(origin === undefined ? {} : { path: origin.path }),
      ...(call === undefined ? {} : { call }),
      ...(shown ? { aside: true } : {}),
      ...more
    }
    return Object.keys(miniagents).length === 0 ? {} : { providerMetadata: { miniagents } }
  }

  private set(fields: Partial<State>): void {
    this.state = { ...this.state, ...fields }
  }

  private say(chunk: Chunk): void {
    this.out.push(chunk)
  }
}

const texts: ReadonlySet<unknown> = new Set(["Text", "User", "System", "Assistant", "Joined"])

/** What is shown and not said is reasoning, whoever said it. */
const kindOf = ({ _tag: tag = "Text", aside }: Fields): Current["kind"] =>
  tag === "Reasoning" ? "reasoning" : !texts.has(tag) ? "other" : aside === true ? "reasoning" : "text"

const asked = Schema.decodeUnknownOption(approvals.Asked)
const answered = Schema.decodeUnknownOption(approvals.Answered)

const fileOrSource = (part: unknown): Chunk | undefined => {
  if (!Predicate.isObject(part)) return undefined
  const { data, fileName: filename, id: sourceId, mediaType, sourceType, title, type, url } = part as Fields
  if (type === "file" && typeof data === "string" && typeof mediaType === "string") {
    return { type: "file", url: `data:${mediaType};base64,${data}`, mediaType }
  }
  if (type !== "source" || typeof sourceId !== "string") return undefined
  const titled = typeof title === "string" ? { title } : {}
  if (sourceType === "url")
    return typeof url === "string" ? { type: "source-url", sourceId, url, ...titled } : undefined
  if (typeof mediaType !== "string") return undefined
  const named = typeof filename === "string" ? { filename } : {}
  return { type: "source-document", sourceId, mediaType, title: "", ...titled, ...named }
}

/** As the AI SDK spells it. */
const usageOf = (usage: usageSum.UsageSum) => {
  const { cacheReadTokens, cacheWriteTokens, inputTokens, outputTokens, reasoningTokens } = usage
  const total = (inputTokens ?? 0) + (outputTokens ?? 0)
  return {
    inputTokens,
    inputTokenDetails: { cacheReadTokens, cacheWriteTokens },
    outputTokens,
    outputTokenDetails: { reasoningTokens },
    totalTokens: inputTokens === undefined && outputTokens === undefined ? undefined : total
  }
}

const finishReasons: ReadonlySet<string> = new Set([
  "stop",
  "length",
  "content-filter",
  "tool-calls",
  "error",
  "interrupted"
])

const errorText = ({ error, id, reason }: Transcript.Failure): string =>
  id === undefined ? `${error}: ${reason}` : `${reason} (${id})`

const beganAnew = "The run began anew, and what was shown is no longer true: load it again"

/** What of an event stays when all after an offset of a message is taken back. */
const cut = (event: Transcript.Event, at: number, to: number): ReadonlyArray<Transcript.Event> => {
  if (!("at" in event) || event.at > at) return []
  if (event.at < at) return [event]
  if (event._tag === "open") return to > 0 ? [event] : []
  if (event._tag !== "text") return []
  const start = event.to - event.text.length
  return start >= to ? [] : [{ ...event, to: Math.min(to, event.to), text: event.text.slice(0, to - start) }]
}
