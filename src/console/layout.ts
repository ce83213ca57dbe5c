/** How a text lies on a screen: lines that are too long are wrapped, wide characters take two cells. */
import { displayWidth } from "effect/cli/CliOutput"
import { harmless } from "./console.ts"

/** Where the cells of a row begin in the text, and at which column. */
export interface Cell {
  readonly offset: number
  readonly column: number
}

/** A row: what is shown, the place of each of its characters, and the place behind the last one. */
export interface Row {
  readonly cells: ReadonlyArray<Cell>
  readonly pieces: ReadonlyArray<string>
  readonly end: Cell
  /** Whether the line goes on in the next row: the place behind this one is the first of that. */
  readonly wrapped: boolean
}

export const textOf = (row: Row): string => row.pieces.join("")

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** The characters of a text as people see them. Plain lines are most of a long text, and need no looking up. */
export const charactersOf = (text: string): ReadonlyArray<string> =>
  text.split("\n").flatMap((line, i) => {
    const characters = plain.test(line) ? line.split("") : Array.from(graphemes.segment(line), ({ segment }) => segment)
    return i === 0 ? characters : ["\n", ...characters]
  })

const plain = /^[ -~]*$/

/** Where the character begins that a place in the text is in. */
export const characterAt = (text: string, offset: number): number =>
  offset >= text.length ? text.length : (graphemes.segment(text).containing(offset)?.index ?? offset)

/** How a character is shown. */
const shown = (character: string): string => (character === "\t" ? "    " : harmless(character))

const widths = new Map<string, number>()

const widthOf = (piece: string): number => {
  if (plain.test(piece)) return piece.length
  const known = widths.get(piece)
  if (known !== undefined) return known
  const width = displayWidth(piece)
  // every character there is would be too many to remember
  if (widths.size < 10_000) widths.set(piece, width)
  return width
}

/** The rows of a text that begins at a column of the first one. There is always a place for the cursor behind it. */
export const rowsOf = (text: string, start: number, columns: number): ReadonlyArray<Row> => {
  const rows: Array<Row> = []
  let [cells, pieces]: [Array<Cell>, Array<string>] = [[], []]
  let [column, offset] = [start, 0]
  const endRow = (wrapped: boolean) => {
    rows.push({ cells, pieces, end: { offset, column }, wrapped })
    ;[cells, pieces] = [[], []]
    column = 0
  }
  for (const character of charactersOf(text)) {
    if (character === "\n") {
      endRow(false)
    } else {
      const piece = shown(character)
      const width = widthOf(piece)
      if (column + width > columns && column > 0) endRow(true)
      cells.push({ offset, column })
      pieces.push(piece)
      column += width
    }
    offset += character.length
  }
  if (column >= columns) endRow(true)
  endRow(false)
  return rows
}

/** The row and the column of a place in the text. */
export const placeOf = (
  rows: ReadonlyArray<Row>,
  offset: number
): { readonly row: number; readonly column: number } => {
  for (let row = rows.length - 1; row >= 0; row--) {
    const { cells, end } = rows[row]!
    const first = cells[0] ?? end
    if (first.offset > offset) continue
    return { row, column: (cells.find((cell) => cell.offset >= offset) ?? end).column }
  }
  return { row: 0, column: 0 }
}

/** The place in the text at a column of a row, or else the last one of the row. */
export const offsetAt = ({ cells, end, wrapped }: Row, column: number): number =>
  column >= end.column && !wrapped
    ? end.offset
    : (cells.findLast((cell) => cell.column <= column) ?? cells[0] ?? end).offset
