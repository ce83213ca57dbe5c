/** The line editor on a terminal that a test holds. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Terminal } from "effect"
import { TestClock } from "effect/testing"
import { LineEditor, LineInput } from "miniagents/console"

const makeTty = () => {
  const listeners = {
    input: new Set<(bytes: Uint8Array) => void>(),
    end: new Set<() => void>(),
    exit: new Set<() => void>()
  }
  const signals: Array<string> = []
  const state = { isRaw: false, written: "", resizes: 0 }
  const tty: LineEditor.Tty = {
    columns: 80,
    rows: 24,
    write: (text) => void (state.written += text),
    setRawMode: (isRaw) => void (state.isRaw = isRaw),
    onInput: (push, end) => {
      listeners.input.add(push)
      listeners.end.add(end)
      return () => {
        listeners.input.delete(push)
        listeners.end.delete(end)
      }
    },
    onResize: () => {
      state.resizes++
      return () => void state.resizes--
    },
    onExit: (exit) => {
      listeners.exit.add(exit)
      return () => void listeners.exit.delete(exit)
    },
    signal: (name) => void signals.push(name)
  }
  const type = (text: string) =>
    Effect.sync(() => listeners.input.forEach((push) => push(new TextEncoder().encode(text))))
  const end = Effect.sync(() => listeners.end.forEach((end) => end()))
  const count = () => listeners.input.size + listeners.end.size + listeners.exit.size + state.resizes
  return { tty, state, signals, type, end, count, exit: () => listeners.exit.forEach((exit) => exit()) }
}
type Fake = ReturnType<typeof makeTty>

const ask = Effect.flatMap(LineInput.LineInput, ({ read }) => Effect.forkChild(read("> "), { startImmediately: true }))
/** Time for what waits. */
const pause = TestClock.adjust("1 second")

const withEditor = <A, E>(
  program: (fake: Fake) => Effect.Effect<A, E, LineInput.LineInput | LineEditor.Stop>
): Effect.Effect<A, E> => {
  const fake = makeTty()
  return program(fake).pipe(
    Effect.provide(LineEditor.layer),
    Effect.provideService(LineEditor.CurrentTty, fake.tty),
    Effect.tap(() => Effect.sync(() => assert.strictEqual(fake.count(), 0)))
  )
}

describe("LineEditor", () => {
  it.effect.each<[string, ReadonlyArray<string>, string]>([
    ["a line and Enter", ["hi\r"], "hi"],
    ["Enter alone", ["hi", "\r"], "hi"],
    ["brackets", ["\u001b[200~a\rb\r\u001b[201~", "\r"], "a\nb\n"],
    ["no brackets", ["def f():\r\treturn 1", "\r"], "def f():\n\treturn 1"],
    ["no brackets, and the last line ended", ["a\rb\r", "\r"], "a\nb\n"],
    ["line ends of Windows", ["a\r\nb\r\n", "\r"], "a\nb\n"],
    ["blank lines", ["a\r\r\rb", "\r"], "a\n\n\nb"],
    ["a backslash at the end of a line", ["a\\\rb", "\r"], "a\\\nb"],
    ["a backslash and Enter", ["a\\\r", "b\r"], "a\nb"],
    ["Shift+Enter", ["a\u001b[13;2ub\r"], "a\nb"],
    ["an Escape and, later, a letter", ["\u001b", "b\r"], "b"]
  ])("takes as one text: %s", ([, pieces, text]) =>
    withEditor(({ type }) =>
      Effect.gen(function* () {
        const fiber = yield* ask
        for (const piece of pieces) {
          yield* type(piece)
          yield* pause
        }
        assert.strictEqual(yield* Fiber.join(fiber), text)
      })
    )
  )

  it.effect.each([1, 2, 3, 5, 8])("a paste without brackets is one text in pieces of %d bytes, too", (size) =>
    withEditor(({ type }) =>
      Effect.gen(function* () {
        const fiber = yield* ask
        const lines = "one\r\ttwo\r\rthree\r"
        for (let at = 0; at < lines.length; at += size) {
          yield* type(lines.slice(at, at + size))
          yield* TestClock.adjust("10 millis")
        }
        yield* pause
        assert.isUndefined(fiber.pollUnsafe())
        yield* type("\r")
        yield* pause
        assert.strictEqual(yield* Fiber.join(fiber), "one\n\ttwo\n\nthree\n")
      })
    )
  )

  it.effect("what is typed while nothing is asked for is there when the next text is", () =>
    withEditor(({ type }) =>
      Effect.gen(function* () {
        yield* type("early")
        yield* pause
        const fiber = yield* ask
        yield* type("!\r")
        yield* pause
        assert.strictEqual(yield* Fiber.join(fiber), "early!")
      })
    )
  )

  it.effect("Ctrl+C stops what runs while nothing is asked for; the third one interrupts the program", () =>
    withEditor(({ signals, type }) =>
      Effect.gen(function* () {
        const stop = yield* LineEditor.Stop
        const stopped = yield* Effect.forkChild(stop.pressed, { startImmediately: true })
        yield* pause
        assert.isUndefined(stopped.pollUnsafe())
        yield* type("\u0003")
        yield* pause
        yield* Fiber.join(stopped)
        yield* stop.pressed // it stays so until a text is asked for
        yield* type("\u0003")
        yield* pause
        assert.deepStrictEqual(signals, [])
        yield* type("\u0003")
        yield* pause
        assert.deepStrictEqual(signals, ["SIGINT"])
      })
    )
  )

  it.effect.each<[string, string | undefined]>([
    ["Ctrl+C, twice", "\u0003\u0003"],
    ["Ctrl+D", "\u0004"],
    ["the end of the input", undefined]
  ])("ends with %s", ([, keys]) =>
    withEditor(({ end, type }) =>
      Effect.gen(function* () {
        const fiber = yield* ask
        yield* keys === undefined ? end : type(keys)
        yield* pause
        assert.isTrue(Terminal.isQuitError(yield* Effect.flip(Fiber.join(fiber))))
        if (keys === undefined) assert.isTrue(Terminal.isQuitError(yield* Effect.flip(Fiber.join(yield* ask))))
      })
    )
  )

  it.effect("gives the terminal back as it was when its scope closes, and when the process ends before", () =>
    Effect.gen(function* () {
      const given = "\u001b[<u\u001b[?2004l\u001b[?25h\u001b[0m"
      const fake = makeTty()
      const open = Effect.gen(function* () {
        const { state } = fake
        assert.isTrue(state.isRaw)
        assert.isTrue(state.written.endsWith("\u001b[?2004h\u001b[>1u"))
        yield* ask
        fake.exit()
        assert.isFalse(state.isRaw)
        assert.isTrue(state.written.endsWith(given))
        state.isRaw = true
      })
      yield* Effect.provide(open, LineEditor.layer).pipe(Effect.provideService(LineEditor.CurrentTty, fake.tty))
      assert.isFalse(fake.state.isRaw)
      assert.isTrue(fake.state.written.endsWith(given))
      assert.strictEqual(fake.count(), 0)
    })
  )

  it.effect("Ctrl+Z gives the terminal back, suspends the program, and goes on below", () =>
    withEditor(({ signals, state, type }) =>
      Effect.gen(function* () {
        const fiber = yield* ask
        yield* type("dra\u001a")
        yield* pause
        assert.deepStrictEqual(signals, ["SIGTSTP"])
        assert.isTrue(state.isRaw)
        yield* type("ft\r")
        yield* pause
        assert.strictEqual(yield* Fiber.join(fiber), "draft")
      })
    )
  )
})
