/** JSON that comes in pieces of any size, as what happens in it. */
import * as Result from "effect/Result"

/** What happens in a JSON text. */
export interface Handler {
  readonly open: (kind: Kind) => void
  readonly close: () => void
  readonly key: (name: string) => void
  /** A piece of a text, never with half of a character at its end, unless it is the last one. */
  readonly piece: (piece: string, at: { readonly isFirst: boolean; readonly isLast: boolean }) => void
  readonly scalar: (value: number | boolean | null) => void
}

export type Kind = "array" | "object"

/** The text that is being read. */
interface Open {
  readonly isKey: boolean
  isFirst: boolean
  /** A key as far as it has come. */
  name: string
  /** What was read of it, but not yet understood: an escape that is not whole. */
  raw: string
  /** The first half of a character. */
  half: string
}

/** Walks through a JSON text as it comes. What is no JSON ends the walk, without a word: who parses the whole will say it. */
export class JsonWalk {
  private isOver = false
  private expectsKey = false
  private scalar = ""
  private open: Open | undefined = undefined
  private readonly stack: Array<Kind> = []
  private readonly handler: Handler

  constructor(handler: Handler) {
    this.handler = handler
  }

  push(piece: string): void {
    for (let at = 0; at < piece.length && !this.isOver;) {
      at = this.open === undefined ? this.outside(piece, at) : this.inside(piece, at, this.open)
    }
  }

  private outside(piece: string, at: number): number {
    const char = piece[at]!
    if (/[\s,:\]}]/.test(char)) this.endScalar()
    if (this.isOver || /\s/.test(char)) return at + 1
    if (char === '"') this.open = { isKey: this.expectsKey, isFirst: true, name: "", raw: "", half: "" }
    else if (char === "{" || char === "[") this.begin(char === "{" ? "object" : "array")
    else if (char === "}" || char === "]") this.end()
    else if (char === ",") this.expectsKey = this.stack.at(-1) === "object"
    else if (char === ":") this.expectsKey = false
    else this.scalar += char
    return at + 1
  }

  private begin(kind: Kind): void {
    this.stack.push(kind)
    this.expectsKey = kind === "object"
    this.handler.open(kind)
  }

  private end(): void {
    if (this.stack.pop() === undefined) return void (this.isOver = true)
    this.expectsKey = false
    this.handler.close()
    this.isOver = this.stack.length === 0
  }

  private endScalar(): void {
    const { scalar } = this
    if (scalar === "") return
    this.scalar = ""
    const value = parse(scalar)
    if (value === undefined || this.stack.length === 0) this.isOver = true
    else this.handler.scalar(value as number | boolean | null) // what is neither a text nor has parts
  }

  private inside(piece: string, at: number, open: Open): number {
    const before = open.raw.length
    const raw = open.raw + piece.slice(at)
    let end = 0
    while (end < raw.length && raw[end] !== '"') {
      const length = raw[end] !== "\\" ? 1 : raw[end + 1] === "u" ? 6 : 2
      if (end + length > raw.length) break
      end += length
    }
    const isLast = raw[end] === '"'
    open.raw = isLast ? "" : raw.slice(end)
    const understood = raw.slice(0, end)
    const text = understood.includes("\\") ? parse(`"${understood}"`) : understood
    if (typeof text !== "string") this.isOver = true
    else this.said(open, text, isLast)
    return isLast ? at + end + 1 - before : piece.length
  }

  private said(open: Open, more: string, isLast: boolean): void {
    const text = open.half + more
    const last = text.charCodeAt(text.length - 1)
    open.half = !isLast && last >= 0xd800 && last <= 0xdbff ? text.slice(-1) : ""
    const piece = open.half === "" ? text : text.slice(0, -1)
    if (open.isKey) open.name += piece
    else this.handler.piece(piece, { isFirst: open.isFirst, isLast })
    open.isFirst = false
    if (!isLast) return
    this.open = undefined
    if (open.isKey) this.handler.key(open.name)
    else if (this.stack.length === 0) this.isOver = true
  }
}

const parse = (json: string): unknown => Result.getOrUndefined(Result.try((): unknown => JSON.parse(json)))
