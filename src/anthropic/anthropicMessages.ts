/**
 * The protocol of Anthropic's Messages API.
 *
 * Source: https://platform.claude.com/docs/en/api/messages.
 *
 * @since 0.1.0
 */
import type Anthropic from "@anthropic-ai/sdk"
import type * as AiError from "effect/ai/AiError"
import { toCodecAnthropic } from "effect/ai/AnthropicStructuredOutput"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type { Assembler } from "../llm/provider/responseBuilder.ts"
import * as Part from "../llm/provider/wirePart.ts"
import type * as Wire from "../llm/provider/Wire.ts"

/**
 * The body of a request, in the SDK's own type.
 *
 * @since 0.1.0
 * @category models
 */
export type Params = Anthropic.MessageCreateParamsStreaming

/**
 * Every parameter of the API but those that come from the prompt. `max_tokens` is 4096 by default, as the API wants
 * one. Its `system` comes before the system messages of the prompt.
 *
 * @since 0.1.0
 * @category models
 */
export type Config = Partial<Omit<Params, "messages" | "stream">>

/**
 * The codec. What it has no part for (the results of tools that Anthropic runs) is in the `blocks` of the metadata
 * with which the response finishes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const codec: Wire.Codec<Config, Params, Anthropic.RawMessageStreamEvent> = {
  transformer: toCodecAnthropic,
  encode: (options, config) =>
    Effect.gen(function* () {
      const { content } = options.prompt
      const format = yield* Part.format(options, toCodecAnthropic)
      const system = [...systemOf(config), ...content.flatMap((message) => encodeSystem(message))]
      return {
        max_tokens: 4096,
        ...config,
        ...encodeTools(yield* Part.tools(options, toCodecAnthropic), options.toolChoice, config),
        ...(format && {
          output_config: { ...config.output_config, format: { type: "json_schema", schema: format.schema } }
        }),
        ...(system.length > 0 && { system }),
        messages: yield* encodeMessages(content),
        stream: true
      }
    }),
  describe: (params) => ({
    model: params.model,
    maxTokens: params.max_tokens,
    stopSequences: params.stop_sequences,
    // Some models take them, though the SDK's types no longer say so.
    ...("temperature" in params && { temperature: params.temperature as number }),
    ...("top_p" in params && { topP: params.top_p as number })
  }),
  decode: (event, response, now) => {
    switch (event.type) {
      case "message_start":
        response.start({ id: event.message.id, model: event.message.model, created: now })
        return decodeUsage(event.message.usage, response)
      case "content_block_start":
        return startBlock(event.index, event.content_block, response)
      case "content_block_delta":
        return decodeDelta(event.index, event.delta, response)
      case "content_block_stop":
        return response.close(event.index)
      case "message_delta":
        decodeUsage(event.usage, response)
        decodeStop(event.delta, response)
        if (event.delta.stop_reason) response.finish(reasons[event.delta.stop_reason] ?? "other")
        return
      case "message_stop":
        response.isComplete = response.reason !== undefined
    }
  },
  isToken: (event) => {
    if (event?.type === "content_block_start") return !/^(text|thinking)$/.test(event.content_block?.type)
    return event?.type === "content_block_delta" && isToken(event.delta)
  }
}

/** Text and thoughts begin empty, and their pieces may be. */
const isToken = (delta: Anthropic.RawContentBlockDelta | undefined): boolean => {
  switch (delta?.type) {
    case "text_delta":
      return Boolean(delta.text)
    case "thinking_delta":
      return Boolean(delta.thinking)
    case "input_json_delta":
      return Boolean(delta.partial_json)
    default:
      return delta?.type === "signature_delta" || delta?.type === "citations_delta"
  }
}

const reasons: { readonly [reason: string]: Response.FinishReason } = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool-calls",
  pause_turn: "pause",
  refusal: "content-filter"
}

const startBlock = (
  index: number,
  block: Anthropic.RawContentBlockStartEvent["content_block"],
  response: Assembler
): void => {
  switch (block.type) {
    case "text":
      response.open("text", index)
      return response.text(index, block.text)
    case "thinking":
      response.open("reasoning", index)
      if (block.signature) response.annotate(index, { signature: block.signature })
      return response.reasoning(index, block.thinking)
    case "redacted_thinking":
      response.open("reasoning", index)
      return response.annotate(index, { redactedData: block.data })
    case "tool_use":
      response.tool(index, block)
      // Usually empty, and what follows are its pieces.
      if (Predicate.isObject(block.input) && Object.keys(block.input).length > 0) {
        response.params(index, JSON.stringify(block.input))
      }
      return
    default:
      return response.other(index, Part.json(block))
  }
}

const decodeDelta = (index: number, delta: Anthropic.RawContentBlockDeltaEvent["delta"], response: Assembler): void => {
  switch (delta.type) {
    case "text_delta":
      return response.text(index, delta.text)
    case "thinking_delta":
      return response.reasoning(index, delta.thinking)
    case "input_json_delta":
      return response.params(index, delta.partial_json)
    case "signature_delta":
      return response.annotate(index, { signature: delta.signature })
    case "citations_delta":
      return response.listInFinish("citations", { index, citation: Part.json(delta.citation) })
  }
}

/** What the reasons leave out. */
const decodeStop = (delta: Anthropic.RawMessageDeltaEvent["delta"], response: Assembler): void => {
  const { container, stop_details, stop_sequence } = delta
  response.annotateFinish({ stop_sequence, stop_details: Part.json(stop_details), container: Part.json(container) })
}

/** The usage at the end is that of the whole response, but leaves out what has not changed. */
const decodeUsage = (
  usage: Partial<Anthropic.Usage> | Partial<Anthropic.MessageDeltaUsage> | null | undefined,
  response: Assembler
): void => {
  if (!usage) return
  const { inputTokens, outputTokens } = response.usage
  const uncached = Part.count(usage.input_tokens) ?? inputTokens.uncached
  const cacheRead = Part.count(usage.cache_read_input_tokens) ?? inputTokens.cacheRead
  const cacheWrite = Part.count(usage.cache_creation_input_tokens) ?? inputTokens.cacheWrite
  const total = uncached === undefined ? undefined : uncached + (cacheRead ?? 0) + (cacheWrite ?? 0)
  const output = Part.count(usage.output_tokens) ?? outputTokens.total
  const reasoning = Part.count(usage.output_tokens_details?.thinking_tokens) ?? outputTokens.reasoning
  const text = output === undefined || reasoning === undefined ? undefined : Math.max(0, output - reasoning)
  response.usage = {
    inputTokens: { uncached, cacheRead, cacheWrite, total },
    outputTokens: { total: output, reasoning, text }
  }
  response.annotateFinish({ server_tool_use: Part.json(usage.server_tool_use) })
}

const encodeTools = (
  tools: ReadonlyArray<Part.ToolDescription>,
  choice: LanguageModel.ProviderOptions["toolChoice"],
  config: Config
): Partial<Params> => {
  if (tools.length === 0) return {}
  const encoded = tools.map(({ description, name, schema, strict }): Anthropic.Tool => ({
    name,
    // The transformer gives an object schema for every tool.
    input_schema: schema as Anthropic.Tool.InputSchema,
    ...(description && { description }),
    ...(strict !== undefined && { strict })
  }))
  return { tools: [...(config.tools ?? []), ...encoded], tool_choice: config.tool_choice ?? encodeChoice(choice) }
}

const encodeChoice = (choice: LanguageModel.ProviderOptions["toolChoice"]): Anthropic.ToolChoice => {
  if (typeof choice === "object") {
    if ("tool" in choice) return { type: "tool", name: choice.tool }
    // The tools are those of `oneOf` already.
    return { type: choice.mode === "required" ? "any" : "auto" }
  }
  return { type: choice === "required" ? "any" : choice }
}

const systemOf = ({ system }: Config): Array<Anthropic.TextBlockParam> => {
  if (typeof system !== "string") return system ?? []
  return system === "" ? [] : [{ type: "text", text: system }]
}

const encodeSystem = (message: Prompt.Message): Array<Anthropic.TextBlockParam> =>
  message.role === "system" && message.content !== ""
    ? [{ type: "text", text: message.content, ...cacheControl(message.options) }]
    : []

/** What was asked to be cached, as `{ anthropic: { cache_control } }` in the options of a part or a message. */
const cacheControl = (options: Prompt.ProviderOptions): { cache_control?: Anthropic.CacheControlEphemeral } => {
  const own = options["anthropic"]
  if (!Predicate.hasProperty(own, "cache_control")) return {}
  // Passed on as it is: the API checks it.
  return { cache_control: own.cache_control as unknown as Anthropic.CacheControlEphemeral }
}

/**
 * Turns alternate, and the first one is the user's; the results of all tools of a step belong into one turn, before
 * what the user says to them.
 */
const encodeMessages = (
  messages: ReadonlyArray<Prompt.Message>
): Effect.Effect<Array<Anthropic.MessageParam>, AiError.AiErrorReason> =>
  Effect.gen(function* () {
    const turns: Array<{ role: "assistant" | "user"; content: Array<Anthropic.ContentBlockParam> }> = []
    for (const message of messages) {
      if (message.role === "system") continue
      const role = message.role === "assistant" ? "assistant" : "user"
      const content = (yield* Effect.forEach(message.content, encodePart)).flat()
      const control = cacheControl(message.options)
      if (content.length > 0) Object.assign(content[content.length - 1], control)
      const last = turns[turns.length - 1]
      if (content.length === 0) continue
      if (last?.role === role) last.content.push(...content)
      else turns.push({ role, content })
    }
    if (turns[0]?.role !== "user") turns.unshift({ role: "user", content: [{ type: "text", text: "/start" }] })
    // The beginning of an answer, which the model continues, must not end in white space.
    const last = turns[turns.length - 1]
    const block = last?.role === "assistant" ? last.content[last.content.length - 1] : undefined
    if (block?.type === "text") block.text = block.text.trimEnd()
    return turns
  })

const encodePart = (part: Prompt.Part): Effect.Effect<Array<Anthropic.ContentBlockParam>, AiError.AiErrorReason> => {
  const control = cacheControl(part.options)
  switch (part.type) {
    case "text":
      // The API refuses empty text.
      return Effect.succeed(part.text === "" ? [] : [{ type: "text", text: part.text, ...control }])
    case "file":
      return encodeFile(part, control)
    case "reasoning":
      return Effect.succeed(encodeReasoning(part))
    case "tool-call":
      if (part.providerExecuted) return Effect.succeed([])
      return Effect.succeed([{ type: "tool_use", id: part.id, name: part.name, input: part.params ?? {}, ...control }])
    case "tool-result":
      return part.providerExecuted ? Effect.succeed([]) : encodeResult(part, control)
    default:
      return Effect.succeed([])
  }
}

/** Only what this provider has signed can be sent back to it. */
const encodeReasoning = (part: Prompt.ReasoningPart): Array<Anthropic.ContentBlockParam> => {
  const own = part.options["anthropic"]
  if (Predicate.hasProperty(own, "redactedData")) {
    return [{ type: "redacted_thinking", data: String(own.redactedData) }]
  }
  if (!Predicate.hasProperty(own, "signature")) return []
  return [{ type: "thinking", thinking: part.text, signature: String(own.signature) }]
}

type Control = { cache_control?: Anthropic.CacheControlEphemeral }

const encodeFile = (
  part: Prompt.FilePart,
  control: Control
): Effect.Effect<Array<Anthropic.ImageBlockParam | Anthropic.DocumentBlockParam>, AiError.AiErrorReason> => {
  const file = Part.file(part)
  const title = part.fileName === undefined ? {} : { title: part.fileName }
  if (part.mediaType.startsWith("image/")) {
    // The API checks the type of an image.
    const media_type = (file.type === "url" ? "" : file.mediaType) as Anthropic.Base64ImageSource["media_type"]
    const source = file.type === "url" ? file : { type: file.type, media_type, data: file.data }
    return Effect.succeed([{ type: "image", source, ...control }])
  }
  if (part.mediaType === "application/pdf") {
    const source =
      file.type === "url" ? file : { type: file.type, media_type: "application/pdf" as const, data: file.data }
    return Effect.succeed([{ type: "document", source, ...title, ...control }])
  }
  return Effect.fail(Part.unsupported(`a file of type \`${part.mediaType}\``, "Messages"))
}

const encodeResult = (
  part: Prompt.ToolResultPart,
  control: Control
): Effect.Effect<Array<Anthropic.ContentBlockParam>, AiError.AiErrorReason> =>
  Effect.map(Effect.forEach(part.modelOutput ?? [], encodeOutput), (output) => [
    {
      type: "tool_result",
      tool_use_id: part.id,
      content: part.modelOutput === undefined ? Part.resultText(part) : output.flat(),
      is_error: part.isFailure,
      ...control
    }
  ])

type Output = Anthropic.TextBlockParam | Anthropic.ImageBlockParam | Anthropic.DocumentBlockParam

const encodeOutput = (output: Prompt.ToolModelOutputPart): Effect.Effect<Array<Output>, AiError.AiErrorReason> =>
  output.type === "text" ? Effect.succeed([{ type: "text", text: output.text }]) : encodeFile(output, {})
