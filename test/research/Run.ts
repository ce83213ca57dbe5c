/** Runs the research agents as the program does, with what is to be replaced given by the test. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { MiniAgents } from "miniagents"
import * as Planner from "../../examples/research/Planner.ts"
import * as Reader from "../../examples/research/Reader.ts"
import { research } from "../../examples/research/Research.ts"
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

/** What the research agent replies to a question, each message with its tag and text. */
export const replies = Effect.fnUntraced(function* (question: string) {
  const sequence = yield* research.trigger(question)
  return (yield* sequence.messages).map((message) => ({ tag: message._tag, text: String(message) }))
}, Effect.provide(MiniAgents.layer()))

/** The files an answer cites, in the order of their numbers. */
export const cited = (answer: string): ReadonlyArray<string> =>
  [...answer.matchAll(/^\[\d+\] (.+?):\d/gm)].map((match) => match[1]!)
