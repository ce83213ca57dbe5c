import { assert, it } from "@effect/vitest"
import * as Extract from "../../examples/research/Extract.ts"
import * as Passage from "../../examples/research/Passage.ts"

const concepts = ["stream", "shar"].map((term) => ({ term, synonyms: ["broadcast"], weight: 1, need: 1, known: true }))

const quote = (path: string, startLine: number, text: string, score: number): Extract.Quote => ({
  path,
  startLine,
  endLine: startLine,
  text,
  code: "",
  score,
  covers: [1, 1]
})

const quotesOf = (passages: ReadonlyArray<Passage.Passage>) =>
  passages.flatMap((passage, id) => Extract.fromHit({ id: String(id), score: 1, passage }, concepts, { limit: 10 }))

it("picks the sentence that answers, with the lines it spans", () => {
  const [best] = quotesOf(
    Passage.fromMarkdown("guide.md", [
      "# Guide",
      "Effects are values, e.g. numbers. To share a",
      "[stream](./x.md) use **broadcast**. Layers build services and the text goes on about other things for a while,",
      "so that the paragraph is longer than one quotation may be and has to be cut into its sentences to be quoted, which",
      "is what this passage is about and nothing else at all, however long it takes to say so in the end of this text."
    ])
  )
  assert.strictEqual(best?.text, "To share a stream use broadcast.")
  assert.strictEqual(Extract.citation(best!), "guide.md:2-3")
})

it("quotes a comment together with the code below it, without its indentation", () => {
  const quotes = quotesOf(
    Passage.fromSource("share.ts", [
      "const a = 1",
      "",
      "function f() {",
      "  // Share the stream.",
      "  const shared = broadcast(source, {",
      "    // no bound",
      '    capacity: "unbounded"',
      "  })",
      "  // Something else.",
      "  return shared",
      "}"
    ])
  )
  assert.deepInclude(quotes[0]!, {
    text: "Share the stream.",
    code: 'const shared = broadcast(source, {\n  // no bound\n  capacity: "unbounded"\n})',
    startLine: 4,
    endLine: 8
  })
})

it("finds nothing in a passage that has nothing to do with the question", () => {
  assert.deepStrictEqual(quotesOf(Passage.fromMarkdown("a.md", ["Effects are values."])), [])
  assert.deepStrictEqual(
    Extract.fromHit({ id: "0", score: 1, passage: Passage.fromMarkdown("a.md", ["Stream."])[0]! }, []),
    []
  )
})

it("leaves out near duplicates and prefers another file to more of the same", () => {
  const answer = Extract.compose(
    [
      quote("a.md", 1, "Share a stream with broadcast.", 1),
      quote("b.md", 1, "Share a stream with broadcast!", 0.99),
      quote("a.md", 9, "A stream replays to everyone who reads it late.", 0.9),
      quote("c.md", 1, "Sharing needs a scope.", 0.8),
      quote("d.md", 1, "Streams end.", 0.1)
    ],
    concepts
  )
  assert.deepStrictEqual(answer.map(Extract.citation), ["a.md:1", "c.md:1", "a.md:9"])
})

it("gives no answer when the quotes touch too little of the question", () => {
  const wide = ["stream", "x", "y", "z"].map((term) => ({ term, synonyms: [], weight: 1, need: 1, known: true }))
  assert.deepStrictEqual(
    Extract.compose(
      [{ ...quote("a.md", 1, "A stream.", 1), covers: [1, 0, 0, 0] }],
      wide.map((one, i) => ({ ...one, known: i < 2 }))
    ),
    []
  )
  assert.deepStrictEqual(Extract.compose([], wide), [])
})

it.each(["# #", " ", "[", "<a ", "* ", "a. ", "`", "![](", "| ", "// ", "** ", "é", "🔎"])(
  "reads lines of any length full of `%s` and quotes no more than a few sentences",
  (part) => {
    const wide = `# x ${part.repeat(300_000 / part.length)} stream share`
    const tall = Array.from({ length: 2_000 }, () => `${part.repeat(100)} stream`)
    for (const cut of [Passage.fromMarkdown, Passage.fromSource]) {
      for (const lines of [[wide], [`// ${wide}`], tall]) {
        for (const { text } of quotesOf(cut("long", lines))) assert.isAtMost(text.length, 320)
      }
    }
  }
)
