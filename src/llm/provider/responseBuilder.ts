/**
 * Response parts out of what a provider says bit by bit. A codec tells what an event means, in the terms of its
 * protocol; the builder opens, numbers and closes the blocks, parses the parameters of tool calls when they are
 * complete, and keeps what the response ends with. Nothing else has to know which block is open.
 *
 * Invariants:
 * 1. Every block starts once, before its deltas; it ends once, unless the response breaks off.
 * 2. A text or a reasoning ends before the next block begins; only tool calls may be open at the same time.
 * 3. A delta is never empty, and the pieces of a block, joined, are well-formed: no half of a character is at their
 *    ends.
 * 4. `tool-call` follows the `tool-params-end` of the same id, calls keep their order, and no id is used twice in a
 *    conversation.
 * 5. `response-metadata` comes first, and again only when the provider names the response later.
 * 6. `finish` is the last part; there is none after a failure.
 *
 * @since 0.1.0
 */
import * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Collected, merge, type Metadata } from "./metadata.ts"
import * as Parameters from "./callParameters.ts"
import { type Block, OpenBlocks } from "./openBlocks.ts"
import type { Served } from "./served.ts"

/**
 * The number of tokens a response took, each as far as the provider tells.
 *
 * @since 0.1.0
 * @category models
 */
export type Usage = Response.FinishPartEncoded["usage"]

/**
 * What a builder has to know beside what the provider says.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The name under which metadata stands on the parts. */
  readonly provider: string
  /** The mark of a server that is not the provider's own. */
  readonly server: string | undefined
  readonly tools: ReadonlyArray<Tool.Any>
  readonly transformer: LanguageModel.CodecTransformer
  /** A call with parameters that are no JSON is given as it is, for who asked to refuse; otherwise it is an error. */
  readonly isDeferred: boolean
  /** A value was asked for, and not a text. */
  readonly isStructured: boolean
  /** The ids of the calls that stand in the prompt. */
  readonly ids: ReadonlySet<string>
  /** Makes an id for a call that comes without one, or with one that is taken. */
  readonly makeId: () => string
  /** Milliseconds since 1970. */
  readonly now: () => number
}

interface Prose extends Block {
  readonly kind: "text" | "reasoning" | "opaque"
  readonly id: string
  /** The first half of a character, whose second half comes with the next delta. */
  half: string
  readonly metadata: Collected
}

/**
 * A tool call that is open.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenCall {
  /** The id that the provider gave it, which may be empty. */
  readonly givenId: string
  readonly id: string
  /** Empty as long as it has not come. */
  readonly name: string
  /** The parameters so far. */
  readonly json: string
}

interface Call extends Block, OpenCall {
  readonly kind: "call"
  name: string
  json: string
  half: string
  /** Parameters that came with the start, which count if no pieces follow. */
  readonly initial: string
  readonly metadata: Collected
}

/**
 * The parts of one response under way.
 *
 * @since 0.1.0
 * @category models
 */
export class ResponseBuilder {
  /** Set once: the stream ends with it, after the parts before it. */
  failure: AiError.AiErrorReason | undefined = undefined
  /** Why the model finished, as far as it has said so. */
  reason: Response.FinishReason | undefined = undefined
  /** Nothing can follow, as the protocol's end marker says. */
  isComplete = false
  /** The model has said that it does not want to answer. */
  isRefusal = false
  /** How often there was content, and not just the news that the provider is alive. */
  progress = 0
  /** Where the response can be taken up again when the connection is lost, if it can. */
  cursor: { readonly id: string; readonly after: number } | undefined = undefined
  usage: Usage = { inputTokens: {}, outputTokens: {} }
  private parts: Array<Response.StreamPartEncoded> = []
  private readonly blocks = new OpenBlocks<Prose | Call>()
  /** Calls that are over and wait for why the response ended: their parameters are no JSON, or there are none. */
  private readonly doubtful: Array<Call> = []
  private readonly ids: Set<string>
  private started = 0
  private called = 0
  private said = ""
  private goesOn = false
  private known: { id?: string; model?: string; created?: number } = {}
  private told: string | undefined = undefined
  /** Metadata of a block that has not begun. */
  private pending: Collected = {}
  private readonly finishMetadata: Collected = {}
  private readonly options: Options

  constructor(options: Options) {
    this.options = options
    this.ids = new Set(options.ids)
  }

  /** Gives the parts that were added since. */
  take(): Array<Response.StreamPartEncoded> {
    const { parts } = this
    if (parts.length > 0) this.parts = []
    return parts
  }

  /**
   * The model has said why it finished, and nothing else: the usage may still follow. Servers that give a reason with
   * every piece of content say nothing with it.
   */
  get isFinished(): boolean {
    return this.isComplete || (this.reason !== undefined && !this.goesOn)
  }

  /** What the provider says of the response; `created` in seconds since 1970. The first that is not empty counts. */
  begin({ created, id, model }: { readonly id?: unknown; readonly model?: unknown; readonly created?: unknown }): void {
    const { known } = this
    const isTold = known.id !== undefined && known.model !== undefined
    if (known.created === undefined && typeof created === "number" && created !== 0) known.created = created * 1000
    if (isTold) return
    if (known.id === undefined && typeof id === "string" && id !== "") known.id = id
    if (known.model === undefined && typeof model === "string" && model !== "") known.model = model
    if (known.id !== undefined && known.model !== undefined) this.tell()
  }

  /** Adds to the block of text under this key, and opens it if need be. */
  text(key: string | number, delta: unknown): void {
    this.add("text", key, delta)
  }

  /** Adds to the block of reasoning under this key, and opens it if need be, with this metadata. */
  reasoning(key: string | number, delta: unknown, metadata?: Metadata): void {
    this.add("reasoning", key, delta, metadata)
  }

  /**
   * Opens an empty block, which may have nothing but metadata. An opaque one is something for which there is no part: in
   * its place there is an empty reasoning once it is closed.
   */
  open(kind: Prose["kind"], key: string | number): void {
    this.beginProse(kind, key)
  }

  /** An opaque block that is whole. */
  opaque(metadata: Metadata, served?: Served): void {
    merge(this.beginProse("opaque", "").metadata, metadata)
    this.close("", served)
  }

  /** A file that the model made: base64, with what has to go back with it. */
  file(mediaType: string, data: string, metadata: Metadata = {}): void {
    this.closeProse()
    this.content()
    this.push({ type: "file", mediaType, data, ...this.metadata(metadata) })
  }

  /** Whether the model was told of a tool of this name. */
  hasTool(name: string): boolean {
    return this.options.tools.some((tool) => tool.name === name)
  }

  /** Opens a tool call. Without an id of the provider's own, or with one that is taken, it gets one. */
  call(key: string | number, given: { readonly id: unknown; readonly name: unknown; readonly initial?: unknown }) {
    this.closeProse()
    this.closeCall(key)
    this.content()
    this.started++
    this.called++
    const givenId = typeof given.id === "string" ? given.id : ""
    const id = givenId === "" || this.ids.has(givenId) ? this.options.makeId() : givenId
    this.ids.add(id)
    const initial = Parameters.textOf(given.initial)
    const metadata = this.pending
    this.pending = {}
    this.blocks.add({ kind: "call", key, givenId, id, name: "", json: "", half: "", initial, metadata })
    this.name(key, given.name)
  }

  /** The name of an open call, which comes with its start or with a later piece. */
  name(key: string | number, name: unknown): void {
    const call = this.blocks.get("call", key)
    if (call === undefined || call.name !== "" || typeof name !== "string" || name === "") return
    call.name = name
    this.push({ type: "tool-params-start", id: call.id, name })
    if (call.json !== "") this.push({ type: "tool-params-delta", id: call.id, delta: call.json })
  }

  /** Adds to the parameters of an open call: a piece of their JSON, or the whole of them as an object. */
  params(key: string | number, piece: unknown): void {
    const call = this.blocks.get("call", key)
    const text = Parameters.textOf(piece)
    if (call === undefined || text === "") return
    this.content()
    const delta = whole(call, text)
    if (delta === "") return
    call.json += delta
    if (call.name !== "") this.push({ type: "tool-params-delta", id: call.id, delta })
  }

  /** The call that is open under this key. */
  callOf(key: string | number): OpenCall | undefined {
    return this.blocks.get("call", key)
  }

  /** The keys of the open calls, in the order in which they began. */
  get callKeys(): ReadonlyArray<string | number> {
    return this.blocks.calls.map(({ key }) => key)
  }

  /**
   * Adds to the metadata of the call under a key, or of the block that is open; of the next one if none is. The values
   * are pieces, as `merge` says.
   */
  annotate(metadata: Metadata, key?: string | number): void {
    this.progress++
    const { calls, prose } = this.blocks
    const block = (key === undefined ? undefined : this.blocks.get("call", key)) ?? prose.at(-1) ?? calls.at(-1)
    merge(block?.metadata ?? this.pending, metadata)
  }

  /** The metadata of the text or the reasoning that is open, so far. */
  get openMetadata(): Collected | undefined {
    return this.blocks.prose.at(-1)?.metadata
  }

  /** Adds to the metadata of the `finish` part; of a value that comes again the last one counts. */
  note(metadata: { readonly [key: string]: Schema.Json | undefined }): void {
    for (const [key, value] of Object.entries(metadata)) {
      if (value !== undefined && value !== null) this.finishMetadata[key] = value
    }
  }

  /** Notes the fields of an object that are not among the known ones: nothing is made for those that a server repeats. */
  noteUnknown(value: object, known: ReadonlySet<string>): void {
    for (const key in value) {
      if (known.has(key)) continue
      const field: unknown = Reflect.get(value, key)
      if (field !== null && field !== undefined) this.finishMetadata[key] = field as Schema.Json // events are parsed JSON
    }
  }

  /** Adds to a list in the metadata of the `finish` part. */
  list(list: string, items: ReadonlyArray<Schema.Json>): void {
    if (items.length > 0) merge(this.finishMetadata, { [list]: [...items] })
  }

  /**
   * Ends the block under this key, if it is open. Where an opaque one is the work of a tool of the provider's own, its
   * beginning tells so.
   */
  close(key: string | number, served?: Served): void {
    if (this.blocks.prose.at(-1)?.key === key) this.closeProse(served)
    else this.closeCall(key)
  }

  /** The model has said why it finished. */
  finish(reason: Response.FinishReason): void {
    this.reason = reason
  }

  /** The protocol's end marker: nothing can follow. */
  complete(): void {
    this.isComplete = true
  }

  /** What the response ends with, after the parts that were added before; only the first counts. */
  fail(reason: AiError.AiErrorReason): void {
    this.failure ??= reason
  }

  /** Ends what is open, and adds the last part. */
  end(): void {
    if (Object.keys(this.pending).length > 0) this.opaque({})
    this.closeProse()
    for (const key of this.callKeys) this.closeCall(key)
    const reason = this.reasonAtEnd
    for (const call of this.doubtful) this.endDoubtful(call, reason)
    this.failure ??= this.options.isStructured ? this.notAsAsked(reason) : undefined
    if (this.failure !== undefined) return
    const { provider } = this.options
    const isNoted = Object.keys(this.finishMetadata).length > 0
    const metadata = isNoted ? { metadata: { [provider]: this.finishMetadata } } : {}
    this.push({ type: "finish", reason, usage: this.usage, ...metadata })
  }

  /** Whole calls are to be made, whatever the server says, unless it says that something was cut. */
  private get reasonAtEnd(): Response.FinishReason {
    const reason = this.reason ?? "unknown"
    return this.called > 0 && (reason === "stop" || reason === "other" || reason === "unknown") ? "tool-calls" : reason
  }

  private push(part: Response.StreamPartEncoded): void {
    if (this.told === undefined) this.tell()
    this.parts.push(part)
  }

  private tell(): void {
    const { created, id, model } = this.known
    const told = `${id}\n${model}`
    if (this.told === told) return
    this.told = told
    this.parts.push({
      type: "response-metadata",
      ...(id === undefined ? {} : { id }),
      // it can be picked up by its id, from another process too
      ...(this.cursor === undefined ? {} : this.metadata({ goesOn: true })),
      ...(model === undefined ? {} : { modelId: model }),
      ...Option.match(DateTime.make(created ?? this.options.now()), {
        onNone: () => ({}),
        onSome: (date) => ({ timestamp: DateTime.formatIso(date) })
      })
    })
  }

  private content(): void {
    this.progress++
    if (this.reason !== undefined) this.goesOn = true
  }

  private add(kind: "text" | "reasoning", key: string | number, piece: unknown, metadata?: Metadata): void {
    if (typeof piece !== "string" || piece === "") return
    this.content()
    const prose = this.blocks.get(kind, key) ?? this.beginProse(kind, key, metadata)
    const delta = whole(prose, piece)
    if (delta === "") return
    if (this.options.isStructured && kind === "text") this.said += delta
    this.push({ type: deltas[kind], id: prose.id, delta })
  }

  private beginProse(kind: Prose["kind"], key: string | number, metadata: Metadata = {}): Prose {
    this.closeProse()
    const id = String(this.started++)
    const prose = this.blocks.add<Prose>({ kind, key, id, half: "", metadata: this.pending })
    merge(prose.metadata, metadata)
    this.pending = {}
    if (kind === "opaque") this.progress++
    else this.push({ type: `${kind}-start`, id })
    return prose
  }

  private closeProse(served?: Served): void {
    for (const prose of this.blocks.prose) {
      const { half, id, metadata } = prose
      this.blocks.delete(prose)
      const kind = prose.kind === "opaque" ? "reasoning" : prose.kind
      if (prose.kind === "opaque") {
        const told = served && this.metadata({ ...served.kept, tool: { ...served.tool } })
        this.push({ type: "reasoning-start", id, ...told })
      }
      if (half !== "") this.push({ type: `${kind}-delta`, id, delta: replacement })
      this.push({ type: `${kind}-end`, id, ...this.metadata(metadata, kind === "reasoning") })
    }
  }

  private closeCall(key: string | number): void {
    const call = this.blocks.get("call", key)
    if (call === undefined) return
    this.blocks.delete(call)
    if (call.json === "" && call.initial !== "") {
      call.json = call.initial
      this.push({ type: "tool-params-delta", id: call.id, delta: call.json })
    }
    if (call.name !== "") this.push({ type: "tool-params-end", id: call.id })
    const params = call.name === "" || call.json.trim() === "" ? undefined : Parameters.parse(call.json)
    // Those after it wait as well, so that calls keep their order.
    if (params === undefined || this.doubtful.length > 0) this.doubtful.push(call)
    else this.pushCall(call, params)
  }

  private endDoubtful(call: Call, reason: Response.FinishReason): void {
    if (call.name === "") {
      return this.fail(new AiError.InvalidOutputError({ description: "a tool was called without its name" }))
    }
    const params = Parameters.parse(call.json)
    const isWhole = params !== undefined && (call.json.trim() !== "" || this.doubtful.at(-1) !== call)
    if (reason === "length" && !isWhole) {
      const description = `the token limit cut the response off in the middle of a call of \`${call.name}\``
      return this.fail(new AiError.InvalidOutputError({ description }))
    }
    if (params === undefined && !this.options.isDeferred) {
      const description = `the parameters are not JSON: ${call.json.slice(0, 200)}`
      return this.fail(new AiError.ToolParameterValidationError({ toolName: call.name, description }))
    }
    this.pushCall(call, params ?? call.json)
  }

  private pushCall({ id, metadata, name }: Call, params: Schema.Json): void {
    const decoded = this.decodeParams(name, params)
    this.push({ type: "tool-call", id, name, params: decoded, ...this.metadata(metadata) })
  }

  /** Why what was said cannot be the value that was asked for. */
  private notAsAsked(reason: Response.FinishReason): AiError.AiErrorReason | undefined {
    if (this.isRefusal || reason === "content-filter") {
      return new AiError.ContentPolicyError({ description: `the model refused to answer: ${this.said.slice(0, 300)}` })
    }
    if (reason !== "length" || Parameters.parse(this.said) !== undefined) return undefined
    const description = "the token limit cut the response off before the value was whole"
    return new AiError.StructuredOutputError({ description, responseText: this.said })
  }

  /**
   * Parameters come in the form that the provider's JSON Schema asks for (an optional field is `null`, say); the
   * toolkit wants the tool's own. What does not fit stays as it is, and the toolkit refuses it.
   */
  private decodeParams(name: string, params: unknown): unknown {
    const tool = this.options.tools.find((tool) => tool.name === name)
    if (tool === undefined || !Tool.isUserDefined(tool)) return params
    // A schema that needs services cannot be applied here and fails, which leaves the parameters as they are.
    const schema = tool.parametersSchema as Schema.Codec<unknown, unknown>
    return Result.try(() =>
      Schema.encodeUnknownSync(schema)(
        Schema.decodeUnknownSync(this.options.transformer(schema).codec as Schema.Codec<unknown, unknown>)(params)
      )
    ).pipe(Result.getOrElse(() => params))
  }

  /** What another server than the provider's own has said has its mark, as it may go back to no other. */
  private metadata(metadata: Metadata, isAlways = false): { readonly metadata?: Response.ProviderMetadata } {
    const { provider, server } = this.options
    if (Object.keys(metadata).length === 0 && (!isAlways || server === undefined)) return {}
    return { metadata: { [provider]: server === undefined ? metadata : { ...metadata, server } } }
  }
}

/** A text that is made for each token would cost more than all else about it. */
const deltas = { text: "text-delta", reasoning: "reasoning-delta" } as const

const replacement = "\uFFFD"

/** A piece with the half of a character that came before it, and without the half that is at its end. */
const whole = (block: { half: string }, piece: string): string => {
  const text = block.half + piece
  const last = text.charCodeAt(text.length - 1)
  block.half = last >= 0xd800 && last <= 0xdbff ? text.slice(-1) : ""
  return (block.half === "" ? text : text.slice(0, -1)).toWellFormed()
}
