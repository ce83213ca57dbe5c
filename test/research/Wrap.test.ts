import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Wrap from "../../examples/research/Wrap.ts"

const wrapped = (width: number, tokens: Iterable<string>) =>
  Effect.map(Stream.runCollect(Stream.fromIterable(tokens).pipe(Wrap.words(width))), (pieces) => pieces.join(""))

it.effect("breaks prose between words and leaves a word that is too wide whole", () =>
  Effect.gen(function* () {
    assert.strictEqual(yield* wrapped(10, ["one two three extraordinary four"]), "one two\nthree\nextraordinary\nfour")
  })
)

it.effect("leaves code as it is, indented or fenced", () =>
  Effect.gen(function* () {
    const text = "    a = b + c + d + e\n\n```ts\nlet x = 1 + 2 + 3\n```\nand on it goes"
    assert.strictEqual(yield* wrapped(10, [text]), text.replace("and on it goes", "and on it\ngoes"))
  })
)

it.effect("gives the same however the text was cut into tokens", () =>
  Effect.gen(function* () {
    const text = "Some words [1]\n\n    const a = 1\n\n[1] a/b.md:1-2"
    assert.strictEqual(yield* wrapped(9, text), yield* wrapped(9, [text]))
    assert.strictEqual(yield* wrapped(Infinity, text), text)
  })
)

it.effect("keeps from the terminal what a document could command it", () =>
  Effect.gen(function* () {
    assert.strictEqual(yield* wrapped(40, ["a\u001b[2Jb\u0007\r\tc"]), "a[2Jb  c")
  })
)

it.each<readonly [string, ReadonlyArray<string>]>([
  ["", [""]],
  ["fits in it", ["fits in it"]],
  ["one two three four", ["one two", "  three", "  four"]],
  ["extraordinarily long words", ["extraordinarily", "  long", "  words"]],
  ["a\u001b[2J b\nc", ["a[2J b c"]]
])("breaks the line %j so that it fits", (text, lines) => {
  assert.deepStrictEqual(Wrap.line(10, text), lines)
})
