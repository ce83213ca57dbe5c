/**
 * Picks from passages the sentences and the code that answer a question, without a model, and composes an answer
 * in which every sentence has its source.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Passage from "./Passage.ts"
import type * as SearchIndex from "./SearchIndex.ts"
import * as Words from "./Words.ts"

/**
 * Something a document says: a sentence, or the comment of a piece of code with that `code` (a sentence without code
 * has `""`; code without a comment has `""` as its `text`). Lines count from 1, `endLine` is included and covers the
 * code. `score` tells how well it answers, 0 for not at all; `covers`, from 0 to 1, how far its passage has each concept of the
 * question; a rare one that is a name above the passage counts for more than 1.
 *
 * @since 0.1.0
 * @category models
 */
export const Quote = Schema.Struct({
  path: Schema.String,
  startLine: Schema.Int,
  endLine: Schema.Int,
  text: Schema.String,
  code: Schema.String,
  score: Schema.Finite,
  covers: Schema.Array(Schema.Finite)
})

/**
 * @since 0.1.0
 * @category models
 */
export type Quote = typeof Quote.Type

/**
 * Where a quote or a passage stands, as `file:line` or `file:first-last`; for a page, whose lines nobody
 * sees, its address or file.
 *
 * @since 0.1.0
 * @category combinators
 */
export const citation = (quote: Pick<Quote, "path" | "startLine" | "endLine">): string =>
  /^https?:\/\/|\.x?html?(?:\.(?:gz|br|zst))?$/i.test(quote.path)
    ? quote.path
    : `${quote.path}:${quote.startLine}${quote.endLine > quote.startLine ? `-${quote.endLine}` : ""}`

/**
 * The best quotes of one search hit, best first; none when nothing in the passage has to do with the question.
 *
 * **Details**
 *
 * A quote scores by the share of the question's weight that its words cover, counting the names above it and its
 * code for less, times the score of the hit.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromHit = (
  hit: SearchIndex.Hit,
  concepts: ReadonlyArray<SearchIndex.Concept>,
  options?: { readonly limit?: number }
): Array<Quote> => {
  const { passage } = hit
  const all = concepts.reduce((sum, { weight }) => sum + weight, 0)
  if (all === 0) return []
  const around = coverage(concepts, `${passage.trail.join(" ")} ${passage.path}`)
  const whole = coverage(concepts, passage.lines.join("\n"))
  const file = coverage(concepts, passage.about)
  const share = (of: (index: number) => number) =>
    concepts.reduce((sum, { weight }, i) => sum + weight * of(i), 0) / all
  const evidence = Passage.trust(passage.path) < 0.5 ? 0.7 : 1
  const named = coverage(concepts, passage.trail.join(" "))
  const covers = concepts.map(
    ({ weight }, i) =>
      evidence * (named[i] === 1 && weight >= rare ? titleCover : Math.max(whole[i]!, around[i]!, file[i]! * 0.5))
  )
  const silent = passage.kind === "code" ? 0.5 : 0.8
  return unitsOf(passage)
    .map((unit): Quote => {
      const said = coverage(concepts, unit.text)
      const shown = coverage(concepts, unit.code)
      const own = said.some((share) => share > 0) || shown.some((share) => share > 0)
      const total = share((i) => Math.max(said[i]!, shown[i]! * 0.5, around[i]! * 0.5, whole[i]! * 0.3, file[i]! * 0.3))
      const brevity = 1 - 0.2 * Math.min(1, unit.text.length / longestText)
      const score = own
        ? total * brevity * evidence * (0.4 + hit.score) * (unit.pointer ? 0.6 : 1) * (unit.text === "" ? silent : 1)
        : 0
      const { code, endLine, startLine, text } = unit
      return { path: passage.path, startLine, endLine, text, code, score, covers }
    })
    .filter((quote) => quote.score > 0 && !legal.test(quote.text))
    .sort(bestFirst)
    .slice(0, options?.limit ?? 3)
}

/**
 * Composes an answer: the best quotes first, near duplicates left out, other files preferred to more of the same one.
 * Empty when the passages of the best quotes hold too little of what the question asks for.
 *
 * @since 0.1.0
 * @category combinators
 */
export const compose = (
  quotes: ReadonlyArray<Quote>,
  concepts: ReadonlyArray<SearchIndex.Concept>,
  options?: { readonly limit?: number }
): Array<Quote> => {
  const best = Math.max(0, ...quotes.map((quote) => quote.score))
  let left = quotes
    .filter((quote) => quote.score >= best * leastShare)
    .map((quote): Candidate => ({
      quote,
      terms: new Set(Words.terms(quote.text === "" ? quote.code : quote.text)),
      value: quote.score
    }))
  const chosen: Array<Quote> = []
  while (left.length > 0 && chosen.length < (options?.limit ?? 5)) {
    const next = left.reduce((a, b) => (b.value > a.value ? b : a))
    chosen.push(next.quote)
    left = left
      .filter((one) => !overlaps(one.quote, next.quote) && !isNearDuplicate(one.terms, next.terms))
      .map((one) => (one.quote.path === next.quote.path ? { ...one, value: one.value * sameFilePenalty } : one))
  }
  return isAnswer(chosen.slice(0, 3), concepts) ? chosen : []
}

/** Whether the best of the quotes, all of them together, and the documents at all have enough of what the question needs. */
const isAnswer = (quotes: ReadonlyArray<Quote>, concepts: ReadonlyArray<SearchIndex.Concept>): boolean => {
  const needed = concepts.reduce((sum, { need }) => sum + need, 0)
  const share = (covers: ReadonlyArray<number>) =>
    concepts.reduce((sum, { need }, i) => sum + need * (covers[i] ?? 0), 0) / needed
  const best = Math.max(0, ...quotes.map(({ covers }) => share(covers)))
  const together = share(concepts.map((_, i) => Math.max(0, ...quotes.map(({ covers }) => covers[i] ?? 0))))
  const known = share(concepts.map(({ known }) => (known ? 1 : 0)))
  return (best + together + known) / 3 >= (concepts.length === 1 ? 1 : enoughCovered)
}

interface Candidate {
  readonly quote: Quote
  readonly terms: ReadonlySet<string>
  readonly value: number
}

/** Terms of use say nothing about use. */
const legal = /\bcopyright \(c\)|\blicensed under\b|\ball rights reserved\b/i
const enoughCovered = 0.56
/** A concept weighs so much where it occurs in one of twenty passages. */
const rare = 3
const titleCover = 1.25
const leastShare = 0.4
const sameFilePenalty = 0.8
const longestText = 320
const mostCodeLines = 40

const bestFirst = (a: Quote, b: Quote): number => b.score - a.score || a.startLine - b.startLine

interface Unit {
  readonly startLine: number
  readonly endLine: number
  readonly text: string
  readonly code: string
  readonly pointer: boolean
}

// For each concept how far the text covers it: 1 by its own term, less by a synonym, 0 not at all.
const coverage = (concepts: ReadonlyArray<SearchIndex.Concept>, text: string): Array<number> => {
  const found = new Set(Words.terms(text))
  return concepts.map(({ synonyms, term }) => (found.has(term) ? 1 : synonyms.some((one) => found.has(one)) ? 0.6 : 0))
}

const overlaps = (a: Quote, b: Quote): boolean =>
  a.path === b.path && a.startLine <= b.endLine && b.startLine <= a.endLine

const isNearDuplicate = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => {
  let shared = 0
  for (const term of a) if (b.has(term)) shared++
  return shared >= 0.75 * Math.min(a.size, b.size)
}

const unitsOf = (passage: Passage.Passage): Array<Unit> =>
  passage.kind === "prose" ? proseUnits(passage) : codeUnits(passage)

interface NumberedLine {
  readonly line: number
  readonly text: string
}

const numbered = (passage: Passage.Passage): Array<NumberedLine> =>
  passage.lines.map((text, i) => ({ line: Math.min(passage.startLine + i, passage.endLine), text }))

// The sentences of each paragraph, with the code that follows it; code that follows none stands alone.
const proseUnits = (passage: Passage.Passage): Array<Unit> => {
  const units: Array<Unit> = []
  let told: ReadonlyArray<Unit> = []
  for (const block of blocks(numbered(passage))) {
    if (block.isCode) {
      const shown = wholeStatements(block.lines)
      if (shown.length === 0) continue
      const code = dedent(shown.map(({ text }) => text)).join("\n")
      const endLine = shown[shown.length - 1]!.line
      if (told.length > 0) units.push(...told.map((unit) => ({ ...unit, code, endLine })))
      else units.push({ startLine: shown[0]!.line, endLine, text: "", code, pointer: false })
      told = []
    } else {
      units.push(...told)
      const pointer = /^\s*(?:[-*+]|\d+[.)])\s+[*_]*\[[^\]]*\]\([^)]*\)/.test(block.lines[0]!.text)
      told = sentences(block.lines).map((sentence) => ({ ...sentence, code: "", pointer }))
    }
  }
  return [...units, ...told]
}

interface Block {
  readonly isCode: boolean
  readonly lines: Array<NumberedLine>
}

const blocks = (lines: ReadonlyArray<NumberedLine>): ReadonlyArray<Block> => {
  const result: Array<Block> = [{ isCode: false, lines: [] }]
  let fence: string | undefined
  for (const line of lines) {
    if (fence !== undefined) {
      if (line.text.trim().startsWith(fence) && /^\s*[`~]+\s*$/.test(line.text)) {
        fence = undefined
        result.push({ isCode: false, lines: [] })
      } else {
        result[result.length - 1]!.lines.push(line)
      }
      continue
    }
    const mark = Passage.fenceOf.exec(line.text)?.[1]
    if (mark !== undefined) {
      fence = mark
      result.push({ isCode: true, lines: [] })
      continue
    }
    const silent = line.text.trim() === "" || heading.test(line.text) || ornament.test(line.text)
    if (silent || item.test(line.text)) result.push({ isCode: false, lines: [] })
    if (!silent) result[result.length - 1]!.lines.push(line)
  }
  return result.filter((block) => block.lines.some(({ text }) => text.trim() !== ""))
}

// The paragraphs of a comment.
const paragraphs = (lines: ReadonlyArray<NumberedLine>): Array<Array<NumberedLine>> =>
  blocks(lines).flatMap((block) => (block.isCode ? [] : [block.lines]))

/** Code as it is, or so many whole statements of it as a person wants to read: none where not even one is short enough. */
const wholeStatements = (lines: ReadonlyArray<NumberedLine>): ReadonlyArray<NumberedLine> => {
  const code = trimmed(lines)
  if (code.length <= mostCodeLines) return code
  const indent = indentOf(code[0]!.text)
  let end = mostCodeLines
  // A statement begins after a blank line, no deeper than the first one.
  while (end > 0 && !(code[end - 1]!.text.trim() === "" && begins(code[end]!.text, indent))) end--
  return wholeStatements(code.slice(0, end))
}

const trimmed = (lines: ReadonlyArray<NumberedLine>): ReadonlyArray<NumberedLine> => {
  const said = lines.map(({ text }) => text.trim() !== "")
  return lines.slice(said.includes(true) ? said.indexOf(true) : lines.length, said.lastIndexOf(true) + 1)
}

/** The code up to the last line with which all that it began is ended: a passage may end in the middle of a declaration. */
const ended = (lines: ReadonlyArray<NumberedLine>): ReadonlyArray<NumberedLine> => {
  let depth = 0
  let end = 0
  for (const [i, { text }] of lines.entries()) {
    const code = text.replace(quotedText, "")
    for (const character of code) {
      if ("{([".includes(character)) depth++
      else if ("})]".includes(character)) depth--
    }
    const next = lines[i + 1]
    const goesOn = /(?:[=|&,:?+]|=>)\s*$/.test(code) && !/^\s*["'\w]+\??:.*,\s*$/.test(code)
    if (depth === 0 && !goesOn && (next === undefined || begins(next.text, indentOf(lines[0]!.text)))) end = i + 1
  }
  return lines.slice(0, end)
}

const quotedText = /\/\/.*$|\/\*.*?\*\/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`/g

const begins = (line: string, indent: number): boolean =>
  line.trim() !== "" && indentOf(line) <= indent && !/^\s*[)\]}]/.test(line)

const heading = /^\s*(?:#{1,6}\s|\*\*[^*]+\*\*$|__[^_]+__$)/
const ornament = /^\s*(?:[-=*_|:+ ]{3,}|<!--.*)$/
const item = /^\s*(?:[-*+]\s|\d+[.)]\s|\|)/

type Sentence = Pick<Unit, "text" | "startLine" | "endLine">

const sentences = (lines: ReadonlyArray<NumberedLine>): Array<Sentence> => {
  const starts: Array<number> = []
  let joined = ""
  for (const { text } of lines) {
    if (joined !== "") joined += " "
    starts.push(joined.length)
    joined += text.replace(/^\s*(?:[-*+]|\d+[.)]|>+)\s+/, "").trim()
  }
  const lineAt = (offset: number): number =>
    lines[
      Math.max(
        0,
        starts.findLastIndex((start) => start <= offset)
      )
    ]!.line
  const result: Array<Sentence> = []
  let from = 0
  for (const match of [...joined.matchAll(sentenceEnd), undefined]) {
    const end = match === undefined ? joined.length : match.index + match[0].length
    const text = plain(joined.slice(from, end))
    const sentence = { text: clip(text), startLine: lineAt(from), endLine: lineAt(Math.max(from, end - 2)) }
    const before = result[result.length - 1]
    if (
      before !== undefined &&
      before.text.length + text.length < longestText &&
      (refersBack.test(text) || joined.length < longestText)
    ) {
      result[result.length - 1] = { ...before, text: `${before.text} ${text}`, endLine: sentence.endLine }
    } else if (text !== "") {
      result.push(sentence)
    }
    from = end
  }
  return result
}

// A sentence that starts like this says little without the one before it.
const refersBack = /^(?:this|these|those|that|it|its|they|such|otherwise|however|instead|also|then|here)\b/i
const sentenceEnd = /(?<!\b(?:e\.g|i\.e|etc|vs|cf))[.!?]["'`)\]*]*\s+(?=[\p{Lu}\p{N}`"'([*])/gu

const plain = (markdown: string): string =>
  markdown
    .replace(link, "$1")
    .replace(emphasis, "")
    .replace(html, "")
    .replace(/^\||\|$/g, "")
    .replace(/\s+/g, " ")
    .trim()

// What may repeat is bounded and excludes its own start, so that a hostile line costs no more than a long one.
const link = /!?\[([^\][]{0,300})\]\([^)(\s]{0,500}\)/g
const emphasis = /\*\*|(?<!\w)__|__(?!\w)/g
const html = /<\/?(?:a|b|br|code|details|div|em|h\d|i|img|kbd|li|p|pre|span|strong|sub|summary|sup|ul)\b[^<>]{0,200}>/gi

const clip = (text: string): string =>
  text.length <= longestText ? text : `${text.slice(0, longestText - 1).trimEnd()}…`

// A unit of code is a comment with the code it stands above, down to the next comment beside it.
const codeUnits = (passage: Passage.Passage): Array<Unit> => {
  const lines = numbered(passage)
  const units: Array<Unit> = []
  let i = 0
  while (i < lines.length) {
    const end = commentEnd(lines, i)
    units.push(...commentedCode(lines.slice(i, end), codeAfter(lines, end, i < end ? lines[i]!.text : "")))
    i = Math.max(end, i + 1)
    while (i < lines.length && !commentStart.test(lines[i]!.text)) i++
  }
  return units
}

const commentStart = /^\s*(?:\/\/|\/\*|\*\s|\*\/|#\s|--\s|;;)/

const commentEnd = (lines: ReadonlyArray<NumberedLine>, start: number): number => {
  let inBlock = false
  let i = start
  for (; i < lines.length; i++) {
    const { text } = lines[i]!
    if (!inBlock && !commentStart.test(text)) break
    inBlock = (inBlock || /^\s*\/\*/.test(text)) && !text.includes("*/")
  }
  return i
}

// A documentation comment describes one declaration; another comment what stands below it, down to the next comment.
const codeAfter = (lines: ReadonlyArray<NumberedLine>, start: number, comment: string): ReadonlyArray<NumberedLine> => {
  const indent = indentOf(comment)
  const isDoc = /^\s*\/\*\*/.test(comment)
  let begun = false
  let i = start
  for (; i < lines.length; i++) {
    const { text } = lines[i]!
    if (text.trim() === "") continue
    if (indentOf(text) < indent || (commentStart.test(text) && indentOf(text) <= indent)) break
    if (isDoc && begun && indentOf(text) <= indent && !/^\s*[)\]}>|&=?:]/.test(text)) break
    begun = true
  }
  return lines.slice(start, i)
}

const indentOf = (line: string): number => line.length - line.trimStart().length

const commentedCode = (comment: ReadonlyArray<NumberedLine>, following: ReadonlyArray<NumberedLine>): Array<Unit> => {
  const kept = following.filter(({ text }) => !/^\s*(?:import|from|use|require|#include|package)\b/.test(text))
  const shown = ended(wholeStatements(kept))
  const code = dedent(shown.map(({ text }) => text)).join("\n")
  const said = joinShort(paragraphs(comment.map(uncommented)).flatMap(sentences))
  if (said.length === 0 && code.trim() === "") return []
  const endLine = shown.length > 0 ? shown[shown.length - 1]!.line : undefined
  if (said.length === 0) {
    return [{ startLine: shown[0]!.line, endLine: endLine!, text: "", code, pointer: false }]
  }
  return said.map((sentence) => ({ ...sentence, endLine: endLine ?? sentence.endLine, code, pointer: false }))
}

// The paragraphs of a comment belong together unless they grow too long.
const joinShort = (parts: ReadonlyArray<Sentence>): Array<Sentence> => {
  const result: Array<Sentence> = []
  for (const part of parts) {
    const before = result[result.length - 1]
    if (before !== undefined && before.text.length + part.text.length < longestText) {
      result[result.length - 1] = { ...before, text: `${before.text} ${part.text}`, endLine: part.endLine }
    } else {
      result.push(part)
    }
  }
  return result
}

const uncommented = ({ line, text }: NumberedLine): NumberedLine => {
  const said = text.replace(commentMarks, "").replace(/\s*\*\/\s*$/, "")
  return { line, text: /^@\w+/.test(said) ? "" : said }
}

const commentMarks = /^\s*(?:\/\*+|\*+(?!\/)|\/{2,}|#+|--+|;+)\s?/

const dedent = (lines: ReadonlyArray<string>): Array<string> => {
  const indent = Math.min(
    ...lines.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length)
  )
  return lines.map((line) => line.slice(Math.min(indent, line.length)))
}
