/** The agent that runs one search; several of them run in parallel. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Agent } from "miniagents"
import type { InteractionContext } from "miniagents"
import { Found } from "./Findings.ts"
import * as SearchIndex from "./SearchIndex.ts"
import { WebSearchError } from "./WebSearch.ts"

/** Replies with what the query found, as a `Found` for each kind of source. */
export class Searcher extends Agent.Service<Searcher>()("Searcher", {
  description: "Finds the passages that match a query best",
  parameters: { query: Schema.String },
  error: WebSearchError
}) {}

/** One running search. */
export type Context = InteractionContext.InteractionContext<{ readonly query: string }>

/** Searches the documents for the one who calls a searcher. */
export const searchDocuments = Effect.fnUntraced(function* (ctx: Context) {
  const { query } = ctx.parameters
  const index = yield* SearchIndex.SearchIndex
  yield* ctx.reply(new Found({ query, source: "documents", hits: yield* index.search(query) }))
})

/** Searches the documents. */
export const layerDocuments: Layer.Layer<Searcher, never, SearchIndex.SearchIndex> = Searcher.toLayer(searchDocuments)
