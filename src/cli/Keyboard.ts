/**
 * A person at a terminal: a line editor behind `LineInput`, and Ctrl+C while nothing is asked.
 *
 * `node:readline` edits one line: what its own REPL does with several is not open to others. The editors of several
 * lines in the registry are parts of whole screens, and the one that is best kept (`pi-tui` 0.87) trims what is sent and
 * makes spaces of the tabs in what is pasted: a Makefile would not come through. So `node:readline` is asked for the keys
 * alone, and the editor is ours.
 */
import process from "node:process"
import type { ReadStream, WriteStream } from "node:tty"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Terminal from "effect/Terminal"
import * as LineInput from "../console/LineInput.ts"
import { Editor } from "./Editor.ts"
import * as Keys from "./Keys.ts"
import { Painter } from "./Painter.ts"

/** How a person stops what runs without ending the program. */
export class Stop extends Context.Service<
  Stop,
  {
    /** Done when Ctrl+C is pressed, or was since the person was asked last. */
    readonly pressed: Effect.Effect<void>
  }
>()("miniagents/cli/Stop") {}

/** Nobody can. */
export const layerNoStop: Layer.Layer<Stop> = Layer.succeed(Stop, { pressed: Effect.never })

/** The terminal of this process, in raw mode until the scope closes. */
export const layer: Layer.Layer<LineInput.LineInput | Stop> = Layer.effectContext(
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Keyboard(process.stdin, process.stdout)),
      (keyboard) => Effect.sync(() => keyboard.close())
    ),
    (keyboard) =>
      Context.make(LineInput.LineInput, { help, read: (prompt) => keyboard.read(prompt) }).pipe(
        Context.add(Stop, { pressed: keyboard.stop })
      )
  )
)

const help = [
  "Enter sends; Ctrl+Space, Alt+Enter or Shift+Enter begins a new line.",
  'Ctrl+C stops an answer; pressed twice, or "exit", it ends the conversation.'
]

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

class Keyboard {
  private asking: Asking | undefined = undefined
  private readonly past: Array<string> = []
  /** What was typed while nothing was asked. */
  private ahead: Array<Keys.Input> = []
  /** How often Ctrl+C was pressed since something was asked last. */
  private stops = 0
  private onStop: (() => void) | undefined = undefined
  private ended = false
  private readonly input: ReadStream
  private readonly output: WriteStream
  private readonly painter: Painter
  private readonly keys = new Keys.Decoder((input) => this.take(input))

  constructor(input: ReadStream, output: WriteStream) {
    this.input = input
    this.output = output
    this.painter = new Painter(output)
    input.on("data", this.onData)
    input.on("end", this.onEnd)
    output.on("resize", this.draw)
    process.on("exit", this.restore)
    this.prepare()
  }

  close(): void {
    this.restore()
    this.input.off("data", this.onData)
    this.input.off("end", this.onEnd)
    this.output.off("resize", this.draw)
    process.off("exit", this.restore)
    this.input.pause()
  }

  read(prompt: string): Effect.Effect<string, Terminal.QuitError> {
    return Effect.callback((resume) => {
      this.asking = { editor: new Editor(this.past), prompt, resume, cancelled: false }
      this.stops = 0
      const { ahead } = this
      this.ahead = []
      for (const input of ahead) this.take(input)
      this.draw()
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

  private take(input: Keys.Input): void {
    const { asking, painter } = this
    if (asking === undefined) return this.takeAhead(input)
    const wish = asking.editor.take(input, painter.start(asking.prompt), painter.columns)
    if (wish === "cancel") return this.cancel(asking)
    asking.cancelled = false
    if (wish === "submit") this.submit(asking)
    else if (wish === "end") this.quit()
    else if (wish === "clear screen") painter.clearScreen()
    else if (wish === "suspend") this.suspend()
  }

  private takeAhead(input: Keys.Input): void {
    if (input._tag === "Paste" || !input.ctrl || input.name !== "c") return void this.ahead.push(input)
    this.stops++
    this.onStop?.()
    // what was typed stays, but is not sent: things are not as they were when it was
    this.ahead = this.ahead.filter((input) => input._tag === "Paste" || input.name !== "return")
    if (this.stops === 2) this.ahead.push(input)
    // what does not stop is ended, as by Ctrl+C in a terminal that is not in raw mode
    if (this.stops > 2) process.kill(process.pid, "SIGINT")
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
    if (process.platform === "win32") return
    this.painter.leave()
    this.restore()
    process.kill(process.pid, "SIGTSTP")
    this.prepare()
  }

  private readonly onData = (bytes: Uint8Array): void => {
    this.keys.take(bytes)
    this.draw()
  }

  private readonly onEnd = (): void => {
    this.ended = true
    this.quit()
  }

  private readonly draw = (): void => {
    if (this.asking === undefined) return
    const { cancelled, editor, prompt } = this.asking
    const hint = cancelled ? "Press Ctrl+C again to end the conversation." : ""
    this.painter.draw({ prompt, text: editor.text, cursor: editor.cursor, hint })
  }

  private prepare(): void {
    this.input.setRawMode(true)
    this.output.write(begin)
  }

  /** Also when the process ends in any other way than by closing the scope. */
  private readonly restore = (): void => {
    this.output.write(end)
    this.input.setRawMode(false)
  }
}
