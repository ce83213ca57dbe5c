/**
 * Mistral, by the protocol that it shares with OpenAI: the limit of tokens and the seed have names of their own, tools
 * that must be called are asked for with another word, calls have ids of nine letters and digits, and the beginning of
 * an answer says that it is one.
 *
 * Needs the package `openai`. `layerConfig` reads `MISTRAL_API_KEY` and `MISTRAL_BASE_URL`.
 *
 * **Example**
 *
 * ```ts
 * import { Mistral } from "miniagents/providers"
 * import { LlmAgent } from "miniagents/llm"
 * import * as Layer from "effect/Layer"
 *
 * const model = Layer.provide(Mistral.model("mistral-large-latest"), Mistral.layerConfig())
 * const assistant = LlmAgent.make("Assistant", { model })
 * ```
 *
 * Source: https://docs.mistral.ai/api.
 *
 * @since 0.1.0
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import * as ChatParams from "./chatParams.ts"
import * as Provider from "../llm/Provider.ts"
import * as OpenAi from "../openai/OpenAi.ts"

/**
 * The provider's name, its address, and how its requests differ.
 *
 * @since 0.1.0
 * @category constructors
 */
export const profile: OpenAi.Profile & { readonly name: "mistral_ai" } = {
  name: "mistral_ai",
  baseUrl: "https://api.mistral.ai/v1",
  keyVariable: "MISTRAL_API_KEY",
  baseUrlVariable: "MISTRAL_BASE_URL",
  adapt: (params) => adapt(params)
}

const provider: OpenAi.Compatible<"mistral_ai"> = Provider.define({
  title: "Mistral",
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

/** It sends the usage unasked, and refuses what it does not know. */
const adapt = (given: ChatParams.Params): ChatParams.Params => {
  const { seed, stream_options: _, tool_choice, ...params } = ChatParams.olderLimit(given)
  const last = params.messages.length - 1
  return {
    ...params,
    ...(seed !== undefined && { random_seed: seed }),
    ...(tool_choice !== undefined && { tool_choice: tool_choice === "required" ? ("any" as never) : tool_choice }),
    messages: params.messages.map((message, i) => {
      const fitted = withIds(message)
      return i === last && fitted.role === "assistant" ? { ...fitted, prefix: true } : fitted
    })
  }
}

const withIds = (message: ChatParams.Message): ChatParams.Message => {
  if (message.role === "tool") return { ...message, tool_call_id: idOf(message.tool_call_id) }
  if (message.role !== "assistant" || message.tool_calls === undefined) return message
  return { ...message, tool_calls: message.tool_calls.map((call) => ({ ...call, id: idOf(call.id) })) }
}

/** The same for the same, so that a call and its result stay together. */
const idOf = (id: string): string =>
  /^[a-zA-Z0-9]{9}$/.test(id) ? id : bytesToHex(sha256(utf8ToBytes(id))).slice(0, 9)
