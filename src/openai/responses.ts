/**
 * The protocol of OpenAI's Responses API.
 *
 * Source: https://platform.openai.com/docs/api-reference/responses.
 *
 * @since 0.1.0
 */
import type * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import type * as Prompt from "effect/ai/Prompt"
import * as Effect from "effect/Effect"
import type { OpenAI } from "openai"
import * as Parameters from "../llm/provider/callParameters.ts"
import * as Metadata from "../llm/provider/metadata.ts"
import * as ModelSettings from "../llm/provider/ModelSettings.ts"
import * as Part from "../llm/provider/wirePart.ts"
import type * as Wire from "../llm/provider/Wire.ts"
import * as ResponseEvents from "./responseEvents.ts"
import * as ServedTools from "./servedTools.ts"

/**
 * The body of a request, in the SDK's own type.
 *
 * @since 0.1.0
 * @category models
 */
export type Params = OpenAI.Responses.ResponseCreateParamsStreaming

/**
 * Every parameter of the API but those that come from the prompt.
 *
 * @since 0.1.0
 * @category models
 */
export type Config = Partial<Omit<Params, "input" | "stream">>

/**
 * The codec. An item that there is no part for (a search of OpenAI's own, for one) is an empty reasoning in its place,
 * with the `item` in its metadata, and goes back as it is. So does what a model has thought, encrypted.
 *
 * @since 0.1.0
 * @category constructors
 */
export const codec: Wire.Codec<Config, Params> = {
  transformer: toCodecOpenAI,
  settle: (config, settings) => {
    const { maxTokens, parallelToolCalls, responseFormat, seed, stop, temperature, topP } = settings
    const advice = 'leave it out, or take `api: "chat"`'
    if (seed !== undefined) return Effect.fail(ModelSettings.refuse("seed", "Responses", advice))
    if (stop !== undefined) return Effect.fail(ModelSettings.refuse("stop", "Responses", advice))
    return Effect.succeed({
      ...config,
      ...(temperature !== undefined && { temperature }),
      ...(topP !== undefined && { top_p: topP }),
      ...(maxTokens !== undefined && { max_output_tokens: maxTokens }),
      ...(parallelToolCalls !== undefined && { parallel_tool_calls: parallelToolCalls }),
      ...(responseFormat !== undefined && { text: { ...config.text, format: formatOf(responseFormat) } })
    })
  },
  encode: (options, config, origin) =>
    Effect.gen(function* () {
      const { incrementalPrompt, previousResponseId, prompt } = options
      const known = incrementalPrompt === undefined ? undefined : previousResponseId
      const { content } = known === undefined || incrementalPrompt === undefined ? prompt : incrementalPrompt
      const keep = (part: Prompt.FilePart) => Metadata.ownOf(part.options, origin)["item"] !== undefined
      const messages = Part.filesFromUser(content, { keep })
      const said = { origin, calls: ServedTools.callsIn(content, origin), results: ServedTools.resultsIn(content) }
      const input = yield* Effect.forEach(messages, (message) => encodeMessage(message, said))
      const format = yield* Part.format(options, toCodecOpenAI)
      return {
        ...(thinks(config) && { include: ["reasoning.encrypted_content"] }),
        ...config,
        ...(known !== undefined && { previous_response_id: known }),
        ...encodeTools(yield* Part.tools(options, toCodecOpenAI), options.toolChoice, config),
        ...(format && { text: { ...config.text, format: { type: "json_schema", ...format, strict: true } } }),
        input: input.flat(),
        stream: true
      }
    }),
  describe: (params) => ({
    model: params.model,
    temperature: params.temperature,
    topP: params.top_p,
    maxTokens: params.max_output_tokens
  }),
  decode: ResponseEvents.decode
}

const formatOf = (format: ModelSettings.ResponseFormat): OpenAI.Responses.ResponseFormatTextConfig => {
  if (format.type === "text") return format
  const { objectName = "Output", schema } = format
  return schema === undefined
    ? { type: "json_object" }
    : { type: "json_schema", name: Part.objectName(objectName), schema }
}

type Input = OpenAI.Responses.ResponseInputItem

/** Models that do not think refuse to be asked for their thoughts. */
const thinks = ({ model, reasoning }: Config): boolean =>
  reasoning !== undefined || /^(o\d|gpt-[5-9])/.test(String(model))

const encodeTools = (
  tools: ReadonlyArray<Part.ToolDescription>,
  choice: LanguageModel.ProviderOptions["toolChoice"],
  config: Config
): Partial<Params> => {
  // the model knows the computer without being told, and its tool here is who runs it
  const hasComputer = config.tools?.some(({ type }) => type.startsWith(ServedTools.computer)) === true
  const told = hasComputer ? tools.filter(({ name }) => name !== ServedTools.computer) : tools
  if (told.length === 0) return {}
  const encoded = told.map(({ description, name, schema, strict }) => ({
    type: "function" as const,
    name,
    parameters: schema,
    strict: strict ?? false,
    ...(description && { description })
  }))
  return { tools: [...(config.tools ?? []), ...encoded], tool_choice: config.tool_choice ?? encodeChoice(choice) }
}

const encodeChoice = (choice: LanguageModel.ProviderOptions["toolChoice"]): NonNullable<Params["tool_choice"]> => {
  if (typeof choice === "string") return choice
  // The tools are those of `oneOf` already.
  return "tool" in choice ? { type: "function", name: choice.tool } : (choice.mode ?? "auto")
}

/** What a message of the prompt refers to in others. */
interface Said {
  readonly origin: Metadata.Origin
  /** The items of the calls that this server has made, by their ids. */
  readonly calls: ReadonlyMap<string, Metadata.Metadata>
  /** What the tools that it runs itself gave. */
  readonly results: ReadonlyMap<string, Prompt.ToolResultPart>
}

const encodeMessage = (
  message: Prompt.Message,
  said: Said
): Effect.Effect<ReadonlyArray<Input>, AiError.AiErrorReason> => {
  switch (message.role) {
    case "system":
      return Effect.succeed([{ role: "system", content: message.content }])
    case "user":
      return Effect.map(
        Effect.forEach(message.content, (part) => encodeUserPart(part, said.origin)),
        (content) => [{ role: "user", content }]
      )
    case "assistant":
      return Effect.map(
        Effect.forEach(message.content, (part) => encodeSaid(part, said)),
        (items) => items.flat()
      )
    case "tool":
      return Effect.map(
        Effect.forEach(message.content, (part) => encodeResult(part, said)),
        (items) => items.flat()
      )
  }
}

type Content = OpenAI.Responses.ResponseInputContent

const encodeUserPart = (
  part: Prompt.ToolModelOutputPart,
  origin: Metadata.Origin
): Effect.Effect<Content, AiError.AiErrorReason> => {
  const extra = Metadata.ownOf(part.options, origin)
  if (part.type === "text") return Effect.succeed({ type: "input_text", text: part.text, ...extra })
  const file = Part.file(part)
  const url = file.type === "url" ? file.url : `data:${file.mediaType};base64,${file.data}`
  if (part.mediaType.startsWith("image/")) {
    return Effect.succeed({ type: "input_image", image_url: url, detail: "auto", ...extra })
  }
  const text = Part.asText(part)
  if (text !== undefined) return Effect.succeed({ type: "input_text", text })
  if (part.mediaType !== "application/pdf") {
    return Effect.fail(Part.unsupported(part, "Responses"))
  }
  const named = { type: "input_file" as const, filename: part.fileName ?? "document.pdf" }
  return Effect.succeed(
    file.type === "url" ? { type: "input_file", file_url: url, ...extra } : { ...named, file_data: url, ...extra }
  )
}

const encodeSaid = (
  part: Prompt.AssistantMessagePart,
  { origin, results }: Said
): Effect.Effect<ReadonlyArray<Input>, AiError.AiErrorReason> => {
  const item = Metadata.copyOf(Metadata.ownOf(part.options, origin), "item")
  switch (part.type) {
    case "text":
      return Effect.succeed(part.text === "" ? [] : [saidText(part.text, item)])
    case "reasoning":
      // only what came from this very server means anything to it
      return Effect.succeed(Object.keys(item).length === 0 ? [] : [item as never])
    case "tool-call": {
      if (part.providerExecuted)
        return Effect.succeed(ServedTools.itemsOf(Metadata.ownOf(part.options, origin), results.get(part.id)))
      if (item["type"] === "computer_call") return Effect.succeed([{ ...item, call_id: part.id } as never])
      if (item["type"] === "mcp_approval_request") return Effect.succeed([item as never])
      const json = JSON.stringify(Parameters.toObject(part.params))
      return Effect.succeed([{ type: "function_call", call_id: part.id, name: part.name, arguments: json, ...item }])
    }
    case "file": {
      const file = Part.file(part)
      const result = file.type === "base64" ? file.data : null
      return Effect.succeed([{ ...item, status: "completed", result } as never])
    }
    default:
      return Effect.succeed([])
  }
}

/** A message that the server knows has an id, and belongs to the thought before it. */
const saidText = (text: string, item: Metadata.Metadata): Input =>
  item["id"] === undefined
    ? { role: "assistant", content: text }
    : ({
        type: "message",
        role: "assistant",
        status: "completed",
        content: [{ type: "output_text", text, annotations: [] }],
        ...item
      } as never)

const encodeResult = (
  part: Prompt.ToolMessagePart,
  { calls, origin }: Said
): Effect.Effect<ReadonlyArray<Input>, AiError.AiErrorReason> => {
  if (part.type !== "tool-result" || part.providerExecuted) return Effect.succeed([])
  const call = calls.get(part.id)
  if (call?.["type"] === "mcp_approval_request") return Effect.succeed([ServedTools.decided(part, call) as never])
  if (call?.["type"] === "computer_call") return Effect.map(ServedTools.seen(part, call), (item) => [item as never])
  const { id, modelOutput = [] } = part
  const output: Effect.Effect<string | Array<Content>, AiError.AiErrorReason> = modelOutput.some(
    ({ type }) => type === "file"
  )
    ? Effect.forEach(modelOutput, (part) => encodeUserPart(part, origin))
    : Effect.succeed(Part.resultText(part))
  return Effect.map(output, (output) => [{ type: "function_call_output", call_id: id, output } as Input])
}
