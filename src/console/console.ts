/** What the console agents share: writing to the standard output, in colours where a person sees them. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { EmojiJoiner, joinedBy } from "../internal/wholeCharacters.ts"

/** Select Graphic Rendition parameters. */
export const green = "92;1"
export const yellow = "93;1"
export const red = "91"
export const dim = "2"

export type Paint = (text: string, style: string) => string

const setting = (name: string): Effect.Effect<string> => Effect.orElseSucceed(Config.String(name), () => "")

/** Whether the terminal, if it is one, says that it knows no escape sequences. */
export const isDumb: Effect.Effect<boolean> = Effect.map(setting("TERM"), (name) => name === "dumb")

/**
 * Paints for a terminal, unless it is a dumb one or `NO_COLOR` is set to anything but the empty text
 * (https://no-color.org); for a pipe or a file it leaves texts as they are.
 */
export const painter: Effect.Effect<Paint, never, Stdio.Stdio> = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const refused = (yield* setting("NO_COLOR")) !== "" || (yield* isDumb)
  return !refused && (yield* stdio.stdoutIsTerminal) ? painted : plain
})

const painted: Paint = (text, style) => (text === "" ? "" : `\x1b[${style}m${text}\x1b[0m`)
const plain: Paint = (text) => text

/**
 * What shows a text on a terminal without letting it steer it: every control character but a tab and a line break is
 * shown as its picture, and one that turns the direction of writing as a replacement character. A carriage return, which would let a line overwrite itself, is left out. For a pipe or a file
 * texts stay as they are.
 */
export const visible: Effect.Effect<(text: string) => string, never, Stdio.Stdio> = Effect.map(
  Effect.flatMap(Stdio.Stdio, (stdio) => stdio.stdoutIsTerminal),
  (isTerminal) => (isTerminal ? harmless : (text) => text)
)

/**
 * A text without anything that a terminal would obey: control characters, and those that turn the direction of what
 * stands beside them, so that a name or a command could read as another one.
 */
export const harmless = (text: string): string => text.replaceAll(controls, pictureOf)

// oxlint-disable-next-line no-control-regex
const controls = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g

const pictureOf = (control: string): string => {
  if (control === "\r") return ""
  const code = control.charCodeAt(0)
  return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "\u2421" : "\ufffd"
}

/** Texts as they are shown on a terminal: an emoji whose parts come in two of them would be two of its own. */
export const whole: <E, R>(texts: Stream.Stream<string, E, R>) => Stream.Stream<string, E, R> = joinedBy(
  () => new EmojiJoiner()
)

export const write = (text: string): Effect.Effect<void, PlatformError, Stdio.Stdio> => writeAll(Stream.make(text))

export const writeAll = <E>(texts: Stream.Stream<string, E>): Effect.Effect<void, E | PlatformError, Stdio.Stdio> =>
  Effect.flatMap(Stdio.Stdio, (stdio) => Stream.run(texts, stdio.stdout()))
