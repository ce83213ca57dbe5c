/** A person at a terminal: what they write, and what they see. */

import { Effect, Layer, Sink, Stdio, Terminal } from "effect"
import { LineInput } from "miniagents/console"

export interface Screen {
  /** The pieces in which the output came. */
  readonly pieces: Array<string>
  readonly text: () => string
}

export const make = (): Screen => {
  const pieces: Array<string> = []
  return { pieces, text: () => pieces.join("") }
}

/** The person answers with these lines, one after the other, and then ends the input. */
export const layer = (
  screen: Screen,
  lines: ReadonlyArray<string> = [],
  options: { readonly terminal?: boolean } = {}
): Layer.Layer<LineInput.LineInput | Stdio.Stdio> => {
  const rest = [...lines]
  const write = (text: string) => Effect.sync(() => void screen.pieces.push(text))
  return Layer.mergeAll(
    Stdio.layerTest({
      stdout: () => Sink.forEach((text: string | Uint8Array) => write(String(text))),
      stdoutIsTerminal: Effect.succeed(options.terminal === true)
    }),
    Layer.succeed(LineInput.LineInput, {
      help: ["Write something."],
      read: (prompt) =>
        Effect.andThen(
          write(prompt),
          Effect.suspend(() => {
            const line = rest.shift()
            return line === undefined ? Effect.fail(new Terminal.QuitError({})) : Effect.as(write(`${line}\n`), line)
          })
        )
    })
  )
}
