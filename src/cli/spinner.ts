/** Shows that something is going on, in one place of a terminal. */
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Console from "../console/console.ts"

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]

/** Turns until it is interrupted, and then leaves nothing behind. Where there is no terminal it does not show. */
export const turn: Effect.Effect<never, PlatformError, Stdio.Stdio> = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  if (!(yield* stdio.stdoutIsTerminal) || (yield* Console.isDumb)) return yield* Effect.never
  const paint = yield* Console.painter
  const forever = Effect.gen(function* () {
    for (let i = 0; ; i++) {
      yield* Console.write(`\r${paint(frames[i % frames.length]!, Console.dim)}`)
      yield* Effect.sleep("80 millis")
    }
  })
  return yield* Effect.ensuring(forever, Effect.ignore(Console.write("\r\x1b[K")))
})
