/** A person at a terminal: what they write at a prompt, and Ctrl+C while nothing is asked. */
import * as Effect from "effect/Effect"
import * as Terminal from "effect/Terminal"
import { Editor } from "./editor.ts"
import type * as Keys from "./keys.ts"
import type { Tty } from "./LineEditor.ts"
import { Painter } from "./painter.ts"

/** Bracketed paste, and keys told apart as the Kitty keyboard protocol does: terminals ignore what they do not know. */
const begin = "\x1b[?2004h\x1b[>1u"
const end = "\x1b[<u\x1b[?2004l\x1b[?25h\x1b[0m"

/** A text that is being asked for. */
interface Asking {
  editor: Editor
  readonly prompt: string
  readonly resume: (answer: Effect.Effect<string, Terminal.QuitError>) => void
  /** Ctrl+C was the last key. */
  cancelled: boolean
}

export class Keyboard {
  private asking: Asking | undefined = undefined
  private readonly past: Array<string> = []
  /** What was typed while nothing was asked. */
  private ahead: Array<Keys.Input> = []
  /** How often Ctrl+C was pressed since something was asked last. */
  private stops = 0
  private onStop: (() => void) | undefined = undefined
  private ended = false
  private readonly tty: Tty
  private readonly painter: Painter

  constructor(tty: Tty) {
    this.tty = tty
    this.painter = new Painter(tty)
    this.prepare()
  }

  read(prompt: string): Effect.Effect<string, Terminal.QuitError> {
    return Effect.callback((resume) => {
      this.asking = { editor: new Editor(this.past), prompt, resume, cancelled: false }
      this.stops = 0
      const { ahead } = this
      this.ahead = []
      this.push(ahead)
      if (this.ended) this.quit()
      return Effect.sync(() => {
        this.asking = undefined
        this.painter.leave()
      })
    })
  }

  get stop(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.stops > 0) return resume(Effect.void)
      this.onStop = () => resume(Effect.void)
      return Effect.sync(() => {
        this.onStop = undefined
      })
    })
  }

  push(inputs: ReadonlyArray<Keys.Input>): void {
    for (const input of inputs) this.pushOne(input)
    this.draw()
  }

  /** No more is to come. */
  end(): void {
    this.ended = true
    this.quit()
  }

  private pushOne(input: Keys.Input): void {
    const { asking, painter } = this
    if (asking === undefined) return this.pushAhead(input)
    const wish = asking.editor.press(input, painter.start(asking.prompt), painter.columns)
    if (wish === "cancel") return this.cancel(asking)
    asking.cancelled = false
    if (wish === "submit") this.submit(asking)
    else if (wish === "end") this.quit()
    else if (wish === "clear screen") painter.clearScreen()
    else if (wish === "suspend") this.suspend()
  }

  private pushAhead(input: Keys.Input): void {
    if (input._tag === "Paste" || !input.ctrl || input.name !== "c") return void this.ahead.push(input)
    this.stops++
    this.onStop?.()
    // what was typed stays, but is not sent: things are not as they were when it was
    this.ahead = this.ahead.filter((input) => input._tag === "Paste" || input.name !== "return")
    if (this.stops === 2) this.ahead.push(input)
    // what does not stop is ended, as by Ctrl+C in a terminal that is not in raw mode
    if (this.stops > 2) this.tty.signal("SIGINT")
  }

  private submit(asking: Asking): void {
    this.remember(asking.editor.text)
    this.finish(asking)
    asking.resume(Effect.succeed(asking.editor.text))
  }

  /** What was written is dropped, and is to be found in the past; if there was nothing new, the conversation ends. */
  private cancel(asking: Asking): void {
    if (asking.cancelled) return this.quit()
    this.remember(asking.editor.text)
    asking.editor = new Editor(this.past)
    asking.cancelled = true
  }

  private quit(): void {
    const { asking } = this
    if (asking === undefined) return
    this.finish(asking)
    asking.resume(Effect.fail(new Terminal.QuitError({})))
  }

  private finish({ editor, prompt }: Asking): void {
    this.asking = undefined
    const { text } = editor
    this.painter.finish({ prompt, text, cursor: text.length, hint: "" })
  }

  private remember(text: string): void {
    if (text.trim() !== "" && text !== this.past.at(-1)) this.past.push(text)
  }

  /** Goes on below when the shell says so, or at once where there is none that could. */
  private suspend(): void {
    this.painter.leave()
    this.restore()
    this.tty.signal("SIGTSTP")
    this.prepare()
  }

  readonly draw = (): void => {
    if (this.asking === undefined) return
    const { cancelled, editor, prompt } = this.asking
    const hint = cancelled ? "Press Ctrl+C again to end the conversation." : ""
    this.painter.draw({ prompt, text: editor.text, cursor: editor.cursor, hint })
  }

  private prepare(): void {
    this.tty.setRawMode(true)
    this.tty.write(begin)
  }

  /** Also when the process ends in any other way than by closing the scope. */
  readonly restore = (): void => {
    this.tty.write(end)
    this.tty.setRawMode(false)
  }
}
