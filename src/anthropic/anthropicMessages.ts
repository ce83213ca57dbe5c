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
import * as CacheMarks from "./cacheMarks.ts"
import * as Parameters from "../llm/provider/callParameters.ts"
import * as Metadata from "../llm/provider/metadata.ts"
import * as ModelSettings from "../llm/provider/ModelSettings.ts"
import type { ResponseBuilder } from "../llm/provider/responseBuilder.ts"
import * as LlmPrompt from "../llm/agents/LlmPrompt.ts"
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
 * one. Its `system` comes before the system messages of the prompt; those that come after an answer stay where they were
 * said, as texts of the user that are marked, so that what was kept of the prompt is read again.
 *
 * @since 0.1.0
 * @category models
 */
export type Config = Partial<Omit<Params, "messages" | "stream">> & {
  /** Whether a response may call one tool at most, where `tool_choice` does not say. */
  readonly disable_parallel_tool_use?: boolean
  /**
   * How long Anthropic keeps a prompt for the next request of the conversation, which then pays a tenth for it; what is
   * kept for five minutes costs a quarter more the first time, and for an hour twice as much. A prompt that has marks of
   * its own (`cache_control`) is sent with those alone.
   *
   * @default "5m"
   */
  readonly cache?: CacheMarks.Cache
}

/**
 * The codec. A block that there is no part for (of a tool that Anthropic runs, for one) is an empty reasoning in its
 * place, with the `block` in its metadata, and goes back as it is.
 *
 * @since 0.1.0
 * @category constructors
 */
export const codec: Wire.Codec<Config, Params> = {
  transformer: toCodecAnthropic,
  settle: (config, settings) => {
    const { maxTokens, parallelToolCalls, responseFormat, seed, stop, temperature, topP } = settings
    if (seed !== undefined) return Effect.fail(ModelSettings.refuse("seed", "Messages", "leave it out"))
    const schema = responseFormat?.type === "json" ? responseFormat.schema : undefined
    if (responseFormat?.type === "json" && schema === undefined) {
      return Effect.fail(ModelSettings.refuse("responseFormat", "Messages", "give it a `schema`"))
    }
    return Effect.succeed({
      ...config,
      ...(maxTokens !== undefined && { max_tokens: maxTokens }),
      ...(stop !== undefined && { stop_sequences: [...stop] }),
      ...(schema !== undefined && {
        output_config: { ...config.output_config, format: { type: "json_schema" as const, schema } }
      }),
      ...(parallelToolCalls !== undefined && { disable_parallel_tool_use: !parallelToolCalls }),
      // some models take these, though the SDK's types no longer say so
      ...(temperature !== undefined && { temperature }),
      ...(topP !== undefined && { top_p: topP })
    })
  },
  encode: (options, config, origin) =>
    Effect.gen(function* () {
      const { content } = options.prompt
      const format = yield* Part.format(options, toCodecAnthropic)
      const { cache = "5m", disable_parallel_tool_use: _, ...rest } = config
      const first = content.findIndex(({ role }) => role === "assistant")
      const [before, after] = first < 0 ? [content, []] : [content.slice(0, first), content.slice(first)]
      const system = [...systemOf(config), ...before.flatMap((message) => encodeSystem(message, origin))]
      const said = [...before.filter(({ role }) => role !== "system"), ...after]
      const params: Params = {
        max_tokens: 4096,
        ...rest,
        ...encodeTools(yield* Part.tools(options, toCodecAnthropic), options.toolChoice, config),
        ...(format && {
          output_config: { ...config.output_config, format: { type: "json_schema", schema: format.schema } }
        }),
        ...(system.length > 0 && { system }),
        messages: yield* encodeMessages(Part.filesFromUser(said, {}), origin),
        stream: true
      }
      return CacheMarks.mark(params, cache)
    }),
  describe: (params) => ({
    model: params.model,
    maxTokens: params.max_tokens,
    stopSequences: params.stop_sequences,
    // Some models take them, though the SDK's types no longer say so.
    ...("temperature" in params && { temperature: params.temperature as number }),
    ...("top_p" in params && { topP: params.top_p as number })
  }),
  decode: (event, response) => decodeEvent(event as Event, response)
}

/** An event, or a whole message from a server that does not stream. */
type Event =
  | Anthropic.RawMessageStreamEvent
  | (Partial<Anthropic.Message> & { readonly type: "message" })
  | { readonly type?: undefined }

const decodeEvent = (event: Event, response: ResponseBuilder): void => {
  switch (event.type) {
    case "message_start":
      response.begin(event.message)
      noteUnknown(event.message, knownOfMessage, response)
      return decodeUsage(event.message.usage, response)
    case "content_block_start":
      return startBlock(event.index, event.content_block, response)
    case "content_block_delta":
      return decodeDelta(event.index, event.delta, response)
    case "content_block_stop":
      return endBlock(event.index, response)
    case "message_delta":
      decodeUsage(event.usage, response)
      noteUnknown(event, knownOfMessage, response)
      return decodeStop(event.delta, response)
    case "message_stop":
      return response.complete()
    case "message":
      return decodeMessage(event, response)
  }
}

const decodeMessage = (message: Partial<Anthropic.Message>, response: ResponseBuilder): void => {
  response.begin(message)
  decodeUsage(message.usage, response)
  for (const [index, block] of (message.content ?? []).entries()) {
    startBlock(index, block, response)
    endBlock(index, response)
  }
  decodeStop(message, response)
}

const reasons: { readonly [reason: string]: Response.FinishReason } = {
  end_turn: "stop",
  stop_sequence: "stop",
  stop: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  length: "length",
  tool_use: "tool-calls",
  tool_calls: "tool-calls",
  pause_turn: "pause",
  refusal: "content-filter",
  content_filter: "content-filter"
}

const startBlock = (
  index: number,
  block: Anthropic.RawContentBlockStartEvent["content_block"],
  response: ResponseBuilder
): void => {
  switch (block.type) {
    case "text": {
      response.open("text", index)
      const unknown = Metadata.unknownOf(block, knownOfText)
      if (unknown !== undefined) response.annotate(unknown)
      return response.text(index, block.text)
    }
    case "thinking":
      response.open("reasoning", index)
      if (block.signature) response.annotate({ signature: block.signature })
      return response.reasoning(index, block.thinking)
    case "redacted_thinking":
      response.open("reasoning", index)
      return response.annotate({ redactedData: block.data })
    case "tool_use":
      // The parameters are usually empty here, and what follows are their pieces.
      return response.call(index, { id: block.id, name: block.name, initial: block.input })
    default:
      response.open("reasoning", index)
      // in its place among the others, and as it is, for when it is sent back
      return response.annotate({ block: { ...Part.json(block) } })
  }
}

const knownOfText = new Set(["type", "text"])

const decodeDelta = (
  index: number,
  delta: Anthropic.RawContentBlockDeltaEvent["delta"],
  response: ResponseBuilder
): void => {
  switch (delta.type) {
    case "text_delta":
      return response.text(index, delta.text)
    case "thinking_delta":
      return response.reasoning(index, delta.thinking)
    case "input_json_delta":
      if (response.callOf(index) !== undefined) return response.params(index, delta.partial_json)
      return response.annotate({ block: { input_text: delta.partial_json } })
    case "signature_delta":
      return response.annotate({ signature: delta.signature })
    case "citations_delta":
      return response.annotate({ citations: [Part.json(delta.citation)] })
    default: {
      const unknown = Metadata.unknownOf(delta, knownOfDelta)
      if (unknown === undefined) return
      return response.annotate(response.openMetadata?.["block"] === undefined ? unknown : { block: unknown })
    }
  }
}

const knownOfDelta = new Set(["type"])

const endBlock = (index: number, response: ResponseBuilder): void => {
  const block: unknown = response.openMetadata?.["block"]
  if (Metadata.isCollected(block) && typeof block["input_text"] === "string") {
    block["input"] = Parameters.parse(block["input_text"]) ?? block["input_text"]
    delete block["input_text"]
  }
  response.close(index)
}

const noteUnknown = (value: object, known: ReadonlySet<string>, response: ResponseBuilder): void => {
  const unknown = Metadata.unknownOf(value, known)
  if (unknown !== undefined) response.note(unknown)
}

const knownOfMessage = new Set("type id role model content stop_reason usage delta".split(" "))

/** Why the model stopped, and what the reasons leave out. */
const decodeStop = (delta: { readonly stop_reason?: string | null }, response: ResponseBuilder): void => {
  noteUnknown(delta, knownOfMessage, response)
  const { stop_reason: said } = delta
  if (!said) return
  const reason = Object.hasOwn(reasons, said) ? reasons[said] : undefined
  if (reason === undefined) response.note({ stop_reason: said })
  response.finish(reason ?? "other")
}

const knownOfUsage = new Set(
  "input_tokens cache_read_input_tokens cache_creation_input_tokens output_tokens output_tokens_details".split(" ")
)

/** The usage at the end is that of the whole response, but leaves out what has not changed. */
const decodeUsage = (
  usage: Partial<Anthropic.Usage> | Partial<Anthropic.MessageDeltaUsage> | null | undefined,
  response: ResponseBuilder
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
  noteUnknown(usage, knownOfUsage, response)
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
  const chosen = config.tool_choice ?? encodeChoice(choice)
  const { disable_parallel_tool_use } = config
  const tool_choice =
    disable_parallel_tool_use === undefined || chosen.type === "none"
      ? chosen
      : { disable_parallel_tool_use, ...chosen }
  return { tools: [...(config.tools ?? []), ...encoded], tool_choice }
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

const encodeSystem = (message: Prompt.Message, origin: Metadata.Origin): Array<Anthropic.TextBlockParam> =>
  message.role === "system" && message.content !== ""
    ? [{ type: "text", text: message.content, ...cacheControl(message.options, origin) }]
    : []

/**
 * What is for the system in the middle of a conversation, in the form that models know such texts in: the field for the
 * system stands before all that was said, and with it everything would be another prompt than the one before.
 */
const reminder = (text: string): string => `<system-reminder>\n${text}\n</system-reminder>`

/** What was asked to be cached, as `{ anthropic: { cache_control } }` in the options of a part or a message. */
const cacheControl = (options: Prompt.ProviderOptions, origin: Metadata.Origin): Control => {
  const { cache_control } = Metadata.ownOf(options, origin)
  // Passed on as it is: the API checks it.
  return cache_control === undefined
    ? {}
    : { cache_control: cache_control as unknown as Anthropic.CacheControlEphemeral }
}

/**
 * Turns alternate, and the first one is the user's; the results of all tools of a step belong into one turn, before
 * what the user says to them.
 */
const encodeMessages = (
  messages: ReadonlyArray<Prompt.Message>,
  origin: Metadata.Origin
): Effect.Effect<Array<Anthropic.MessageParam>, AiError.AiErrorReason> =>
  Effect.gen(function* () {
    const turns: Array<{ role: "assistant" | "user"; content: Array<Anthropic.ContentBlockParam> }> = []
    for (const message of messages) {
      const role = message.role === "assistant" ? "assistant" : "user"
      const content =
        message.role === "system"
          ? encodeSystem(message, origin).map((block) => ({ ...block, text: reminder(block.text) }))
          : (yield* Effect.forEach(message.content, (part) => encodePart(part, origin))).flat()
      const control = cacheControl(message.options, origin)
      if (content.length > 0) Object.assign(content[content.length - 1], control)
      const last = turns[turns.length - 1]
      // Nor does it take a turn that has nothing but thoughts.
      if (content.every(({ type }) => type === "thinking" || type === "redacted_thinking")) continue
      if (last?.role === role) last.content.push(...content)
      else turns.push({ role, content })
    }
    const { firstUserMessage = "/start" } = yield* LlmPrompt.CurrentTurns
    if (turns[0]?.role !== "user") turns.unshift({ role: "user", content: [{ type: "text", text: firstUserMessage }] })
    // The beginning of an answer, which the model continues, must not end in white space.
    const last = turns[turns.length - 1]
    const block = last?.role === "assistant" ? last.content[last.content.length - 1] : undefined
    if (block?.type === "text") block.text = block.text.trimEnd()
    return turns
  })

const encodePart = (
  part: Prompt.Part,
  origin: Metadata.Origin
): Effect.Effect<Array<Anthropic.ContentBlockParam>, AiError.AiErrorReason> => {
  const control = cacheControl(part.options, origin)
  switch (part.type) {
    case "text":
      // The API refuses empty text.
      return Effect.succeed(
        part.text === "" ? [] : [{ type: "text", text: part.text, ...citations(part, origin), ...control }]
      )
    case "file":
      return encodeFile(part, control)
    case "reasoning":
      return Effect.succeed(encodeReasoning(part, origin))
    case "tool-call": {
      if (part.providerExecuted) return Effect.succeed([])
      const input = Parameters.toObject(part.params)
      return Effect.succeed([{ type: "tool_use", id: part.id, name: part.name, input, ...control }])
    }
    case "tool-result":
      return part.providerExecuted ? Effect.succeed([]) : encodeResult(part, control)
    default:
      return Effect.succeed([])
  }
}

/** What an answer refers to, as it came. */
const citations = (
  part: Prompt.TextPart,
  origin: Metadata.Origin
): { citations?: Array<Anthropic.TextCitationParam> } => {
  const { citations } = Metadata.ownOf(part.options, origin)
  return Array.isArray(citations) ? { citations: citations as Array<never> } : {}
}

/** Only what came from this very server can be sent back to it, and to the provider's own what it has signed. */
const encodeReasoning = (part: Prompt.ReasoningPart, origin: Metadata.Origin): Array<Anthropic.ContentBlockParam> => {
  const own = part.options[origin.provider]
  const { block, redactedData, signature } = Metadata.ownOf(part.options, origin)
  // A block goes back as it came, whatever it is.
  if (Metadata.isCollected(block)) return [block as never]
  if (typeof redactedData === "string") return [{ type: "redacted_thinking", data: redactedData }]
  if (typeof signature === "string") return [{ type: "thinking", thinking: part.text, signature }]
  const isFromHere = Metadata.isCollected(own) && own["server"] !== undefined && own["server"] === origin.server
  return isFromHere ? [{ type: "thinking", thinking: part.text } as Anthropic.ThinkingBlockParam] : []
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
  const data = Part.textOf(file)
  if (data !== undefined) {
    const source = { type: "text" as const, media_type: "text/plain" as const, data }
    return Effect.succeed([{ type: "document", source, ...title, ...control }])
  }
  return Effect.fail(Part.unsupported(part, "Messages"))
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
