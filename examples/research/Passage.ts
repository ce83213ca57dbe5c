/**
 * A passage is a stretch of a document short enough to rank and to cite: a few paragraphs under one heading, a code
 * block, or a declaration with its comment. It knows its file, its lines and the headings above it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A stretch of a document. `lines` are its lines as written; the first one is line `startLine` of the file `path`,
 * counted from 1, and `endLine` is included. `trail` holds what names it, outermost first: the headings above it,
 * or the title of the source file and the name it declares. `about` is what the file and its folder say of themselves
 * at their top; the same for all passages of a file.
 *
 * @since 0.1.0
 * @category models
 */
export const Passage = Schema.Struct({
  path: Schema.String,
  startLine: Schema.Int,
  endLine: Schema.Int,
  kind: Schema.Literals(["prose", "code"]),
  trail: Schema.Array(Schema.String),
  about: Schema.String,
  lines: Schema.Array(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export type Passage = typeof Passage.Type

/**
 * Cuts Markdown or plain text: at every heading, around every fenced code block, and at the first blank line after
 * a few lines of text.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromMarkdown = (path: string, lines: ReadonlyArray<string>, about = ""): Array<Passage> => {
  const cutter = makeCutter(path, lines, about)
  const headings: Array<readonly [level: number, text: string]> = []
  let fence: string | undefined
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    const trail = headings.map(([, text]) => text)
    if (fence !== undefined) {
      if (line.trim().startsWith(fence)) {
        cutter.cut(i, "code", trail)
        cutter.skip(i + 1)
        fence = undefined
      } else if (i - cutter.start() >= longestPassage) {
        cutter.cut(i, "code", trail)
      }
      continue
    }
    const opened = /^\s*(`{3,}|~{3,})/.exec(line)
    const heading = line.length > longestLine ? null : /^(#{1,6})\s+(.*?)[\s#]*$/.exec(line)
    if (opened !== null) {
      cutter.cut(i, "prose", trail)
      cutter.skip(i + 1)
      fence = opened[1]!
    } else if (heading !== null) {
      cutter.cut(i, "prose", trail)
      while (headings.length > 0 && headings[headings.length - 1]![0] >= heading[1]!.length) headings.pop()
      headings.push([heading[1]!.length, heading[2]!.slice(0, longestTitle)])
    } else if (i - cutter.start() >= longestPassage || (line.trim() === "" && i - cutter.start() >= enoughProse)) {
      cutter.cut(i, "prose", trail)
    }
  }
  cutter.cut(
    lines.length,
    fence === undefined ? "prose" : "code",
    headings.map(([, text]) => text)
  )
  return cutter.passages
}

/**
 * Cuts source code where a blank line is followed by a line without indentation, so that a comment stays with what
 * it describes; what is still too long is cut at a blank line inside.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSource = (path: string, lines: ReadonlyArray<string>, about = ""): Array<Passage> => {
  const header = headerOf(lines)
  const titles = header.slice(0, 1).map((title) => title.slice(0, longestTitle))
  const cutter = makeCutter(path, lines, [about, ...header].join(" ").trim().slice(0, longestAbout))
  let name: string | undefined
  const cut = (end: number, topLevel: boolean) => {
    for (let i = cutter.start(); i < end; i++) {
      const declared = declaration.exec(lines[i]!)
      if (declared !== null) {
        name = declared[1]!
        break
      }
    }
    cutter.cut(end, "code", name === undefined ? titles : [...titles, name])
    if (topLevel) name = undefined
  }
  for (let i = 1; i < lines.length; i++) {
    if (lines[i - 1]!.trim() !== "" && i - cutter.start() < longestPassage) continue
    const topLevel = /^[^\s)}\]]/.test(lines[i]!)
    if (topLevel || i - cutter.start() >= enoughCode) cut(i, topLevel)
  }
  cut(lines.length, true)
  return cutter.passages
}

const enoughProse = 6
const enoughCode = 25
const longestPassage = 60
const longestLine = 2_000
const mostCharacters = 8_000
const longestTitle = 120
const longestAbout = 600
const mostHeaderLines = 20

const declaration =
  /^(?:(?:export|default|declare|abstract|async|public|private|static|pub)\s+)*(?:const|let|var|function\*?|class|interface|type|enum|namespace|module|def|fn|func|struct|trait|impl)\s+([\p{L}\p{N}_$]+)/u

// The lines of the comment at the top of a source file, without comment marks and tags such as `@title`.
const headerOf = (lines: ReadonlyArray<string>): Array<string> => {
  const header: Array<string> = []
  for (const line of lines.slice(0, mostHeaderLines)) {
    const trimmed = line.slice(0, longestLine).trim()
    const text = trimmed.replace(/^(?:\/\*+|\*+\/?|\/{2,}|#+!?|--+|;+|"{3})\s*/, "").replace(/\s*\*\/$/, "")
    if (text === trimmed && text !== "") break
    if (text !== "" && !text.startsWith("/usr/bin")) header.push(text.replace(/^@\w+\s*/, ""))
  }
  return header.filter((text) => text !== "")
}

interface Cutter {
  readonly passages: Array<Passage>
  readonly start: () => number
  readonly skip: (to: number) => void
  readonly cut: (end: number, kind: Passage["kind"], trail: ReadonlyArray<string>) => void
}

const makeCutter = (path: string, lines: ReadonlyArray<string>, about: string): Cutter => {
  const passages: Array<Passage> = []
  let start = 0
  const add = (from: number, to: number, kind: Passage["kind"], trail: ReadonlyArray<string>) => {
    let first = from
    let last = to
    while (first < last && lines[first]!.trim() === "") first++
    while (first < last && lines[last - 1]!.trim() === "") last--
    if (first === last) return
    let characters = 0
    for (let i = first; i < last; i++) {
      characters += lines[i]!.length
      if (characters <= mostCharacters || i === first) continue
      add(first, i, kind, trail)
      add(i, last, kind, trail)
      return
    }
    passages.push({ path, startLine: first + 1, endLine: last, kind, trail, about, lines: lines.slice(first, last) })
  }
  return {
    passages,
    start: () => start,
    skip: (to) => {
      start = to
    },
    cut: (end, kind, trail) => {
      for (let i = start; i < end; i++) {
        if (lines[i]!.length <= longestLine) continue
        add(start, i, kind, trail)
        for (const piece of lines[i]!.match(longLinePieces) ?? []) {
          passages.push({ path, startLine: i + 1, endLine: i + 1, kind, trail, about, lines: [piece] })
        }
        start = i + 1
      }
      add(start, end, kind, trail)
      start = end
    }
  }
}

const longLinePieces = new RegExp(`.{1,${longestLine}}(?:\\s|$)|.{1,${longestLine}}`, "gu")
