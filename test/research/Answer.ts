import * as Effect from "effect/Effect"
import * as Extract from "../../examples/research/Extract.ts"
import * as Keyphrases from "../../examples/research/Keyphrases.ts"
import * as SearchIndex from "../../examples/research/SearchIndex.ts"

/** The answer to a question as the agents compose it, but in one fiber and without messages. */
export const to = Effect.fnUntraced(function* (question: string) {
  const index = yield* SearchIndex.SearchIndex
  const found = yield* Effect.forEach(Keyphrases.of(question), (query) => index.search(query))
  const concepts = index.concepts(question)
  return Extract.compose(
    SearchIndex.merge(found).flatMap((hit) => Extract.fromHit(hit, concepts)),
    concepts
  )
})
