import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Extract from "../../examples/research/Extract.ts"
import * as Passage from "../../examples/research/Passage.ts"
import * as SearchIndex from "../../examples/research/SearchIndex.ts"
import * as Questions from "./questions.ts"
import * as Run from "./Run.ts"

const answered = Effect.fnUntraced(function* (questions: ReadonlyArray<Questions.Question>) {
  const answers = yield* Effect.forEach(questions, ({ question }) => Run.quotes(question))
  return questions.filter(({ files }, i) => answers[i]!.slice(0, 3).some(({ path }) => files.includes(path))).length
})

layer(Run.Index)("research over Effect's documentation", (it) => {
  it.effect("cites the correct file among the first three for at least 8 of 10 questions", () =>
    Effect.gen(function* () {
      assert.isAtLeast(yield* answered(Questions.tuned), 8)
    })
  )

  it.effect("does so for questions it was not tuned to", () =>
    Effect.gen(function* () {
      const questions = [...Questions.firstHoldOut, ...Questions.holdOut]
      assert.isAtLeast(yield* answered(questions), questions.length * 0.8)
    })
  )

  it.effect("gives no answer to a question that matches nothing", () =>
    Effect.gen(function* () {
      for (const question of [
        "What is the capital of France?",
        "Who won the football world cup in 2018?",
        "How do I bake a chocolate cake?",
        "zzz qqq"
      ]) {
        assert.deepStrictEqual(yield* Run.quotes(question), [], question)
      }
    })
  )

  it.effect("gives no answer to a question of nothing but stop words", () =>
    Effect.gen(function* () {
      for (const question of ["How do I do it?", "", "?"]) assert.deepStrictEqual(yield* Run.quotes(question), [])
    })
  )

  it.effect("finds an identifier by one of its words and in any case", () =>
    Effect.gen(function* () {
      const index = yield* SearchIndex.SearchIndex
      for (const query of ["Stream.paginate", "paginate", "STREAM PAGINATED"]) {
        const [best] = yield* index.search(query)
        assert.strictEqual(best?.passage.path, "ai-docs/src/03_stream/10_creating-streams.ts", query)
      }
    })
  )

  it.effect("cites lines that hold what it quotes", () =>
    Effect.gen(function* () {
      const { corpus } = yield* SearchIndex.SearchIndex
      const lines = new Map(corpus.documents.map((document) => [document.path, document.lines]))
      for (const { question } of [...Questions.tuned, ...Questions.firstHoldOut, ...Questions.holdOut]) {
        for (const quote of yield* Run.quotes(question)) {
          const cited = lines
            .get(quote.path)!
            .slice(quote.startLine - 1, quote.endLine)
            .join(" ")
          const said = cited.match(/\w+/g) ?? []
          for (const word of quote.text.match(/\w+/g) ?? []) assert.include(said, word, Extract.citation(quote))
          for (const line of quote.code.split("\n")) assert.include(cited, line.trim(), Extract.citation(quote))
        }
      }
    })
  )

  it.effect("joins what several queries found without repeating a passage", () =>
    Effect.gen(function* () {
      const index = yield* SearchIndex.SearchIndex
      const found = yield* Effect.forEach(["stream", "creating streams", "stream"], (query) => index.search(query))
      const merged = SearchIndex.merge(found)
      assert.strictEqual(new Set(merged.map((hit) => hit.id)).size, merged.length)
      assert.strictEqual(merged[0]!.score, 1)
      assert.deepStrictEqual(
        merged.map((hit) => hit.score),
        merged.map((hit) => hit.score).toSorted((a, b) => b - a)
      )
      assert.deepStrictEqual(SearchIndex.merge([]), [])
    })
  )
})

describe("the index of a large corpus", () => {
  const words = (n: number) => Array.from({ length: n }, (_, i) => `word${i % 97} common`).join(" ")
  const lines = Array.from({ length: 3_000 }, (_, i) => (i % 10 === 0 ? "" : words(8 + (i % 5))))
  const passages = Passage.fromMarkdown("large.md", lines)
  const corpus = { root: "", documents: [], passages, skipped: [] }

  /** How many turns another fiber gets while the effect runs. */
  const turnsDuring = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      let turns = 0
      const other = yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => void turns++)
          )
        )
      )
      yield* Effect.yieldNow
      const before = turns
      yield* effect
      yield* Fiber.interrupt(other)
      return turns - before
    })

  it.effect("is made in steps of a few thousand characters", () =>
    Effect.gen(function* () {
      let inStep = 0
      let most = 0
      const counted = passages.map((passage) => ({
        ...passage,
        get lines() {
          inStep += passage.lines.join("\n").length
          most = Math.max(most, inStep)
          return passage.lines
        }
      }))
      const other = yield* Effect.forkChild(
        Effect.forever(
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => void (inStep = 0))
          )
        )
      )
      yield* SearchIndex.make({ ...corpus, passages: counted })
      yield* Fiber.interrupt(other)
      assert.isAbove(lines.join("\n").length, 300_000)
      assert.isAtMost(most, 17_000)
    })
  )

  it.effect("is searched in steps of a term, also by several at once", () =>
    Effect.gen(function* () {
      const index = yield* SearchIndex.make(corpus)
      const queries = ["word1 word2 word3", "word4 word5 word6", "word7 word8 word9"]
      const search = Effect.forEach(queries, (query) => index.search(query), { concurrency: "unbounded" })
      assert.isAtLeast(yield* turnsDuring(search), 9)
      const concepts = Effect.forEach(queries, (query) => index.concepts(query), { concurrency: "unbounded" })
      assert.isAtLeast(yield* turnsDuring(concepts), 9)
      assert.isAtMost(yield* turnsDuring(concepts), 3) // what a word weighs is looked up once
    })
  )
})
