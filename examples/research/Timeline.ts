/**
 * Draws what ran when as a Gantt chart of terminal lines.
 *
 * @since 0.1.0
 */

/**
 * One bar. `depth` is 0 for a root and one more for each level of callers above; times are milliseconds on one clock
 * of any origin. A span that still runs ends at the end of the chart.
 *
 * @since 0.1.0
 * @category models
 */
export interface Span {
  readonly name: string
  readonly depth: number
  readonly startMillis: number
  readonly endMillis: number
  readonly status: "ok" | "failed" | "interrupted" | "running"
}

/**
 * How to draw: the `width` of a line in columns, at least 40, whether to use ANSI `colors`, and whether to draw the
 * bars in plain `ascii`. Both are off by default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly width: number
  readonly colors?: boolean
  readonly ascii?: boolean
}

/**
 * One line for each span, in the order given: its name indented by depth, its bar at its place on the common time
 * axis, its duration, and a mark when it did not end well. Names too wide are cut with `…`; a bar is at least one
 * column; no line is wider than the width. No spans give no lines.
 *
 * **Example**
 *
 * ```ts
 * import * as Timeline from "./Timeline.ts"
 *
 * const lines = Timeline.draw([
 *   { name: "Research", depth: 0, startMillis: 0, endMillis: 100, status: "ok" },
 *   { name: "Search", depth: 1, startMillis: 10, endMillis: 60, status: "failed" }
 * ], { width: 44 })
 * // Research  ███████████████████  100 ms
 * //   Search   ██████████           50 ms failed
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const draw = (spans: ReadonlyArray<Span>, options: Options): Array<string> => {
  if (spans.length === 0) return []
  const start = Math.min(...spans.map((span) => span.startMillis))
  const end = Math.max(start, ...spans.map((span) => span.endMillis))
  const width = Math.max(leastWidth, options.width)
  const texts = spans.map((span) => ({
    name: fit(`${"  ".repeat(span.depth)}${printable(span.name)}`, Math.floor(width / 3)),
    millis: duration((span.status === "running" ? end : span.endMillis) - span.startMillis),
    mark: marks[span.status]
  }))
  const widest = (pick: (text: (typeof texts)[number]) => string) =>
    Math.max(...texts.map((text) => columns(pick(text))))
  const nameWidth = widest(({ name }) => name)
  const millisWidth = widest(({ millis }) => millis)
  const markWidth = widest(({ mark }) => mark)
  const barWidth = width - nameWidth - millisWidth - markWidth - 2 * gap.length - (markWidth > 0 ? 1 : 0)
  return spans.map((span, i) => {
    const { mark, millis, name } = texts[i]!
    const [blank, filled] = bar(span, start, end, barWidth)
    const drawn = paint((options.ascii === true ? "#" : "█").repeat(filled), span.status, options)
    const label = `${pad(name, nameWidth)}${gap}${" ".repeat(blank)}${drawn}${" ".repeat(barWidth - blank - filled)}`
    return `${label}${gap}${millis.padStart(millisWidth)}${mark === "" ? "" : ` ${paint(mark, span.status, options)}`}`
  })
}

const leastWidth = 40
const gap = "  "
const marks = { ok: "", failed: "failed", interrupted: "interrupted", running: "running" }
const colorCodes = { ok: 32, failed: 31, interrupted: 33, running: 36 }

const bar = (span: Span, start: number, end: number, width: number): readonly [blank: number, filled: number] => {
  const scale = width / Math.max(1, end - start)
  const blank = Math.min(width - 1, Math.floor((span.startMillis - start) * scale))
  const length = (span.status === "running" ? end : span.endMillis) - span.startMillis
  return [blank, Math.min(width - blank, Math.max(1, Math.round(length * scale)))]
}

const duration = (millis: number): string => `${Math.max(0, Math.round(millis))} ms`

const paint = (text: string, status: Span["status"], options: Options): string =>
  options.colors === true ? `\u001b[${colorCodes[status]}m${text}\u001b[0m` : text

// A name with control characters could move the cursor.
const printable = (name: string): string => name.replace(/\p{Cc}+/gu, " ")

// East Asian wide characters and emoji take two columns in a terminal.
const columnsOf = (character: string): number =>
  /\p{M}|\u200d|\ufe0f/u.test(character) ? 0 : wide.test(character) ? 2 : 1
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u

const columns = (text: string): number => [...text].reduce((sum, character) => sum + columnsOf(character), 0)

const pad = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - columns(text)))

const fit = (text: string, width: number): string => {
  if (columns(text) <= width) return text
  let result = ""
  for (const character of text) {
    if (columns(result) + columnsOf(character) > width - 1) break
    result += character
  }
  return `${result}…`
}
