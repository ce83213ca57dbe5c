/**
 * Full-text ranking over the passages of a corpus, with MiniSearch (BM25+).
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import MiniSearch, { type SearchResult } from "minisearch"
import * as Corpus from "./Corpus.ts"
import * as Passage from "./Passage.ts"
import * as Words from "./Words.ts"

/**
 * A passage that matches a query. `id` stands for the passage wherever it was found; `score` is at least 0 and comparable
 * between the queries of one index.
 *
 * @since 0.1.0
 * @category models
 */
export const Hit = Schema.Struct({ id: Schema.String, score: Schema.Finite, passage: Passage.Passage })

/**
 * @since 0.1.0
 * @category models
 */
export type Hit = typeof Hit.Type

/**
 * A term that a question asks for, with the terms that count as the same, and how much it tells for the ranking: a term that
 * is rare in the corpus weighs more. `need` is how much it tells for whether there is an answer: all the same, but a name
 * that is not `known`, which occurs nowhere, tells more.
 *
 * @since 0.1.0
 * @category models
 */
export interface Concept {
  readonly term: string
  readonly synonyms: ReadonlyArray<string>
  readonly weight: number
  readonly need: number
  readonly known: boolean
}

/**
 * The search over one loaded corpus.
 *
 * @since 0.1.0
 * @category services
 */
export class SearchIndex extends Context.Service<
  SearchIndex,
  {
    readonly corpus: Corpus.Corpus
    /** The passages that match best, best first; none when no word of the query occurs. `limit` is 20 by default. */
    readonly search: (query: string, options?: { readonly limit?: number }) => Effect.Effect<ReadonlyArray<Hit>>
    /** What the question asks for, stop words left out, each concept once. */
    readonly concepts: (question: string) => Effect.Effect<ReadonlyArray<Concept>>
  }
>()("miniagents/examples/research/SearchIndex") {}

/**
 * Indexes a corpus. It works in short steps, one at a time however many searches run, and other fibers get their turn
 * between any two: an interruption is served at once, also over a large corpus.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: (corpus: Corpus.Corpus) => Effect.Effect<SearchIndex["Service"]> = Effect.fnUntraced(function* (
  corpus: Corpus.Corpus
) {
  const memo: Words.Memo = new Map()
  const index = new MiniSearch<Indexed>({
    fields: ["text", "trail", "about", "path"],
    tokenize: (text) => Words.terms(text, memo),
    processTerm: (term) => term,
    searchOptions: { boost: fieldBoosts, bm25: { k: 1.2, b: 0.7, d: 0.5 } }
  })
  let characters = 0
  for (const [id, passage] of corpus.passages.entries()) {
    const document = indexed(passage, id)
    characters += document.text.length
    if (characters > stepCharacters) {
      characters = document.text.length
      yield* Effect.yieldNow
    }
    index.add(document)
  }
  const step = Semaphore.makeUnsafe(1).withPermit
  const find = (term: string): Effect.Effect<ReadonlyArray<SearchResult>> =>
    step(Effect.map(Effect.yieldNow, () => index.search(term, { tokenize: (text) => [text] })))
  const weights = new Map<string, number>()
  const weight = Effect.fnUntraced(function* (term: string) {
    const known = weights.get(term)
    if (known !== undefined) return known
    const found = (yield* find(term)).length
    // A word that occurs nowhere tells nothing about which passage is best, only that none is perfect.
    const weight = found === 0 ? unknownWeight : Math.log(1 + (corpus.passages.length - found + 0.5) / (found + 0.5))
    weights.set(term, weight)
    return weight
  })
  const concepts = (question: string): Effect.Effect<Array<Concept>> =>
    Effect.forEach(Words.topics(question), (term) =>
      Effect.map(weight(term), (weight) => ({
        term,
        synonyms: Words.synonyms(term),
        weight,
        known: weight !== unknownWeight,
        need: weight === unknownWeight && Words.isName(term, question) ? nameNeed : 1
      }))
    )
  const search = Effect.fnUntraced(function* (query: string, limit: number) {
    const scores = new Map<number, { score: number; terms: number }>()
    for (const [term, boost] of wantedBy(query)) {
      for (const { id, score } of yield* find(term)) {
        const before = scores.get(id) ?? { score: 0, terms: 0 }
        scores.set(id, { score: before.score + score * boost, terms: before.terms + 1 })
      }
    }
    // As MiniSearch does with several terms at once: a passage with more of them is better than their sum.
    return [...scores]
      .map(([id, { score, terms }]): Hit => {
        const passage = corpus.passages[id]!
        return { id: String(id), score: score * terms * Passage.trust(passage.path), passage }
      })
      .sort((a, b) => b.score - a.score)
      .slice(0, limit)
  })
  return { corpus, concepts, search: (query, options) => search(query, options?.limit ?? 20) }
})

/** The terms to search for, with how much each counts: those of the query, and their synonyms for less. */
const wantedBy = (query: string): ReadonlyMap<string, number> => {
  const topics = Words.topics(query)
  const synonyms = topics.flatMap((term) => Words.synonyms(term).map((synonym) => [synonym, synonymBoost] as const))
  // The last entry of a key wins: a word of the query itself outweighs the same word as a synonym.
  return new Map([...synonyms, ...topics.map((term) => [term, 1] as const)])
}

/**
 * Joins what several queries found: each passage once, also where copies of it stand in several files, best first, at most four passages of one file. A passage that
 * several queries found adds up their scores. `limit` is 16 by default. Scores are scaled so that the best is 1.
 *
 * @since 0.1.0
 * @category combinators
 */
export const merge = (found: ReadonlyArray<ReadonlyArray<Hit>>, limit = 16): Array<Hit> => {
  const byId = new Map<string, Hit>()
  for (const hit of found.flat()) {
    byId.set(hit.id, { ...hit, score: hit.score + (byId.get(hit.id)?.score ?? 0) })
  }
  const perFile = new Map<string, number>()
  const texts = new Set<string>()
  const sorted = [...byId.values()]
    .sort((a, b) => b.score - a.score || placeOrder(a.passage, b.passage))
    .filter(({ passage }) => {
      const text = passage.lines.join("\n")
      if (texts.has(text)) return false
      texts.add(text)
      const count = (perFile.get(passage.path) ?? 0) + 1
      perFile.set(passage.path, count)
      return count <= mostPerFile
    })
    .slice(0, limit)
  return sorted.map((hit) => ({ ...hit, score: hit.score / sorted[0]!.score }))
}

const placeOrder = (a: Passage.Passage, b: Passage.Passage): number =>
  a.path === b.path ? a.startLine - b.startLine : a.path < b.path ? -1 : 1

/**
 * The index of nothing, for a run that has other sources.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerEmpty: Layer.Layer<SearchIndex> = Layer.effect(
  SearchIndex,
  Effect.suspend(() => make({ root: "", documents: [], passages: [], skipped: [] }))
)

/**
 * Loads a folder and indexes it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: Corpus.Options
): Layer.Layer<SearchIndex, Corpus.CorpusError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(SearchIndex, Effect.flatMap(Corpus.load(options), make))

/**
 * Indexes the documentation that the installed `effect` package ships.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerEffectDocs: Layer.Layer<SearchIndex, Corpus.CorpusError, FileSystem.FileSystem | Path.Path> =
  Layer.unwrap(Effect.map(Corpus.effectDocs, layer))

/** How much text one step indexes, if a passage is not longer. */
const stepCharacters = 8_000
const mostPerFile = 4
const unknownWeight = 1.5
const nameNeed = 2
const synonymBoost = 0.8
const fieldBoosts = { text: 1, trail: 2, about: 0.5, path: 1 }

interface Indexed {
  readonly id: number
  readonly text: string
  readonly trail: string
  readonly about: string
  readonly path: string
}

const indexed = (passage: Passage.Passage, id: number): Indexed => ({
  id,
  text: passage.lines.join("\n"),
  trail: passage.trail.join(" "),
  about: passage.about,
  path: passage.path
})
