/** The keyless research over documents that others wrote: what it finds, what it refuses, and how it quotes. */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Extract from "../../examples/research/Extract.ts"
import * as SearchIndex from "../../examples/research/SearchIndex.ts"
import * as Documents from "./documents.ts"
import * as Run from "./Run.ts"

interface Tally {
  right: number
  answerable: number
  refused: number
  unanswerable: number
}

const tally = (): Tally => ({ right: 0, answerable: 0, refused: 0, unanswerable: 0 })

/** What people wrote for people stands before declarations that have the same words. */
const readmeFirst = new Set([
  "How do I install the nightly build?",
  "Where is the code of conduct?",
  "Who wrote these type definitions?",
  "How do I run a transaction?",
  "How do I cancel a query that is running?"
])

const tallies = { tuned: tally(), held: tally() }

for (const documents of Documents.all) {
  const { name, only, root } = documents
  const index = SearchIndex.layer({ root, ...(only !== undefined && { only }) }).pipe(Layer.provide(Run.Platform))
  layer(index)(`research over ${name}`, (it) => {
    it.effect("cites what it quotes, and cuts no code in the middle", () =>
      Effect.gen(function* () {
        const { corpus } = yield* SearchIndex.SearchIndex
        const lines = new Map(corpus.documents.map((document) => [document.path, document.lines]))
        for (const half of ["tuned", "held"] as const) {
          for (const { answer, question } of documents[half]) {
            const quotes = yield* Run.quotes(question)
            for (const quote of quotes) assertWhole(quote, lines.get(quote.path)!)
            const tally = tallies[half]
            const cited = quotes.slice(0, 3).map((quote) => {
              return lines
                .get(quote.path)!
                .slice(quote.startLine - 1, quote.endLine)
                .join("\n")
            })
            if (answer === undefined) {
              tally.unanswerable++
              if (quotes.length === 0) tally.refused++
            } else {
              tally.answerable++
              if (readmeFirst.has(question)) assert.strictEqual(quotes[0]!.path, "README.md", question)
              if (cited.some((text) => answer.test(text))) tally.right++
            }
          }
        }
      })
    )
  })
}

/** The line after the code is no part of what the code began. */
const assertWhole = (quote: Extract.Quote, lines: ReadonlyArray<string>): void => {
  if (quote.code === "") return
  const code = quote.code.split("\n")
  const indent = (line: string) => line.length - line.trimStart().length
  const first = lines.slice(quote.startLine - 1, quote.endLine).find((line) => line.trim() === code[0]!.trim())!
  const next = lines[quote.endLine] ?? ""
  const place = `${Extract.citation(quote)}\n${quote.code}\n---\n${next}`
  assert.isTrue(next.trim() === "" || /^\s*[`~]{3}/.test(next) || indent(next) <= indent(first), place)
  assert.notMatch(next, /^\s*[)\]}]/.test(code.at(-1)!) ? /^$./ : new RegExp(`^\\s{${indent(first)}}[)\\]}]`), place)
}

layer(Layer.empty)("research over documents of others", (it) => {
  it.effect("has the right passage in the first three for four of five questions", () =>
    Effect.sync(() => {
      const { held, tuned } = tallies
      console.log(
        `right: ${tuned.right} of ${tuned.answerable}, held back ${held.right} of ${held.answerable}; ` +
          `refused: ${tuned.refused} of ${tuned.unanswerable}, held back ${held.refused} of ${held.unanswerable}`
      )
      for (const { answerable, right } of [held, tuned]) assert.isAtLeast(right / answerable, 0.8)
    })
  )

  it.effect("refuses nine of ten questions that the documents do not answer", () =>
    Effect.sync(() => {
      for (const { refused, unanswerable } of Object.values(tallies)) assert.isAtLeast(refused / unanswerable, 0.9)
    })
  )
})
