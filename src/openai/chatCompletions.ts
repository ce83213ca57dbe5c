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
import type * as Response from "effect/ai/Response"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { OpenAI } from "openai"
import type { Assembler, Usage } from "../llm/provider/responseBuilder.ts"
import * as Part from "../llm/provider/wirePart.ts"
import type * as Wire from "../llm/provider/Wire.ts"

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
}

/**
 * The codec. What it has no part for (log probabilities, citations, sound) is in the metadata with which the response
 * finishes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const codec: Wire.Codec<Config, Params, OpenAI.Chat.ChatCompletionChunk> = {
  transformer: toCodecOpenAI,
  encode: (options, config) =>
    Effect.gen(function* () {
      const { extra_body, ...rest } = config
      const messages = (yield* Effect.forEach(options.prompt.content, encodeMessage)).flat()
      const format = yield* Part.format(options, toCodecOpenAI)
      return {
        ...rest,
        ...encodeTools(yield* Part.tools(options, toCodecOpenAI), options.toolChoice, config),
        ...(format && { response_format: { type: "json_schema", json_schema: { ...format, strict: true } } }),
        ...extra_body,
        messages,
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
  decode: (chunk, response, now) => {
    response.start({ id: chunk.id, model: chunk.model, created: chunk.created ? chunk.created * 1000 : now })
    if (chunk.usage) response.usage = decodeUsage(chunk.usage)
    const { moderation, service_tier, system_fingerprint } = chunk
    response.annotateFinish({ service_tier, system_fingerprint, moderation: Part.json(moderation) })
    const choice = chunk.choices?.[0]
    if (choice === undefined) return
    if (choice.delta) decodeDelta(choice.delta, response)
    if (choice.logprobs) decodeLogprobs(choice.logprobs, response)
    if (choice.finish_reason) response.finish(reasons[choice.finish_reason] ?? "other")
  },
  isToken: (chunk) => {
    const delta: Delta | undefined = chunk?.choices?.[0]?.delta
    return Boolean(delta?.content || delta?.refusal || delta?.audio || thought(delta) || delta?.tool_calls?.length)
  }
}

type Delta = OpenAI.Chat.ChatCompletionChunk.Choice.Delta & {
  readonly annotations?: ReadonlyArray<Schema.Json> | null
  readonly reasoning?: unknown
  readonly reasoning_content?: unknown
}

type Message = OpenAI.Chat.ChatCompletionMessageParam

const reasons: { readonly [reason: string]: Response.FinishReason } = {
  stop: "stop",
  length: "length",
  tool_calls: "tool-calls",
  function_call: "tool-calls",
  content_filter: "content-filter",
  error: "error"
}

const thought = (delta: Delta | undefined): unknown => delta?.reasoning_content || delta?.reasoning

/** A model thinks, speaks and calls tools in turns: what begins ends what was open, but tool calls may interleave. */
const decodeDelta = (delta: Delta, response: Assembler): void => {
  const reasoning = thought(delta)
  if (reasoning) {
    response.closeAll("text")
    response.reasoning("reasoning", reasoning)
  }
  // What is said aloud is text as well; the sound itself is in the metadata of the finish.
  const text = delta.content || delta.refusal || delta.audio?.transcript
  if (text) {
    response.closeAll("reasoning")
    response.text("text", text)
    if (delta.refusal) response.annotate("text", { refusal: true })
  }
  for (const [position, call] of (delta.tool_calls ?? []).entries()) {
    const key = call.index ?? position
    const open = response.block(key)
    // Some servers number every call 0, and tell them apart by id alone.
    if (open === undefined || (call.id && call.id !== open.id && call.function?.name)) {
      response.closeAll("text")
      response.closeAll("reasoning")
      response.tool(key, { id: call.id, name: call.function?.name })
    }
    response.params(key, call.function?.arguments)
  }
  if (delta.annotations) response.listInFinish("annotations", ...delta.annotations)
  if (delta.audio) response.listInFinish("audio", { ...delta.audio })
}

const decodeLogprobs = (logprobs: Partial<OpenAI.Chat.ChatCompletionChunk.Choice.Logprobs>, response: Assembler) => {
  for (const items of [logprobs.content, logprobs.refusal]) {
    if (items) response.listInFinish("logprobs", ...items.map((item) => Part.json(item)))
  }
}

const decodeUsage = (usage: OpenAI.CompletionUsage): Usage => {
  const input = Part.count(usage.prompt_tokens)
  const output = Part.count(usage.completion_tokens)
  const cached = Part.count(usage.prompt_tokens_details?.cached_tokens)
  const reasoning = Part.count(usage.completion_tokens_details?.reasoning_tokens)
  return {
    inputTokens: {
      total: input,
      cacheRead: cached,
      uncached: input === undefined ? undefined : Math.max(0, input - (cached ?? 0))
    },
    outputTokens: {
      total: output,
      reasoning,
      text: output === undefined ? undefined : Math.max(0, output - (reasoning ?? 0))
    }
  }
}

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
  return { tools: [...(config.tools ?? []), ...encoded], tool_choice: config.tool_choice ?? encodeChoice(choice) }
}

const encodeChoice = (
  choice: LanguageModel.ProviderOptions["toolChoice"]
): OpenAI.Chat.ChatCompletionToolChoiceOption => {
  if (typeof choice === "string") return choice
  if ("tool" in choice) return { type: "function", function: { name: choice.tool } }
  // The tools are those of `oneOf` already.
  return choice.mode ?? "auto"
}

const encodeMessage = (message: Prompt.Message): Effect.Effect<Array<Message>, AiError.AiErrorReason> => {
  switch (message.role) {
    case "system":
      return Effect.succeed([{ role: "system", content: message.content }])
    case "user":
      return Effect.map(Effect.forEach(message.content, encodeUserPart), (parts) => {
        // Plain text is what every server takes.
        const isText = parts.every((part) => part.type === "text" && Object.keys(part).length === 2)
        const text = parts.flatMap((part) => (part.type === "text" ? [part.text] : []))
        return [{ role: "user", content: isText && text.length === 1 ? text.join("") : parts }]
      })
    case "assistant":
      return encodeAssistant(message)
    case "tool":
      return Effect.succeed(
        message.content.flatMap((part): Array<Message> =>
          part.type === "tool-result" ? [{ role: "tool", tool_call_id: part.id, content: Part.resultText(part) }] : []
        )
      )
  }
}

const encodeUserPart = (
  part: Prompt.UserMessagePart
): Effect.Effect<OpenAI.Chat.ChatCompletionContentPart, AiError.AiErrorReason> => {
  const extra = part.options["openai"] as object | undefined
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
  return Effect.fail(Part.unsupported(`a file of type \`${part.mediaType}\``, "Chat Completions"))
}

/** The protocol has no place for what the model thought, nor for tools that another provider ran. */
const encodeAssistant = (message: Prompt.AssistantMessage): Effect.Effect<Array<Message>, AiError.AiErrorReason> => {
  const texts: Array<string> = []
  const calls: Array<OpenAI.Chat.ChatCompletionMessageToolCall> = []
  for (const part of message.content) {
    if (part.type === "file") return Effect.fail(Part.unsupported("a file of an assistant", "Chat Completions"))
    if (part.type === "text") texts.push(part.text)
    if (part.type === "tool-call" && !part.providerExecuted) {
      const json = JSON.stringify(part.params ?? {})
      calls.push({ id: part.id, type: "function", function: { name: part.name, arguments: json } })
    }
  }
  const content = texts.length === 0 ? null : texts.join("")
  if (content === null && calls.length === 0) return Effect.succeed([])
  return Effect.succeed([{ role: "assistant", content, ...(calls.length > 0 && { tool_calls: calls }) }])
}
