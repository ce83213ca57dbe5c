/**
 * The models of OpenAI at Azure: the name of a model is that of its deployment, everyone has an address of their own,
 * and the key goes in a header of its own.
 *
 * Needs the package `openai`. `layerConfig` reads `AZURE_OPENAI_API_KEY` and `AZURE_OPENAI_ENDPOINT`, the address of the
 * resource as the portal shows it. With `api: "responses"` it speaks that API.
 *
 * **Example**
 *
 * ```ts
 * import { Azure } from "miniagents/providers"
 * import * as Layer from "effect/Layer"
 * import * as Redacted from "effect/Redacted"
 *
 * const client = Azure.layer({ baseUrl: "https://my-resource.openai.azure.com", apiKey: Redacted.make("key") })
 * const model = Layer.provide(Azure.model("my-deployment"), client)
 * ```
 *
 * Source: https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle.
 *
 * @since 0.1.0
 */
import * as Provider from "../llm/Provider.ts"
import * as OpenAi from "../openai/OpenAi.ts"

/**
 * The provider's name, its address, and how its requests differ.
 *
 * @since 0.1.0
 * @category constructors
 */
export const profile: OpenAi.Profile & { readonly name: "azure.ai.openai" } = {
  name: "azure.ai.openai",
  baseUrl: "",
  keyVariable: "AZURE_OPENAI_API_KEY",
  baseUrlVariable: "AZURE_OPENAI_ENDPOINT",
  keyHeader: "api-key",
  toBaseUrl: (endpoint) => (/\/openai\b/.test(endpoint) ? endpoint : `${endpoint.replace(/\/+$/, "")}/openai/v1`)
}

const provider: OpenAi.Compatible<"azure.ai.openai"> = Provider.define({
  title: "Azure",
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
