/** Checks what a model cites while it still speaks. */
import * as Extract from "./Extract.ts"

/** What can be cited: an excerpt and where it stands. */
export type Source = Pick<Extract.Quote, "code" | "endLine" | "path" | "startLine" | "text">

/**
 * Reads an answer as it streams, a piece at a time, and gives it on with its citations checked. `[2]` stands for the
 * second source and is numbered anew, in the order in which sources are first cited. A number that stands for no source
 * becomes a `[?]`; a `file:line` that no source covers, and an address that no source has, get one. Code is left as it
 * is.
 */
export class Citations {
  private readonly sources: ReadonlyArray<Source>
  private readonly cited: Array<Source> = []
  private held = ""
  private invented = false
  /** The backticks that opened the code under way; empty outside of code. */
  private code = ""

  constructor(sources: ReadonlyArray<Source>) {
    this.sources = sources
  }

  /** The next piece, up to the last word that may still go on. */
  take(piece: string): string {
    const text = this.held + piece
    const end = unfinished.exec(text)?.index ?? text.length
    this.held = text.slice(end)
    return this.check(text.slice(0, end))
  }

  /** What is held back, for a text that breaks off. */
  rest(): string {
    const rest = this.check(this.held)
    this.held = ""
    return rest
  }

  /** What is held back, and the list of what was cited. */
  end(): string {
    const rest = this.rest()
    const list = this.cited.map((source, i) => `[${i + 1}] ${Extract.citation(source)}`)
    if (this.cited.length === 0) list.push("No sources: the model cited none of what it was given.")
    if (this.invented) list.push("[?] The model cited something that it was not given.")
    return `${rest.trimEnd()}\n\n${list.join("\n")}`
  }

  private check(text: string): string {
    return text.replace(parts, (part, numbers?: string, path?: string, first?: string, last?: string, url?: string) => {
      if (part.startsWith("`")) return this.backticks(part)
      if (part.trim() === "") {
        if (this.code.length < 3) this.code = "" // code in a line ends with its paragraph
        return part
      }
      if (this.code.length >= 3) return part
      if (numbers !== undefined) return this.code === "" ? this.numbers(numbers) : part
      const isReal = path === undefined ? this.has(url ?? "") : this.covers(path, Number(first), Number(last ?? first))
      return isReal ? part : this.mark(part)
    })
  }

  private backticks(run: string): string {
    if (this.code === "") this.code = run
    else if (run === this.code || (this.code.length >= 3 && run.length >= this.code.length)) this.code = ""
    return run
  }

  private numbers(numbers: string): string {
    const said = numbers.split(/[,;]/).flatMap((part) => rangeOf(part.split(/[-–]/).map(Number)))
    return said
      .map((number) => {
        const source = this.sources[number - 1]
        if (source === undefined) return this.mark("")
        const place = Extract.citation(source)
        let index = this.cited.findIndex((cited) => Extract.citation(cited) === place)
        if (index < 0) index = this.cited.push(source) - 1
        return `[${index + 1}]`
      })
      .filter((mark, i, all) => all.indexOf(mark) === i)
      .join("")
  }

  private covers(path: string, first: number, last: number): boolean {
    return this.sources.some(
      (source) => isPath(source.path, path) && first >= source.startLine && last <= source.endLine
    )
  }

  private has(url: string): boolean {
    return this.sources.some(({ code, path, text }) => path.startsWith(url) || text.includes(url) || code.includes(url))
  }

  private mark(text: string): string {
    this.invented = true
    return text === "" ? "[?]" : `${text} [?]`
  }
}

// What may still go on: a bracket, a word, or blanks. Starts are few and lengths bounded, so that no text takes long.
const unfinished = /(?:\[[^[\]\n]{0,40}(?:\]\S{0,200})?|(?<!\S)\S{1,200}|(?<!\s)\s+)$/

const searched =
  "mdx?|markdown|txt|rst|[cm]?[jt]sx?|pyi?|rb|go|rs|java|kts?|cs|cc?|cpp|hp?p?|php|swift|sql|sh|ya?ml|toml|css"

// Backticks; the end of a paragraph; `[1]`, `[1, 2]` or `[1-3]`; a file of a kind that is searched,
// with its lines; an address.
const parts = new RegExp(
  [
    "`+",
    "(?<!\\s)\\s*\\n[^\\S\\n]*\\n\\s*",
    "\\[(\\d{1,4}(?:\\s?[,;–-]\\s?\\d{1,4}){0,9})\\](?!\\()",
    `(?<![\\w.@/-])([\\w.@/-]{1,200}\\.(?:${searched}))(?::|#L)(\\d{1,7})(?:-L?(\\d{1,7}))?`,
    "(https?://[^\\s<>()[\\]\"'`|\\\\]{0,500}[^\\s<>()[\\]\"'`|\\\\.,;:!?*_])\\)?"
  ].join("|"),
  "g"
)

const mostInRange = 20

const rangeOf = ([first = 0, last = first]: ReadonlyArray<number>): ReadonlyArray<number> =>
  last - first > mostInRange
    ? [first, last]
    : Array.from({ length: Math.max(1, last - first + 1) }, (_, i) => first + i)

const isPath = (path: string, said: string): boolean => path === said || path.endsWith(`/${said}`)
