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
import * as Effect from "effect/Effect"
import * as CacheMarks from "./cacheMarks.ts"
import * as Parameters from "../llm/provider/callParameters.ts"
import * as Metadata from "../llm/provider/metadata.ts"
import * as ModelSettings from "../llm/provider/ModelSettings.ts"
import * as LlmPrompt from "../llm/agents/LlmPrompt.ts"
import * as Part from "../llm/provider/wirePart.ts"
import type * as Wire from "../llm/provider/Wire.ts"
import * as MessageEvents from "./messageEvents.ts"
import * as ServedBlocks from "./servedBlocks.ts"

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
 * The codec. A block that there is no part for is an empty reasoning in its place, with the `block` in its metadata, and
 * goes back as it is; those of the tools that Anthropic runs itself are calls and results in the replies of an agent.
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
  decode: MessageEvents.decode
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
      const own = Metadata.ownOf(part.options, origin)
      if (part.providerExecuted) return Effect.succeed(ServedBlocks.back(own))
      const input = Parameters.toObject(part.params)
      const call = Metadata.copyOf(own, "call")
      return Effect.succeed([{ type: "tool_use", id: part.id, name: part.name, input, ...call, ...control }])
    }
    case "tool-result":
      return part.providerExecuted
        ? Effect.succeed(ServedBlocks.back(Metadata.ownOf(part.options, origin), part.result))
        : encodeResult(part, control)
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
  const known = Metadata.ownOf(part.options, origin)
  const { block, redactedData, signature } = known
  // A block goes back as it came, whatever it is.
  if (Metadata.isCollected(block)) return ServedBlocks.back(known)
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
