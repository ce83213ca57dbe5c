/** The parts of a response as messages: each text, reasoning and tool call becomes a message as soon as it begins. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"
import { jsonOf } from "../model/lossless.ts"
import * as Message from "../../Message.ts"
import type { MessageInput } from "../../MessageInput.ts"
import * as MessageSequence from "../../MessageSequence.ts"
import type { Filled } from "./filled.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import { usageOf } from "../model/usage.ts"
import { type Block, OpenBlocks } from "../provider/openBlocks.ts"
import { CallMessage, type Called, Slot } from "./callMessage.ts"
import { Reasoning, ResponsePart, ToolResult } from "./LlmMessage.ts"
import { failureOf, optionsOf, saidAtEnd, type Served, servedIn, withoutTool } from "./responseFields.ts"

/** Who speaks, and where the messages go. */
export interface Speaker {
  readonly reply: (input: MessageInput<unknown>) => Effect.Effect<void>
  readonly agent: string
  readonly model: string | undefined
  readonly step: number
  /** The names of the tools that the caller runs. */
  readonly clientTools: ReadonlySet<string>
  /** The ids of the calls in the conversation, to which those of this response are added. */
  readonly ids: Set<string>
  /** Makes a message to be filled. */
  readonly open: (known: Message.KnownFields) => Filled
}

/** A text or a reasoning under way. */
interface Prose extends Block {
  readonly kind: "text" | "reasoning"
  readonly message: Filled
  options: Response.ProviderMetadata
  /** The whole message, once it is there. */
  whole: Message.Message | undefined
}

/**
 * Takes the parts of one response. The last text carries what is known at the end (usage, finish reason), so a text is
 * kept open until the next block begins or the response ends. Where there is no such text, the last file or call does,
 * and where that is none either, an empty text: what a response has used stands in one of its messages, whatever it is
 * made of.
 */
export class ResponseMessages {
  readonly calls: Array<Called> = []
  /** Whether a tool was called that the caller runs. */
  callsClient = false
  finish: Response.FinishPart | undefined = undefined
  model: string | undefined
  private responseId: string | undefined = undefined
  private readonly blocks = new OpenBlocks<Prose | CallMessage>()
  /** Texts whose end has come, and whose messages wait for what comes next. */
  private over: Array<Prose> = []
  private lastText: Prose | undefined = undefined
  /** Gives the file or the call that came last; whether it is the last message of all. */
  private waiting: ((last: boolean) => void) | undefined = undefined
  /** What was said, in the order in which it began. */
  private readonly said: Array<{ readonly whole: Message.Message | undefined }> = []
  /** Whether what is known at the end stands in a message. */
  private told = false
  /** The blocks that were calls of the provider's own tools, and have been said. */
  private readonly servedIds = new Set<string>()
  private replies: Array<Effect.Effect<void, never, MiniAgents.MiniAgents>> = []
  private readonly speaker: Speaker

  constructor(speaker: Speaker) {
    this.speaker = speaker
    this.model = speaker.model
  }

  /** What was said, but for what was not whole when the response broke off. */
  get messages(): ReadonlyArray<Message.Message> {
    return this.said.flatMap(({ whole }) => whole ?? [])
  }

  /** Takes the parts that came together. Tokens of a block that is already a message cost no more than a loop. */
  push(
    parts: ReadonlyArray<Response.AnyPart>
  ): Effect.Effect<void, AiError.AiError, MiniAgents.MiniAgents> | undefined {
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i]
      if (part.type === "text-delta" || part.type === "reasoning-delta") this.delta(part)
      else if (part.type === "error") return Effect.fail(failureOf(part.error))
      else this.other(part)
    }
    return this.replies.length === 0 ? undefined : this.flush
  }

  /** Replies with what has begun. */
  private get flush(): Effect.Effect<void, never, MiniAgents.MiniAgents> {
    const replies = this.replies
    this.replies = []
    return Effect.all(replies, { discard: true })
  }

  /** The response has ended. */
  close(): Effect.Effect<void, never, MiniAgents.MiniAgents> {
    for (const prose of this.blocks.prose) this.end(prose)
    for (const call of this.blocks.calls) call.leave(Exit.void)
    const isSilent = this.lastText === undefined && this.waiting === undefined && this.calls.length === 0
    this.settle(true)
    const used = this.finish === undefined ? {} : usageOf(this.finish.usage)
    if (!this.told && ((isSilent && !this.callsClient) || Object.keys(used).length > 0)) {
      this.reply(this.assistant("", true))
    }
    return this.flush
  }

  /** The response broke off: the failure of the run, which is that of the message that was under way as well. */
  fail(cause: Cause.Cause<unknown>): Effect.Effect<Cause.Cause<unknown>, never, MiniAgents.MiniAgents> {
    this.settle(false)
    // what came together with the failure has not been replied with yet
    return Effect.map(this.flush, () => this.place(cause))
  }

  private place(cause: Cause.Cause<unknown>): Cause.Cause<unknown> {
    const isInterrupted = Cause.hasInterruptsOnly(cause)
    const exit = isInterrupted ? Exit.failCause(cause) : Exit.void
    const { calls, prose } = this.blocks
    const isPlaced = this.calls.length === 0 || isInterrupted
    const broken = isPlaced ? (calls.at(-1) ?? prose.at(-1)) : undefined
    for (const text of prose) if (text !== broken) this.end(text)
    const placed = broken?.message?.fail(cause) ?? cause
    for (const call of calls) {
      if (call === broken) call.slot?.end(exit)
      else call.leave(exit)
    }
    for (const { slot } of this.calls) slot.end(exit)
    return placed
  }

  private delta({ delta, id, metadata, type }: Response.TextDeltaPart | Response.ReasoningDeltaPart): void {
    const prose = this.prose(type === "text-delta" ? "text" : "reasoning", id)
    if (delta !== "") prose.message.push(delta)
    else addOptions(prose, metadata)
  }

  private other(part: Response.AnyPart): void {
    switch (part.type) {
      case "text-start":
        return addOptions(this.prose("text", part.id), part.metadata)
      case "reasoning-start":
        return this.served(part) ? undefined : addOptions(this.prose("reasoning", part.id), part.metadata)
      case "text-end": {
        const text = this.prose("text", part.id)
        addOptions(text, part.metadata)
        this.blocks.delete(text)
        this.over.push(text)
        return
      }
      case "reasoning-end": {
        if (this.servedIds.delete(part.id)) return
        const reasoning = this.prose("reasoning", part.id)
        addOptions(reasoning, part.metadata)
        return this.end(reasoning)
      }
      case "response-metadata":
        this.responseId = part.id ?? this.responseId
        this.model ??= part.modelId
        return
      case "finish":
        this.finish = part
        return
      case "tool-params-start":
        return void this.blocks.add(this.openCall(part, true))
      case "tool-params-delta":
        return this.blocks.get("call", part.id)?.write(part.delta)
      case "tool-call":
        return this.call(part as Response.ToolCallPart<string, unknown>)
      case "tool-result":
        return this.result(part)
      case "file":
        return this.file(part)
      case "source":
        return this.add(new ResponsePart({ ...this.known, part: jsonOf(part) }))
      default:
        return
    }
  }

  /** The open block of an id, which begins with the first part that names it. */
  private prose(kind: Prose["kind"], id: string): Prose {
    const open = this.blocks.get(kind, id)
    if (open !== undefined) return open
    this.settle(false)
    const is = kind === "text" ? { _tag: "Assistant" } : { _tag: "Reasoning", aside: true }
    const message = this.speaker.open({ ...is, ...this.here })
    const prose = this.blocks.add<Prose>({ kind, key: id, message, options: {}, whole: undefined })
    this.said.push(prose)
    if (kind === "text") this.lastText = prose
    this.reply(message.promise)
    return prose
  }

  /** What waited for what comes next is whole now. */
  private settle(last: boolean): void {
    const { over } = this
    this.over = []
    for (const text of over) this.end(text)
    this.waiting?.(last)
  }

  private end(prose: Prose): void {
    const { kind, message, options } = prose
    this.blocks.delete(prose)
    message.end((content) => {
      const isLast = prose === this.lastText
      return (prose.whole =
        kind === "text"
          ? this.assistant(content, isLast, options)
          : new Reasoning({ content, ...this.here, ...optionsOf(options) }))
    })
  }

  /** An image that the model made. It waits for what comes next, as the last message has what is known at the end. */
  private file({ data, mediaType, metadata }: Response.FilePart): void {
    this.settle(false)
    const drawn = Message.file(data, { mediaType })
    this.addServed(servedIn(metadata, this.here, drawn) ?? [])
    this.lastText = undefined
    const said: { whole: Message.Message | undefined } = { whole: undefined }
    this.said.push(said)
    this.waiting = (last) => {
      this.waiting = undefined
      said.whole = this.assistant("", last, withoutTool(metadata), [drawn])
      this.reply(said.whole)
    }
  }

  /** A call begins: its message is filled while the model writes the parameters, if it does so piece by piece. */
  private openCall(
    part: { readonly id: string; readonly name: string; readonly providerExecuted?: boolean },
    isWritten: boolean
  ): CallMessage {
    this.waiting?.(false)
    const { id, name, providerExecuted = false } = part
    const clientExecuted = !providerExecuted && this.speaker.clientTools.has(name)
    this.callsClient ||= clientExecuted
    const { here } = this
    const call = new CallMessage({
      key: id,
      // providers know the calls that they run by their own ids
      id: providerExecuted ? id : this.freeId(id),
      name,
      slot: providerExecuted || clientExecuted ? undefined : new Slot(),
      message: isWritten ? this.speaker.open({ _tag: "ToolCall", aside: true, ...here }) : undefined,
      fields: { ...here, ...(providerExecuted && { providerExecuted }), ...(clientExecuted && { clientExecuted }) }
    })
    this.said.push(call)
    if (call.message !== undefined) this.replyCall(call, call.message.promise)
    return call
  }

  private call(part: Response.ToolCallPart<string, unknown>): void {
    this.waiting?.(false)
    const call = this.blocks.get("call", part.id) ?? this.openCall(part, false)
    this.blocks.delete(call)
    const { slot } = call
    if (slot !== undefined) {
      this.calls.push({
        part,
        slot,
        // it is whole when the response says more, or has ended, and before anyone calls the tool
        get message() {
          return call.whole!
        }
      })
    }
    const end = (last: boolean) => {
      this.waiting = undefined
      const whole = call.end(part, last ? this.saidByCall : {})
      if (whole !== undefined) this.replyCall(call, whole)
    }
    // what a provider runs may take long, and something is said after it
    if (part.providerExecuted === true) end(false)
    else this.waiting = end
  }

  /** What the last call of a response says at its end, unless a text does. */
  private get saidByCall(): { readonly usage?: Message.Usage } {
    const usage = this.told || this.finish === undefined ? {} : usageOf(this.finish.usage)
    if (Object.keys(usage).length === 0) return {}
    this.told = true
    return { usage }
  }

  private replyCall({ slot }: CallMessage, message: MessageInput<unknown>): void {
    if (slot === undefined) return this.reply(message)
    const inside = Effect.flatMap(slot.input, (input) => MessageSequence.aside(input))
    this.replies.push(Effect.flatMap(inside, (inside) => this.speaker.reply([message, inside])))
  }

  /** An id that no call in the conversation has: some providers count calls anew in each response. */
  private freeId(given: string): string {
    const { ids } = this.speaker
    let id = given
    for (let n = 2; ids.has(id); n++) id = `${given}_${n}`
    ids.add(id)
    return id
  }

  /** What a tool gave that the provider ran. */
  private result(part: Response.ToolResultPart<string, unknown, unknown>): void {
    if (part.preliminary === true) return
    const { encodedResult, id, isFailure, metadata, name } = part
    const result = jsonOf(encodedResult)
    const providerExecuted = part.providerExecuted === true
    this.add(new ToolResult({ id, name, result, isFailure, ...this.here, providerExecuted, ...optionsOf(metadata) }))
  }

  /** Whether it is the work of a tool of the provider's own, which is then a call, its result, or both. */
  private served({ id, metadata }: Response.ReasoningStartPart): boolean {
    const served = servedIn(metadata, this.here)
    if (served === undefined) return false
    this.settle(false)
    this.addServed(served)
    this.servedIds.add(id)
    return true
  }

  private addServed(served: Served): void {
    if ("type" in served) this.call(served)
    else for (const message of served) this.add(message)
  }

  private add(message: Message.Message): void {
    this.waiting?.(false)
    this.said.push({ whole: message })
    this.reply(message)
  }

  private reply(input: MessageInput<unknown>): void {
    this.replies.push(this.speaker.reply(input))
  }

  private get known(): { readonly agent: string; readonly model?: string } {
    const { agent } = this.speaker
    return this.model === undefined ? { agent } : { agent, model: this.model }
  }

  /** Who says it, and in which step. */
  private get here() {
    return { ...this.known, step: this.speaker.step }
  }

  private assistant(
    content: string,
    last: boolean,
    options: Response.ProviderMetadata = {},
    parts?: ReadonlyArray<Message.Part>
  ): Message.Assistant {
    const { finish, responseId } = this
    const tells = last && finish !== undefined && !this.told
    this.told ||= tells
    return new Message.Assistant({
      content,
      ...this.here,
      ...(responseId === undefined ? {} : { responseId }),
      ...(tells ? saidAtEnd(finish) : {}),
      ...optionsOf(options),
      ...(parts === undefined ? {} : { parts })
    })
  }
}

const addOptions = (prose: Prose, metadata: Response.ProviderMetadata): void => {
  for (const [provider, more] of Object.entries(metadata)) {
    const known = prose.options[provider]
    const both = Predicate.isObject(known) && Predicate.isObject(more) ? Object.assign({}, known, more) : more
    prose.options = { ...prose.options, [provider]: both }
  }
}
