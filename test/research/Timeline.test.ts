import { assert, it } from "@effect/vitest"
import * as Timeline from "../../examples/research/Timeline.ts"

const green = "\u001b[32m"
const red = "\u001b[31m"
const reset = "\u001b[0m"

const span = (
  name: string,
  depth: number,
  startMillis: number,
  endMillis: number,
  status: Timeline.Span["status"] = "ok"
): Timeline.Span => ({ name, depth, startMillis, endMillis, status })

it("draws one bar for each span on a common axis with aligned labels", () => {
  const lines = Timeline.draw(
    [span("Research", 0, 1_000, 1_100), span("Search", 1, 1_010, 1_060, "failed"), span("Write", 1, 1_060, 1_100)],
    { width: 50, ascii: true }
  )
  assert.deepStrictEqual(lines, [
    "Research  #########################  100 ms",
    "  Search    #############             50 ms failed",
    "  Write                  ##########   40 ms"
  ])
})

it("gives no lines for no spans", () => {
  assert.deepStrictEqual(Timeline.draw([], { width: 80 }), [])
})

it("shows a span of no length, spans that all start at once and clocks that go back as one column at least", () => {
  for (const spans of [[span("a", 0, 5, 5)], [span("a", 0, 0, 100), span("b", 0, 100, 100)], [span("a", 0, 10, 5)]]) {
    for (const line of Timeline.draw(spans, { width: 60 })) assert.match(line, /█/)
  }
})

it("lets a span that still runs reach the end of the chart", () => {
  const lines = Timeline.draw([span("a", 0, 0, 100), span("b", 0, 50, 50, "running")], { width: 60, ascii: true })
  assert.match(lines[1]!, /^b {2} +#+ +50 ms running$/)
  assert.strictEqual(lines[1]!.lastIndexOf("#"), lines[0]!.lastIndexOf("#"))
})

it("never draws wider than the width, also with long, wide and control characters in names", () => {
  const names = ["x".repeat(200), "研究".repeat(50), "🔎 search", "a\u001b[31m\nb", ""]
  for (const width of [40, 57, 120]) {
    const spans = names.flatMap((name, i) => [span(name, i * 3, i, i + 7, "interrupted"), span(name, 0, 0, 123_456)])
    for (const line of Timeline.draw(spans, { width })) {
      const columns = [...line].reduce((sum, character) => sum + (/[研究🔎]/u.test(character) ? 2 : 1), 0)
      assert.isAtMost(columns, width)
      assert.notMatch(line, /\p{Cc}/u)
    }
  }
})

it("colours only when asked", () => {
  const spans = [span("a", 0, 0, 1), span("b", 0, 0, 1, "failed")]
  const plain = Timeline.draw(spans, { width: 60 })
  const colored = Timeline.draw(spans, { width: 60, colors: true })
  assert.notInclude(plain.join(""), "\u001b")
  assert.include(colored[1]!, red)
  assert.deepStrictEqual(
    colored.map((line) => [green, red, reset].reduce((text, code) => text.replaceAll(code, ""), line)),
    plain
  )
})
