/**
 * What a person does at the keyboard of a terminal, from the bytes that the terminal sends: characters, the control
 * sequences of xterm, keys as the Kitty keyboard protocol and xterm's `modifyOtherKeys` send them (which tell Shift+Enter
 * from Enter, and have Caps Lock and Num Lock among the modifiers), and a paste, with its brackets or without.
 *
 * Sources: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html and
 * https://sw.kovidgoyal.net/kitty/keyboard-protocol/.
 */

/** A key; `text` is what it writes, if it writes something. */
export interface Key {
  readonly _tag: "Key"
  readonly name: string
  readonly ctrl: boolean
  readonly meta: boolean
  readonly shift: boolean
  readonly text: string
}

/** A text that was pasted, with line breaks as `\n`. */
export interface Paste {
  readonly _tag: "Paste"
  readonly text: string
}

export type Input = Key | Paste

/** Takes bytes, however they are cut, and gives what they mean. */
export class Decoder {
  private readonly utf8 = new TextDecoder()
  /** What came of a sequence that is not at its end; in a paste all of it so far. */
  private held = ""
  private pasting = false
  private readonly emit: (input: Input) => void

  constructor(emit: (input: Input) => void) {
    this.emit = emit
  }

  push(bytes: Uint8Array): void {
    let text = this.held + this.utf8.decode(bytes, { stream: true })
    this.held = ""
    while (text !== "") text = this.pasting ? this.paste(text) : this.typed(text)
  }

  /** Whether an escape came that may be a key of its own, or the start of what is still to come. */
  get hasEscape(): boolean {
    return !this.pasting && loneEscape.test(this.held)
  }

  /** Nothing more is to come of an escape: it was a key. */
  flush(): void {
    if (!this.hasEscape) return
    const [, ...rest] = this.held
    this.held = ""
    if (rest.length === 0) this.emit(keyOf(27, 0))
    else this.emit(rest[0] === "\x1b" ? keyOf(27, ALT) : typedKey(rest[0]!, true))
  }

  /** Takes what it can from the start of a text and gives the rest. */
  private typed(text: string): string {
    const escape = text.indexOf("\x1b")
    const plain = escape < 0 ? text : text.slice(0, escape)
    for (const character of plain) this.emit(typedKey(character, false))
    const rest = text.slice(plain.length)
    if (rest === "") return ""
    const sequence = control.exec(rest) ?? single.exec(rest) ?? alt.exec(rest)
    if (sequence === null) {
      this.held = rest
      return ""
    }
    const { character, end, letter, meta, parameters } = sequence.groups ?? {}
    if (character !== undefined) this.emit(typedKey(character, true))
    else if (letter !== undefined) this.named(finals.get(letter), meta === undefined ? 0 : ALT)
    else this.control(parameters ?? "", end ?? "", meta === undefined ? 0 : ALT)
    return rest.slice(sequence[0].length)
  }

  private control(parameters: string, end: string, meta: number): void {
    if (parameters === "200" && end === "~") {
      this.pasting = true
      return
    }
    if (/^[<=>?]/.test(parameters)) return // an answer of the terminal's
    const [first = 0, second = 1, third] = parameters.split(";").map((part) => Number.parseInt(part, 10) || 0)
    const modifiers = (Math.max(0, second - 1) & 0b111) | meta
    if (end === "u") this.emit(keyOf(first, modifiers))
    else if (first === 27 && third !== undefined && end === "~") this.emit(keyOf(third, modifiers))
    else if (end === "Z") this.named("tab", modifiers | SHIFT)
    else this.named(end === "~" ? numbers.get(first) : finals.get(end), modifiers)
  }

  private named(name: string | undefined, modifiers: number): void {
    if (name !== undefined) this.emit({ _tag: "Key", name, ...modifiersOf(modifiers), text: "" })
  }

  private paste(text: string): string {
    const end = text.indexOf(PASTE_END)
    if (end < 0) {
      this.held = text
      return ""
    }
    this.pasting = false
    this.emit({ _tag: "Paste", text: text.slice(0, end).replaceAll(/\r\n?/g, "\n") })
    return text.slice(end + PASTE_END.length)
  }
}

/**
 * Keys that came at once, with those as one paste that a person cannot have typed so: several lines of text. Terminals
 * without brackets around a paste, and what stands between (SSH, tmux, old consoles), send its line breaks as Enter.
 */
export const withPastes = (inputs: ReadonlyArray<Input>): ReadonlyArray<Input> => {
  const found: Array<Input> = []
  let from = 0
  for (let i = 0; i <= inputs.length; i++) {
    const input = inputs[i]
    if (input !== undefined && writes(input)) continue
    const run = inputs.slice(from, i)
    const text = run.map(textOf).join("")
    // a line and Enter is what people type; a line that goes on behind an Enter is not
    if (/[\r\n](?![\r\n]*$)/.test(text)) found.push({ _tag: "Paste", text: text.replaceAll(/\r\n?/g, "\n") })
    else found.push(...run)
    if (input !== undefined) found.push(input)
    from = i + 1
  }
  return found
}

/** Whether more may be to come of a paste without brackets. */
export const hasEnter = (inputs: ReadonlyArray<Input>): boolean =>
  inputs.some((input) => writes(input) && textOf(input) === "\r")

const writes = (input: Input): boolean => textOf(input) !== ""

/** What a key would write in a plain text. */
const textOf = (input: Input): string => {
  if (input._tag === "Paste") return ""
  const { ctrl, meta, name, shift, text } = input
  if (text !== "" || ctrl || meta || shift) return text
  return breaks.get(name) ?? ""
}

const breaks: ReadonlyMap<string, string> = new Map([
  ["return", "\r"],
  ["enter", "\n"],
  ["tab", "\t"]
])

const CSI = "\x1b["
const PASTE_END = `${CSI}201~`
/* oxlint-disable no-control-regex */
/** `ESC [ [ letter` is what the console of Linux sends for function keys. */
const control = /^(?<meta>\x1b)?\x1b\[(?<parameters>[0-9:;<=>?]*)[ -/]*(?<end>[@-Z\\-~]|\[.)/
const single = /^(?<meta>\x1b)?\x1bO(?<letter>[A-Z])/
/** A character with Alt: but for the escapes that may begin one of the others. */
const alt = /^\x1b(?<character>[^\x1b[O])/u
const loneEscape = /^\x1b[\x1bO]?$/
/* oxlint-enable no-control-regex */

const [SHIFT, ALT, CTRL] = [1, 2, 4]

const modifiersOf = (modifiers: number) => ({
  ctrl: (modifiers & CTRL) !== 0,
  meta: (modifiers & ALT) !== 0,
  shift: (modifiers & SHIFT) !== 0
})

/** A key by its code point and its modifiers. */
const keyOf = (code: number, modifiers: number): Key => {
  const { ctrl, meta, shift } = modifiersOf(modifiers)
  const named = names.get(code)
  const character = code >= 0x20 && code <= 0x10ffff && !isPrivate(code) ? String.fromCodePoint(code) : ""
  const text = named === undefined || named === "space" ? character : ""
  return { _tag: "Key", name: named ?? character.toLowerCase(), ctrl, meta, shift, text: ctrl || meta ? "" : text }
}

/** A key by the character that it sends: Ctrl with a letter sends one of the first 32. */
const typedKey = (character: string, meta: boolean): Key => {
  const code = character.codePointAt(0)!
  const named = character === "\n" ? "enter" : names.get(code)
  if (named !== undefined) {
    return { _tag: "Key", name: named, ctrl: false, meta, shift: false, text: named === "space" && !meta ? " " : "" }
  }
  if (code < 0x20) {
    const name = code === 0 ? "space" : String.fromCharCode(code | 0x60)
    return { _tag: "Key", name, ctrl: true, meta, shift: false, text: "" }
  }
  const name = /^[0-9A-Za-z]$/.test(character) ? character.toLowerCase() : ""
  return { _tag: "Key", name, ctrl: false, meta, shift: /^[A-Z]$/.test(character), text: meta ? "" : character }
}

const isPrivate = (code: number): boolean => code >= 0xe000 && code <= 0xf8ff

const names: ReadonlyMap<number, string> = new Map([
  [8, "backspace"],
  [9, "tab"],
  [13, "return"],
  [27, "escape"],
  [32, "space"],
  [127, "backspace"],
  [57_414, "return"]
])

/** The keys that the last character of a sequence names. */
const finals: ReadonlyMap<string, string> = new Map([
  ["A", "up"],
  ["B", "down"],
  ["C", "right"],
  ["D", "left"],
  ["F", "end"],
  ["H", "home"],
  ["M", "return"],
  ["P", "f1"],
  ["[A", "f1"]
])

/** The keys that a number before a tilde names. */
const numbers: ReadonlyMap<number, string> = new Map([
  [1, "home"],
  [3, "delete"],
  [4, "end"],
  [7, "home"],
  [8, "end"]
])
