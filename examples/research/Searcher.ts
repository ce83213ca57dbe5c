/** The agent that runs one search; several of them run in parallel. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Agent } from "miniagents"
import { Found } from "./Findings.ts"
import * as SearchIndex from "./SearchIndex.ts"

/** Replies with what the query found, as one `Found`. */
export const searcher = Agent.make(
  "Searcher",
  { description: "Finds the passages that match a query best", parameters: { query: Schema.String } },
  Effect.fnUntraced(function* (ctx) {
    const { query } = ctx.parameters
    const index = yield* SearchIndex.SearchIndex
    yield* ctx.reply(new Found({ query, hits: yield* index.search(query) }))
  })
)
