import { assert, it } from "@effect/vitest"
import * as Passage from "../../examples/research/Passage.ts"

const outline = (passages: ReadonlyArray<Passage.Passage>) =>
  passages.map(({ endLine, kind, startLine, trail }) => `${startLine}-${endLine} ${kind} ${trail.join(" > ")}`)

it("cuts Markdown at headings, leaves code with the text before it, and keeps the headings above", () => {
  const text = `# Guide

Intro.

## Streams

Share them.

\`\`\`ts
# not a heading
Stream.share
\`\`\`
Text after.

# End
Bye.`
  assert.deepStrictEqual(outline(Passage.fromMarkdown("guide.md", text.split("\n"))), [
    "1-3 prose Guide",
    "5-13 prose Guide > Streams",
    "15-16 prose End"
  ])
})

it("cuts source at its top-level declarations and names them under the title of the file", () => {
  const text = `/**
 * @title Sharing
 *
 * How to share.
 */
import * as A from "a"

// The first.
export const first = () => {

  return 1
}

class Second {}`
  const passages = Passage.fromSource("share.ts", text.split("\n"))
  assert.deepStrictEqual(outline(passages), [
    "1-6 code Sharing",
    "8-12 code Sharing > first",
    "14-14 code Sharing > Second"
  ])
  assert.strictEqual(passages[1]!.about, "Sharing How to share.")
})

it("cuts a line of any length into pieces with the same line number and loses nothing of it", () => {
  const line = "word ".repeat(10_000)
  for (const cut of [Passage.fromMarkdown, Passage.fromSource]) {
    const passages = cut("long.txt", ["before", line, "after"])
    assert.deepStrictEqual([passages[0]!.startLine, passages[1]!.startLine, passages.at(-1)!.startLine], [1, 2, 3])
    const pieces = passages.slice(1, -1)
    assert.isTrue(
      pieces.every((piece) => piece.startLine === 2 && piece.endLine === 2 && piece.lines[0]!.length <= 2_001)
    )
    assert.strictEqual(pieces.flatMap((piece) => piece.lines).join(""), line)
  }
})

it("covers every line that is not blank exactly once outside of fences", () => {
  const lines = Array.from({ length: 500 }, (_, i) => (i % 7 === 0 ? "" : i % 31 === 0 ? `# ${i}` : `line ${i}`))
  for (const cut of [Passage.fromMarkdown, Passage.fromSource]) {
    const passages = cut("a", lines)
    const covered = passages.flatMap((passage) => passage.lines).filter((line) => line !== "")
    assert.deepStrictEqual(
      covered,
      lines.filter((line) => line !== "")
    )
    for (const passage of passages) {
      assert.deepStrictEqual(passage.lines, lines.slice(passage.startLine - 1, passage.endLine))
    }
  }
})

it("takes an empty document for no passages", () => {
  assert.deepStrictEqual(Passage.fromMarkdown("a.md", [""]), [])
  assert.deepStrictEqual(Passage.fromSource("a.ts", [""]), [])
})
