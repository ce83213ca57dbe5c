/** The SDK asks for base64; LM Studio, Ollama and Mistral answer with numbers all the same. */
import * as L from "./lib.ts"
import { Effect, Layer } from "effect"
import { EmbeddingModel } from "effect/ai"
import { OpenAi } from "miniagents/openai"
const vector = [0.25, -0.5, 1, 0.125]
const server = await L.serve((r) =>
  L.json(r, 200, {
    object: "list",
    model: "e",
    data: [{ object: "embedding", index: 0, embedding: vector }],
    usage: { prompt_tokens: 1, total_tokens: 1 }
  })
)
const exit = await L.run(
  Effect.flatMap(EmbeddingModel.EmbeddingModel, (m) => m.embed("x")).pipe(
    Effect.provide(
      Layer.provide(OpenAi.embeddingModel("e", { dimensions: 4 }), OpenAi.layer({ baseUrl: `${server.url}/v1` }))
    )
  )
)
L.verdict("21 embeddings that come as numbers are those numbers", [
  JSON.stringify((L.valueOf(exit) as any)?.vector) !== JSON.stringify(vector) &&
    L.short(L.errorOf(exit) ?? L.valueOf(exit))
])
