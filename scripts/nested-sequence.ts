/**
 * Draws how a nested sequence fills up: runs two agents in parallel under a test clock, notes when each word was said and
 * when a reader of the whole had it, and writes that as an animated picture to docs/pictures/nested-sequence.svg.
 *
 * Run: node --conditions=miniagents-source scripts/nested-sequence.ts
 */
import { writeFileSync } from "node:fs"
import { Clock, Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Agent, MessagePromise, MiniAgents } from "miniagents"

interface Word {
  readonly lane: string
  readonly text: string
  readonly at: number
}

const lanes = ["Research", "Search A", "Search B", "a reader"] as const
const said: Array<Word> = []

/** Says a word at each of these seconds. */
const speaker = (name: (typeof lanes)[number], words: ReadonlyArray<readonly [at: number, text: string]>) =>
  Agent.make(name, (ctx) =>
    Effect.flatMap(
      MessagePromise.fromStream(
        Stream.fromIterable(words).pipe(
          Stream.mapEffect(([at, text]) =>
            Effect.gen(function* () {
              yield* Effect.sleep(Math.max(0, at * 1000 - (yield* Clock.currentTimeMillis)))
              said.push({ lane: name, text, at: yield* Clock.currentTimeMillis })
              return text
            })
          )
        )
      ),
      ctx.reply
    )
  )

const searchA = speaker("Search A", [
  [2, "fibers"],
  [3, "are"],
  [5, "cheap"]
])
const searchB = speaker("Search B", [
  [1, "scopes"],
  [2, "close"],
  [3, "things"]
])
const research = Agent.make(
  "Research",
  Effect.fnUntraced(function* (ctx) {
    for (const text of ["searching", "done"]) said.push({ lane: "Research", text, at: 0 })
    yield* ctx.reply(["searching", [yield* searchA.trigger(), yield* searchB.trigger()], "done"])
  })
)

const run = Effect.gen(function* () {
  const replies = yield* research.trigger()
  const reading = yield* Effect.forkChild(
    Stream.runForEach(replies, (promise) =>
      Stream.runForEach(promise, (text) =>
        Effect.map(Clock.currentTimeMillis, (at) => void said.push({ lane: "a reader", text, at }))
      )
    )
  )
  for (let second = 0; second <= 6; second++) yield* TestClock.adjust("1 second")
  yield* Fiber.join(reading)
}).pipe(Effect.provide([MiniAgents.layer(), TestClock.layer()]))

await Effect.runPromise(run)

const [labelWidth, top, rowHeight, wordWidth] = [110, 40, 52, 84]
const round = 8 // seconds, and then it begins anew
const width = labelWidth + 8 * (wordWidth + 6) + 20
const height = top + lanes.length * rowHeight + 16

/** The share of a round at which a word is there. */
const shareOf = (at: number): string => (100 * ((at / 1000 + 0.5) / round)).toFixed(1)

const drawn = lanes.flatMap((lane, row) =>
  said
    .filter((word) => word.lane === lane)
    .map(({ at, text }, i) => {
      const [x, y] = [labelWidth + i * (wordWidth + 6), top + row * rowHeight + (row === lanes.length - 1 ? 8 : 0)]
      const name = `w${row}_${i}`
      const share = shareOf(at)
      return {
        style: `@keyframes ${name}{0%,${share}%{opacity:.08}${(Number(share) + 1).toFixed(1)}%,97%{opacity:1}100%{opacity:.08}}.${name}{animation:${name} ${round}s infinite}`,
        shape: `<g class="${name}"><rect class="l${row}" x="${x}" y="${y}" width="${wordWidth}" height="30" rx="6"/><text class="word" x="${x + wordWidth / 2}" y="${y + 20}" text-anchor="middle">${text}</text></g>`
      }
    })
)

const labels = lanes.map((lane, row) => {
  const y = top + row * rowHeight + (row === lanes.length - 1 ? 28 : 20)
  return `<text class="label" x="12" y="${y}">${lane}</text>`
})

const ruler = `<line class="rule" x1="12" x2="${width - 12}" y1="${top + 3 * rowHeight - 6}" y2="${top + 3 * rowHeight - 6}"/>`
const title = "Two agents speak in parallel; a reader of the whole gets one flat list in the order of the code"

writeFileSync(
  new URL("../docs/pictures/nested-sequence.svg", import.meta.url),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${title}">
<style>
text{font:13px ui-monospace,SFMono-Regular,Menlo,monospace}
.label{fill:#57606a}.word{fill:#fff}.title{fill:#57606a;font-size:12px}.rule{stroke:#8c959f;stroke-dasharray:3 4}
.l0{fill:#6e7781}.l1{fill:#0969da}.l2{fill:#1a7f37}.l3{fill:#8250df}
@media (prefers-color-scheme:dark){.label,.title{fill:#9da7b3}}
@media (prefers-reduced-motion:reduce){g{animation:none!important}}
${drawn.map(({ style }) => style).join("\n")}
</style>
<text class="title" x="12" y="20">reply(["searching", [a, b], "done"])</text>
${[...labels, ruler, ...drawn.map(({ shape }) => shape)].join("\n")}
</svg>
`
)
