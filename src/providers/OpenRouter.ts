/**
 * OpenRouter, which passes requests on to the models of many providers, by the protocol that it shares with OpenAI. What
 * a request has cost it says itself, and that is the cost in budgets and logs.
 *
 * Needs the package `openai`. `layerConfig` reads `OPENROUTER_API_KEY` and `OPENROUTER_BASE_URL`. `extra_body` has what
 * only OpenRouter knows, such as `provider`, `models` and `reasoning`.
 *
 * **Example**
 *
 * ```ts
 * import { OpenRouter } from "miniagents/providers"
 * import * as Layer from "effect/Layer"
 *
 * const model = Layer.provide(
 *   OpenRouter.model("anthropic/claude-sonnet-5.5", { extra_body: { provider: { sort: "price" } } }),
 *   OpenRouter.layerConfig({ sdk: { defaultHeaders: { "HTTP-Referer": "https://example.com", "X-Title": "Example" } } })
 * )
 * ```
 *
 * Source: https://openrouter.ai/docs/api-reference.
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
export const profile: OpenAi.Profile & { readonly name: "openrouter" } = {
  name: "openrouter",
  baseUrl: "https://openrouter.ai/api/v1",
  keyVariable: "OPENROUTER_API_KEY",
  baseUrlVariable: "OPENROUTER_BASE_URL",
  adapt: (params) => ({ usage: { include: true }, ...ChatParams.olderLimit(params) })
}

const provider: OpenAi.Compatible<"openrouter"> = Provider.define({
  title: "OpenRouter",
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
