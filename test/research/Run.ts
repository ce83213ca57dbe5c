/** Runs the research agents as the program does, with what is to be replaced given by the test. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { MiniAgents } from "miniagents"
import * as Extract from "../../examples/research/Extract.ts"
import * as Keyphrases from "../../examples/research/Keyphrases.ts"
import * as Planner from "../../examples/research/Planner.ts"
import * as Reader from "../../examples/research/Reader.ts"
import { mostReaders, research } from "../../examples/research/Research.ts"
import * as Searcher from "../../examples/research/Searcher.ts"
import * as SearchIndex from "../../examples/research/SearchIndex.ts"
import * as Writer from "../../examples/research/Writer.ts"

export const Platform = Layer.merge(NodeFileSystem.layer, NodePath.layer)

export const Index = SearchIndex.layerEffectDocs.pipe(Layer.provide(Platform))

/** The embedded agents. */
export const Embedded = Layer.mergeAll(
  Planner.layerEmbedded,
  Searcher.layerDocuments,
  Reader.layerEmbedded,
  Writer.layerEmbedded
)

/** The quotes that answer a question, as the embedded agents choose them, without the agents. */
export const quotes = Effect.fnUntraced(function* (question: string) {
  const index = yield* SearchIndex.SearchIndex
  const found = yield* Effect.forEach(Keyphrases.of(question), (query) => index.search(query))
  const concepts = yield* index.concepts(question)
  const hits = SearchIndex.merge(found, mostReaders)
  return Extract.compose(
    hits.flatMap((hit) => Extract.fromHit(hit, concepts)),
    concepts
  )
})

/** What the research agent replies to a question, each message with its tag and text. */
export const replies = Effect.fnUntraced(function* (question: string) {
  const sequence = yield* research.trigger(question)
  return (yield* sequence.messages).map((message) => ({ tag: message._tag, text: String(message) }))
}, Effect.provide(MiniAgents.layer()))

/** The files an answer cites, in the order of their numbers. */
export const cited = (answer: string): ReadonlyArray<string> =>
  [...answer.matchAll(/^\[\d+\] (.+?):\d/gm)].map((match) => match[1]!)
