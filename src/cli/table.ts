/** How a table lies on a terminal: columns as wide as what stands in them, or narrower, with words that go on below. */

/** A character, how many cells it takes, and the codes of its colours. */
export interface Piece {
  readonly text: string
  readonly width: number
  readonly style: string
}

export type Cell = ReadonlyArray<Piece>
export type Alignment = "left" | "center" | "right"

const between = 3 // blank, line, blank
const narrowest = 3

/** The alignments that the row of dashes below the heads asks for: `|:--|:-:|--:|`. */
export const alignmentsOf = (dashes: string): ReadonlyArray<Alignment> =>
  dashes
    .split("|")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => (!part.endsWith(":") ? "left" : part.startsWith(":") ? "center" : "right"))

/** The lines of a table whose first row has the heads. `style` has the codes of the lines between the columns. */
export const linesOf = (
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  alignments: ReadonlyArray<Alignment>,
  columns: number,
  style: string
): ReadonlyArray<string> => {
  const cells = rows.map((row) => row.map(trimmed))
  const count = Math.max(...cells.map((row) => row.length))
  const wanted = Array.from({ length: count }, (_, i) =>
    Math.max(narrowest, ...cells.map((row) => widthOf(row[i] ?? [])))
  )
  const widths = fitted(wanted, columns - between * (count - 1))
  const rule = style + widths.map((width) => "─".repeat(width)).join("─┼─")
  return cells.flatMap((row, number) => {
    const wrapped = widths.map((width, i) => wrap(row[i] ?? [], width))
    const height = Math.max(...wrapped.map((lines) => lines.length))
    const lines = Array.from({ length: height }, (_, line) =>
      widths
        .map((width, i) => aligned(wrapped[i]?.[line] ?? [], width, alignments[i] ?? "left", style, i === count - 1))
        .join(`${style} │ `)
    )
    return number === 0 && cells.length > 1 ? [...lines, rule] : lines
  })
}

const widthOf = (cell: Cell): number => cell.reduce((sum, { width }) => sum + width, 0)

const isBlank = ({ text }: Piece): boolean => text === " "

const trimmed = (cell: Cell): Cell => {
  const start = cell.findIndex((piece) => !isBlank(piece))
  return start === -1 ? [] : cell.slice(start, cell.findLastIndex((piece) => !isBlank(piece)) + 1)
}

/** Takes from the widest columns until all of them fit, or none can give any more. */
const fitted = (wanted: ReadonlyArray<number>, room: number): ReadonlyArray<number> => {
  const widths = [...wanted]
  for (let over = widths.reduce((sum, width) => sum + width, 0) - room; over > 0; over--) {
    const widest = widths.indexOf(Math.max(...widths))
    if (widths[widest]! <= narrowest) break
    widths[widest]!--
  }
  return widths
}

/** Breaks a cell at blanks, and a word that is wider than its column anywhere. */
const wrap = (cell: Cell, width: number): ReadonlyArray<Cell> => {
  const lines: Array<Cell> = []
  let rest = cell
  while (widthOf(rest) > width) {
    let [end, used] = [0, 0]
    while (used + rest[end]!.width <= width) used += rest[end++]!.width
    const blank = isBlank(rest[end]!) ? end : rest.slice(0, end).findLastIndex(isBlank)
    const cut = blank > 0 ? blank : Math.max(1, end)
    lines.push(trimmed(rest.slice(0, cut)))
    rest = trimmed(rest.slice(cut))
  }
  return [...lines, rest]
}

const aligned = (cell: Cell, width: number, alignment: Alignment, style: string, isLast: boolean): string => {
  const room = Math.max(0, width - widthOf(cell))
  const before = alignment === "right" ? room : alignment === "center" ? Math.floor(room / 2) : 0
  const painted = cell.map(({ style, text }, i) => (cell[i - 1]?.style === style ? text : style + text)).join("")
  return style + " ".repeat(before) + painted + (isLast ? "" : style + " ".repeat(room - before))
}
