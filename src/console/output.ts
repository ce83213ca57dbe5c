/** How messages are written to the standard output, whatever makes of their texts what is shown. */
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import type * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type * as Agent from "../Agent.ts"
import * as PassThrough from "../agents/PassThrough.ts"
import type { Upstream } from "../InteractionContext.ts"
import type * as Message from "../Message.ts"
import * as Console from "./console.ts"
import type { Options } from "./ConsoleOutput.ts"

/** Makes what is shown of the tokens of a message, which begin at a column of the screen, in a style. */
export type Show<R> = (
  known: Message.KnownFields,
  style: string,
  column: number
) => Effect.Effect<<E>(tokens: Stream.Stream<string, E>) => Stream.Stream<string, E>, never, R>

/** As they are. */
export const plainly: Show<Stdio.Stdio> = Effect.fnUntraced(function* (_, style) {
  const paint = yield* Console.painter
  const visible = yield* Console.visible
  return (tokens) => Stream.map(tokens, (text) => paint(visible(text), style))
})

export const output = <R>(
  options: Options,
  show: Show<R>
): Agent.Agent<{}, Upstream | PlatformError, Stdio.Stdio | R> => {
  const { defaultName = "assistant", names = true, style: usual = Console.green } = options
  return PassThrough.make("ConsoleOutput", (promise) =>
    Effect.gen(function* () {
      const paint = yield* Console.painter
      const visible = yield* Console.visible
      const { known } = promise
      const style = styles.get(known._tag ?? "") ?? usual
      const name = visible(names ? `${speakerOf(known, defaultName).toUpperCase()}: ` : "")
      const shown = yield* show(known, style, name.length)
      // of a message that fails the line is ended all the same; whoever reads it on meets the failure
      const tokens = Stream.catchCause(promise, () => Stream.empty)
      const texts = Stream.concat(Stream.make(paint(name, style)), shown(Console.whole(tokens)))
      yield* Console.writeAll(Stream.concat(texts, Stream.make("\n\n")))
    })
  ) as never // `PassThrough.make` takes the parts of a union apart
}

/** What is shown in another colour, whatever was said. */
const styles: ReadonlyMap<string, string> = new Map([
  ["Failure", Console.red],
  ["Reasoning", Console.dim]
])

const speakerOf = (known: Message.KnownFields, defaultName: string): string =>
  known._tag === "Reasoning"
    ? `${known.agent ?? defaultName} (thinking)`
    : (known.agent ?? (known._tag === "User" || known._tag === "System" ? known._tag : defaultName))
