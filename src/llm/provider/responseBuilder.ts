/**
 * Builds the parts of one response while it streams. A codec says what each event of its protocol adds (a piece of
 * text, of reasoning, of a tool's parameters); the assembler opens, numbers and closes the blocks, parses the
 * parameters of tool calls when they are complete, and keeps what the response ends with.
 *
 * Invariants:
 * 1. Every block starts once, before its deltas; it ends once, unless the response breaks off.
 * 2. A delta is never empty.
 * 3. `tool-call` follows the `tool-params-end` of the same id, and its parameters are JSON.
 * 4. `finish` is the last part; there is none after a failure.
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

/**
 * What providers say beside the content: JSON under the provider's name.
 *
 * @since 0.1.0
 * @category models
 */
export type Metadata = { readonly [key: string]: Schema.Json }

/**
 * The number of tokens a response took, each as far as the provider tells.
 *
 * @since 0.1.0
 * @category models
 */
export type Usage = Response.FinishPartEncoded["usage"]

interface Block {
  /** `other` is what there is no part for: it goes into the metadata of `finish`. */
  readonly kind: "text" | "reasoning" | "tool" | "other"
  readonly id: string
  readonly name: string
  json: string
  metadata: Metadata
}

/**
 * The parts of one response under way.
 *
 * @since 0.1.0
 * @category models
 */
export class Assembler {
  /** Set once: the stream ends with it, after the parts before it. */
  failure: AiError.AiErrorReason | undefined = undefined
  /** Set once the model has finished; the usage may still follow, and from some servers a piece of content. */
  reason: Response.FinishReason | undefined = undefined
  /** Nothing can follow, as the protocol's end marker says. */
  isComplete = false
  usage: Usage = { inputTokens: {}, outputTokens: {} }
  private parts: Array<Response.StreamPartEncoded> = []
  private readonly blocks = new Map<string | number, Block>()
  private started = 0
  private calls = 0
  private responseId: string | undefined = undefined
  private readonly finishMetadata: Record<string, Schema.Json> = {}
  private readonly lists = new Map<string, Array<Schema.Json>>()
  private readonly provider: string
  private readonly tools: ReadonlyArray<Tool.Any>
  private readonly transformer: LanguageModel.CodecTransformer

  constructor(provider: string, tools: ReadonlyArray<Tool.Any>, transformer: LanguageModel.CodecTransformer) {
    this.provider = provider
    this.tools = tools
    this.transformer = transformer
  }

  /** Takes the parts that were added since. */
  take(): Array<Response.StreamPartEncoded> {
    const parts = this.parts
    this.parts = []
    return parts
  }

  /** The response has begun; `created` in milliseconds since 1970. Only the first call counts. */
  start(response: { readonly id: unknown; readonly model: unknown; readonly created: number }): void {
    if (this.responseId !== undefined) return
    this.responseId = typeof response.id === "string" ? response.id : ""
    this.parts.push({
      type: "response-metadata",
      ...(this.responseId === "" ? {} : { id: this.responseId }),
      ...(typeof response.model === "string" ? { modelId: response.model } : {}),
      ...Option.match(DateTime.make(response.created), {
        onNone: () => ({}),
        onSome: (date) => ({ timestamp: DateTime.formatIso(date) })
      })
    })
  }

  /** Adds to the block of text under this key, and opens it if need be. */
  text(key: string | number, delta: unknown): void {
    this.add("text", key, delta)
  }

  /** Adds to the block of reasoning under this key, and opens it if need be. */
  reasoning(key: string | number, delta: unknown): void {
    this.add("reasoning", key, delta)
  }

  /** Opens a tool call. Without an id of the provider's it gets one. */
  tool(key: string | number, call: { readonly id: unknown; readonly name: unknown }): void {
    const id = typeof call.id === "string" && call.id !== "" ? call.id : `call_${this.responseId}_${this.calls}`
    this.calls++
    this.open("tool", key, id, String(call.name))
  }

  /** Adds to the JSON of a tool call's parameters. */
  params(key: string | number, delta: unknown): void {
    const block = this.blocks.get(key)
    if (block === undefined || typeof delta !== "string" || delta === "") return
    block.json += delta
    if (block.kind === "tool") this.parts.push({ type: "tool-params-delta", id: block.id, delta })
  }

  /** Opens a block that there is no part for; if it gets parameters, they become its `input`. */
  other(key: string | number, metadata: Metadata): void {
    this.close(key)
    this.blocks.set(key, { kind: "other", id: "", name: "", json: "", metadata })
  }

  /** The id and the kind of the block that is open under this key. */
  block(key: string | number): { readonly kind: Block["kind"]; readonly id: string } | undefined {
    return this.blocks.get(key)
  }

  /** Opens an empty block, which may have nothing but metadata. */
  open(kind: Exclude<Block["kind"], "other">, key: string | number, id = String(this.started), name = ""): void {
    this.close(key)
    this.started++
    this.blocks.set(key, { kind, id, name, json: "", metadata: {} })
    this.parts.push(kind === "tool" ? { type: "tool-params-start", id, name } : { type: `${kind}-start`, id })
  }

  /** Adds to the metadata with which the block under this key ends. */
  annotate(key: string | number, metadata: Metadata): void {
    const block = this.blocks.get(key)
    if (block !== undefined) block.metadata = { ...block.metadata, ...metadata }
  }

  /** Adds to the metadata of the `finish` part; what is `null` or not there says nothing. */
  annotateFinish(metadata: { readonly [key: string]: Schema.Json | undefined }): void {
    for (const [key, value] of Object.entries(metadata)) {
      if (value !== undefined && value !== null) this.finishMetadata[key] = value
    }
  }

  /** Adds to a list in the metadata of the `finish` part. */
  listInFinish(list: string, ...items: ReadonlyArray<Schema.Json>): void {
    const listed = this.lists.get(list) ?? []
    this.lists.set(list, listed)
    for (const item of items) listed.push(item)
  }

  /** Ends the block under this key, if there is one. */
  close(key: string | number): void {
    const block = this.blocks.get(key)
    if (block === undefined) return
    this.blocks.delete(key)
    const { id, kind } = block
    if (kind === "tool") return this.call(block)
    if (kind === "other") return this.listInFinish("blocks", withInput(block))
    this.parts.push({ type: `${kind}-end`, id, ...this.metadata(block.metadata) })
  }

  /** Ends every block that is open, or those of one kind. */
  closeAll(kind?: Block["kind"]): void {
    for (const [key, block] of this.blocks) {
      if (kind === undefined || block.kind === kind) this.close(key)
    }
  }

  /** The model has finished. */
  finish(reason: Response.FinishReason): void {
    this.closeAll()
    this.reason = reason
  }

  /** Adds the last part, and ends what is open before it. */
  end(): void {
    this.closeAll()
    if (this.reason === undefined || this.failure !== undefined) return
    // Some servers say `stop` after tool calls.
    const reason = this.reason === "stop" && this.calls > 0 ? "tool-calls" : this.reason
    const metadata = this.metadata({ ...this.finishMetadata, ...Object.fromEntries(this.lists) })
    this.parts.push({ type: "finish", reason, usage: this.usage, ...metadata })
  }

  /** What the response ends with, after the parts that were added before; only the first counts. */
  fail(reason: AiError.AiErrorReason): void {
    this.failure ??= reason
  }

  private add(kind: "text" | "reasoning", key: string | number, delta: unknown): void {
    if (typeof delta !== "string" || delta === "") return
    if (this.blocks.get(key)?.kind !== kind) this.open(kind, key)
    this.parts.push({ type: `${kind}-delta`, id: this.blocks.get(key)?.id ?? "", delta })
  }

  private call(block: Block): void {
    const { id, json, metadata, name } = block
    this.parts.push({ type: "tool-params-end", id })
    const parsed = Result.try(() => Tool.unsafeSecureJsonParse(json.trim() === "" ? "{}" : json))
    if (Result.isFailure(parsed)) {
      const description = `the parameters are not JSON: ${json.slice(0, 200)}`
      return this.fail(new AiError.ToolParameterValidationError({ toolName: name, description }))
    }
    const params = this.decodeParams(name, parsed.success)
    this.parts.push({ type: "tool-call", id, name, params, ...this.metadata(metadata) })
  }

  /**
   * Parameters come in the form that the provider's JSON Schema asks for (an optional field is `null`, say); the
   * toolkit wants the tool's own. What does not fit stays as it is, and the toolkit refuses it.
   */
  private decodeParams(name: string, params: unknown): unknown {
    const tool = this.tools.find((tool) => tool.name === name)
    if (tool === undefined || !Tool.isUserDefined(tool)) return params
    // A schema that needs services cannot be applied here and fails, which leaves the parameters as they are.
    const schema = tool.parametersSchema as Schema.Codec<unknown, unknown>
    return Result.try(() =>
      Schema.encodeUnknownSync(schema)(
        Schema.decodeUnknownSync(this.transformer(schema).codec as Schema.Codec<unknown, unknown>)(params)
      )
    ).pipe(Result.getOrElse(() => params))
  }

  private metadata(metadata: Metadata): { readonly metadata?: Metadata } {
    return Object.keys(metadata).length === 0 ? {} : { metadata: { [this.provider]: metadata } }
  }
}

const withInput = ({ json, metadata }: Block): Metadata => {
  if (json === "") return metadata
  const parsed = Result.try(() => Tool.unsafeSecureJsonParse(json) as Schema.Json)
  return { ...metadata, input: Result.getOrElse(parsed, () => json) }
}
