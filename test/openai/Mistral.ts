/** A provider that is compatible with OpenAI, as an application would write it. */
import { Context, Effect, Layer } from "effect"
import { LanguageModel, Model } from "effect/ai"
import { Connection } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"

export const profile: OpenAi.Profile = {
  name: "mistral_ai",
  baseUrl: "https://api.mistral.ai/v1",
  keyVariable: "MISTRAL_API_KEY",
  baseUrlVariable: "MISTRAL_BASE_URL",
  // It sends the usage unasked, has the older name for the limit, and another one for the seed.
  adapt: ({ max_completion_tokens, seed, stream_options: _, ...params }) => ({
    ...params,
    ...(max_completion_tokens !== undefined && { max_tokens: max_completion_tokens }),
    ...(seed !== undefined && { random_seed: seed })
  })
}

export class Client extends Context.Service<Client, OpenAi.Connected>()("app/Mistral") {}

export const layer = (options?: OpenAi.Options) => Layer.effect(Client, OpenAi.make(options, profile))

export const layerConfig = (options?: OpenAi.Options) =>
  Layer.effect(
    Client,
    Effect.flatMap(Connection.environment(profile), (environment) =>
      OpenAi.make({ ...options, ...environment }, profile)
    )
  )

export const model = (name: string, config?: OpenAi.Config) =>
  Model.make(
    profile.name,
    name,
    Layer.effect(
      LanguageModel.LanguageModel,
      Effect.flatMap(Client, (client) => OpenAi.languageModel(client, name, config))
    )
  )
