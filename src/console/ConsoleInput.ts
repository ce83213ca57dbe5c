/**
 * An agent that asks a person in the terminal for a text.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { PlatformError } from "effect/PlatformError"
import type * as Stdio from "effect/Stdio"
import type * as Agent from "../Agent.ts"
import type { Upstream } from "../InteractionContext.ts"
import * as Message from "../Message.ts"
import * as Chain from "../agents/Chain.ts"
import * as Console from "./console.ts"
import * as LineInput from "./LineInput.ts"
import * as Loop from "../agents/Loop.ts"

/**
 * Options for how a person is asked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** The greeting at the start of a conversation, above the help. With the empty text neither of them is shown. */
  readonly greeting?: string
  /** The text that is shown where the person types. */
  readonly prompt?: string
}

/**
 * Makes an agent that passes on what it is sent, waits until all of it is there, asks a person, and adds the answer as
 * a `Message.User`. Where there was nothing to pass on a conversation begins: it greets the person and says how to go
 * on.
 *
 * **When to use**
 *
 * As the `input` of a `User` in a terminal.
 *
 * **Details**
 *
 * A person ends the loop that the agent runs in (`Loop.end`) with `exit`, or with Ctrl+C or the end of the input. A
 * blank answer is asked for again.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Agent.Agent<{}, Upstream | PlatformError, LineInput.LineInput | Stdio.Stdio> =>
  Chain.define("ConsoleInput", {}, (ctx) =>
    Effect.gen(function* () {
      yield* ctx.reply(ctx.messages)
      const before = yield* Effect.exit(ctx.messages.messages)
      if (before._tag === "Failure") return // it is passed on already
      if (before.value.length === 0) yield* greet(options.greeting ?? "YOU ARE NOW IN A CHAT WITH AN AI ASSISTANT")
      yield* ctx.reply(Message.user(yield* ask(options.prompt ?? "USER: ")))
    })
  )

const greet = (greeting: string) =>
  Effect.gen(function* () {
    if (greeting === "") return
    const { help } = yield* LineInput.LineInput
    const paint = yield* Console.painter
    yield* Console.write(paint(`\n${[greeting, "", ...help].join("\n")}\n`, Console.green) + "\n")
  })

const ask = (prompt: string): Effect.Effect<string, PlatformError, LineInput.LineInput | Stdio.Stdio> =>
  Effect.gen(function* () {
    const { read } = yield* LineInput.LineInput
    const paint = yield* Console.painter
    while (true) {
      const text = yield* Effect.catchTag(read(paint(prompt, Console.yellow)), "QuitError", () => Loop.end)
      if (text.trim() === "exit") return yield* Loop.end
      if (text.trim() === "") continue
      yield* Console.write("\n")
      return text
    }
  })
