/** The program in a real pseudo-terminal, and what a terminal emulator shows of it: keys in, screen out. */
import * as pty from "@lydell/node-pty"
import headless from "@xterm/headless"
import * as Program from "./Program.ts"

export interface Options {
  readonly env: Program.Environment
  readonly cwd: string
  readonly columns?: number
  readonly rows?: number
  /** What a shell runs, with the program as `"$@"`; without it there is no shell. */
  readonly script?: string
}

/** Keys as terminals send them. */
export const key = {
  enter: "\r",
  escape: "\u001b",
  up: "\u001b[A",
  down: "\u001b[B",
  right: "\u001b[C",
  left: "\u001b[D",
  home: "\u001b[H",
  end: "\u001b[F",
  delete: "\u001b[3~",
  backspace: "\u007f",
  altEnter: "\u001b\r",
  /** As of the Kitty keyboard protocol, and as of xterm's `modifyOtherKeys`. */
  shiftEnter: "\u001b[13;2u",
  shiftEnterOfXterm: "\u001b[27;2;13~",
  ctrlSpace: "\0",
  paste: (text: string) => `\u001b[200~${text}\u001b[201~`,
  ctrl: (letter: string) => String.fromCharCode(letter.charCodeAt(0) & 0x1f)
} as const

const colorOf = (cell: headless.IBufferCell): number => (cell.isFgDefault() ? -1 : cell.getFgColor())

export class Terminal {
  /** All that the program wrote. */
  written = ""
  readonly exited: Promise<number>
  private readonly emulator: headless.Terminal
  private readonly process: pty.IPty
  private readonly waiting = new Set<() => void>()
  private status: number | undefined = undefined

  private constructor(process: pty.IPty, columns: number, rows: number) {
    this.process = process
    this.emulator = new headless.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 1_000 })
    this.emulator.onData((answer) => process.write(answer))
    process.onData((data) => {
      this.written += data
      this.emulator.write(data, () => this.look())
    })
    this.exited = new Promise((resolve) => {
      process.onExit(({ exitCode, signal }) =>
        // what it wrote last is shown first
        this.emulator.write("", () => {
          this.status = signal === undefined || signal === 0 ? exitCode : 128 + signal
          resolve(this.status)
          this.look()
        })
      )
    })
  }

  static async start(words: ReadonlyArray<string>, options: Options): Promise<Terminal> {
    const { columns = 80, cwd, env, rows = 24, script } = options
    const file = await Program.program()
    const settings = { cols: columns, rows, cwd, env: Program.environment(env) }
    const command = [process.execPath, file, ...words]
    const all = script === undefined ? command : ["/bin/sh", "-c", script, "sh", ...command]
    return new Terminal(pty.spawn(all[0]!, all.slice(1), settings), columns, rows)
  }

  type(keys: string): void {
    this.process.write(keys)
  }

  /** Resizes it and waits until the program has drawn anew, as the emulator wraps long lines by itself. */
  async resize(columns: number, rows: number): Promise<void> {
    const { length } = this.written
    this.emulator.resize(columns, rows)
    this.process.resize(columns, rows)
    await this.until(() => this.written.length > length)
  }

  kill(signal: string): void {
    this.process.kill(signal)
  }

  /** What is and was on the screen, without blanks at the ends. */
  get screen(): string {
    const buffer = this.emulator.buffer.active
    return Array.from({ length: buffer.length }, (_, i) => buffer.getLine(i)?.translateToString().trimEnd() ?? "")
      .join("\n")
      .trimEnd()
  }

  /** The row the cursor is in, with a `|` where it is. */
  get cursorLine(): string {
    const { baseY, cursorX, cursorY } = this.emulator.buffer.active
    const line = this.emulator.buffer.active.getLine(baseY + cursorY)
    const before = line?.translateToString(false, 0, cursorX) ?? ""
    return `${before}|${line?.translateToString(true, cursorX) ?? ""}`
  }

  /** The colour of the first place where this stands, as the number of the palette, and whether it is dim. */
  readonly styleOf = (text: string): { readonly color: number; readonly dim: boolean } => {
    const cell = this.cellOf(text)
    return { color: colorOf(cell), dim: cell.isDim() !== 0 }
  }

  /** How a text on the screen stands out. */
  readonly looks = (text: string) => {
    const cell = this.cellOf(text)
    return { bold: cell.isBold() !== 0, underline: cell.isUnderline() !== 0, color: colorOf(cell) }
  }

  private cellOf(text: string): headless.IBufferCell {
    const buffer = this.emulator.buffer.active
    for (let y = 0; y < buffer.length; y++) {
      const line = buffer.getLine(y)
      const x = line?.translateToString().indexOf(text) ?? -1
      const cell = x < 0 ? undefined : line?.getCell(x)
      if (cell !== undefined) return cell
    }
    throw this.complaint(text, "it is not there")
  }

  /** Waits until the screen is as it should be; says what it shows if the program ends before. */
  until(isThere: string | RegExp | ((screen: string) => boolean)): Promise<string> {
    const wanted = (screen: string) =>
      typeof isThere === "string"
        ? screen.includes(isThere)
        : isThere instanceof RegExp
          ? isThere.test(screen)
          : isThere(screen)
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(patience)
        this.waiting.delete(look)
        settle()
      }
      const look = () => {
        const { screen } = this
        if (wanted(screen)) done(() => resolve(screen))
        else if (this.status !== undefined) done(() => reject(this.complaint(isThere, `it ended with ${this.status}`)))
      }
      // a test that waits in vain is to say for what
      const patience = setTimeout(() => done(() => reject(this.complaint(isThere, "in vain"))), 25_000)
      this.waiting.add(look)
      look()
    })
  }

  /** Ends the process, however it is. */
  async close(): Promise<void> {
    if (this.status === undefined) this.process.kill("SIGKILL")
    await this.exited
  }

  private look(): void {
    for (const look of this.waiting) look()
  }

  private complaint(isThere: unknown, why: string): Error {
    return new Error(`waited for ${String(isThere)}, ${why}; the screen:\n${this.screen}\n${this.cursorLine}`)
  }
}
