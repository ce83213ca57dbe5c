/**
 * What a person does at the keyboard of a terminal, from the bytes that the terminal sends.
 *
 * `node:readline` knows the keys. Three things it does not know are taken out before: a paste between its brackets,
 * keys as the Kitty keyboard protocol and xterm's `modifyOtherKeys` send them (which tell Shift+Enter from Enter), and
 * Caps Lock and Num Lock among the modifiers.
 *
 * Sources: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html and
 * https://sw.kovidgoyal.net/kitty/keyboard-protocol/.
 */
import { EventEmitter } from "node:events"
import * as readline from "node:readline"

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
  private readonly keys: (text: string) => void

  constructor(emit: (input: Input) => void) {
    this.emit = emit
    this.keys = nodeKeys(emit)
  }

  take(bytes: Uint8Array): void {
    let text = this.held + this.utf8.decode(bytes, { stream: true })
    this.held = ""
    while (text !== "") text = this.pasting ? this.paste(text) : this.typed(text)
  }

  /** Takes what it can from the start of a text and gives the rest. */
  private typed(text: string): string {
    const begin = text.indexOf(CSI)
    if (begin < 0) {
      // a key sends its escape alone, or together with what follows: one at the end of more is the start of a sequence
      const end = text.length > 1 && text.endsWith("\x1b") ? -1 : text.length
      this.held = text.slice(end === -1 ? -1 : end)
      this.keys(end === -1 ? text.slice(0, -1) : text)
      return ""
    }
    if (begin > 0) this.keys(text.slice(0, begin))
    const sequence = control.exec(text.slice(begin))
    if (sequence === null) {
      this.held = text.slice(begin)
      return ""
    }
    const [whole, parameters = "", end = ""] = sequence
    this.control(whole, parameters, end)
    return text.slice(begin + whole.length)
  }

  private control(whole: string, parameters: string, end: string): void {
    if (parameters === "200" && end === "~") {
      this.pasting = true
      return
    }
    if (/^[<=>?]/.test(parameters)) return // an answer of the terminal's
    const [first = 0, second = 1, third] = parameters.split(";").map((part) => Number.parseInt(part, 10) || 0)
    const modifiers = (second - 1) & 0b111
    if (end === "u") this.emit(keyOf(first, modifiers))
    else if (first === 27 && third !== undefined && end === "~") this.emit(keyOf(third, modifiers))
    else if (!parameters.includes(";")) this.keys(whole)
    else if (end === "~") this.keys(`${CSI}${first}${modifiers === 0 ? "" : `;${modifiers + 1}`}~`)
    else this.keys(`${CSI}${modifiers === 0 ? "" : `1;${modifiers + 1}`}${end}`)
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

const CSI = "\x1b["
const PASTE_END = `${CSI}201~`
// `ESC [ [ letter` is what the console of Linux sends for function keys
// oxlint-disable-next-line no-control-regex
const control = /^\x1b\[([0-9:;<=>?]*)[ -/]*([@-Z\\-~]|\[.)/

/** A key by its code point and the bits of its modifiers: Shift, Alt, Ctrl. */
const keyOf = (code: number, modifiers: number): Key => {
  const [shift, meta, ctrl] = [(modifiers & 1) !== 0, (modifiers & 2) !== 0, (modifiers & 4) !== 0]
  const named = names.get(code)
  const character = code >= 0x20 && code <= 0x10ffff && !isPrivate(code) ? String.fromCodePoint(code) : ""
  const text = named === undefined || named === "space" ? character : ""
  return { _tag: "Key", name: named ?? character.toLowerCase(), ctrl, meta, shift, text: ctrl || meta ? "" : text }
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

/** The keys that `node:readline` knows. */
const nodeKeys = (emit: (input: Input) => void): ((text: string) => void) => {
  const stream = new EventEmitter()
  // of a stream it uses the events alone
  readline.emitKeypressEvents(stream as unknown as NodeJS.ReadableStream)
  stream.on("keypress", (text: string | undefined, key: readline.Key) => {
    const { ctrl = false, meta = false, sequence = "", shift = false } = key
    const isSpace = sequence === "\0"
    const name = isSpace ? "space" : (key.name ?? "")
    // oxlint-disable-next-line no-control-regex
    const writes = !ctrl && !meta && text !== undefined && !/[\0-\x1f\x7f]/.test(text)
    emit({ _tag: "Key", name, ctrl: isSpace || ctrl, meta, shift, text: writes ? text : "" })
  })
  return (text) => void stream.emit("data", new TextEncoder().encode(text))
}
