/**
 * Draws a text that is being written where the cursor of the terminal is, again and again, and touches nothing above.
 *
 * The text is wrapped here and not by the terminal, and the cursor is put to its place by writing what stands before
 * it: terminals that disagree about the width of a character show a line that is a little off, and no more.
 */
import { displayWidth } from "effect/cli/CliOutput"
import * as Layout from "./layout.ts"

/** Where it is drawn. */
export interface Screen {
  /** Zero where it is not known. */
  readonly columns: number
  readonly rows: number
  readonly write: (text: string) => unknown
}

export interface Picture {
  /** What stands before the text; it may have colours. */
  readonly prompt: string
  readonly text: string
  readonly cursor: number
  /** A line below the text. */
  readonly hint: string
}

export class Painter {
  /** The widths of the rows that were drawn above that of the cursor. */
  private above: ReadonlyArray<number> = []
  /** How many rows were drawn below that of the cursor. */
  private below = 0
  private readonly output: Screen

  constructor(output: Screen) {
    this.output = output
  }

  get columns(): number {
    return this.output.columns || 80
  }

  /** The column in which the text begins. */
  start(prompt: string): number {
    return displayWidth(prompt)
  }

  /** Draws the part around the cursor that fits on the screen. */
  draw(picture: Picture): void {
    this.show(picture, this.output.rows || 24)
  }

  /** Draws all of it for the last time and goes to the line below. */
  finish(picture: Picture): void {
    this.show(picture, Number.POSITIVE_INFINITY)
    this.output.write("\n")
    this.above = []
  }

  /** Leaves what is drawn as it is, and begins below it the next time. */
  leave(): void {
    this.output.write("\n".repeat(this.below + 1) + "\r")
    this.above = []
  }

  clearScreen(): void {
    this.output.write("\x1b[H\x1b[2J")
    this.above = []
  }

  private show({ cursor, hint, prompt, text }: Picture, height: number): void {
    const rows = Layout.rowsOf(text, this.start(prompt), this.columns)
    const place = Layout.placeOf(rows, cursor)
    const lines = rows.map((row, i) => (i === 0 ? prompt : "") + Layout.textOf(row))
    const room = Math.max(1, height - (hint === "" ? 0 : 1))
    const first =
      lines.length <= room ? 0 : Math.max(0, Math.min(place.row - Math.floor(room / 2), lines.length - room))
    const drawn = [...lines.slice(first, first + room), ...(hint === "" ? [] : [hint])]
    const { cells, pieces } = rows[place.row]!
    const before = pieces.filter((_, i) => cells[i]!.offset < cursor).join("")
    this.below = drawn.length - 1 - (place.row - first)
    this.output.write(
      this.erase() + drawn.join("\r\n") + up(this.below) + "\r" + (place.row === 0 ? prompt : "") + before
    )
    this.above = rows.slice(first, place.row).map(({ end }) => end.column)
  }

  /** A row that was drawn on a wider screen takes several rows of this one, as terminals wrap it anew. */
  private erase(): string {
    const rows = this.above.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / this.columns)), 0)
    return `${up(rows)}\r\x1b[J`
  }
}

const up = (rows: number): string => (rows === 0 ? "" : `\x1b[${rows}A`)
