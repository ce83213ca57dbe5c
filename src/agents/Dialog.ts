/**
 * Dialogs: a user and an assistant who take turns.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Agent from "../Agent.ts"
import type { Upstream } from "../InteractionContext.ts"
import type * as Message from "../Message.ts"
import * as Chain from "./Chain.ts"
import * as Loop from "./Loop.ts"
import * as Prompt from "./Prompt.ts"

/**
 * Options of a dialog: the two agents, and where its prompt goes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<User, Assistant> {
  /**
   * The agent for the user: it is sent what the assistant said, and replies with the messages that the assistant is to
   * answer. See `User`.
   */
  readonly user: User
  readonly assistant: Assistant
  /**
   * Whether the assistant is sent the messages that the dialog itself was sent before those of the user or after them.
   *
   * @default "after"
   */
  readonly prompt?: "before" | "after"
  readonly name?: string
}

/**
 * Makes an agent that lets a user and an assistant take turns, the user first, until the user ends it (`Loop.end`) or
 * one of them fails. The messages that the dialog is sent are a prompt to the assistant: they are sent along in every
 * turn, and the user, whose history this may be, does not see them. The dialog replies nothing.
 *
 * **When to use**
 *
 * For a conversation between a person and an agent.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, Message } from "miniagents"
 * import { ConsoleInput, ConsoleOutput } from "miniagents/console"
 * import { Dialog, User } from "miniagents/agents"
 * import { MemoryHistory } from "miniagents/history"
 *
 * const assistant = Agent.make("Assistant", Effect.fnUntraced(function*(ctx) {
 *   const messages = yield* ctx.messages.messages
 *   yield* ctx.reply(Message.assistant(`So far I have been sent ${messages.length} messages.`))
 * }))
 *
 * const program = Effect.gen(function*() {
 *   const history = yield* MemoryHistory.make()
 *   const user = User.make({ output: ConsoleOutput.make(), input: ConsoleInput.make(), history })
 *   const replies = yield* Dialog.make({ user, assistant }).trigger(Message.system("Be brief."))
 *   yield* replies.messages // none, when the dialog is over
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <const User extends Agent.Any, const Assistant extends Agent.Any>(
  options: Options<User, Assistant> & NoInfer<Checked<User, Assistant>>
): Agent.Agent<
  {},
  Upstream | Loop.ErrorsOf<readonly [User, typeof Loop.AWAIT, Assistant], never>,
  Agent.ServicesOf<User> | Agent.ServicesOf<Assistant>
> =>
  Chain.define("Dialog", options.name === undefined ? {} : { name: options.name }, (ctx) =>
    Effect.gen(function* () {
      const prompt = yield* ctx.messages.messages
      const assistant = prompted(options.assistant, prompt, options.prompt)
      // their types were checked where they were given
      const loop: Agent.Agent<{}, unknown, unknown> = Loop.make([options.user, Loop.AWAIT, assistant] as never)
      yield* ctx.reply(yield* loop.trigger())
    })
  )

type Checked<User, Assistant> = {
  readonly user: Chain.Ready<User>
  readonly assistant: Chain.Ready<Assistant>
}

const prompted = (agent: Agent.Any, prompt: ReadonlyArray<Message.Message>, place: "before" | "after" = "after") => {
  if (prompt.length === 0) return agent
  const target = agent as unknown as Agent.Agent<{}, Agent.ErrorOf<typeof agent>, never>
  return Prompt.make(target, place === "after" ? { after: prompt } : { before: prompt })
}
