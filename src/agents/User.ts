/**
 * An agent for a person: it shows messages, asks for an answer, and keeps both in a history.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type * as Agent from "../Agent.ts"
import * as MessageSequence from "../MessageSequence.ts"
import * as Chain from "./Chain.ts"
import { type Role, saidBy } from "./saidBy.ts"

/**
 * The parts of a user, each of which may be absent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<Output, Input, History> extends Chain.Options {
  /** Shows the messages it is sent, and passes them on. */
  readonly output?: Output
  /** Passes messages on and adds what the person answers. */
  readonly input?: Input
  /** Keeps the messages; it is asked for the full history. */
  readonly history?: History
}

/**
 * Makes an agent that shows the messages it is sent, asks for an answer and keeps both in the history. It replies with
 * the full history, ready to be sent to a model; without a history with what it was sent and the answer. A bare string
 * (`Message.Text`) that it is sent is the assistant's, and one that the input adds is the user's: so they are kept.
 *
 * **When to use**
 *
 * As the `user` of a `Dialog`.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { ConsoleInput, ConsoleOutput } from "miniagents/console"
 * import { MarkdownHistory } from "miniagents/history"
 * import { User } from "miniagents/agents"
 *
 * const user = Effect.map(MarkdownHistory.make({ file: "CHAT.md" }), (history) =>
 *   User.make({ output: ConsoleOutput.make(), input: ConsoleInput.make(), history }))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <
  const Output extends Agent.Any | undefined = undefined,
  const Input extends Agent.Any | undefined = undefined,
  const History extends Agent.Any | undefined = undefined
>(
  options: Options<Output, Input, History> & NoInfer<Checked<Output, Input, History>>
): Agent.Agent<
  {},
  Chain.ErrorsOf<readonly [Output, Input, History]>,
  Agent.ServicesOf<Output> | Agent.ServicesOf<Input> | Agent.ServicesOf<History>
> => {
  // its parameters were checked where it was given
  const { history, input, output } = options as unknown as Parts
  const full = history?.fork({ parameters: { returnFullHistory: true } })
  return Chain.define("User", options, (ctx) =>
    Effect.gen(function* () {
      const answered = yield* Chain.pass([output, input], [allSaidBy("assistant", ctx.messages)])
      const said = allSaidBy("user", yield* MessageSequence.from(answered as never))
      yield* ctx.reply((yield* Chain.pass([full], [said])) as never)
    })
  )
}

const allSaidBy = <E>(role: Role, messages: MessageSequence.MessageSequence<E>) =>
  Stream.mapEffect(messages, (promise) => saidBy(role, promise))

type Parts = Options<Agent.Any, Agent.Any, HistoryAgent>
type HistoryAgent = Agent.Agent<{ readonly returnFullHistory?: boolean }, unknown, unknown>

type Checked<Output, Input, History> = {
  readonly output?: Chain.Ready<Output>
  readonly input?: Chain.Ready<Input>
  readonly history?: History extends Agent.Any
    ? { returnFullHistory?: boolean } extends Agent.ParametersOf<History>
      ? "returnFullHistory" extends keyof Agent.ParametersOf<History>
        ? unknown
        : { readonly "it has no parameter": "returnFullHistory" }
      : { readonly "give its parameters with `fork`": Agent.ParametersOf<History> }
    : unknown
}
