/** The agent that answers a question from documents with the help of the others: top to bottom, all in parallel. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Agent, Message } from "miniagents"
import type { MessageSequence } from "miniagents"
import * as Extract from "./Extract.ts"
import { Found, NothingFound, NothingRead, Progress, Quoted } from "./Findings.ts"
import { Planner } from "./Planner.ts"
import { Reader } from "./Reader.ts"
import { Searcher } from "./Searcher.ts"
import * as SearchIndex from "./SearchIndex.ts"
import { Writer } from "./Writer.ts"

/**
 * Is sent a question and replies with everything there is to see: `Progress` as it happens, then the answer. A reader
 * that fails is told in its place, and the answer is written from what the others found, if there are others.
 */
export const research = Agent.make(
  "Research",
  { description: "Answers a question from documents" },
  Effect.fnUntraced(function* (ctx) {
    const question = yield* ctx.messages.text
    const plan = yield* Planner.trigger(question)
    const queries = (yield* plan.messages).map(String)
    yield* ctx.reply(progress(`Searching for ${queries.map((query) => `"${query}"`).join(", ")}`))

    const searches = yield* Effect.forEach(queries, (query) =>
      Searcher.fork({ name: `Searcher ${query}` }).trigger([], { query }, { errorsAsMessages: true })
    )
    yield* eachAsItComes(searches, (i, message) => ctx.reply(progress(found(queries[i]!, message))))
    const results = yield* Effect.forEach(searches, ({ messages }) => messages)
    const hits = best(results.flat())
    const failed = results.flat().find((message) => message instanceof Message.Failure)
    if (hits.length === 0 && failed !== undefined) return yield* new NothingFound({ reason: failed.reason })

    const readers = yield* Effect.forEach(hits, (hit) =>
      Reader.fork({ name: `Reader ${place(hit).replace(/^.*\//, "")}` }).trigger(
        [],
        { question, hit },
        { errorsAsMessages: true }
      )
    )
    yield* eachAsItComes(readers, (i, message) => ctx.reply(progress(read(place(hits[i]!), message))))
    const failures = (yield* Effect.forEach(readers, ({ messages }) => messages)).map((messages) =>
      messages.find((message) => message instanceof Message.Failure)
    )
    const [first] = failures
    if (first !== undefined && failures.every((failure) => failure !== undefined)) {
      return yield* new NothingRead({ reason: first.reason })
    }

    yield* ctx.reply(yield* Writer.trigger(readers, { question }))
  })
)

/** How many passages are read at most. */
export const mostReaders = 12

const progress = (content: string) => new Progress({ content })

/** Does something with each message of each sequence as soon as it is there, and is done when that is done for all. */
const eachAsItComes = <E, R>(
  sequences: ReadonlyArray<MessageSequence.MessageSequence<E>>,
  tell: (index: number, message: Message.Message) => Effect.Effect<void, never, R>
): Effect.Effect<void, E, R> =>
  Effect.forEach(
    sequences,
    (sequence, i) =>
      Stream.runForEach(sequence, ({ message }) => Effect.flatMap(message, (message) => tell(i, message))),
    { concurrency: "unbounded", discard: true }
  )

/** The best of what all searches found, in the documents and in the web, whose scores do not compare. */
const best = (messages: ReadonlyArray<Message.Message>): ReadonlyArray<SearchIndex.Hit> => {
  const found = messages.flatMap((message) => (message instanceof Found ? [message] : []))
  return (["documents", "web"] as const)
    .flatMap((source) => {
      const lists = found.filter((one) => one.source === source).map(({ hits }) => hits)
      return SearchIndex.merge(lists, mostReaders)
    })
    .sort((a, b) => b.score - a.score)
    .slice(0, mostReaders)
}

const found = (query: string, message: Message.Message): string => {
  if (message instanceof Message.Failure) return `Could not search for "${query}": ${message.reason}`
  if (!(message instanceof Found)) return String(message)
  const where = message.source === "web" ? "in the web " : ""
  return `Found ${count(message.hits.length, "passage")} ${where}for "${message.query}"`
}

const read = (place: string, message: Message.Message): string => {
  if (message instanceof Message.Failure) return `Could not read ${place}: ${message.reason}`
  const quotes = message instanceof Quoted ? message.quotes.length : 1
  return `Read ${place}: ${quotes === 0 ? "nothing about it" : count(quotes, "quote")}`
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`

const place = ({ passage }: SearchIndex.Hit): string => Extract.citation(passage)
