/** What is drawn of a text that is being written, in a terminal emulator. */
import { assert, describe, it } from "@effect/vitest"
import headless from "@xterm/headless"
import { Effect, Schema } from "effect"
import { displayWidth } from "effect/cli/CliOutput"
import { Editor } from "../../src/console/editor.ts"
import type { Input } from "../../src/console/keys.ts"
import * as Layout from "../../src/console/layout.ts"
import { Painter } from "../../src/console/painter.ts"

const prompt = "\u001b[93mUSER: \u001b[0m"
const start = 6
/** Enough for all that the steps can write. */
const height = 200

const key = (name: string, modifier?: "ctrl" | "meta"): Input => ({
  _tag: "Key",
  name,
  ctrl: modifier === "ctrl",
  meta: modifier === "meta",
  shift: false,
  text: ""
})
const paste = (text: string): Input => ({ _tag: "Paste", text })

const steps: Readonly<Record<string, Input>> = {
  letter: paste("x"),
  word: paste(" word "),
  wide: paste("日本"),
  accent: paste("e\u0301"),
  mark: paste("\u0301"),
  emoji: paste("👨‍👩‍👧"),
  tab: paste("\t"),
  control: paste("\u0001"),
  lines: paste("one\ntwo two two\n\nfour"),
  long: paste("0123456789".repeat(3)),
  newLine: key("space", "ctrl"),
  left: key("left"),
  right: key("right"),
  up: key("up"),
  down: key("down"),
  home: key("home"),
  end: key("end"),
  wordLeft: key("b", "meta"),
  wordRight: key("f", "meta"),
  backspace: key("backspace"),
  delete: key("delete"),
  deleteWord: key("w", "ctrl"),
  deleteStart: key("u", "ctrl"),
  deleteEnd: key("k", "ctrl"),
  yank: key("y", "ctrl")
}
const names = Object.keys(steps)
const Steps = Schema.Array(Schema.Literals(names)).check(Schema.isMaxLength(40))
const Columns = Schema.Int.check(Schema.isBetween({ minimum: 8, maximum: 40 }))

const typed = (all: ReadonlyArray<string>, columns: number, each: (editor: Editor) => void = () => {}): Editor => {
  const editor = new Editor(["an older text", "the text\nbefore"])
  for (const name of all) {
    editor.press(steps[name]!, start, columns)
    each(editor)
  }
  return editor
}

const boundaries = (text: string): ReadonlySet<number> => {
  let at = 0
  return new Set([0, ...Layout.charactersOf(text).map((character) => (at += character.length))])
}

describe("Editor", () => {
  const isOutside = ({ cursor, text }: Editor) =>
    assert.isTrue(boundaries(text).has(cursor), JSON.stringify([text, cursor]))

  it.prop(
    "the cursor never stands inside of a character",
    { all: Steps, columns: Columns },
    ({ all, columns }) => void typed(all, columns, isOutside),
    { arbitrary: { runs: 500 } }
  )

  it("nor does it when two characters have become one", () => {
    const { cursor, text } = typed(["letter", "newLine", "mark", "left", "backspace"], 40, isOutside)
    assert.deepStrictEqual([text, cursor], ["x\u0301", 0])
  })
})

/** Marks that stand alone take no place, so that two places in the text are one on the screen. */
const withoutMarks = (all: ReadonlyArray<string>) => all.filter((name) => name !== "mark")

describe("Layout", () => {
  it.prop(
    "no row is wider than the screen, and every place is in one",
    { all: Steps, columns: Columns },
    ({ all, columns }) => {
      const { text } = typed(withoutMarks(all), columns)
      const rows = Layout.rowsOf(text, start, columns)
      for (const row of rows) assert.isAtMost(row.end.column, columns)
      // behind a full row there is no place
      assert.isBelow(Layout.placeOf(rows, text.length).column, columns)
      for (const offset of boundaries(text)) {
        const { column, row } = Layout.placeOf(rows, offset)
        assert.strictEqual(Layout.offsetAt(rows[row]!, column), offset)
      }
    },
    { arbitrary: { runs: 500 } }
  )
})

describe("Painter", () => {
  it.effect.prop(
    "after any keys the screen shows the text, the cursor at its place and what was above",
    // emulators disagree about the width of some emoji
    { all: Steps, columns: Columns },
    ({ all, columns }) =>
      Effect.gen(function* () {
        const emulator = new headless.Terminal({ cols: columns, rows: height, allowProposedApi: true })
        const output = {
          columns,
          rows: height,
          write: (text: string) => emulator.write(text.replaceAll(/(?<!\r)\n/g, "\r\n"))
        }
        const painter = new Painter(output)
        output.write("above\n")
        const editor = typed(
          withoutMarks(all).filter((name) => name !== "emoji"),
          columns,
          ({ cursor, text }) => painter.draw({ prompt, text, cursor, hint: "" })
        )
        painter.draw({ prompt, text: editor.text, cursor: editor.cursor, hint: "a hint" })
        yield* Effect.promise(() => new Promise<void>((resolve) => emulator.write("", resolve)))
        const rows = Layout.rowsOf(editor.text, start, columns)
        const { active } = emulator.buffer
        const shown = Array.from({ length: active.length }, (_, i) => active.getLine(i)!.translateToString().trimEnd())
        const expected = rows.map((row, i) => ((i === 0 ? "USER: " : "") + Layout.textOf(row)).trimEnd())
        assert.deepStrictEqual(shown.slice(0, rows.length + 2), ["above", ...expected, "a hint"])
        assert.isTrue(shown.slice(rows.length + 2).every((line) => line === ""))
        const place = Layout.placeOf(rows, editor.cursor)
        const cursor = [active.baseY + active.cursorY - 1, Math.min(place.column, columns - 1)]
        assert.deepStrictEqual(cursor, [place.row, Math.min(active.cursorX, columns - 1)])
      })
  )

  it("measures as the emulator does what it shows", () => {
    assert.deepStrictEqual(["x", "日", "e\u0301", "␁"].map(displayWidth), [1, 2, 1, 1])
  })
})
