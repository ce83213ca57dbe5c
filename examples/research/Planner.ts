/** The agent that breaks a question into searches. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Agent } from "miniagents"
import { NothingToSearch } from "./Findings.ts"
import * as Keyphrases from "./Keyphrases.ts"
import { ModelFailed } from "./ModelFailed.ts"

/** Is sent the question and replies with queries, one message each, the most specific first. */
export class Planner extends Agent.Service<Planner>()("Planner", {
  description: "Breaks a question into search queries",
  error: Schema.Union([NothingToSearch, ModelFailed])
}) {}

/** Takes the keyphrases of the question, without a model. */
export const layerEmbedded: Layer.Layer<Planner> = Planner.toLayer(
  Effect.fnUntraced(function* (ctx) {
    const question = yield* ctx.messages.text
    const queries = Keyphrases.of(question)
    if (queries.length === 0) return yield* new NothingToSearch({ question })
    yield* ctx.reply(queries)
  })
)
