/** Texts as vectors, in batches, in their order. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { EmbeddingModel } from "effect/ai"
import { Agent, Message, MiniAgents } from "miniagents"
import { Embeddings } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import * as Loopback from "./Loopback.ts"

const serve = Loopback.serve((response, { body }, count) => {
  const { input } = body as { readonly input: ReadonlyArray<string> }
  if (input.length > 3) return Loopback.answer(400, { error: { message: "too many" } })(response, {} as never, count)
  // not in the order of the texts
  const data = input.map((text, index) => ({ index, embedding: [Number(text), 0.5] })).toReversed()
  Loopback.answer(200, { model: "embed-1", data, usage: { prompt_tokens: input.length } })(response, {} as never, count)
})

const texts = (n: number) => Array.from({ length: n }, (_, i) => String(i))
const modelAt = (url: string) =>
  Layer.provide(OpenAi.embeddingModel("embed", { dimensions: 2 }), OpenAi.layer({ baseUrl: url }))

describe("Embeddings", () => {
  it.live("replies with a vector for each message, in their order, a batch at a time", () =>
    Effect.gen(function* () {
      const server = yield* serve
      const agent = Embeddings.make("Vectors", { size: 3, concurrency: 2 })
      const said = texts(8).flatMap((text, i) => (i === 4 ? [" ", Message.user(text)] : [text]))
      const replies = yield* Effect.flatMap(agent.trigger(said), (replies) => replies.messages).pipe(
        Effect.provide([MiniAgents.layer(), modelAt(server.url)])
      )
      assert.deepStrictEqual(
        replies,
        texts(8).map((content) => new Message.Embedding({ content, vector: [Number(content), 0.5], model: "embed" }))
      )
      assert.deepStrictEqual(
        server.received
          .map((_, i) => (Loopback.bodyField(server, "input", i) as ReadonlyArray<string>).length)
          .toSorted(),
        [2, 3, 3]
      )
    })
  )

  it.live("a Layer whose requests are no larger than its provider takes", () =>
    Effect.gen(function* () {
      const server = yield* serve
      const embed = Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embedMany(texts(7)))
      const { embeddings, usage } = yield* Effect.provide(embed, Embeddings.batches({ size: 3 })(modelAt(server.url)))
      assert.deepStrictEqual(
        embeddings.map(({ vector }) => vector[0]),
        [0, 1, 2, 3, 4, 5, 6]
      )
      assert.strictEqual(usage.inputTokens, 7)
      assert.strictEqual(server.received.length, 3)
    })
  )

  it.live("what the provider refuses is the failure of the agent", () =>
    Effect.gen(function* () {
      const server = yield* serve
      const error = yield* Effect.flatMap(Embeddings.agent.trigger(texts(9)), (replies) => replies.messages).pipe(
        Effect.flip,
        Effect.provide([MiniAgents.layer(), modelAt(server.url)])
      )
      assert.strictEqual(error.reason._tag, "InvalidRequestError")
    })
  )

  it.live("reads what another agent says", () =>
    Effect.gen(function* () {
      const server = yield* serve
      const two = Agent.make("Two", (ctx) => ctx.reply(["1", "2"]))
      const replies = yield* Effect.flatMap(
        Effect.flatMap(two.trigger(""), Embeddings.agent.trigger),
        (replies) => replies.messages
      ).pipe(Effect.provide([MiniAgents.layer(), modelAt(server.url)]))
      assert.strictEqual(replies.length, 2)
    })
  )
})
