/** A provider of one's own is a profile and a layer, in fewer than 60 lines. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { LanguageModel, Model } from "effect/ai"
import * as Loopback from "../llm/Loopback.ts"
import * as Mistral from "./Mistral.ts"

const reply = (content: string) =>
  `data: ${JSON.stringify({ id: "1", model: "m", choices: [{ delta: { content }, finish_reason: "stop" }] })}\n\n`

describe("a provider compatible with OpenAI", () => {
  it("takes fewer than 60 lines", () => {
    const lines = readFileSync(new URL("./Mistral.ts", import.meta.url), "utf8").split("\n")
    assert.isBelow(lines.length, 60)
  })

  it.effect("has an address, a key, a name and habits of its own", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream([reply("Bonjour")]))
      const environment = { MISTRAL_API_KEY: "key", MISTRAL_BASE_URL: `${server.url}/v1` }
      const layer = Mistral.model("mistral-small", { max_completion_tokens: 9, seed: 7 }).pipe(
        Layer.provide(Mistral.layerConfig()),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))
      )
      const response = yield* Effect.provide(
        Effect.all([LanguageModel.generateText({ prompt: "Hi" }), Model.ProviderName]),
        layer
      )
      assert.deepStrictEqual([response[0].text, response[1]], ["Bonjour", "mistral_ai"])
      assert.strictEqual(server.received[0]?.headers.authorization, "Bearer key")
      assert.deepStrictEqual(server.received[0]?.body, {
        model: "mistral-small",
        max_tokens: 9,
        random_seed: 7,
        messages: [{ role: "user", content: "Hi" }],
        stream: true
      })
    })
  )
})
