/** The planner that asks a language model for the searches. */
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Message } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import * as Excerpt from "./Excerpt.ts"
import { NothingToSearch } from "./Findings.ts"
import * as Keyphrases from "./Keyphrases.ts"
import * as ModelFailed from "./ModelFailed.ts"
import { Planner } from "./Planner.ts"

class Plan extends Message.Class<Plan>()("Plan", {
  queries: Schema.Array(Schema.String).annotate({ description: "The search queries, the most specific first" })
}) {}

const model = LlmAgent.makeObject("Planner model", {
  schema: Plan,
  system:
    "You plan the research of a question. Reply with two to five short queries for a full-text search over documents: " +
    "the words that a page with the answer would use, not sentences; each query from another side; the most specific first."
}).fork({ parameters: { maxTokens: 300 } })

const patience = "20 seconds"

/**
 * Queries are what the model said, without what is empty or said twice; those of the planner without a model where it is
 * too slow or does not keep to the form.
 */
export const layer: Layer.Layer<Planner, never, LanguageModel.LanguageModel> = Planner.toLayer(
  Effect.fnUntraced(function* (ctx) {
    const question = yield* ctx.messages.text
    if (question.trim() === "") return yield* new NothingToSearch({ question })
    const queries = yield* Effect.flatMap(
      model.trigger(Message.user(`Question: ${question}`)),
      ({ messages }) => messages
    ).pipe(
      Effect.map(queriesOf),
      Effect.timeoutOrElse({ duration: patience, orElse: () => Effect.succeed(Keyphrases.of(question)) }),
      Effect.catchIf(ModelFailed.isUseless, () => Effect.succeed(Keyphrases.of(question))),
      Effect.catch(ModelFailed.fail)
    )
    if (queries.length === 0) return yield* new NothingToSearch({ question })
    yield* ctx.reply(queries)
  })
)

const mostQueries = 5
const longestQuery = 200

const queriesOf = (said: ReadonlyArray<Message.Message>): ReadonlyArray<string> => {
  const queries = said
    .flatMap((message) => (message instanceof Plan ? message.queries : []))
    .map((query) => Excerpt.oneLine(query).trim().slice(0, longestQuery))
  const distinct = new Map(queries.map((query) => [query.toLowerCase(), query]))
  return [...distinct.values()].filter((query) => query !== "").slice(0, mostQueries)
}
