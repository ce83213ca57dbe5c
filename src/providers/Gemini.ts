/**
 * Gemini, by the protocol that Google shares with OpenAI. The signatures of its thoughts go back with the calls that
 * they belong to; calls that another model made are sent with the one that Google has for them.
 *
 * Needs the package `openai`. `layerConfig` reads `GEMINI_API_KEY` and `GEMINI_BASE_URL`. What only Google knows is
 * given as `extra_body: { extra_body: { google: ... } }`.
 *
 * **Example**
 *
 * ```ts
 * import { Gemini } from "miniagents/providers"
 * import * as Layer from "effect/Layer"
 *
 * const model = Layer.provide(Gemini.model("gemini-3.5-flash", { reasoning_effort: "low" }), Gemini.layerConfig())
 * ```
 *
 * Source: https://ai.google.dev/gemini-api/docs/openai.
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
export const profile: OpenAi.Profile & { readonly name: "gcp.gemini" } = {
  name: "gcp.gemini",
  baseUrl: "https://generativelanguage.googleapis.com/v1beta/openai",
  keyVariable: "GEMINI_API_KEY",
  baseUrlVariable: "GEMINI_BASE_URL",
  adapt: (params) => ChatParams.mapMessages(params, signed)
}

const provider: OpenAi.Compatible<"gcp.gemini"> = Provider.define({
  title: "Gemini",
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

/** The first call of a message has to be signed; Google takes this from those that it has not signed itself. */
const signed = (message: ChatParams.Message): ChatParams.Message => {
  if (message.role !== "assistant" || message.tool_calls === undefined) return message
  const [first, ...others] = message.tool_calls
  if (first === undefined || "extra_content" in first) return message
  const mark = { extra_content: { google: { thought_signature: "skip_thought_signature_validator" } } }
  return { ...message, tool_calls: [{ ...first, ...mark }, ...others] }
}
