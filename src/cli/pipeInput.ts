/** A conversation without keys, through a pipe for one: each line is a message. */
import process from "node:process"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import * as Terminal from "effect/Terminal"
import * as Console from "../console/console.ts"
import * as LineInput from "../console/LineInput.ts"

/** With `echo` the lines are shown, so that the output is a transcript; a terminal does so by itself. */
export const layer = (echo: boolean): Layer.Layer<LineInput.LineInput, never, Stdio.Stdio> =>
  Layer.effect(
    LineInput.LineInput,
    Effect.gen(function* () {
      const stdio = yield* Stdio.Stdio
      // who writes may be in no hurry to end, and the program would wait for that
      yield* Effect.addFinalizer(() => Effect.sync(() => process.stdin.destroy()))
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
      const answer = (prompt: string) =>
        echo
          ? Effect.tap(next, (line) => (line.trim() === "" ? Effect.void : write(`${prompt}${line}\n`)))
          : Effect.andThen(write(prompt), next)
      return {
        help: [],
        // there is nobody to tell why no more is to come
        read: (prompt) => Effect.mapError(answer(prompt), () => new Terminal.QuitError({}))
      }
    })
  )
