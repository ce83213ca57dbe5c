/**
 * Adds messages before or after the input of an agent.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import * as Agent from "../Agent.ts"
import type { Upstream } from "../InteractionContext.ts"
import type { ErrorOf, MessageInput } from "../MessageInput.ts"

/**
 * The messages that are put around those of the input.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<Before, After> {
  readonly before?: Before
  readonly after?: After
  /** The name of the prompted agent; by default it keeps its own. */
  readonly name?: string
}

/**
 * Makes a copy of an agent that gets some messages before its input, and some after it. It has the parameters of the
 * original.
 *
 * **When to use**
 *
 * To give an agent that is not your own additional instructions or examples.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, Message } from "miniagents"
 * import { Prompt } from "miniagents/agents"
 *
 * const model = Agent.make("Model", Effect.fnUntraced(function*(ctx) {
 *   yield* ctx.reply(`I was told: ${yield* ctx.messages.text}`)
 * }))
 * const poet = Prompt.make(model, { before: Message.system("Answer in verse.") })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <
  P,
  E,
  R,
  const Before extends MessageInput<unknown> = never,
  const After extends MessageInput<unknown> = never
>(
  agent: Agent.Agent<P, E, R>,
  options: Options<Before, After>
): Agent.Agent<P, E | (Upstream extends E ? ErrorOf<Before> | ErrorOf<After> : never), R> => {
  const { after = [], before = [], name = agent.name } = options
  // a fork may have been given some of them already: it says itself which ones it still needs
  const parameters = Struct.map(agent.parameters.fields, Schema.optionalKey)
  const described = agent.description === undefined ? { parameters } : { description: agent.description, parameters }
  const target = agent as unknown as Agent.Agent<{}, unknown, unknown>
  return Agent.make(name, described, (ctx) =>
    Effect.flatMap(target.trigger([before, ctx.messages, after], ctx.parameters), (replies) => ctx.reply(replies))
  ) as never
}
