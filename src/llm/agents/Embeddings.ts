/**
 * Texts as vectors: an agent that replies with an embedding for each message, and models whose requests are no larger
 * than their provider takes.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { MiniAgents } from "miniagents"
 * import { Embeddings } from "miniagents/llm"
 * import { OpenAi } from "miniagents/openai"
 *
 * const model = OpenAi.embeddingModel("text-embedding-3-small", { dimensions: 256 }).pipe(
 *   Embeddings.batches({ size: 500 }),
 *   Layer.provide(OpenAi.layerConfig())
 * )
 * const program = Effect.gen(function*() {
 *   const replies = yield* Embeddings.agent.trigger(["a river", "a mountain"])
 *   return yield* replies.messages // two of `Message.Embedding`
 * }).pipe(Effect.provide([MiniAgents.layer(), model]))
 * ```
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as AiError from "effect/ai/AiError"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as Model from "effect/ai/Model"
import * as Agent from "../../Agent.ts"
import type { Upstream } from "../../InteractionContext.ts"
import * as Message from "../../Message.ts"

/**
 * How many texts go into one request, and how many requests are made at the same time.
 *
 * @since 0.1.0
 * @category models
 */
export interface Batches {
  /** @default 100 */
  readonly size?: number
  /** @default 4 */
  readonly concurrency?: number
}

/**
 * Makes an agent that embeds what it is sent.
 *
 * **Details**
 *
 * It replies with a `Message.Embedding` for each message, in their order, with the text and the name of the model; those
 * of a batch come together, as soon as it is there. A message without text has none, as models refuse it. A vector that
 * cannot be had is the failure of the agent, after those before it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  name: string,
  options: Batches & { readonly description?: string } = {}
): Agent.Agent<{}, AiError.AiError | Upstream, EmbeddingModel.EmbeddingModel> => {
  const { concurrency = 4, description = "Makes vectors of texts", size = 100 } = options
  return Agent.make(
    name,
    { description },
    Effect.fnUntraced(function* (ctx) {
      const model = yield* EmbeddingModel.EmbeddingModel
      const named = Option.match(yield* Effect.serviceOption(Model.ModelName), {
        onNone: () => ({}),
        onSome: (model) => ({ model })
      })
      const texts = (yield* ctx.messages.messages).map(String).filter((text) => text.trim() !== "")
      const embed = (batch: ReadonlyArray<string>) =>
        Effect.map(model.embedMany(batch), ({ embeddings }) =>
          embeddings.map(({ vector }, i) => new Message.Embedding({ content: batch[i] ?? "", vector, ...named }))
        )
      yield* Stream.fromArray(Arr.chunksOf(texts, Math.max(1, size))).pipe(
        Stream.mapEffect(embed, { concurrency }),
        Stream.runForEach((embeddings) => ctx.reply(embeddings))
      )
    })
  )
}

/**
 * The agent with 100 texts in a request.
 *
 * @since 0.1.0
 * @category constructors
 */
export const agent: Agent.Agent<{}, AiError.AiError | Upstream, EmbeddingModel.EmbeddingModel> = make("Embeddings")

/**
 * Makes requests of many texts in batches, for the Layer of any embedding model: providers refuse more than some number
 * of them. The vectors are in the order of the texts; the usage is that of all requests.
 *
 * @since 0.1.0
 * @category combinators
 */
export const batches =
  ({ concurrency = 4, size = 100 }: Batches = {}) =>
  <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
    Layer.effectContext(
      Effect.map(Layer.build(layer), (context) => {
        const models = context as unknown as Context.Context<EmbeddingModel.EmbeddingModel> // the Layer has one
        const model = Context.get(models, EmbeddingModel.EmbeddingModel)
        const embedMany = (input: ReadonlyArray<string>) =>
          input.length <= size
            ? model.embedMany(input)
            : Effect.map(
                Effect.forEach(Arr.chunksOf(input, Math.max(1, size)), (batch) => model.embedMany(batch), {
                  concurrency
                }),
                together
              )
        const batched = { ...model, embedMany }
        return Context.add(models, EmbeddingModel.EmbeddingModel, batched) as unknown as Context.Context<A>
      })
    )

const together = (responses: ReadonlyArray<EmbeddingModel.EmbedManyResponse>): EmbeddingModel.EmbedManyResponse => {
  const counts = responses.flatMap(({ usage }) => usage.inputTokens ?? [])
  return new EmbeddingModel.EmbedManyResponse({
    embeddings: responses.flatMap(({ embeddings }) => embeddings),
    usage: new EmbeddingModel.EmbeddingUsage({
      inputTokens: counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count, 0)
    })
  })
}
