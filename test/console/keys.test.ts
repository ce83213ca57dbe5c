/** Keys from bytes. The parts of the line editor are private, so they are tested where they stand. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Keys from "../../src/console/keys.ts"

const take = (pieces: ReadonlyArray<Uint8Array>): ReadonlyArray<Keys.Input> => {
  const inputs: Array<Keys.Input> = []
  const decoder = new Keys.Decoder((input) => void inputs.push(input))
  for (const piece of pieces) decoder.push(piece)
  return inputs
}

const named = (text: string): ReadonlyArray<string> =>
  take([new TextEncoder().encode(text)]).map((input) =>
    input._tag === "Paste"
      ? `paste ${JSON.stringify(input.text)}`
      : `${input.ctrl ? "ctrl+" : ""}${input.meta ? "alt+" : ""}${input.shift ? "shift+" : ""}${input.name}${input.text === "" ? "" : ` ${input.text}`}`
  )

describe("Keys", () => {
  it.each([
    ["a", ["a a"]],
    ["A", ["shift+a A"]],
    ["\r\n", ["return", "enter"]],
    ["é日🦀", [" é", " 日", " 🦀"]],
    ["\u0001\0\u007f", ["ctrl+a", "ctrl+space", "backspace"]],
    ["\u001b[A\u001bOB\u001b[1;5C\u001b[1;133D", ["up", "down", "ctrl+right", "ctrl+left"]],
    ["\u001b[3~\u001b[3;5~\u001b[3;69~", ["delete", "ctrl+delete", "ctrl+delete"]],
    ["\u001bb\u001b\u007f\u001b\r", ["alt+b", "alt+backspace", "alt+return"]],
    ["\u001b[97;5u\u001b[99;133u\u001b[27u", ["ctrl+a", "ctrl+c", "escape"]],
    ["\u001b[13;2u\u001b[13;3u\u001b[32;5u\u001b[57414u", ["shift+return", "alt+return", "ctrl+space", "return"]],
    ["\u001b[233u\u001b[57442;5u", ["é é", "ctrl+"]],
    ["\u001b[27;5;13~\u001b[27;2;65~", ["ctrl+return", "shift+a A"]],
    ["\u001b[?1u\u001b[?62;4cx", ["x x"]],
    ["\u001b[[Ax", ["f1", "x x"]],
    ["\u001b[200~a\r\nb\u001b[Ac\u001b[201~d", ['paste "a\\nb\\u001b[Ac"', "d d"]]
  ])("%j is %j", (text, keys) => {
    assert.deepStrictEqual(named(text), keys)
  })

  const pieces = [
    "a",
    "é",
    "日",
    "🦀",
    "\r",
    "\u0003",
    "\u001b[A",
    "\u001b[1;5C",
    "\u001b[13;2u",
    "\u001b[27;2;13~",
    "\u001b[?1u",
    "\u001b[200~x\r\ny\u001b[B🦀\u001b[201~",
    "\u001bOP"
  ]

  it.prop(
    "however the bytes are cut, the keys are the same",
    { parts: Schema.Array(Schema.Literals(pieces)), cuts: Schema.Array(Schema.Int) },
    ({ cuts, parts }) => {
      const bytes = new TextEncoder().encode(parts.join(""))
      const places = cuts.map((cut) => Math.abs(cut) % (bytes.length + 1)).sort((a, b) => a - b)
      const cut = [...places, bytes.length].map((place, i) => bytes.slice(places[i - 1] ?? 0, place))
      assert.deepStrictEqual(take(cut), take([bytes]))
    }
  )
})
