/**
 * The line editor: several lines of text, written at a terminal as people are used to.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Keys from "./keys.ts"
import { Keyboard } from "./keyboard.ts"
import * as LineInput from "./LineInput.ts"

// `node:readline` edits one line, and what its own REPL does with several is not open to others. The editors of several
// lines in the registry are parts of whole screens, and the one that is best kept (`pi-tui` 0.87) trims what is sent and
// makes spaces of the tabs in what is pasted: a Makefile would not come through. So the editor is ours.

/**
 * A terminal as the editor uses it. `columns` and `rows` are zero where they are not known. The three functions that
 * begin with `on` give a function that ends what they began.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tty {
  readonly columns: number
  readonly rows: number
  readonly write: (text: string) => void
  /** In raw mode every key is sent at once, and none of them is a signal. */
  readonly setRawMode: (isRaw: boolean) => void
  readonly onInput: (push: (bytes: Uint8Array) => void, end: () => void) => () => void
  readonly onResize: (resized: () => void) => () => void
  /** Calls a function before the process ends in a way that closes no scope. */
  readonly onExit: (exit: () => void) => () => void
  /** Interrupts the program (`SIGINT`), or suspends it (`SIGTSTP`). */
  readonly signal: (name: "SIGINT" | "SIGTSTP") => void
}

/**
 * The terminal that the editor uses.
 *
 * @default the standard input and output of the process, in Node, Bun and Deno
 * @since 0.1.0
 * @category references
 */
export const CurrentTty: Context.Reference<Tty> = Context.Reference("miniagents/console/LineEditor/CurrentTty", {
  defaultValue: () => ofProcess((globalThis as unknown as { readonly process: Process }).process)
})

/**
 * How a person stops an agent without ending the program: Ctrl+C while no text is asked for.
 *
 * @since 0.1.0
 * @category services
 */
export class Stop extends Context.Service<
  Stop,
  {
    /** Done when Ctrl+C is pressed, or was since a text was asked for last. */
    readonly pressed: Effect.Effect<void>
  }
>()("miniagents/console/Stop") {}

/**
 * The editor on the terminal of the process.
 *
 * **When to use**
 *
 * In a program that a person starts in a terminal. Where the input may be a pipe or a file, take
 * `LineInput.layerTerminal` for that.
 *
 * **Details**
 *
 * Enter sends the text; Ctrl+Space, Alt+Enter, Ctrl+J, a backslash before Enter and, where the terminal tells it from
 * Enter, Shift+Enter begin a new line. The keys are those of a shell, the arrows also move through what was sent before.
 * Several lines that are pasted are one text, also in a terminal that does not say where a paste begins and ends. Ctrl+C
 * drops the text, and pressed again ends the input, as Ctrl+D does with an empty text. The terminal is in raw mode until
 * the scope closes; what is typed while nothing is asked for is there when the next text is.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { LineEditor, LineInput } from "miniagents/console"
 *
 * const program = Effect.gen(function*() {
 *   const { read } = yield* LineInput.LineInput
 *   return yield* read("Your poem: ")
 * }).pipe(Effect.provide(LineEditor.layer))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<LineInput.LineInput | Stop> = Layer.effectContext(
  Effect.gen(function* () {
    const tty = yield* CurrentTty
    const bytes = yield* Queue.unbounded<Uint8Array, "end">()
    const keyboard = yield* Effect.acquireRelease(
      Effect.sync(() => new Keyboard(tty)),
      (keyboard) => Effect.sync(keyboard.restore)
    )
    const listen = [
      () =>
        tty.onInput(
          (some) => Queue.offerUnsafe(bytes, some),
          () => Queue.failCauseUnsafe(bytes, Cause.fail("end"))
        ),
      () => tty.onResize(keyboard.draw),
      () => tty.onExit(keyboard.restore)
    ]
    for (const begin of listen) yield* Effect.acquireRelease(Effect.sync(begin), (end) => Effect.sync(end))
    yield* Effect.forkScoped(Effect.catch(pushAll(keyboard, bytes), () => Effect.sync(() => keyboard.end())))
    return Context.make(LineInput.LineInput, { help, read: (prompt) => keyboard.read(prompt) }).pipe(
      Context.add(Stop, { pressed: keyboard.stop })
    )
  })
)

const help = [
  "Enter sends; Ctrl+Space, Alt+Enter or Shift+Enter begins a new line.",
  'Ctrl+C stops an answer; pressed twice, or "exit", it ends the conversation.'
]

/** How long what may be a key of its own waits for what may follow: as long as Node's `readline` does. */
const AFTER_ESCAPE = "500 millis"
/** How soon what follows an Enter must come to be a part of the same paste. Nobody types so fast. */
const AFTER_ENTER = "20 millis"

/** Gives the keyboard what comes, as much at a time as belongs together. */
const pushAll = (keyboard: Keyboard, bytes: Queue.Dequeue<Uint8Array, "end">): Effect.Effect<never, "end"> => {
  let inputs: Array<Keys.Input> = []
  const decoder = new Keys.Decoder((input) => void inputs.push(input))
  /** Whether more came in that time. It is left in the queue, so that giving up loses nothing. */
  const follows = (time: Duration.Input) =>
    Effect.map(Effect.timeoutOption(Effect.exit(Queue.peek(bytes)), time), Option.exists(Exit.isSuccess))
  const burst = Effect.gen(function* () {
    inputs = []
    decoder.push(yield* Queue.take(bytes))
    while (decoder.hasEscape || Keys.hasEnter(inputs)) {
      if (!(yield* follows(decoder.hasEscape ? AFTER_ESCAPE : AFTER_ENTER))) break
      decoder.push(yield* Queue.take(bytes))
    }
    decoder.flush()
    keyboard.push(Keys.withPastes(inputs))
  })
  return Effect.forever(burst)
}

/** The part of Node's `process` that is a terminal. It is not imported, so that this module loads where there is none. */
interface Process {
  readonly pid: number
  readonly platform: string
  readonly stdin: Emitter & { readonly setRawMode?: (isRaw: boolean) => void; readonly pause: () => void }
  readonly stdout: Emitter & {
    readonly columns?: number
    readonly rows?: number
    readonly write: (text: string) => void
  }
  readonly on: Emitter["on"]
  readonly off: Emitter["off"]
  readonly kill: (pid: number, signal: string) => void
}

interface Emitter {
  readonly on: (event: string, listener: (value: Uint8Array) => void) => void
  readonly off: (event: string, listener: (value: Uint8Array) => void) => void
}

const listen = (emitter: Emitter, event: string, listener: (value: Uint8Array) => void) => {
  emitter.on(event, listener)
  return () => emitter.off(event, listener)
}

const ofProcess = (process: Process): Tty => ({
  get columns() {
    return process.stdout.columns ?? 0
  },
  get rows() {
    return process.stdout.rows ?? 0
  },
  write: (text) => process.stdout.write(text),
  setRawMode: (isRaw) => process.stdin.setRawMode?.(isRaw),
  onInput: (push, end) => {
    const forget = [listen(process.stdin, "data", push), listen(process.stdin, "end", end)]
    return () => {
      for (const each of forget) each()
      process.stdin.pause()
    }
  },
  onResize: (resized) => listen(process.stdout, "resize", resized),
  onExit: (exit) => listen(process, "exit", exit),
  signal: (name) => {
    if (name === "SIGINT" || process.platform !== "win32") process.kill(process.pid, name)
  }
})
