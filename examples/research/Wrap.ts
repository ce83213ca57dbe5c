/** Breaks text that streams into lines of a terminal: between words, never inside code. */
import * as Stream from "effect/Stream"

/**
 * Prose is broken at blanks so that no line is wider than `width` columns; lines that start with four blanks or stand
 * in a fence stay as they are, and so does a word wider than the line. Control characters, with which a document could
 * command the terminal, are left out. Nothing is held back but the word under way.
 */
export const words =
  (width: number) =>
  <E, R>(text: Stream.Stream<string, E, R>): Stream.Stream<string, E, R> =>
    text.pipe(
      Stream.mapAccum(
        () => start,
        (state, token) => {
          let out = ""
          let next = state
          for (const character of printable(token)) {
            const [after, said] = step(next, character, width)
            next = after
            out += said
          }
          return [next, out === "" ? [] : [out]]
        },
        { onHalt: (state) => (state.word === "" ? [] : [wordOf(state, width)[1]]) }
      )
    )

/** A line as lines of at most so many columns: broken at blanks, all but the first one indented. */
export const line = (width: number, text: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let under = ""
  for (const word of printable(text).split(/[ \n]+/)) {
    const longer = under === "" ? word : `${under} ${word}`
    if (longer.length <= width || under.trim() === "") {
      under = longer
    } else {
      lines.push(under)
      under = `  ${word}`
    }
  }
  return [...lines, under]
}

/** Text without what a terminal would take as a command. */
export const printable = (text: string): string => text.replaceAll("\t", "  ").replace(/(?!\n)\p{Cc}/gu, "")

interface State {
  readonly column: number
  /** The blanks before the word under way, and that word. */
  readonly gap: string
  readonly word: string
  readonly fenced: boolean
  /** Whether the line under way is indented code. */
  readonly code: boolean
}

const start: State = { column: 0, gap: "", word: "", fenced: false, code: false }

const step = (state: State, character: string, width: number): readonly [State, string] => {
  if (character === "\n") {
    const opensOrCloses = state.column === 0 && /^(?:```|~~~)/.test(state.word)
    return [{ ...start, fenced: state.fenced !== opensOrCloses }, `${wordOf(state, width)[1]}\n`]
  }
  if (character !== " ") return [{ ...state, word: state.word + character }, ""]
  if (state.word === "") return [{ ...state, gap: `${state.gap} ` }, ""]
  const [after, said] = wordOf(state, width)
  return [{ ...after, gap: " " }, said]
}

const wordOf = (state: State, width: number): readonly [State, string] => {
  const { column, fenced, gap, word } = state
  const code = state.code || (column === 0 && gap.length >= 4)
  const breaks = !code && !fenced && word !== "" && column > 0 && column + gap.length + word.length > width
  const said = breaks ? word : gap + word
  return [
    { column: breaks ? word.length : column + said.length, gap: "", word: "", fenced, code },
    breaks ? `\n${said}` : said
  ]
}
