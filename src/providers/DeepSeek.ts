/**
 * DeepSeek, by the protocol that it shares with OpenAI: it knows the limit of tokens by its older name, answers in JSON
 * but does not take a schema (which it is told in words), and wants what it thought back with the calls it made.
 *
 * Needs the package `openai`. `layerConfig` reads `DEEPSEEK_API_KEY` and `DEEPSEEK_BASE_URL`.
 *
 * **Example**
 *
 * ```ts
 * import { DeepSeek } from "miniagents/providers"
 * import * as Layer from "effect/Layer"
 *
 * const model = Layer.provide(DeepSeek.model("deepseek-chat"), DeepSeek.layerConfig())
 * ```
 *
 * Source: https://api-docs.deepseek.com.
 *
 * @since 0.1.0
 */
import * as ChatParams from "./chatParams.ts"
import * as Provider from "../llm/Provider.ts"
import * as OpenAi from "../openai/OpenAi.ts"

/**
 * The provider's name, its address, and how its requests differ.
 *
 * @since 0.1.0
 * @category constructors
 */
export const profile: OpenAi.Profile & { readonly name: "deepseek" } = {
  name: "deepseek",
  baseUrl: "https://api.deepseek.com",
  keyVariable: "DEEPSEEK_API_KEY",
  baseUrlVariable: "DEEPSEEK_BASE_URL",
  adapt: (params) => adapt(params)
}

const provider: OpenAi.Compatible<"deepseek"> = Provider.define({
  title: "DeepSeek",
  profile,
  protocol: OpenAi.protocol
})

/**
 * All that a provider has: see `Provider.Provider`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const {
  Client,
  CurrentConfig,
  agent,
  fromParameters,
  languageModel,
  layer,
  layerConfig,
  layerLanguageModel,
  make,
  model,
  parameters,
  withConfig
} = provider

const adapt = (given: ChatParams.Params): ChatParams.Params => {
  const params = ChatParams.mapMessages(ChatParams.olderLimit(given), withThoughts)
  const { messages, response_format } = params
  if (response_format?.type !== "json_schema") return params
  const schema = JSON.stringify(response_format.json_schema.schema)
  // last, so that what comes before it is the prompt of other turns
  const told = { role: "system" as const, content: `Answer with one JSON object that fits this JSON Schema: ${schema}` }
  return { ...params, messages: [...messages, told], response_format: { type: "json_object" } }
}

/** A call whose thoughts are those of another model has none here, which is said. */
const withThoughts = (message: ChatParams.Message): ChatParams.Message =>
  message.role !== "assistant" || message.tool_calls === undefined || "reasoning_content" in message
    ? message
    : ({ ...message, reasoning_content: "" } as ChatParams.Message)
