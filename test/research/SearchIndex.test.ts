import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Extract from "../../examples/research/Extract.ts"
import * as SearchIndex from "../../examples/research/SearchIndex.ts"
import * as Answer from "./Answer.ts"
import * as Questions from "./questions.ts"

const Platform = Layer.merge(NodeFileSystem.layer, NodePath.layer)

const answered = Effect.fnUntraced(function* (questions: ReadonlyArray<Questions.Question>) {
  const answers = yield* Effect.forEach(questions, ({ question }) => Answer.to(question))
  return questions.filter(({ files }, i) => answers[i]!.slice(0, 3).some(({ path }) => files.includes(path))).length
})

layer(SearchIndex.layerEffectDocs.pipe(Layer.provide(Platform)))("research over Effect's documentation", (it) => {
  it.effect("cites the correct file among the first three for at least 8 of 10 questions", () =>
    Effect.gen(function* () {
      assert.isAtLeast(yield* answered(Questions.tuned), 8)
    })
  )

  it.effect("does so for questions it was not tuned to", () =>
    Effect.gen(function* () {
      assert.isAtLeast(yield* answered(Questions.firstHoldOut), Questions.firstHoldOut.length * 0.8)
      assert.isAtLeast(yield* answered(Questions.holdOut), Questions.holdOut.length * 0.8)
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
        assert.deepStrictEqual(yield* Answer.to(question), [], question)
      }
    })
  )

  it.effect("gives no answer to a question of nothing but stop words", () =>
    Effect.gen(function* () {
      for (const question of ["How do I do it?", "", "?"]) assert.deepStrictEqual(yield* Answer.to(question), [])
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
        for (const quote of yield* Answer.to(question)) {
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
