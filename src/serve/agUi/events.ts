/** The events of a transcript as those of AG-UI. */
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as approvals from "../../runs/approvals.ts"
import type * as Transcript from "../../Transcript.ts"
import * as callScopes from "../folds/callScopes.ts"
import * as files from "../folds/files.ts"
import * as usageSum from "../folds/usageSum.ts"
import type { Fold } from "../routes/untilAsked.ts"

/** One event: its type, and the fields of that type. */
export interface AgUiEvent {
  readonly type: string
  readonly [field: string]: unknown
}

/** The run as its client names it, and what comes before the number of a message in its id. */
export interface Names {
  readonly threadId: string
  readonly runId: string
  readonly prefix: string
}

type Event<Tag extends Transcript.Event["_tag"]> = Extract<Transcript.Event, { readonly _tag: Tag }>
type Fields = { readonly [field: string]: Schema.Json }
type Tagged = { readonly subagentRunId?: string }

/** The message under way. */
interface Current {
  readonly at: number
  readonly known: Fields
  readonly origin: typeof Transcript.Origin.Type | undefined
  readonly kind: "text" | "reasoning" | "other"
  /** Who says it, once it has begun. */
  started: Tagged | undefined
}

/** An agent that works inside of a call. */
interface Subagent {
  readonly subagentRunId: string
  readonly name: string
  readonly call: callScopes.Call
}

/** Takes the events of one run in their order, from the first one. */
export class AgUiEvents implements Fold<AgUiEvent> {
  private readonly names: Names
  private readonly used: callScopes.Used
  private open: ReadonlyArray<callScopes.Call> = []
  /** In which call a call was made. */
  private readonly around = new Map<string, string>()
  /** The agents that work, each inside of those before it or beside them, by the ids of their calls. */
  private readonly subagents = new Map<string, Subagent>()
  /** Those that have ended. */
  private readonly left = new Set<string>()
  /** The message that holds the calls of a step of somebody's. */
  private readonly holders = new Map<string, { readonly step: Schema.Json | undefined; readonly id: string }>()
  private usage = new Map<string, usageSum.UsageSum>()
  /** The message that was opened last. */
  at = -1
  private current: Current | undefined = undefined
  /** The failure of a message, which may turn out to be that of the run. */
  private broken: Event<"broken"> | undefined = undefined
  private out: Array<AgUiEvent> = []
  private ended = false

  /** Calls get other ids than those that the conversation has already. */
  constructor(names: Names, had: Iterable<string> = []) {
    this.names = names
    this.used = new Map([...had].map((id) => [id, -1]))
  }

  take(event: Transcript.Event): ReadonlyArray<AgUiEvent> {
    this.out = []
    if (!this.ended) this.one(event)
    return this.out
  }

  pause(): ReadonlyArray<AgUiEvent> {
    this.out = []
    const interruptIds = this.asked === undefined ? [] : [this.asked.id]
    for (const { subagentRunId } of [...this.subagents.values()].reverse()) {
      this.say({ type: "SUBAGENT_FINISHED", subagentRunId, outcome: { type: "suspended", interruptIds } })
    }
    this.finish({ type: "interrupt", interrupts: this.asked === undefined ? [] : [this.asked] })
    this.usage = new Map()
    return this.out
  }

  goOn(): ReadonlyArray<AgUiEvent> {
    this.out = []
    for (const subagent of this.subagents.values()) this.begin(subagent)
    this.usage = new Map()
    return this.out
  }

  /** What is asked last. */
  private asked: { readonly id: string; readonly [field: string]: unknown } | undefined = undefined

  private one(event: Transcript.Event): void {
    switch (event._tag) {
      case "open":
        this.tellBroken()
        this.at = event.at
        this.current = { ...event, origin: event.origin, kind: this.kindOf(event), started: undefined }
        return
      case "text":
        return this.text(event.text)
      case "message":
        if (this.current !== undefined) this.message(this.current, event.message)
        return
      case "broken":
        this.close()
        this.broken = event
        return
      case "reset":
        return this.fail("the run began anew: ask for it again", "Reset")
      case "end":
        this.tellBroken()
        return this.end()
      case "failed": {
        const { error, id, reason } = event.failure
        return this.fail(id === undefined ? `${error}: ${reason}` : `${reason} (${id})`, error)
      }
      case "interrupted":
        this.tellBroken()
        return this.end({ type: "cancelled" })
    }
  }

  private text(delta: string): void {
    const { current } = this
    if (current === undefined || current.kind === "other") return
    const messageId = this.idOf(current.at)
    const type = current.kind === "text" ? "TEXT_MESSAGE" : "REASONING_MESSAGE"
    if (current.started === undefined) {
      const tagged = this.tagged(current)
      current.started = tagged
      if (current.kind === "text") {
        const agent = current.known.agent ?? current.origin?.agent
        const name = agent === undefined ? {} : { name: agent }
        this.say({ type: "TEXT_MESSAGE_START", messageId, role: "assistant", ...name, ...tagged })
        this.holders.set(tagged.subagentRunId ?? "", { step: current.known.step, id: messageId })
      } else {
        this.say({ type: "REASONING_START", messageId, ...tagged })
        this.say({ type: "REASONING_MESSAGE_START", messageId, role: "reasoning", ...tagged })
      }
    }
    this.say({ type: `${type}_CONTENT`, messageId, delta, ...current.started })
  }

  private message(current: Current, message: Fields): void {
    this.close()
    const model = typeof message.model === "string" ? message.model : ""
    if (message.usage !== undefined) {
      this.usage.set(model, usageSum.add(this.usage.get(model) ?? usageSum.none, message.usage))
    }
    switch (message._tag) {
      case "ToolCall":
        return this.call(current, message)
      case "ToolResult":
        return this.result(current, message)
      case "ResponsePart":
        return this.part(current, message.part)
      default: {
        if (message._tag === "File" || (current.kind !== "other" && message._tag !== "Failure")) {
          return this.files(current, message)
        }
        const { _tag: tag, metadata: _, ...fields } = message
        this.activity(this.idOf(current.at, "a"), String(tag), tag === "Data" ? fields.data : fields, current)
      }
    }
  }

  private call(current: Current, message: Fields): void {
    const tagged = this.tagged(current)
    const call = callScopes.made(message, current.at, current.origin, this.used)
    const inside = callScopes.around(this.open, current)
    if (inside !== undefined) this.around.set(call.uid, inside.uid)
    this.open = [...this.open, call]
    const { step } = current.known
    const owner = tagged.subagentRunId ?? ""
    const holder = this.holders.get(owner)
    const parent =
      holder !== undefined && step !== undefined && holder.step === step ? holder.id : this.idOf(current.at)
    this.holders.set(owner, { step, id: parent })
    const toolCallId = call.uid
    const delta = JSON.stringify(message.parameters)
    this.say({ type: "TOOL_CALL_START", toolCallId, toolCallName: call.name, parentMessageId: parent, ...tagged })
    this.say({ type: "TOOL_CALL_ARGS", toolCallId, delta, ...tagged })
    this.say({ type: "TOOL_CALL_END", toolCallId, ...tagged })
  }

  private result({ at, origin }: Current, { id, isFailure, name, result }: Fields): void {
    const call = callScopes.find(this.open, String(id), name, origin)
    if (call === undefined) return
    this.open = this.open.filter((other) => other !== call)
    const content = typeof result === "string" ? result : JSON.stringify(result)
    this.leave(call.uid, isFailure === true ? content : undefined)
    const outer = this.subagents.get(this.around.get(call.uid) ?? "")
    const tagged = outer === undefined ? {} : { subagentRunId: outer.subagentRunId }
    const messageId = this.idOf(at)
    this.say({ type: "TOOL_CALL_RESULT", messageId, toolCallId: call.uid, content, role: "tool", ...tagged })
  }

  /** What else a model or a tool gives: files, sources, progress, and requests for approval. */
  private part(current: Current, part: Schema.Json): void {
    const request = Option.getOrUndefined(asked(part))
    if (request !== undefined) return this.ask(request, current)
    if (!Predicate.hasProperty(part, "type") || typeof part.type !== "string") return
    const { id, result, type, ...fields } = part as unknown as Fields
    if (type === "progress") {
      const call = callScopes.find(this.open, String(id), undefined, current.origin)
      if (call !== undefined) this.say({ type: "CUSTOM", name: "progress", value: { toolCallId: call.uid, result } })
    } else if (type === "file" || type === "source") {
      const { metadata: _, ...content } = fields
      this.activity(this.idOf(current.at, "a"), type, content, current)
    }
  }

  private ask({ approvalId: id, toolCallId }: typeof approvals.Asked.Type, { origin }: Current): void {
    const call = callScopes.find(this.open, toolCallId, undefined, origin)
    const outer = this.subagents.get(this.around.get(call?.uid ?? "") ?? "")
    this.asked = {
      id,
      reason: "tool_call",
      message: `May \`${call?.name ?? toolCallId}\` be called?`,
      toolCallId: call?.uid ?? toolCallId,
      responseSchema: answerSchema,
      ...(outer === undefined ? {} : { subagentRunId: outer.subagentRunId })
    }
  }

  /** The files in what is said, which a message of an agent has no place for. */
  private files(current: Current, message: Fields): void {
    files.inside(message).forEach((file, i) => {
      const { fileName, mediaType } = file
      const content = { mediaType, url: files.hrefOf(file), ...(fileName === undefined ? {} : { fileName }) }
      const id = this.idOf(current.at, "a")
      this.activity(i === 0 ? id : `${id}-${i}`, "file", content, current)
    })
  }

  private activity(messageId: string, activityType: string, json: Schema.Json, current: Current): void {
    const content = Predicate.isObject(json) && !Array.isArray(json) ? json : { value: json }
    this.say({ type: "ACTIVITY_SNAPSHOT", messageId, activityType, content, ...this.tagged(current) })
  }

  /** Ends the text that is under way. */
  private close(): void {
    const { current } = this
    this.current = undefined
    if (current?.started === undefined) return
    const messageId = this.idOf(current.at)
    if (current.kind === "text") return this.say({ type: "TEXT_MESSAGE_END", messageId, ...current.started })
    this.say({ type: "REASONING_MESSAGE_END", messageId, ...current.started })
    this.say({ type: "REASONING_END", messageId, ...current.started })
  }

  private tellBroken(): void {
    const { broken } = this
    this.broken = undefined
    if (broken?.failure === undefined) return
    const { value: _, ...failure } = broken.failure
    this.say({
      type: "ACTIVITY_SNAPSHOT",
      messageId: this.idOf(broken.at, "a"),
      activityType: "Failure",
      content: failure
    })
  }

  private fail(message: string, code: string): void {
    this.ended = true
    this.close()
    // what the run failed with came out of the calls that are open
    for (const { uid } of this.open.toReversed()) this.leave(uid, message)
    this.say({ type: "RUN_ERROR", message, code, ...this.counted() })
  }

  private end(outcome?: object): void {
    this.ended = true
    this.close()
    for (const uid of [...this.subagents.keys()].reverse()) this.leave(uid, undefined)
    const pendingToolCallIds = this.open.flatMap(({ clientExecuted, uid }) => (clientExecuted ? [uid] : []))
    const pending = pendingToolCallIds.length === 0 ? {} : { pendingToolCallIds }
    this.finish(outcome ?? { type: "success", ...pending })
  }

  private finish(outcome: object): void {
    const { runId, threadId } = this.names
    this.say({ type: "RUN_FINISHED", threadId, runId, outcome, ...this.counted() })
  }

  /** What is shown and not said is reasoning, but for what an agent says inside of a call. */
  private kindOf({ known, origin }: Event<"open">): Current["kind"] {
    const { _tag: tag = "Text", aside } = known
    if (tag === "Reasoning") return "reasoning"
    if (!texts.has(tag)) return "other"
    return aside === true && callScopes.around(this.open, { known, origin }) === undefined ? "reasoning" : "text"
  }

  /** Who says a message: the agent inside of a call, which begins with it, or the one that was asked. */
  private tagged(current: Current): Tagged {
    const call = callScopes.around(this.open, current)
    if (call === undefined) return {}
    const subagentRunId = `${this.names.prefix}${call.uid}`
    if (!this.subagents.has(call.uid) && !this.left.has(call.uid)) {
      const below = current.origin!.path.slice(call.path!.length + 1) // it is below the call that it is inside of
      const name = below.includes("/") ? call.name : current.origin!.agent
      const subagent = { subagentRunId, name, call }
      this.subagents.set(call.uid, subagent)
      this.begin(subagent)
    }
    return { subagentRunId }
  }

  private begin({ call, name, subagentRunId }: Subagent): void {
    const outer = this.subagents.get(this.around.get(call.uid) ?? "")
    this.say({
      type: "SUBAGENT_STARTED",
      subagentRunId,
      name,
      parentToolCallId: call.uid,
      ...(outer === undefined ? {} : { parentSubagentRunId: outer.subagentRunId })
    })
  }

  /** Ends the agent inside of a call, and those inside of it. */
  private leave(uid: string, failure: string | undefined): void {
    const subagent = this.subagents.get(uid)
    if (subagent === undefined) return
    for (const other of this.subagents.keys()) if (this.around.get(other) === uid) this.leave(other, failure)
    this.subagents.delete(uid)
    this.left.add(uid)
    const { subagentRunId } = subagent
    if (failure === undefined) this.say({ type: "SUBAGENT_FINISHED", subagentRunId })
    else this.say({ type: "SUBAGENT_ERROR", subagentRunId, message: failure })
  }

  private idOf(at: number, kind = "m"): string {
    return `${this.names.prefix}${kind}${at}`
  }

  private counted(): { readonly usage?: ReadonlyArray<object> } {
    return this.usage.size === 0 ? {} : { usage: [...this.usage].map(([model, sum]) => usageOf(model, sum)) }
  }

  private say(event: AgUiEvent): void {
    this.out.push(event)
  }
}

const asked = Schema.decodeUnknownOption(approvals.Asked)

const answerSchema = {
  type: "object",
  properties: { approved: { type: "boolean" }, reason: { type: "string" } },
  required: ["approved"]
}

const texts: ReadonlySet<unknown> = new Set(["Text", "User", "System", "Assistant", "Joined"])

const usageOf = (model: string, sum: usageSum.UsageSum) => {
  const { cacheReadTokens, cacheWriteTokens, inputTokens, outputTokens, reasoningTokens } = sum
  const counts = {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens === undefined || outputTokens === undefined ? undefined : inputTokens + outputTokens,
    reasoningTokens,
    cachedInputTokens: cacheReadTokens,
    cacheWriteInputTokens: cacheWriteTokens
  }
  const known = Object.entries(counts).filter(([, count]) => count !== undefined)
  return { ...(model === "" ? {} : { model }), ...Object.fromEntries(known) }
}
