/** Where the run is shown: what happens on the way goes to stderr, the answer alone to stdout, so that it can be piped. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { MessagePromise, MessageSequence } from "miniagents"
import * as Timeline from "./Timeline.ts"
import * as Wrap from "./Wrap.ts"

export class Screen extends Context.Service<
  Screen,
  {
    readonly answer: (text: string) => Effect.Effect<void>
    /** What happens on the way: a line, broken where the screen ends. */
    readonly aside: (line: string) => Effect.Effect<void>
    /** A line that is coloured already. */
    readonly line: (line: string) => Effect.Effect<void>
    /** Leaves the line under way, where a terminal echoed the key that interrupted. */
    readonly leave: Effect.Effect<void>
    /** The width for the answer: that of the terminal, up to what reads well; without end where there is none. */
    readonly textWidth: number
    readonly columns: number
    readonly colors: boolean
  }
>()("miniagents/examples/research/Screen") {}

/** The standard streams of this process. A reader that has gone (`| head -1`) ends the run quietly. */
export const layerProcess: Layer.Layer<Screen> = Layer.sync(Screen, () => {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(0)
      process.stderr.write(`The output cannot be written: ${error.message}\n`, () => process.exit(2))
    })
  }
  const colors = process.stderr.isTTY && (process.env["NO_COLOR"] ?? "") === ""
  const columns = Math.min(process.stderr.columns || 80, 120)
  const dim = (line: string) => (colors && line !== "" ? `\u001b[2m${line}\u001b[22m` : line)
  return {
    answer: (text) => Effect.sync(() => void process.stdout.write(text)),
    aside: (text) =>
      Effect.sync(() => {
        for (const line of Wrap.line(columns, text)) process.stderr.write(`${dim(line)}\n`)
      }),
    line: (line) => Effect.sync(() => void process.stderr.write(`${line}\n`)),
    leave: Effect.sync(() => void (process.stderr.isTTY && process.stderr.write("\n"))),
    textWidth: process.stdout.isTTY ? Math.min(process.stdout.columns || 80, 100) : Infinity,
    columns,
    colors
  }
})

/** Shows a reply sequence as it comes: progress line by line, the answer token by token. */
export const show = <E>(replies: MessageSequence.MessageSequence<E>): Effect.Effect<void, E, Screen> =>
  Stream.runForEach(replies, (promise) =>
    promise.known._tag === "Progress" ? showProgress(promise) : showAnswer(promise)
  )

const showProgress = Effect.fnUntraced(function* <E>(promise: MessagePromise.MessagePromise<E>) {
  const screen = yield* Screen
  yield* screen.aside(String(yield* promise.message))
})

const showAnswer = Effect.fnUntraced(function* <E>(promise: MessagePromise.MessagePromise<E>) {
  const screen = yield* Screen
  yield* screen.aside("")
  let said = false
  yield* promise.pipe(
    Wrap.words(screen.textWidth),
    Stream.runForEach((text) =>
      Effect.andThen(
        Effect.sync(() => void (said = true)),
        screen.answer(text)
      )
    ),
    // an error is told on a line of its own, also after half an answer
    Effect.ensuring(Effect.suspend(() => (said ? screen.answer("\n") : Effect.void)))
  )
})

/** One bar for each call. */
export const timeline = Effect.fnUntraced(function* (calls: ReadonlyArray<Timeline.Span>) {
  const screen = yield* Screen
  const lines = Timeline.draw(calls, { width: screen.columns, colors: screen.colors })
  yield* Effect.forEach(["", ...lines], screen.line, { discard: true })
})
