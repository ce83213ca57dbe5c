/**
 * An agent that shows messages in the terminal.
 *
 * @since 0.1.0
 */
import type { PlatformError } from "effect/PlatformError"
import type * as Stdio from "effect/Stdio"
import type * as Agent from "../Agent.ts"
import type { Upstream } from "../InteractionContext.ts"
import { output, plainly } from "./output.ts"

/**
 * Options for how messages are shown.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The colour, as parameters of the escape sequence that sets it.
   *
   * @default "92;1", which is bold green
   */
  readonly style?: string
  /**
   * Whether the speaker is named before each message.
   *
   * @default true
   */
  readonly names?: boolean
  /**
   * Who speaks when a message does not say.
   *
   * @default "assistant"
   */
  readonly defaultName?: string
}

/**
 * Makes an agent that passes on what it is sent and writes it to the standard output, token by token, each message
 * after the name of its speaker: the agent that an assistant's message names, else its role.
 *
 * **When to use**
 *
 * As the `output` of a `User` in a terminal, or to print the replies of any agent.
 *
 * **Details**
 *
 * Colours are left out where the output is no terminal, and where `NO_COLOR` is set. On a terminal control characters
 * in a text are shown as their pictures, so that a text cannot steer it. What is reasoned is dim, a `Message.Failure` is
 * red.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Message } from "miniagents"
 * import { ConsoleOutput } from "miniagents/console"
 *
 * const program = Effect.gen(function*() {
 *   const replies = yield* ConsoleOutput.make().trigger(Message.assistant("Hello")) // ASSISTANT: Hello
 *   yield* replies.messages
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Agent.Agent<{}, Upstream | PlatformError, Stdio.Stdio> =>
  output(options, plainly)
