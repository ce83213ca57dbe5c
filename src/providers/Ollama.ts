/**
 * Models on one's own machine with Ollama, by the protocol that it shares with OpenAI: no key, and an address as
 * Ollama's own tools take it.
 *
 * Needs the package `openai`. `layerConfig` reads `OLLAMA_HOST`, such as `192.168.1.7:11434`, and `OLLAMA_API_KEY` for
 * the models that Ollama runs itself at `https://ollama.com`.
 *
 * **Example**
 *
 * ```ts
 * import { Ollama } from "miniagents/providers"
 * import * as Layer from "effect/Layer"
 *
 * const model = Layer.provide(Ollama.model("qwen3:8b"), Ollama.layerConfig())
 * ```
 *
 * Source: https://docs.ollama.com/api/openai-compatibility.
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
export const profile: OpenAi.Profile & { readonly name: "ollama" } = {
  name: "ollama",
  baseUrl: "http://localhost:11434/v1",
  keyVariable: "OLLAMA_API_KEY",
  baseUrlVariable: "OLLAMA_HOST",
  isKeyOptional: true,
  toBaseUrl: (host) => toBaseUrl(host),
  adapt: (params) => ChatParams.olderLimit(params)
}

const provider: OpenAi.Compatible<"ollama"> = Provider.define({ title: "Ollama", profile, protocol: OpenAi.protocol })

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

/** What `OLLAMA_HOST` may leave out; an address that listens everywhere is reached here. */
const toBaseUrl = (host: string): string => {
  const url = /^https?:\/\//i.test(host) ? host : `http://${/:\d+$/.test(host) ? host : `${host}:11434`}`
  const here = url.replace(/^(https?:\/\/)0\.0\.0\.0(?=[:/]|$)/i, "$1127.0.0.1").replace(/\/+$/, "")
  return here.endsWith("/v1") ? here : `${here}/v1`
}
