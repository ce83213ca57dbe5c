/**
 * A passage is a stretch of a document short enough to rank and to cite: a few paragraphs under one heading with their
 * code, or a declaration with its comment. It knows its file, its lines and the headings above it.
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
 * Cuts Markdown or plain text: at every heading, and at the first blank line after a dozen lines. Code stays with the text
 * before it and is never cut, unless it alone is longer than a passage may be.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromMarkdown = (path: string, lines: ReadonlyArray<string>, about = ""): Array<Passage> => {
  const cutter = makeCutter(path, lines, about)
  const headings: Array<readonly [level: number, text: string]> = []
  const trail = () => headings.map(([, text]) => text)
  const enter = (level: number, text: string) => {
    while (headings.length > 0 && headings[headings.length - 1]![0] >= level) headings.pop()
    headings.push([level, text.slice(0, longestTitle)])
  }
  let fence: string | undefined
  let fencedAt = 0
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    const length = i - cutter.start()
    if (fence !== undefined) {
      if (line.trim().startsWith(fence) && /^\s*[`~]+\s*$/.test(line)) {
        fence = undefined
        if (length >= enoughProse) cutter.cut(i + 1, cutter.start() > fencedAt ? "code" : "prose", trail())
      } else if (length >= longestPassage) {
        // What stands before the code goes alone; code that is longer than a passage goes in pieces.
        cutter.cut(cutter.start() < fencedAt ? fencedAt : i, cutter.start() > fencedAt ? "code" : "prose", trail())
      }
      continue
    }
    const opened = fenceOf.exec(line)
    const heading = line.length > longestLine ? null : /^(#{1,6})\s+(.*?)[\s#]*$/.exec(line)
    const underlined =
      line.length > longestTitle || line.trim() === "" ? null : /^(=|-){3,}\s*$/.exec(lines[i + 1] ?? "")
    if (opened !== null) {
      fence = opened[1]!
      fencedAt = i
    } else if (heading !== null) {
      cutter.cut(i, "prose", trail())
      enter(heading[1]!.length, heading[2]!)
    } else if (underlined !== null && (i === 0 || lines[i - 1]!.trim() === "") && !/^\s*[-|]/.test(line)) {
      cutter.cut(i, "prose", trail())
      enter(underlined[1] === "=" ? 1 : 2, line.trim())
    } else if (length >= longestPassage || (line.trim() === "" && length >= enoughProse && !opensCode(lines, i))) {
      cutter.cut(i, "prose", trail())
    }
  }
  cutter.cut(lines.length, fence !== undefined && cutter.start() > fencedAt ? "code" : "prose", trail())
  return cutter.passages
}

/** Whether the next line with text begins a block of code, which belongs to the text before it. */
const opensCode = (lines: ReadonlyArray<string>, from: number): boolean => {
  let i = from
  while (i < lines.length && lines[i]!.trim() === "") i++
  return fenceOf.test(lines[i] ?? "")
}

/** The mark that opens a block of code; a line that closes it again is text. */
export const fenceOf = /^\s*(`{3,}(?=[^`]*$)|~{3,})/

/** How much a file is there to be read: what people wrote for people, then declarations, then code, then what was built. */
export const trust = (path: string): number => {
  if (/(?:^|\/)(?:licen[sc]e|notice|changelog|third.?party)[^/]*$/i.test(path)) return 0.3
  if (/\.d\.[cm]?ts$/.test(path)) return 0.8
  if (!/\.[cm]?[jt]sx?$/.test(path)) return 1
  return /(?:^|\/)(?:dist|build|cjs|esm|umd|lib|vendor|cf|chunks)\//.test(path) ? 0.3 : 0.9
}

/**
 * Cuts source code before each documentation comment, and where a blank line is followed by a line without indentation, so
 * that a comment stays with what it describes; what is still too long is cut at a blank line inside.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSource = (path: string, lines: ReadonlyArray<string>, about = ""): Array<Passage> => {
  const header = headerOf(lines)
  const titles = header.slice(0, 1).map((title) => title.slice(0, longestTitle))
  const cutter = makeCutter(path, lines, [about, ...header].join(" ").trim().slice(0, longestAbout))
  const around: Array<readonly [indent: number, name: string]> = []
  const cut = (end: number) => {
    const names: Array<string> = []
    let outer: ReadonlyArray<string> | undefined
    for (let i = cutter.start(); i < end; i++) {
      const line = lines[i]!
      if (line.length > longestLine || line.trim() === "" || comment.test(line)) continue
      const indent = indentOf(line)
      while (around.length > 0 && around[around.length - 1]![0] >= indent) around.pop()
      outer ??= around.map(([, name]) => name)
      const declared = declaration.exec(line)?.[1] ?? (names.length === 0 ? member.exec(line)?.[1] : undefined)
      if (declared === undefined) continue
      if (names.length === 0) names.push(declared)
      if (/[{(]\s*$/.test(line)) around.push([indent, declared])
    }
    cutter.cut(end, "code", [...titles, ...(outer ?? []), ...names])
  }
  for (let i = 1; i < lines.length; i++) {
    const length = i - cutter.start()
    const documented = docComment.test(lines[i]!) && !/^\s*@/.test(lines[i - 1]!)
    if (documented && length > 0) cut(i)
    else if (lines[i - 1]!.trim() === "" || length >= longestPassage) {
      if (/^[^\s)}\]]/.test(lines[i]!) || length >= enoughCode) cut(i)
    }
  }
  cut(lines.length)
  return cutter.passages
}

const enoughProse = 12
const enoughCode = 25
const longestPassage = 60
const longestLine = 2_000
const mostCharacters = 8_000
const longestTitle = 120
const longestAbout = 600
const mostHeaderLines = 20

const docComment = /^\s*\/\*\*(?!\/)/
const comment = /^\s*(?:\/\/|\/\*|\*|#|--|;;)/
const indentOf = (line: string): number => line.length - line.trimStart().length

const declaration =
  /^\s*(?:(?:export|default|declare|abstract|async|public|private|static|pub)\s+)*(?:const|let|var|function\*?|class|interface|type|enum|namespace|module|def|fn|func|struct|trait|impl)\s+["']?([\p{L}\p{N}_$]+)/u
const member =
  /^\s+(?:(?:readonly|public|protected|static|async|get|set)\s+)*["']?([\p{L}_$][\p{L}\p{N}_$-]*)["']?\??\s*[(:<]/u

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
