/** The parts of a response as messages: each text, reasoning and tool call becomes a message as soon as it begins. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"
import { jsonOf } from "../model/lossless.ts"
import * as Message from "../../Message.ts"
import type { MessageInput } from "../../MessageInput.ts"
import * as MessageSequence from "../../MessageSequence.ts"
import type { Filled } from "./filled.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import { usageOf } from "../model/usage.ts"
import { Reasoning, ResponsePart, ToolCall, ToolResult } from "./LlmMessage.ts"
import { failureOf, optionsOf, saidAtEnd, servedIn } from "./responseFields.ts"

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

/** A place in the replies that is filled later. */
export class Slot {
  private queue: Queue.Queue<MessageInput<unknown>, unknown> | undefined = undefined

  /** What is added, once there is room for it. */
  readonly input: Effect.Effect<Stream.Stream<MessageInput<unknown>, unknown>> = Effect.map(
    Queue.unbounded<MessageInput<unknown>, unknown>(),
    (queue) => {
      this.queue = queue
      return Stream.fromQueue(queue)
    }
  )

  add(input: MessageInput<unknown>): void {
    if (this.queue !== undefined) Queue.offerUnsafe(this.queue, input)
  }

  end(exit: Exit.Exit<unknown, unknown> = Exit.void): void {
    if (this.queue === undefined) return
    Queue.failCauseUnsafe(this.queue, Exit.isSuccess(exit) ? Cause.fail(Cause.Done()) : exit.cause)
  }
}

/** A call that the model made, its message once the response has ended, and the place for what the tool says and gives. */
export interface Called {
  readonly part: Response.ToolCallPart<string, unknown>
  readonly message: ToolCall
  readonly slot: Slot
}

/** A call as it begins. */
interface OpenedCall {
  readonly id: string
  readonly name: string
  readonly providerExecuted?: boolean
}

/** A call whose parameters the model is writing. */
interface OpenCall {
  readonly id: string
  readonly name: string
  readonly known: object
  /** The place for what the tool says, unless somebody else runs it. */
  readonly slot: Slot | undefined
  readonly message: Filled | undefined
  /** Whether some of the parameters have come. */
  hasPieces: boolean
  whole: ToolCall | undefined
}

/** A text or a reasoning under way. */
interface Block {
  readonly kind: "text" | "reasoning"
  readonly id: string
  readonly message: Filled
  /** Whether its message is whole or has failed. */
  ended: boolean
  /** Whether the model has said that it is at its end. */
  over: boolean
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
  private lastText: Block | undefined = undefined
  /** The block that began last: nearly every token is for it. */
  private current: Block | undefined = undefined
  private readonly blocks = new Map<string, Block>()
  /** The calls that are being written, by the ids that the provider gave them. */
  private readonly written = new Map<string, OpenCall>()
  /** What was said, in the order in which it began. */
  private readonly said: Array<{ readonly whole: Message.Message | undefined }> = []
  /** Gives the file or the call that came last; whether it is the last message of all. */
  private waiting: ((last: boolean) => void) | undefined = undefined
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
    for (const block of this.blocks.values()) this.end(block)
    this.leaveCalls(Exit.void)
    const isSilent = this.lastText === undefined && this.waiting === undefined && this.calls.length === 0
    this.flushFile(true)
    const used = this.finish === undefined ? {} : usageOf(this.finish.usage)
    if (!this.told && ((isSilent && !this.callsClient) || Object.keys(used).length > 0)) {
      this.reply(this.assistant("", true))
    }
    return this.flush
  }

  /** The response broke off: the failure of the run, which is that of the message that was under way as well. */
  fail(cause: Cause.Cause<unknown>): Effect.Effect<Cause.Cause<unknown>, never, MiniAgents.MiniAgents> {
    this.flushFile()
    // what came together with the failure has not been replied with yet
    return Effect.map(this.flush, () => this.place(cause))
  }

  private place(cause: Cause.Cause<unknown>): Cause.Cause<unknown> {
    const isInterrupted = Cause.hasInterruptsOnly(cause)
    const isPlaced = this.calls.length === 0 || isInterrupted
    const exit = isInterrupted ? Exit.failCause(cause) : Exit.void
    const [call] = isPlaced ? [...this.written.values()].slice(-1) : []
    const open = [...this.blocks.values()].filter((block) => !block.ended)
    const broken = call?.message ?? (isPlaced ? open.pop()?.message : undefined)
    for (const block of open) this.end(block)
    const placed = broken?.fail(cause) ?? cause
    call?.slot?.end(exit)
    for (const [id, open] of this.written) if (open === call) this.written.delete(id)
    this.leaveCalls(exit)
    for (const { slot } of this.calls) slot.end(exit)
    return placed
  }

  /** Ends the calls that were not written to their end: nobody can make them. */
  private leaveCalls(exit: Exit.Exit<unknown, unknown>): void {
    for (const call of this.written.values()) {
      call.message?.push(")")
      call.message?.end((text) => {
        const parameters = text.slice(call.name.length + 1, -1)
        call.whole = new ToolCall({ id: call.id, name: call.name, parameters, ...call.known, written: parameters })
        return call.whole
      })
      call.slot?.end(exit)
    }
    this.written.clear()
  }

  private delta(part: Response.TextDeltaPart | Response.ReasoningDeltaPart): void {
    const kind = part.type === "text-delta" ? "text" : "reasoning"
    const { current } = this
    const block =
      current?.id === part.id && current.kind === kind && !current.over ? current : this.block(kind, part.id)
    if (part.delta !== "") block.message.push(part.delta)
    else this.addOptions(block, part.metadata)
  }

  private other(part: Response.AnyPart): void {
    switch (part.type) {
      case "text-start":
      case "reasoning-start":
        if (part.type === "reasoning-start" && this.served(part)) return
        return this.addOptions(this.block(part.type === "text-start" ? "text" : "reasoning", part.id), part.metadata)
      case "text-end":
      case "reasoning-end": {
        const kind = part.type === "text-end" ? "text" : "reasoning"
        if (this.servedIds.delete(`${kind} ${part.id}`)) return
        const block = this.block(kind, part.id)
        this.addOptions(block, part.metadata)
        block.over = true
        if (kind === "reasoning") this.end(block)
        return
      }
      case "response-metadata":
        this.responseId = part.id ?? this.responseId
        this.model ??= part.modelId
        return
      case "finish":
        this.finish = part
        return
      case "tool-params-start":
        return void this.openCall(part)
      case "tool-params-delta":
        return this.writeParams(part)
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

  /** An image that the model made. It waits for what comes next, as the last message has what is known at the end. */
  private file({ data, mediaType, metadata }: Response.FilePart): void {
    this.lastText = undefined
    this.flushFile()
    const said: { whole: Message.Message | undefined } = { whole: undefined }
    this.said.push(said)
    this.waiting = (last) => {
      this.waiting = undefined
      said.whole = this.assistant("", last, metadata, [Message.file(data, { mediaType })])
      this.reply(said.whole)
    }
  }

  private flushFile(last = false): void {
    for (const block of this.blocks.values()) if (block.over) this.end(block)
    this.waiting?.(last)
  }

  /** The open block of an id, which begins with the first part that names it. */
  private block(kind: Block["kind"], id: string): Block {
    const key = `${kind} ${id}`
    const found = this.blocks.get(key)
    if (found !== undefined && !found.ended && !found.over) return found
    this.flushFile()
    const { known, step } = this
    const is = kind === "text" ? { _tag: "Assistant" } : { _tag: "Reasoning", aside: true }
    const message = this.speaker.open({ ...is, ...known, step })
    const block: Block = { kind, id, message, ended: false, over: false, options: {}, whole: undefined }
    this.blocks.set(key, block)
    this.said.push(block)
    this.current = block
    if (kind === "text") this.lastText = block
    this.reply(message.promise)
    return block
  }

  private end(block: Block): void {
    if (block.ended) return
    block.ended = true
    const last = block === this.lastText
    block.message.end((text) => {
      const said = block.kind === "text" ? this.assistant(text, last, block.options) : this.reasoning(text, block)
      block.whole = said
      return said
    })
  }

  private addOptions(block: Block, metadata: Response.ProviderMetadata): void {
    for (const [provider, more] of Object.entries(metadata)) {
      const known = block.options[provider]
      const both = Predicate.isObject(known) && Predicate.isObject(more) ? Object.assign({}, known, more) : more
      block.options = { ...block.options, [provider]: both }
    }
  }

  private call(part: Response.ToolCallPart<string, unknown>): void {
    this.waiting?.(false)
    const open = this.written.get(part.id) ?? this.openCall(part, false)
    this.written.delete(part.id)
    const { slot } = open
    // its message is whole when the response says more, or has ended, and before anyone calls the tool
    const message = () => open.whole!
    if (slot !== undefined) {
      this.calls.push({
        part,
        slot,
        get message() {
          return message()
        }
      })
    }
    const end = (last: boolean) => {
      this.waiting = undefined
      this.endCall(open, part, last)
    }
    // what a provider runs may take long, and something is said after it
    if (part.providerExecuted === true) end(false)
    else this.waiting = end
  }

  /** A call begins: its message is filled while the model writes the parameters, if it does so piece by piece. */
  private openCall(part: OpenedCall, isWritten = true): OpenCall {
    this.waiting?.(false)
    const { id, name, providerExecuted = false } = part
    const clientExecuted = !providerExecuted && this.speaker.clientTools.has(name)
    this.callsClient ||= clientExecuted
    const { known, step } = this
    const slot = providerExecuted || clientExecuted ? undefined : new Slot()
    const message = isWritten ? this.speaker.open({ _tag: "ToolCall", aside: true, ...known, step }) : undefined
    // providers know the calls that they run by their own ids
    const call: OpenCall = {
      id: providerExecuted ? id : this.freeId(id),
      name,
      slot,
      message,
      hasPieces: false,
      whole: undefined,
      known: {
        ...known,
        step,
        ...(providerExecuted ? { providerExecuted } : {}),
        ...(clientExecuted ? { clientExecuted } : {})
      }
    }
    this.said.push(call)
    if (message !== undefined) {
      message.push(`${name}(`)
      this.written.set(id, call)
      this.replyCall(call, message.promise)
    }
    return call
  }

  private writeParams({ delta, id }: Response.ToolParamsDeltaPart): void {
    const call = this.written.get(id)
    if (call === undefined || delta === "") return
    call.hasPieces = true
    call.message?.push(delta)
  }

  /** The call is whole: its message, as it was written, or as it came. */
  private endCall(
    call: OpenCall,
    { metadata, params }: Pick<Response.ToolCallPart<string, unknown>, "metadata" | "params">,
    last: boolean
  ): void {
    const { id, known, message, name } = call
    const said = last ? this.saidByCall : {}
    const fields = { id, name, parameters: jsonOf(params), ...known, ...optionsOf(metadata), ...said }
    const plain = new ToolCall(fields)
    call.whole = plain
    if (message === undefined) this.replyCall(call, plain)
    else {
      message.push(call.hasPieces ? ")" : `${JSON.stringify(plain.parameters)})`)
      message.end((text) => {
        const written = text.slice(name.length + 1, -1)
        return (call.whole = String(plain) === text ? plain : new ToolCall({ ...fields, written }))
      })
    }
  }

  /** What the last call of a response says at its end, unless a text does. */
  private get saidByCall(): { readonly usage?: Message.Usage } {
    const usage = this.told || this.finish === undefined ? {} : usageOf(this.finish.usage)
    if (Object.keys(usage).length === 0) return {}
    this.told = true
    return { usage }
  }

  private replyCall({ slot }: OpenCall, message: MessageInput<unknown>): void {
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
    const options = optionsOf(metadata)
    this.add(
      new ToolResult({ id, name, result, isFailure, ...this.known, step: this.step, providerExecuted, ...options })
    )
  }

  /** Whether it is the work of a tool of the provider's own, which is then a call and its result. */
  private served({ id, metadata }: Response.ReasoningStartPart): boolean {
    const served = servedIn(metadata, { ...this.known, step: this.step, providerExecuted: true })
    if (served === undefined) return false
    for (const open of this.blocks.values()) if (open.over) this.end(open)
    if ("type" in served) this.call(served)
    else for (const message of served) this.add(message)
    this.servedIds.add(`reasoning ${id}`)
    return true
  }

  private add(message: Message.Message): void {
    this.waiting?.(false)
    this.said.push({ whole: message })
    this.reply(message)
  }

  private reply(input: MessageInput<unknown>): void {
    this.replies.push(this.speaker.reply(input))
  }

  private get step(): number {
    return this.speaker.step
  }

  private get known(): { readonly agent: string; readonly model?: string } {
    const { agent } = this.speaker
    return this.model === undefined ? { agent } : { agent, model: this.model }
  }

  private reasoning(content: string, { options }: Block): Reasoning {
    return new Reasoning({ content, ...this.known, step: this.step, ...optionsOf(options) })
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
      ...this.known,
      step: this.step,
      ...(responseId === undefined ? {} : { responseId }),
      ...(tells ? saidAtEnd(finish) : {}),
      ...optionsOf(options),
      ...(parts === undefined ? {} : { parts })
    })
  }
}
