/** The agent that reads one passage; one of them runs for each hit, in parallel. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Agent } from "miniagents"
import * as Extract from "./Extract.ts"
import { Quoted } from "./Findings.ts"
import * as SearchIndex from "./SearchIndex.ts"

/** A passage could not be read; `reason` is a sentence for the user. */
export class ReadFailed extends Schema.TaggedError<ReadFailed>()("ReadFailed", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

/** Replies with what the passage of `hit` says about the question. */
export class Reader extends Agent.Service<Reader>()("Reader", {
  description: "Picks from a passage what answers a question",
  parameters: { question: Schema.String, hit: SearchIndex.Hit },
  error: ReadFailed
}) {}

/** Picks whole sentences and pieces of code by their words, without a model. */
export const layerEmbedded: Layer.Layer<Reader, never, SearchIndex.SearchIndex> = Reader.toLayer(
  Effect.fnUntraced(function* (ctx) {
    const { hit, question } = ctx.parameters
    const index = yield* SearchIndex.SearchIndex
    yield* ctx.reply(new Quoted({ quotes: Extract.fromHit(hit, yield* index.concepts(question)) }))
  })
)
