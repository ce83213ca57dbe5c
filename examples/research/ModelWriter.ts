/** The writer that lets a language model compose the answer, and checks what it cites. */
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Message, MessagePromise } from "miniagents"
import { LlmAgent } from "miniagents/llm"
import { Citations } from "./Citations.ts"
import * as Excerpt from "./Excerpt.ts"
import * as Extract from "./Extract.ts"
import { NoAnswer, Quoted } from "./Findings.ts"
import * as ModelFailed from "./ModelFailed.ts"
import { quoted, Writer } from "./Writer.ts"

const noAnswer = "NO ANSWER"

const model = LlmAgent.make("Writer model", {
  system: [
    "You answer a question from numbered excerpts of documents, and from nothing else.",
    "After each statement, cite the excerpts it stands on by their numbers, as [1] or [1][3]. Cite nothing else, and " +
      "give no list of sources: it is added.",
    `If the excerpts do not answer the question, reply with \`${noAnswer}\` and nothing else.`,
    "Write short Markdown in the language of the question; quote code where it helps.",
    Excerpt.rule("|")
  ].join("\n")
}).fork({ parameters: { maxTokens: 1_500 } })

const patience = "50 seconds"
/** For a server that does not know the limit on tokens, or does not keep to it. */
const longestAnswer = 12_000

/** Without quotes no model is asked: it would answer from what it happens to know. */
export const layer: Layer.Layer<Writer, never, LanguageModel.LanguageModel> = Writer.toLayer(
  Effect.fnUntraced(function* (ctx) {
    const { question } = ctx.parameters
    const read = yield* ctx.messages.messages
    const quotes = enough(read.flatMap((message) => (message instanceof Quoted ? message.quotes : [])))
    if (quotes.length === 0) return yield* new NoAnswer({ question })
    const call = yield* model.call()
    yield* call.send(Message.user(promptOf(question, quotes)))
    const replies = yield* call.replies()
    const said = Stream.suspend(() => {
      let length = 0
      let cut = ""
      const text = replies.pipe(
        Stream.filter(({ known }) => known._tag === "Assistant"),
        Stream.flatMap((promise) => promise),
        Stream.takeUntil((piece) => {
          length += piece.length
          if (length > longestAnswer) cut = tooLong
          return cut !== ""
        }),
        Stream.interruptWhen(Effect.map(Effect.sleep(patience), () => void (cut = tooSlow)))
      )
      const end = Effect.suspend(() => {
        if (cut === "") return Effect.map(replies.messages, (messages) => messages.map(endOf).join(""))
        return Effect.as(call.interrupt, length === 0 ? `${silent}\n\n${quoted(quotes.slice(0, mostQuoted))}` : cut)
      })
      return Stream.concat(text, Stream.fromEffect(end))
    }).pipe(Stream.catch((error) => Stream.fromEffect(ModelFailed.fail(error))))
    const answer = yield* MessagePromise.fromStream(
      said.pipe(unless(noAnswer, nothingSaid(question)), checked(quotes)),
      { known: { _tag: "Assistant", agent: ctx.agent.name, model: yield* ModelFailed.name } }
    )
    yield* ctx.reply(answer)
    yield* Effect.exit(answer.message) // a failure stands in the answer, once
  })
)

/** The model said that nothing answers the question, or nothing at all. */
const nothingSaid =
  (question: string) =>
  (said: string): Effect.Effect<never, ModelFailed.ModelFailed | NoAnswer> =>
    said === "" ? ModelFailed.failSilent : Effect.fail(new NoAnswer({ question }))

const mostQuotes = 24
const mostCharacters = 20_000

/** The best quotes, as many as a prompt should have. */
const enough = (quotes: ReadonlyArray<Extract.Quote>): ReadonlyArray<Extract.Quote> => {
  let left = mostCharacters
  return quotes
    .toSorted((a, b) => b.score - a.score)
    .slice(0, mostQuotes)
    .filter(({ code, text }) => (left -= text.length + code.length) >= 0)
}

const promptOf = (question: string, quotes: ReadonlyArray<Extract.Quote>): string => {
  const excerpts = quotes.map((quote, i) => {
    const said = [quote.text, quote.code].filter((text) => text !== "").join("\n")
    return `Excerpt ${i + 1}, from ${Excerpt.oneLine(Extract.citation(quote))}:\n${Excerpt.barred(said)}`
  })
  return [...excerpts, `Question: ${question}`].join("\n\n")
}

/**
 * The text, or what `failure` says when it is nothing but the sentinel (or nothing). Only what may become the sentinel is
 * held back.
 */
const unless =
  <E2>(sentinel: string, failure: (said: string) => Effect.Effect<never, E2>) =>
  <E, R>(text: Stream.Stream<string, E, R>): Stream.Stream<string, E | E2, R> =>
    Stream.suspend(() => {
      let held: string | undefined = ""
      const take = (piece: string): string => {
        if (held === undefined) return piece
        const all = held + piece
        held = sentinel.startsWith(wordsOf(all)) ? all : undefined
        return held === undefined ? all : ""
      }
      const rest = () => {
        const said = held ?? ""
        if (held === undefined || !["", sentinel].includes(wordsOf(said))) return Stream.make(said)
        return Stream.fromEffect(failure(said.trim()))
      }
      return andAfter(Stream.map(text, take), rest, () => held ?? "")
    })

const wordsOf = (text: string): string => text.replace(/[^\p{L}\s]/gu, "").trim()

const checked =
  (quotes: ReadonlyArray<Extract.Quote>) =>
  <E, R>(text: Stream.Stream<string, E, R>): Stream.Stream<string, E, R> =>
    Stream.suspend(() => {
      const citations = new Citations(quotes)
      const pieces = Stream.map(text, (piece) => citations.take(piece))
      return andAfter(
        pieces,
        () => Stream.make(citations.end()),
        () => citations.rest()
      )
    })

/** More text after the end of a text; where the text failed instead, what was held back of it, and then its failure. */
const andAfter = <E, R, E2>(
  text: Stream.Stream<string, E, R>,
  more: () => Stream.Stream<string, E2>,
  held: () => string
): Stream.Stream<string, E | E2, R> =>
  text.pipe(
    Stream.catch((error) =>
      Stream.concat(
        Stream.sync(held),
        Stream.suspend(() => Stream.fail(error))
      )
    ),
    Stream.concat(Stream.suspend(more)),
    Stream.filter((piece) => piece !== "")
  )

const tooLong = "\n\n(The answer ends here because it became too long.)"
const tooSlow = "\n\n(The answer ends here because its time was over.)"
const silent = "The model did not answer in time. What it would have read:"
const mostQuoted = 5

const endOf = (message: Message.Message): string =>
  !(message instanceof Message.Assistant) || message.finishReason === undefined
    ? ""
    : message.finishReason === "length"
      ? "\n\n(The answer ends here because the model may not say more.)"
      : message.finishReason === "content-filter"
        ? "\n\n(The answer ends here because the provider's filter stopped it.)"
        : ""
