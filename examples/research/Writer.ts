/** The agent that composes the answer. */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, MessagePromise } from "miniagents"
import * as Extract from "./Extract.ts"
import { NoAnswer, Quoted } from "./Findings.ts"
import { ModelFailed } from "./ModelFailed.ts"
import * as SearchIndex from "./SearchIndex.ts"

/**
 * Is sent what the readers found and replies with one message that streams: Markdown that cites by number, and at its
 * end a line `[1] file:line` for each number.
 */
export class Writer extends Agent.Service<Writer>()("Writer", {
  description: "Answers a question from quotes, with numbered citations",
  parameters: { question: Schema.String },
  error: Schema.Union([NoAnswer, ModelFailed])
}) {}

/** Lets the best quotes speak for themselves, without a model. */
export const layerEmbedded: Layer.Layer<Writer, never, SearchIndex.SearchIndex> = Writer.toLayer(
  Effect.fnUntraced(function* (ctx) {
    const { question } = ctx.parameters
    const index = yield* SearchIndex.SearchIndex
    const read = yield* ctx.messages.messages
    const quotes = read.flatMap((message) => (message instanceof Quoted ? message.quotes : []))
    const cited = Extract.compose(quotes, yield* index.concepts(question))
    if (cited.length === 0) return yield* new NoAnswer({ question })
    const answer = yield* MessagePromise.fromStream(Stream.fromIterable(pieces(compose(cited))), {
      known: { _tag: "Assistant", agent: ctx.agent.name }
    })
    yield* ctx.reply(answer)
    yield* answer.message
  })
)

const compose = (cited: ReadonlyArray<Extract.Quote>): string => {
  const sources = cited.map((quote, i) => `[${i + 1}] ${Extract.citation(quote)}`).join("\n")
  return `${quoted(cited)}\n\n${sources}`
}

/** What is quoted, each with its number. */
export const quoted = (quotes: ReadonlyArray<Extract.Quote>): string => quotes.map(paragraph).join("\n\n")

const paragraph = (quote: Extract.Quote, i: number): string => {
  const said = `${quote.text === "" ? "In code:" : quote.text} [${i + 1}]`
  return quote.code === "" ? said : `${said}\n\n${quote.code.replace(/^(?=.)/gm, "    ")}`
}

// As a model would send it: about a word at a time.
const pieces = (text: string): ReadonlyArray<string> => text.match(/\s*\S+/g) ?? []
