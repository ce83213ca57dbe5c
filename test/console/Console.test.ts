/** The agents at the console: what a person sees and writes. */

import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Layer, Logger, Schema, Stream, Terminal } from "effect"
import { Agent, Message, MessagePromise, MiniAgents } from "miniagents"
import { ConsoleInput, ConsoleOutput, LineInput } from "miniagents/console"
import { LlmMessage } from "miniagents/llm"
import * as Screen from "./Screen.ts"

class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

const env = (variables: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnv({ env: variables }))
const console = (screen: Screen.Screen, options: { readonly terminal?: boolean; readonly noColor?: string } = {}) =>
  Layer.mergeAll(
    Screen.layer(screen, [], options),
    MiniAgents.layer(),
    env(options.noColor === undefined ? {} : { NO_COLOR: options.noColor })
  )
const shown = (layer: (screen: Screen.Screen) => ReturnType<typeof console>, agent = ConsoleOutput.make()) =>
  Effect.gen(function* () {
    const screen = Screen.make()
    const input = [Message.user("Hi"), new Message.Assistant({ content: "Hello", agent: "Greeter" }), "plain"]
    const replies = yield* Effect.provide(
      Effect.flatMap(agent.trigger(input), ({ messages }) => messages),
      layer(screen)
    )
    assert.deepStrictEqual(replies.map(String), ["Hi", "Hello", "plain"])
    return screen.text()
  })

const plain = "USER: Hi\n\nGREETER: Hello\n\nASSISTANT: plain\n\n"

describe("ConsoleOutput", () => {
  it.effect("names the speaker, and passes messages on", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* shown(console), plain)
      const options = { names: false }
      assert.strictEqual(yield* shown(console, ConsoleOutput.make(options)), "Hi\n\nHello\n\nplain\n\n")
    })
  )

  it.effect("paints on a terminal, unless NO_COLOR is set to something", () =>
    Effect.gen(function* () {
      const painted = yield* shown((screen) => console(screen, { terminal: true }))
      assert.isTrue(painted.startsWith("\x1b[92;1mUSER: \x1b[0m\x1b[92;1mHi\x1b[0m\n\n"))
      assert.strictEqual(yield* shown((screen) => console(screen, { terminal: true, noColor: "" })), painted)
      assert.strictEqual(yield* shown((screen) => console(screen, { terminal: true, noColor: "1" })), plain)
      const blue = ConsoleOutput.make({ style: "94" })
      assert.include(yield* shown((screen) => console(screen, { terminal: true }), blue), "\x1b[94mHello\x1b[0m")
    })
  )

  it.effect("does not let a text steer a terminal, and gives a pipe the text as it is", () =>
    Effect.gen(function* () {
      const text = "a\u001b[2Jb\rc\u0007\u009bm\td\u007f\n🦀\u202e\u2066x"
      const show = (terminal: boolean) => {
        const screen = Screen.make()
        return Effect.gen(function* () {
          const speaker = new Message.Assistant({ content: text, agent: "x\u001b]0;y" })
          const replies = yield* ConsoleOutput.make().trigger(speaker)
          assert.deepStrictEqual((yield* replies.messages).map(String), [text])
          return screen.text()
        }).pipe(Effect.provide(console(screen, { terminal, noColor: "1" })))
      }
      assert.strictEqual(yield* show(true), "X␛]0;Y: a␛[2Jbc␇\ufffdm\td␡\n🦀\ufffd\ufffdx\n\n")
      assert.strictEqual(yield* show(false), `X\u001b]0;Y: ${text}\n\n`)
    })
  )

  it.effect.each([
    ["a\ud83e", "\udd80b"],
    ["👩", "\u200d", "🚀!"],
    ["👍", "🏽", " ok"],
    ["🇫", "🇷", "."],
    ["❤", "\ufe0f"],
    ["👨‍👩‍👧", "👨", "‍👩‍👧"]
  ])("shows an emoji whole that came in several tokens (%#)", (tokens) => {
    const screen = Screen.make()
    return Effect.gen(function* () {
      const promise = yield* MessagePromise.fromStream(Stream.rechunk(Stream.fromIterable(tokens), 1))
      yield* (yield* ConsoleOutput.make({ names: false }).trigger(promise)).messages
      // oxlint-disable-next-line no-control-regex
      const style = /\u001b\[[\d;]*m/g
      const shown = screen.text().split(style)
      const text = tokens.join("")
      assert.strictEqual(shown.join(""), `${text}\n\n`)
      // none begins or ends inside of a character as people see them
      const graphemes = [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment)
      for (const piece of shown)
        assert.isTrue(
          [...new Intl.Segmenter().segment(piece.trimEnd())].every(({ segment }) => graphemes.includes(segment))
        )
    }).pipe(Effect.provide(console(screen, { terminal: true })))
  })

  it.effect("shows half of an emoji at the end, as well as it can be", () => {
    const screen = Screen.make()
    return Effect.gen(function* () {
      const promise = yield* MessagePromise.fromStream(Stream.rechunk(Stream.make("a\ud83e", "b", "🦀\ud83e"), 1))
      yield* (yield* ConsoleOutput.make({ names: false }).trigger(promise)).messages
      assert.strictEqual(screen.text(), "a\ud83eb🦀\ud83e\n\n")
    }).pipe(Effect.provide(console(screen)))
  })

  it.effect("shows failures in red, and what is thought dim and as such", () =>
    Effect.gen(function* () {
      const screen = Screen.make()
      const failure = new Message.Failure({ content: "", error: "Error", reason: "why", trace: [] })
      const thought = new LlmMessage.Reasoning({ content: "Hm", agent: "Poet" })
      const messages = Effect.flatMap(ConsoleOutput.make().trigger([failure, thought]), ({ messages }) => messages)
      yield* Effect.provide(messages, console(screen, { terminal: true }))
      const painted = (style: string, ...texts: ReadonlyArray<string>) =>
        texts.map((text) => `\u001b[${style}m${text}\u001b[0m`).join("")
      const [first, second] = screen.text().split("\n\n")
      assert.strictEqual(first, painted("91", "ASSISTANT: ", "Error: why"))
      assert.strictEqual(second, painted("2", "POET (THINKING): ", "Hm"))
    })
  )

  it.effect("shows a token before the next one is there", () => {
    const screen = Screen.make()
    return Effect.gen(function* () {
      const waiting = Stream.fromEffect(
        Effect.as(Effect.repeat(Effect.yieldNow, { until: () => screen.text() === "ASSISTANT: one " }), "two")
      )
      const promise = yield* MessagePromise.fromStream(Stream.concat(Stream.make("one "), waiting))
      yield* (yield* ConsoleOutput.make().trigger(promise)).messages
      assert.strictEqual(screen.text(), "ASSISTANT: one two\n\n")
    }).pipe(Effect.provide(console(screen)))
  })

  it.effect("a message that fails ends its line; the failure is met once, by who reads on", () => {
    const screen = Screen.make()
    return Effect.gen(function* () {
      const promise = yield* MessagePromise.fromStream(Stream.concat(Stream.make("half"), Stream.fail(new Broken())))
      const replies = yield* ConsoleOutput.make().trigger(promise)
      assert.deepStrictEqual(yield* Effect.exit(replies.messages), Exit.fail(new Broken()))
      assert.strictEqual(screen.text(), "ASSISTANT: half\n\n")
    }).pipe(Effect.provide(console(screen)))
  })
})

describe("ConsoleInput", () => {
  const ask = (lines: ReadonlyArray<string>, input: ReadonlyArray<string>, terminal = false) => {
    const screen = Screen.make()
    return Effect.gen(function* () {
      const replies = yield* ConsoleInput.make().trigger(input)
      const exit = yield* Effect.exit(replies.messages)
      return { exit, text: screen.text() }
    }).pipe(Effect.provide([Screen.layer(screen, lines, { terminal }), MiniAgents.layer(), env({})]))
  }

  it.effect("passes messages on and adds what the person writes", () =>
    Effect.gen(function* () {
      const { exit, text } = yield* ask(["Hello there"], ["Welcome"])
      assert.deepStrictEqual(exit, Exit.succeed([Message.text("Welcome"), Message.user("Hello there")]))
      assert.strictEqual(text, "USER: Hello there\n\n")
    })
  )

  it.effect("greets at the start of a conversation, and says how to go on", () =>
    Effect.gen(function* () {
      const { text } = yield* ask(["Hi"], [])
      assert.strictEqual(text, "\nYOU ARE NOW IN A CHAT WITH AN AI ASSISTANT\n\nWrite something.\n\nUSER: Hi\n\n")
      assert.include((yield* ask(["Hi"], [], true)).text, "\x1b[93;1mUSER: \x1b[0m")
    })
  )

  it.effect("asks again when there was nothing but blanks", () =>
    Effect.gen(function* () {
      const { exit, text } = yield* ask(["", "  ", "x"], ["Welcome"])
      assert.deepStrictEqual(exit, Exit.succeed([Message.text("Welcome"), Message.user("x")]))
      assert.strictEqual(text, "USER: \nUSER:   \nUSER: x\n\n")
    })
  )

  it.effect.each([["  exit "], []])("ends when the person does (%#)", (...lines) =>
    Effect.gen(function* () {
      const { exit } = yield* ask(
        lines.filter((line) => typeof line === "string"),
        ["Welcome"]
      )
      assert(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    })
  )

  it.effect("does not ask after a failure, which is met once, by who reads on", () => {
    const screen = Screen.make()
    const logged: Array<unknown> = []
    const logger = Logger.make(({ message }) => void logged.push(message))
    const program = Effect.gen(function* () {
      const failing = Agent.make("Failing", () => Effect.fail(new Broken()))
      const replies = yield* ConsoleInput.make().trigger(yield* failing.trigger())
      assert.deepStrictEqual(yield* Effect.exit(replies.messages), Exit.fail(new Broken()))
      assert.strictEqual(screen.text(), "")
    })
    return program.pipe(
      Effect.provide(console(screen)),
      (effect) => Effect.provide(effect, Logger.layer([logger])), // around the closing of the runtime, too
      Effect.andThen(Effect.sync(() => assert.deepStrictEqual(logged, [])))
    )
  })
})

it.effect("LineInput.layerTerminal shows the prompt and reads a line", () => {
  const shown: Array<string> = []
  const unused = Effect.die("unused")
  const terminal = Terminal.make({
    columns: unused,
    rows: unused,
    size: unused,
    readInput: unused,
    readLine: Effect.succeed("a line"),
    display: (text) => Effect.sync(() => void shown.push(text))
  })
  return Effect.gen(function* () {
    const { read } = yield* LineInput.LineInput
    assert.strictEqual(yield* read("> "), "a line")
    assert.deepStrictEqual(shown, ["> "])
  }).pipe(Effect.provide(Layer.provide(LineInput.layerTerminal, Layer.succeed(Terminal.Terminal, terminal))))
})
