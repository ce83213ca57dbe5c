/** A text that is being written, with a cursor: what every key does to it. It knows no screen. */
import type { Input, Key } from "./keys.ts"
import * as Layout from "./layout.ts"

/** What a key asks of who shows the editor. */
export type Wish = "submit" | "cancel" | "end" | "clear screen" | "suspend" | undefined

/** The texts that were sent before, the oldest first. */
export type Past = ReadonlyArray<string>

export class Editor {
  text = ""
  /** In UTF-16 units, never inside of a character. */
  cursor = 0
  private killed = ""
  private readonly past: Past
  /** Which text of the past is shown; its length stands for the one that is being written. */
  private age: number
  /** What was written before the person went into the past. */
  private draft = ""
  /** The column that moving up and down aims at. */
  private column: number | undefined = undefined

  constructor(past: Past) {
    this.past = past
    this.age = past.length
  }

  /** The start column and the width are those of the screen, for keys that move by rows. */
  press(input: Input, start: number, columns: number): Wish {
    const wish = this.act(input, start, columns)
    this.cursor = Layout.characterAt(this.text, this.cursor)
    return wish
  }

  private act(input: Input, start: number, columns: number): Wish {
    if (input._tag === "Paste") {
      this.insert(input.text)
      return undefined
    }
    const { column } = this
    this.column = undefined
    const rows = vertical.get(nameOf(input))
    if (rows === undefined) return this.edit(input)
    this.column = column
    this.move(rows, start, columns)
    return undefined
  }

  private edit(key: Key): Wish {
    const name = nameOf(key)
    if (newLine.has(name)) this.insert("\n")
    else if (name === "return") return this.enter()
    else if (name === "ctrl+d" && this.text === "") return "end"
    else if (wishes.has(name)) return wishes.get(name)
    else if (name === "ctrl+p" || name === "ctrl+n") this.travel(name === "ctrl+p" ? -1 : 1)
    else if (name === "ctrl+y") this.insert(this.killed)
    else if (moves.has(name)) this.cursor = this.target(moves.get(name)!)
    else if (deletions.has(name)) this.remove(this.target(deletions.get(name)!), !character.has(name))
    else if (key.text !== "") this.insert(key.text)
    return undefined
  }

  /** A backslash at the end of the text asks for a new line, for terminals that tell no other key. */
  private enter(): Wish {
    if (this.cursor === this.text.length && this.text.endsWith("\\")) {
      this.text = this.text.slice(0, -1)
      this.cursor = this.text.length
      this.insert("\n")
      return undefined
    }
    return this.text.trim() === "" ? undefined : "submit"
  }

  private insert(text: string): void {
    this.text = this.text.slice(0, this.cursor) + text + this.text.slice(this.cursor)
    this.cursor += text.length
  }

  private remove(to: number, keep: boolean): void {
    const [from, end] = [Math.min(this.cursor, to), Math.max(this.cursor, to)]
    if (from === end) return
    if (keep) this.killed = this.text.slice(from, end)
    this.text = this.text.slice(0, from) + this.text.slice(end)
    this.cursor = from
  }

  /** Where the cursor would go. */
  private target(move: Move): number {
    const [before, after] = [this.text.slice(0, this.cursor), this.text.slice(this.cursor)]
    switch (move) {
      case "left":
        return this.cursor - (Layout.charactersOf(lastLine(before)).at(-1) ?? before.slice(-1)).length
      case "right":
        return this.cursor + (Layout.charactersOf(after.slice(0, 200))[0] ?? "").length
      case "word left":
        return backTo(before, isWord)
      case "word right":
        return this.cursor + (/^[^\p{L}\p{M}\p{N}_]*[\p{L}\p{M}\p{N}_]*/u.exec(after)?.[0].length ?? 0)
      case "space left":
        return backTo(before, isInk)
      case "line start":
        return before.lastIndexOf("\n") + 1
      case "line end":
        return this.cursor + lineEnd(after)
      case "rest of line":
        return this.cursor + (after.startsWith("\n") ? 1 : lineEnd(after))
    }
  }

  /** Moves by rows of the screen, and beyond the first and the last one through the past. */
  private move(by: -1 | 1, start: number, columns: number): void {
    const rows = Layout.rowsOf(this.text, start, columns)
    const place = Layout.placeOf(rows, this.cursor)
    const row = rows[place.row + by]
    if (row === undefined) return this.travel(by)
    this.column ??= place.column
    this.cursor = Layout.offsetAt(row, this.column)
  }

  private travel(by: -1 | 1): void {
    const age = this.age + by
    if (age < 0 || age > this.past.length) return
    if (this.age === this.past.length) this.draft = this.text
    this.age = age
    this.text = this.past[age] ?? this.draft
    this.cursor = this.text.length
  }
}

const nameOf = ({ ctrl, meta, name, shift }: Key): string =>
  `${ctrl ? "ctrl+" : ""}${meta ? "alt+" : ""}${shift && name.length > 1 ? "shift+" : ""}${name}`

/** Where the last run of such characters begins; what stands behind it is skipped. */
const backTo = (text: string, belongs: (character: string) => boolean): number => {
  let at = text.length
  while (at > 0 && !belongs(text[at - 1]!)) at--
  while (at > 0 && belongs(text[at - 1]!)) at--
  return at
}

// half of a character beyond the first 65,536 belongs to its other half, and a joiner to what it joins
const isWord = (character: string): boolean => /[\p{L}\p{M}\p{N}\p{Cs}_\u200d]/u.test(character)
const isInk = (character: string): boolean => /\S/.test(character)

const lineEnd = (text: string): number => (text.includes("\n") ? text.indexOf("\n") : text.length)

/** The line the cursor is in as far as a character can reach back, or nothing at its start. */
const lastLine = (before: string): string => before.slice(Math.max(before.lastIndexOf("\n") + 1, before.length - 200))

type Move = "left" | "right" | "word left" | "word right" | "space left" | "line start" | "line end" | "rest of line"

const vertical: ReadonlyMap<string, -1 | 1> = new Map([
  ["up", -1],
  ["down", 1]
])

const newLine: ReadonlySet<string> = new Set([
  "ctrl+space",
  "enter", // Ctrl+J
  "ctrl+j",
  "ctrl+return",
  "alt+return",
  "alt+enter",
  "shift+return"
])

const wishes: ReadonlyMap<string, Wish> = new Map([
  ["ctrl+c", "cancel"],
  ["ctrl+l", "clear screen"],
  ["ctrl+z", "suspend"]
])

const moves: ReadonlyMap<string, Move> = new Map([
  ["left", "left"],
  ["ctrl+b", "left"],
  ["right", "right"],
  ["ctrl+f", "right"],
  ["home", "line start"],
  ["ctrl+a", "line start"],
  ["end", "line end"],
  ["ctrl+e", "line end"],
  ["ctrl+left", "word left"],
  ["alt+left", "word left"],
  ["alt+b", "word left"],
  ["ctrl+right", "word right"],
  ["alt+right", "word right"],
  ["alt+f", "word right"]
])

const deletions: ReadonlyMap<string, Move> = new Map([
  ["backspace", "left"],
  ["shift+backspace", "left"],
  ["ctrl+h", "left"],
  ["delete", "right"],
  ["ctrl+d", "right"],
  ["ctrl+w", "space left"],
  ["alt+backspace", "word left"],
  ["ctrl+backspace", "word left"],
  ["alt+d", "word right"],
  ["ctrl+delete", "word right"],
  ["ctrl+u", "line start"],
  ["ctrl+k", "rest of line"]
])

/** What these delete is not kept to be put back. */
const character: ReadonlySet<string> = new Set(["backspace", "shift+backspace", "ctrl+h", "delete", "ctrl+d"])
