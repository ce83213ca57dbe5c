/** What the console agents share: writing to the standard output, in colours where a person sees them. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"

/** Select Graphic Rendition parameters. */
export const green = "92;1"
export const yellow = "93;1"

export type Paint = (text: string, style: string) => string

/**
 * Paints for a terminal, unless `NO_COLOR` is set to anything but the empty text (https://no-color.org); for a pipe or
 * a file it leaves texts as they are.
 */
export const painter: Effect.Effect<Paint, never, Stdio.Stdio> = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const refused = yield* Effect.orElseSucceed(Config.String("NO_COLOR"), () => "")
  return refused === "" && (yield* stdio.stdoutIsTerminal) ? painted : plain
})

const painted: Paint = (text, style) => (text === "" ? "" : `\x1b[${style}m${text}\x1b[0m`)
const plain: Paint = (text) => text

export const write = (text: string): Effect.Effect<void, PlatformError, Stdio.Stdio> => writeAll(Stream.make(text))

export const writeAll = <E>(texts: Stream.Stream<string, E>): Effect.Effect<void, E | PlatformError, Stdio.Stdio> =>
  Effect.flatMap(Stdio.Stdio, (stdio) => Stream.run(texts, stdio.stdout()))
