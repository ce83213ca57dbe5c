/** Markdown as a person reads it on a terminal, while it is still being written. */
import { displayWidth } from "effect/cli/CliOutput"
import * as Effect from "effect/Effect"
import type * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Terminal from "effect/Terminal"
import { Attr, parser, parser_end, parser_write, Token } from "streaming-markdown"
import * as Console from "../console/console.ts"
import { charactersOf } from "../console/layout.ts"
import type { Show } from "../console/output.ts"
import * as Table from "./table.ts"

type Render = <E>(texts: Stream.Stream<string, E>) => Stream.Stream<string, E>

/** What models say as Markdown, all else as it is; in both no word is broken. */
export const show: Show<Stdio.Stdio | Terminal.Terminal> = (known, style, column) =>
  known._tag === "Assistant" ? render("92", column) : render(style, column, true)

/**
 * Shows a text that begins at a column of the terminal: headings, emphasis, code, lists, quotes and tables in colours, and
 * no word broken at the edge. What comes is shown at once: a word that turns out to be too long for its line is moved to the
 * next one. Only a table waits for its last row, which may have the widest cell. Where there are no colours a text stays as it is written.
 */
export const render: (
  style: string,
  column: number,
  isPlain?: boolean
) => Effect.Effect<Render, never, Stdio.Stdio | Terminal.Terminal> = Effect.fnUntraced(function* (
  style,
  column,
  isPlain = false
) {
  const paint = yield* Console.painter
  const visible = yield* Console.visible
  if (paint("x", style) === "x") return (texts) => Stream.map(texts, visible)
  const columns = yield* (yield* Terminal.Terminal).columns
  return (texts) =>
    Stream.suspend(() => {
      const screen = new Screen(style, column, columns > 0 ? columns : 80, isPlain)
      const pieces = Stream.map(texts, (text) => screen.take(visible(text)))
      return Stream.concat(
        pieces,
        Stream.sync(() => screen.end())
      )
    })
})

const styles: ReadonlyMap<Token, string> = new Map<Token, string>([
  [Token.Heading_1, "1;4"],
  [Token.Heading_2, "1;4"],
  [Token.Heading_3, "1"],
  [Token.Heading_4, "1"],
  [Token.Heading_5, "1"],
  [Token.Heading_6, "1"],
  [Token.Strong_Ast, "1"],
  [Token.Strong_Und, "1"],
  [Token.Italic_Ast, "3"],
  [Token.Italic_Und, "3"],
  [Token.Strike, "9"],
  [Token.Code_Inline, "96"],
  [Token.Code_Fence, "96"],
  [Token.Code_Block, "96"],
  [Token.Equation_Block, "96"],
  [Token.Equation_Inline, "96"],
  [Token.Link, "4"],
  [Token.Raw_URL, "4"],
  [Token.Image, "3"],
  [Token.Rule, "2"]
])

const lists: ReadonlySet<Token> = new Set([Token.List_Ordered, Token.List_Unordered])
const verbatim: ReadonlySet<Token> = new Set([Token.Code_Fence, Token.Code_Block, Token.Equation_Block])
const headings: ReadonlySet<Token> = new Set([
  Token.Heading_1,
  Token.Heading_2,
  Token.Heading_3,
  Token.Heading_4,
  Token.Heading_5,
  Token.Heading_6
])
/** What stands on lines of its own. */
const blocks: ReadonlySet<Token> = new Set([
  ...lists,
  ...verbatim,
  ...headings,
  Token.Table,
  Token.Paragraph,
  Token.Blockquote,
  Token.Rule
])

interface Open {
  readonly token: Token
  /** What lines inside of it begin with. */
  readonly indent: string
  /** A mark inside of a word (`snake_case`, `2*3`) emphasizes nothing. */
  readonly isLiteral: boolean
  number: number
  href: string
  isChecked: boolean
}

class Screen {
  private out = ""
  private column: number
  private gap = 0
  private isFirst = true
  /** How much was open where a block ended last: what is new stands below the blank line. */
  private depth = 0
  private word = ""
  private wordWidth = 0
  private last = ""
  private preview = 0
  /** What the parser is at, and what it was at before. */
  private reading = ""
  /** The table under way. */
  private rows: Array<Array<Array<Table.Piece>>> = []
  private alignments: ReadonlyArray<Table.Alignment> = []
  private readonly open: Array<Open> = []
  private readonly parser = parser({
    data: undefined,
    add_token: (_, token) => this.begin(token),
    end_token: () => this.finish(),
    add_text: (_, text) => this.say(text),
    set_attr: (_, attribute, value) => this.set(attribute, value)
  })
  private readonly style: string
  private readonly columns: number

  private readonly isPlain: boolean

  constructor(style: string, column: number, columns: number, isPlain: boolean) {
    this.isPlain = isPlain
    this.style = style
    this.column = column
    this.columns = columns - 1 // the last column stays free: what stands in it cannot be moved
  }

  take(text: string): string {
    if (this.isPlain) this.say(text)
    else for (const character of text) this.read(character)
    return this.written(this.parser.pending)
  }

  end(): string {
    parser_end(this.parser)
    return this.written("")
  }

  private read(character: string): void {
    this.reading = this.reading.slice(-1) + character
    const dashes = this.parser.pending
    if (character === "\n" && dashes.includes("-") && this.open.at(-1)?.token === Token.Table)
      this.alignments = Table.alignmentsOf(dashes)
    parser_write(this.parser, character)
  }

  /** What the parser holds back, as it may become a mark, is shown until it is decided. */
  private written(pending: string): string {
    const { out, preview } = this
    const fits = this.gap === 0 && /^\S+$/.test(pending) && this.column + displayWidth(pending) <= this.columns
    this.out = ""
    this.preview = fits ? displayWidth(pending) : 0
    if (out === "" && !fits && preview === 0) return ""
    const erased = preview === 0 ? "" : `\x1b[${preview}D\x1b[K`
    return `${erased}${this.sgr()}${out}${fits ? pending : ""}\x1b[0m`
  }

  /** The codes of what is open. */
  private sgr(): string {
    const codes = this.open.flatMap(({ isLiteral, token }) => (isLiteral ? [] : (styles.get(token) ?? [])))
    if (this.rows.length === 1 && this.inTable()) codes.push("1") // the heads
    return `\x1b[0;${[this.style, ...codes].join(";")}m`
  }

  private begin(token: Token): void {
    const parent = this.open[this.open.length - 1]
    const isNested = lists.has(token) && parent?.token === Token.List_Item
    if (blocks.has(token)) {
      // what is more than a paragraph begins on a line of its own, also after the name of who speaks
      if (this.isFirst && token !== Token.Paragraph) this.gap = 1
      else if (!this.isFirst) this.gap = Math.max(this.gap, isNested ? 1 : this.inList() ? 1 : 2)
    }
    const isInside = this.gap === 0 || this.inTable()
    const isLiteral = marks.has(token) && isInside && /[\p{L}\p{N}_]/u.test(this.last)
    const opened: Open = { token, indent: indentOf(token), isLiteral, number: 1, href: "", isChecked: false }
    if (token === Token.List_Item) {
      if (!this.isFirst) this.gap = Math.max(this.gap, 1)
      const mark = parent?.token === Token.List_Ordered ? `${parent.number++}. ` : "• "
      this.lines()
      this.put(mark)
      this.open.push({ ...opened, indent: " ".repeat(mark.length) })
      return
    }
    this.open.push(opened)
    if (isLiteral || brackets.has(token)) this.say(marks.get(token) ?? brackets.get(token) ?? "")
    else if (styles.has(token) && this.gap === 0) this.restyle()
    if (token === Token.Rule) this.say("─".repeat(Math.min(20, this.columns)))
    if (token === Token.Line_Break) this.gap = 1
    if (token === Token.Table) [this.rows, this.alignments] = [[], []]
    if (token === Token.Table_Row) this.rows.push([])
    if (token === Token.Table_Cell) {
      this.rows.at(-1)?.push([])
      this.last = ""
    }
  }

  private finish(): void {
    const closed = this.open[this.open.length - 1]
    if (closed === undefined) return
    const mark = marks.get(closed.token) ?? ""
    if (closed.isLiteral && this.reading.includes(mark.slice(1) || mark)) this.say(mark)
    if (closed.token === Token.Checkbox) this.say(closed.isChecked ? "[x]" : "[ ]")
    this.open.pop()
    if (closed.token === Token.Table) this.table()
    this.depth = this.open.length
    if (blocks.has(closed.token))
      this.gap = Math.max(this.gap, closed.token === Token.Paragraph && this.inList() ? 1 : 2)
    if (closed.token === Token.List_Item) this.gap = 1
    if (lists.has(closed.token)) this.gap = this.inList() ? 1 : 2
    if (styles.has(closed.token) && this.gap === 0) this.restyle()
    if (!brackets.has(closed.token)) return
    if (closed.href !== "" || this.reading.includes("]")) this.say("]")
    if (closed.href !== "") this.say(`(${closed.href})`)
  }

  private set(attribute: Attr, value: string): void {
    const opened = this.open[this.open.length - 1]
    if (opened === undefined) return
    if (attribute === Attr.Start) opened.number = Number.parseInt(value, 10) || 1
    if (brackets.has(opened.token)) opened.href = value
    if (attribute === Attr.Checked) opened.isChecked = true
  }

  private inList(): boolean {
    return this.open.some(({ token }) => token === Token.List_Item)
  }

  private restyle(): void {
    this.out += this.sgr()
    if (this.word !== "") this.word += this.sgr()
  }

  private indent(): string {
    return this.open.map(({ indent }) => indent).join("")
  }

  /** Ends the line as often as it was found to be necessary, before there is more to say. */
  private lines(): void {
    if (this.gap === 0) return
    const indent = this.indent()
    const around = this.open
      .slice(0, this.depth)
      .map(({ indent }) => indent)
      .join("")
    this.out += `${`\n${around.trimEnd()}`.repeat(this.gap - 1)}\n${indent}${this.sgr()}`
    this.column = displayWidth(indent)
    this.gap = 0
    this.endWord()
  }

  private endWord(): void {
    this.word = ""
    this.wordWidth = 0
  }

  private put(text: string): void {
    this.isFirst = false
    this.out += text
    this.column += displayWidth(text)
    this.endWord()
  }

  private table(): void {
    const room = this.columns - displayWidth(this.indent())
    for (const line of Table.linesOf(this.rows, this.alignments, room, `\x1b[0;${this.style};2m`)) {
      this.lines()
      this.put(line)
      this.gap = 1
    }
  }

  private inTable(): boolean {
    return this.open.some(({ token }) => token === Token.Table)
  }

  private say(text: string): void {
    for (const character of charactersOf(text.replaceAll("\t", "    "))) {
      this.last = character
      if (this.inTable()) {
        const cell = this.rows.at(-1)?.at(-1)
        cell?.push({ text: character, width: displayWidth(character), style: this.sgr() })
        continue
      }
      if (character === "\n") {
        this.gap++
        continue
      }
      this.lines()
      this.isFirst = false
      const width = displayWidth(character)
      if (this.open.some(({ token }) => verbatim.has(token))) {
        this.put(character)
        continue
      }
      if (character === " ") {
        if (this.column < this.columns) this.put(" ")
        else this.endWord()
        continue
      }
      if (this.column + width > this.columns) this.wrap()
      this.out += character
      this.column += width
      this.word += character
      this.wordWidth += width
      // scripts without blanks are broken anywhere
      if (width > 1) this.endWord()
    }
  }

  /** Moves the word under way to the next line; one that is wider than a line is broken. */
  private wrap(): void {
    const indent = this.indent()
    const start = displayWidth(indent)
    const moved = this.wordWidth > 0 && this.wordWidth < this.column - start
    this.out += moved ? `\x1b[${this.wordWidth}D\x1b[K\n${indent}${this.sgr()}${this.word}` : `\n${indent}`
    this.column = start + (moved ? this.wordWidth : 0)
    if (!moved) this.endWord()
  }
}

const indentOf = (token: Token): string =>
  token === Token.Blockquote ? "│ " : token === Token.Code_Fence || token === Token.Code_Block ? "  " : ""

const marks: ReadonlyMap<Token, string> = new Map<Token, string>([
  [Token.Italic_Ast, "*"],
  [Token.Italic_Und, "_"],
  [Token.Strong_Ast, "**"],
  [Token.Strong_Und, "__"]
])

/** Links stay as they are written: what is in brackets may be an index of an array. */
const brackets: ReadonlyMap<Token, string> = new Map<Token, string>([
  [Token.Link, "["],
  [Token.Image, "!["]
])
