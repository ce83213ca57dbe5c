/** A conversation through a pipe: each line is a message. The lines are shown, so that the output is a transcript. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { PlatformError } from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Terminal from "effect/Terminal"
import * as Console from "../agents/Console.ts"
import * as LineInput from "../agents/LineInput.ts"

export const layer: Layer.Layer<LineInput.LineInput, never, Stdio.Stdio> = Layer.effect(
  LineInput.LineInput,
  Effect.gen(function* () {
    const stdio = yield* Stdio.Stdio
    const pull = yield* Stream.toPull(Stream.splitLines(Stream.decodeText(stdio.stdin)))
    const write = (text: string) => Effect.provideService(Console.write(text), Stdio.Stdio, stdio)
    const lines: Array<string> = []
    const next: Effect.Effect<string, unknown> = Effect.suspend(() => {
      const line = lines.shift()
      if (line !== undefined) return Effect.succeed(line)
      return Effect.flatMap(pull, (more) => {
        lines.push(...more)
        return next
      })
    })
    const read = (prompt: string): Effect.Effect<string, unknown | PlatformError> =>
      Effect.tap(next, (line) => (line.trim() === "" ? Effect.void : write(`${prompt}${line}\n`)))
    return {
      help: [],
      // there is nobody to tell why no more is to come
      read: (prompt) => Effect.mapError(read(prompt), () => new Terminal.QuitError({}))
    }
  })
)
