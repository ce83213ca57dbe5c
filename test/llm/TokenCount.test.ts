/** How many tokens a prompt has, rather too many than too few. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Prompt, Tokenizer } from "effect/ai"
import { TokenCount } from "miniagents/llm"
import { countTokens as countOlder } from "gpt-tokenizer/encoding/cl100k_base"
import { countTokens } from "gpt-tokenizer/encoding/o200k_base"

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8").slice(0, 20_000)

const texts: ReadonlyArray<readonly [string, string]> = [
  ["prose", read("README.md")],
  ["code", read("src/llm/agents/LlmPrompt.ts")],
  ["JSON", read("package.json")],
  [
    "German",
    "Die Größe der Überraschung über die Änderungen überstieg alle Erwartungen; Flüsse fließen, das weiß man. "
  ],
  ["Japanese", "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"],
  ["Chinese", "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。寒来暑往，秋收冬藏。"],
  ["Russian", "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему."],
  ["Arabic", "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق."],
  ["emoji", "👩‍🚀🔥🎉 😀😃😄 🇳🇴🇩🇪 👨‍👩‍👧‍👦"],
  ["numbers", "1 2 3 4 5 6 7 8 9 0 12 34 56 78 1234567 3.14159 2026-11-27T15:05:39.123Z"],
  ["capitals", "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG ".repeat(10)],
  ["data", "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4OBQMBgAJQAYDDb8nWAAAAABJRU5ErkJggg".repeat(9)],
  ["a tree", "   a\n\n\n    b\t\tc {[(<>)]}; ".repeat(30)]
]

describe("TokenCount", () => {
  it.each(texts)("an estimate of %s is not below what the tokenizers of OpenAI count", (_, text) => {
    const counted = Math.max(countTokens(text), countOlder(text))
    const estimated = TokenCount.estimateText(text)
    assert.isAtLeast(estimated, counted)
    assert.isBelow(estimated, 2 * counted + 10)
  })

  it.effect("counts with the tokenizer of OpenAI's models, and what it reads as text is text", () =>
    Effect.gen(function* () {
      const text = "Hello <|endoftext|> world"
      const counted = yield* TokenCount.count(text)
      assert.strictEqual(counted, countTokens(text, { disallowedSpecial: new Set() }) + 4)
      assert.isBelow(counted, TokenCount.estimate(text) + 1)
    }).pipe(Effect.provide(TokenCount.layerOpenAi))
  )

  it.effect("counts images and documents as well, also in what a tool gave", () =>
    Effect.gen(function* () {
      const image = { type: "file" as const, mediaType: "image/png", data: new URL("https://example.com/a.png") }
      const user = [{ role: "user" as const, content: [image] }]
      assert.isAbove(yield* TokenCount.count(user), 1500)
      const shown = Prompt.toolResultPart({
        id: "1",
        name: "screen",
        result: "",
        isFailure: false,
        providerExecuted: false,
        modelOutput: [Prompt.filePart(image)]
      })
      assert.isAbove(yield* TokenCount.count(Prompt.fromMessages([Prompt.toolMessage({ content: [shown] })])), 1500)
    })
  )

  it.effect("estimates what a tokenizer cannot count", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* TokenCount.count("Hello"), TokenCount.estimate("Hello"))
    }).pipe(
      Effect.provide(Layer.succeed(Tokenizer.Tokenizer, Tokenizer.make({ tokenize: () => Effect.fail("no" as never) })))
    )
  )
})
