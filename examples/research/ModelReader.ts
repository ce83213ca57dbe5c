/** The reader that asks a language model which lines of a passage help to answer. */
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Message } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import * as Excerpt from "./Excerpt.ts"
import * as Extract from "./Extract.ts"
import { Quoted } from "./Findings.ts"
import * as ModelFailed from "./ModelFailed.ts"
import type * as Passage from "./Passage.ts"
import { Reader, ReadFailed } from "./Reader.ts"
import * as SearchIndex from "./SearchIndex.ts"

const Lines = Schema.Struct({ first: Schema.Int, last: Schema.Int })

class Picks extends Message.Class<Picks>()("Picks", {
  picks: Schema.Array(Lines).annotate({
    description: "Ranges of line numbers, the most useful first; none if none helps"
  })
}) {}

const model = LlmAgent.makeObject("Reader model", {
  schema: Picks,
  system:
    "You read one passage of a document and pick the lines that help to answer a question: at most three ranges of " +
    "whole sentences or statements of code, by the numbers before the lines. Pick none when the passage has nothing to do " +
    `with the question. ${Excerpt.rule("<number>|")}`
}).fork({ parameters: { maxTokens: 200 } })

const patience = "40 seconds"

/**
 * What it quotes are the lines of the passage as they are: the model says where they stand and nothing else. Where it is
 * too slow or does not keep to the form, the passage is read without it.
 */
export const layer: Layer.Layer<Reader, never, LanguageModel.LanguageModel | SearchIndex.SearchIndex> = Reader.toLayer(
  Effect.fnUntraced(function* (ctx) {
    const { hit, question } = ctx.parameters
    const index = yield* SearchIndex.SearchIndex
    const without = Effect.map(index.concepts(question), (concepts) => Extract.fromHit(hit, concepts))
    const asked = Effect.flatMap(
      model.trigger(Message.user(promptOf(question, hit.passage))),
      ({ messages }) => messages
    )
    const quotes = yield* asked.pipe(
      Effect.map((said) =>
        quotesOf(
          hit,
          said.flatMap((message) => (message instanceof Picks ? message.picks : []))
        )
      ),
      Effect.timeoutOrElse({ duration: patience, orElse: () => without }),
      Effect.catchIf(ModelFailed.isUseless, () => without),
      Effect.catch(ModelFailed.fail),
      Effect.mapError(({ message }) => new ReadFailed({ reason: message }))
    )
    yield* ctx.reply(new Quoted({ quotes }))
  })
)

const promptOf = (question: string, passage: Passage.Passage): string =>
  [
    `Question: ${question}`,
    `A passage of the document ${Excerpt.oneLine(passage.path)}, lines ${passage.startLine} to ${passage.endLine}:`,
    Excerpt.numbered(passage)
  ].join("\n\n")

const mostPicks = 3
const mostLines = 40

/** Ranges that the passage does not have are dropped, and so are those that overlap one before. */
const quotesOf = (
  { passage, score }: SearchIndex.Hit,
  picks: ReadonlyArray<typeof Lines.Type>
): ReadonlyArray<Extract.Quote> => {
  const quotes: Array<Extract.Quote> = []
  for (const { first, last } of picks) {
    const exists = first >= passage.startLine && last >= first && last <= passage.endLine
    const isNew = quotes.every(({ endLine, startLine }) => last < startLine || first > endLine)
    if (!exists || !isNew || quotes.length === mostPicks) continue
    const endLine = Math.min(last, first + mostLines - 1)
    const lines = passage.lines.filter((_, i) => {
      const line = Excerpt.lineAt(passage, i)
      return line >= first && line <= endLine
    })
    const said = lines.join("\n").trimEnd()
    if (said.trim() === "") continue
    const [text, code] = passage.kind === "code" ? ["", said] : [said, ""]
    quotes.push({ path: passage.path, startLine: first, endLine, text, code, score, covers: [] })
  }
  return quotes
}
