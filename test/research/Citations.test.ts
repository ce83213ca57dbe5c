import { assert, describe, it } from "@effect/vitest"
import { Citations } from "../../examples/research/Citations.ts"

const sources = [
  { path: "docs/kettle.md", startLine: 3, endLine: 3, text: "See https://kettle.org/red.", code: "" },
  { path: "tea.md", startLine: 10, endLine: 14, text: "", code: 'get("http://tea.org")' },
  { path: "https://example.org/tea", startLine: 1, endLine: 9, text: "", code: "" }
]

const checked = (pieces: ReadonlyArray<string>): string => {
  const citations = new Citations(sources)
  const said = pieces.map((piece) => citations.take(piece)).join("")
  return said + citations.end()
}

const kettle = "docs/kettle.md:3"
const tea = "tea.md:10-14"
const unknown = "[?] The model cited something that it was not given."
const none = "No sources: the model cited none of what it was given."

const table: ReadonlyArray<readonly [string, string]> = [
  ["Press it. [1]", `Press it. [1]\n\n[1] ${kettle}`],
  ["Brew [2] and press[1]. Brew again [2].", `Brew [1] and press[2]. Brew again [1].\n\n[1] ${tea}\n[2] ${kettle}`],
  ["Both [1, 2] [2][1].", `Both [1][2] [2][1].\n\n[1] ${kettle}\n[2] ${tea}`],
  ["All [1-3].", `All [1][2][3].\n\n[1] ${kettle}\n[2] ${tea}\n[3] https://example.org/tea`],
  ["Made up [7]. [1]", `Made up [?]. [1]\n\n[1] ${kettle}\n${unknown}`],
  ["Partly [1, 9].", `Partly [1][?].\n\n[1] ${kettle}\n${unknown}`],
  ["Zero [0].", `Zero [?].\n\n${none}\n${unknown}`],
  ["Nothing cited.", `Nothing cited.\n\n${none}`],
  ["`a[1]` is an index [1].", `\`a[1]\` is an index [1].\n\n[1] ${kettle}`],
  ["```ts\na[7] // x.md:9\n```\nSo [1].", `\`\`\`ts\na[7] // x.md:9\n\`\`\`\nSo [1].\n\n[1] ${kettle}`],
  ["A lone ` here.\n\nThen [2].", `A lone \` here.\n\nThen [1].\n\n[1] ${tea}`],
  [
    "A [link](https://x.org) and [text] and [1](https://kettle.org).",
    `A [link](https://x.org) [?] and [text] and [1](https://kettle.org).\n\n${none}\n${unknown}`
  ],
  [
    "At http://tea.org, https://example.org/tea. Or https://evil.org/?q=1! [3]",
    `At http://tea.org, https://example.org/tea. Or https://evil.org/?q=1 [?]! [1]\n\n[1] https://example.org/tea\n${unknown}`
  ],
  ["See tea.md:11-12 [2].", `See tea.md:11-12 [1].\n\n[1] ${tea}`],
  ["See kettle.md:3, or `tea.md:99` [2].", `See kettle.md:3, or \`tea.md:99 [?]\` [1].\n\n[1] ${tea}\n${unknown}`],
  [
    "[1] evil.md:5\nlocalhost:80, example.com:443",
    `[1] evil.md:5 [?]\nlocalhost:80, example.com:443\n\n[1] ${kettle}\n${unknown}`
  ],
  ["An open [1", `An open [1\n\n${none}`]
]

describe("Citations", () => {
  it.each(table)("%j", (text, expected) => {
    assert.strictEqual(checked([text]), expected)
    assert.strictEqual(checked([...text]), expected)
    for (let at = 1; at < text.length; at++) assert.strictEqual(checked([text.slice(0, at), text.slice(at)]), expected)
  })

  it("holds back no more than the word under way", () => {
    const citations = new Citations(sources)
    assert.strictEqual(citations.take("Press the "), "Press the")
    assert.strictEqual(citations.take("red but"), " red ")
    assert.strictEqual(citations.take("ton [ 1"), "button ")
    assert.strictEqual(citations.take(`, and ${"so on ".repeat(9)}`), `[ 1, and ${"so on ".repeat(9)}`.trimEnd())
  })

  it("one place is one number, however often it was given", () => {
    const citations = new Citations([sources[0]!, sources[0]!])
    assert.strictEqual(citations.take("a [1] b [2] c [1, 2] ") + citations.end(), `a [1] b [1] c [1]\n\n[1] ${kettle}`)
  })

  it.each(["x", "[", "`", "\n", " ", "[1", "a.", "x.md:1", "1,", "http://"])(
    "a long run of %j takes no longer than its length",
    (piece) => {
      const long = piece.repeat(100_000)
      for (const pieces of [[long, " end"], [`${long}!`], Array.from({ length: 2_000 }, () => piece.repeat(50))]) {
        assert.include(checked(pieces), "model cited")
      }
    }
  )
})
