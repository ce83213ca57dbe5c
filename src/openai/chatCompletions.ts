/**
 * The protocol of OpenAI's Chat Completions API, which most other providers and local servers speak too.
 *
 * Source: https://platform.openai.com/docs/api-reference/chat. Two fields are not in it: `reasoning_content` and
 * `reasoning` of a delta, in which DeepSeek, vLLM, llama.cpp, Ollama and OpenRouter send what the model thinks.
 *
 * @since 0.1.0
 */
import type * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import type * as Prompt from "effect/ai/Prompt"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { OpenAI } from "openai"
import * as Parameters from "../llm/provider/callParameters.ts"
import * as Metadata from "../llm/provider/metadata.ts"
import * as Part from "../llm/provider/wirePart.ts"
import type * as Wire from "../llm/provider/Wire.ts"
import * as ChatResponse from "./chatResponse.ts"
import * as ChatSettings from "./chatSettings.ts"

/**
 * The body of a request, in the SDK's own type.
 *
 * @since 0.1.0
 * @category models
 */
export type Params = OpenAI.Chat.ChatCompletionCreateParamsStreaming

/**
 * Every parameter of the API but those that come from the prompt. `n` is left out, as there is one response.
 * `extra_body` has what only other servers know (`top_k`, `chat_template_kwargs`).
 *
 * @since 0.1.0
 * @category models
 */
export type Config = Partial<Omit<Params, "messages" | "n" | "stream">> & {
  readonly extra_body?: { readonly [parameter: string]: Schema.Json }
  /** This API, which is the default; see `OpenAi.ResponsesConfig` for the other one. */
  readonly api?: "chat"
}

/**
 * The codec. What it has no part for (log probabilities, citations, sound) is in the metadata with which the response
 * finishes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const codec: Wire.Codec<Config, Params> = {
  transformer: toCodecOpenAI,
  settle: (config, settings, url) => Effect.succeed(ChatSettings.settle(config, settings, url)),
  encode: (options, config, origin) =>
    Effect.gen(function* () {
      // the API refuses what is said of the calls of tools where there are none
      const { api: _, extra_body, parallel_tool_calls: __, ...rest } = config
      // only the user can send files
      const content = Part.filesFromUser(options.prompt.content, { tools: true })
      const messages = yield* Effect.forEach(content, (message) => encodeMessage(message, origin))
      const format = yield* Part.format(options, toCodecOpenAI)
      return {
        ...rest,
        ...encodeTools(yield* Part.tools(options, toCodecOpenAI), options.toolChoice, config),
        ...(format && { response_format: { type: "json_schema", json_schema: { ...format, strict: true } } }),
        ...extra_body,
        messages: messages.flat(),
        stream: true,
        stream_options: { include_usage: true, ...config.stream_options }
      }
    }),
  describe: (params) => ({
    model: params.model,
    temperature: params.temperature,
    topP: params.top_p,
    maxTokens: params.max_completion_tokens ?? params.max_tokens,
    frequencyPenalty: params.frequency_penalty,
    presencePenalty: params.presence_penalty,
    seed: params.seed,
    stopSequences: typeof params.stop === "string" ? [params.stop] : params.stop
  }),
  decode: ChatResponse.decode
}

type Message = OpenAI.Chat.ChatCompletionMessageParam

const encodeTools = (
  tools: ReadonlyArray<Part.ToolDescription>,
  choice: LanguageModel.ProviderOptions["toolChoice"],
  config: Config
): Partial<Params> => {
  if (tools.length === 0) return {}
  const encoded = tools.map(({ description, name, schema, strict }) => ({
    type: "function" as const,
    function: { name, parameters: schema, ...(description && { description }), ...(strict !== undefined && { strict }) }
  }))
  const { parallel_tool_calls } = config
  return {
    tools: [...(config.tools ?? []), ...encoded],
    tool_choice: config.tool_choice ?? encodeChoice(choice),
    ...(parallel_tool_calls !== undefined && { parallel_tool_calls })
  }
}

const encodeChoice = (
  choice: LanguageModel.ProviderOptions["toolChoice"]
): OpenAI.Chat.ChatCompletionToolChoiceOption => {
  if (typeof choice === "string") return choice
  if ("tool" in choice) return { type: "function", function: { name: choice.tool } }
  // The tools are those of `oneOf` already.
  return choice.mode ?? "auto"
}

const encodeMessage = (
  message: Prompt.Message,
  origin: Metadata.Origin
): Effect.Effect<Array<Message>, AiError.AiErrorReason> => {
  switch (message.role) {
    case "system":
      return Effect.succeed([{ role: "system", content: message.content }])
    case "user":
      return Effect.map(
        Effect.forEach(message.content, (part) => encodeUserPart(part, origin)),
        (parts) => {
          // Plain text is what every server takes.
          const isText = parts.every((part) => part.type === "text" && Object.keys(part).length === 2)
          const text = parts.flatMap((part) => (part.type === "text" ? [part.text] : []))
          return [{ role: "user", content: isText && text.length === 1 ? text.join("") : parts }]
        }
      )
    case "assistant":
      return encodeAssistant(message, origin)
    case "tool":
      return Effect.succeed(
        message.content.flatMap((part): Array<Message> =>
          part.type === "tool-result" ? [{ role: "tool", tool_call_id: part.id, content: Part.resultText(part) }] : []
        )
      )
  }
}

const encodeUserPart = (
  part: Prompt.UserMessagePart,
  origin: Metadata.Origin
): Effect.Effect<OpenAI.Chat.ChatCompletionContentPart, AiError.AiErrorReason> => {
  const extra = Metadata.ownOf(part.options, origin)
  if (part.type === "text") return Effect.succeed({ type: "text", text: part.text, ...extra })
  const file = Part.file(part)
  const url = file.type === "url" ? file.url : `data:${file.mediaType};base64,${file.data}`
  if (part.mediaType.startsWith("image/")) return Effect.succeed({ type: "image_url", image_url: { url, ...extra } })
  if (file.type === "base64") {
    const audio = ({ "audio/wav": "wav", "audio/mp3": "mp3", "audio/mpeg": "mp3" } as const)[part.mediaType]
    if (audio !== undefined) {
      return Effect.succeed({ type: "input_audio", input_audio: { data: file.data, format: audio } })
    }
    if (part.mediaType === "application/pdf") {
      return Effect.succeed({ type: "file", file: { filename: part.fileName ?? "document.pdf", file_data: url } })
    }
  }
  const text = Part.asText(part)
  if (text !== undefined) return Effect.succeed({ type: "text", text })
  return Effect.fail(Part.unsupported(part, "Chat Completions"))
}

/**
 * The protocol has no place for what the model thought, nor for tools that another provider ran. What the very server
 * has said beside it goes back in the fields it came in: the message's own, and those of a call.
 */
const encodeAssistant = (
  message: Prompt.AssistantMessage,
  origin: Metadata.Origin
): Effect.Effect<Array<Message>, AiError.AiErrorReason> => {
  const texts: Array<string> = []
  const calls: Array<OpenAI.Chat.ChatCompletionMessageToolCall> = []
  const thoughts: Metadata.Collected = {}
  const fields: Metadata.Collected = {}
  for (const part of message.content) {
    const own = Metadata.ownOf(part.options, origin)
    Metadata.merge(fields, Metadata.copyOf(own, "message"))
    if (part.type === "text") texts.push(part.text)
    if (part.type === "reasoning" && typeof own["field"] === "string") {
      Metadata.merge(thoughts, { [own["field"]]: part.text })
    }
    if (part.type === "tool-call" && !part.providerExecuted) {
      const json = JSON.stringify(Parameters.toObject(part.params))
      calls.push({
        id: part.id,
        type: "function",
        function: { name: part.name, arguments: json },
        ...Metadata.copyOf(own, "call")
      })
    }
  }
  const { thinking, ...said } = thoughts
  const text = texts.length === 0 ? null : texts.join("")
  const content =
    typeof thinking === "string" && text !== null ? [thinkingPiece(thinking), { type: "text" as const, text }] : text
  const extra = { ...("reasoning_details" in fields ? {} : said), ...fields }
  if (content === null && calls.length === 0) return Effect.succeed([])
  return Effect.succeed([{ role: "assistant", content, ...(calls.length > 0 && { tool_calls: calls }), ...extra }])
}

/** Mistral's form of a thought, which the SDK does not know. */
const thinkingPiece = (thinking: string) =>
  ({ type: "thinking", thinking: [{ type: "text", text: thinking }] }) as never
