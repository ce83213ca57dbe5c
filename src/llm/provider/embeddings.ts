/**
 * Embedding models whose requests end with those who wait for them. `effect/ai` gathers texts that are embedded one by
 * one at the same time into one request, and that request goes on when they are interrupted; here it does not.
 *
 * @since 0.1.0
 */
import type * as AiError from "effect/ai/AiError"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Request from "effect/Request"
import * as RequestResolver from "effect/RequestResolver"

/**
 * Makes an EmbeddingModel of what embeds many texts. A request for texts of several callers ends when all of them are
 * interrupted.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  embedMany: (
    options: EmbeddingModel.ProviderOptions
  ) => Effect.Effect<EmbeddingModel.ProviderResponse, AiError.AiError>
): Effect.Effect<EmbeddingModel.EmbeddingModel> =>
  Effect.map(EmbeddingModel.make({ embedMany }), (model) => {
    const leave = new Map<EmbeddingModel.EmbeddingRequest, () => void>()
    const resolver = RequestResolver.make<EmbeddingModel.EmbeddingRequest>((entries) =>
      Effect.raceFirst(answer(model, entries), allLeft(entries, leave))
    ).pipe(RequestResolver.withSpan("EmbeddingModel.resolver"))
    const embed = (input: string) =>
      Effect.suspend(() => {
        const request = new EmbeddingModel.EmbeddingRequest({ input })
        return Effect.request(request, resolver).pipe(
          Effect.onInterrupt(() => Effect.sync(() => leave.get(request)?.()))
        )
      }).pipe(Effect.withSpan("EmbeddingModel.embed"))
    return EmbeddingModel.EmbeddingModel.of({ ...model, resolver, embed })
  })

type Entries = ReadonlyArray<Request.Entry<EmbeddingModel.EmbeddingRequest>>

const answer = (model: EmbeddingModel.EmbeddingModel, entries: Entries): Effect.Effect<void, AiError.AiError> =>
  Effect.map(model.embedMany(entries.map(({ request }) => request.input)), ({ embeddings }) => {
    for (const [i, embedding] of embeddings.entries()) entries[i]?.completeUnsafe(Exit.succeed(embedding))
  })

/** Is interrupted when nobody waits for any of the entries. */
const allLeft = (entries: Entries, leave: Map<EmbeddingModel.EmbeddingRequest, () => void>): Effect.Effect<never> =>
  Effect.suspend(() => {
    const left = Deferred.makeUnsafe<never>()
    const waiting = new Set(entries.map(({ request }) => request))
    for (const request of waiting) {
      leave.set(request, () => {
        waiting.delete(request)
        if (waiting.size === 0) Deferred.doneUnsafe(left, Effect.interrupt)
      })
    }
    return Effect.ensuring(
      Deferred.await(left),
      Effect.sync(() => entries.forEach(({ request }) => leave.delete(request)))
    )
  })
