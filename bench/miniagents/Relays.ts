/** S5: messages through a chain of agents, each of which replies with what it is given. */
import * as Effect from "effect/Effect"
import { Agent, MessageSequence } from "miniagents"
import type { Case } from "../Case.ts"
import * as Tokens from "../Tokens.ts"
import { run } from "./Runtime.ts"

const relay = Agent.make(
  "Relay",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(ctx.messages)
  })
)

export const chain =
  (depth: number): Case =>
  (size) =>
    run(
      Effect.gen(function* () {
        let messages: MessageSequence.MessageSequence = yield* MessageSequence.from(Tokens.take(size))
        for (let i = 0; i < depth; i++) messages = yield* relay.trigger(messages)
        const tally = new Tokens.Tally(size)
        for (const message of yield* messages.messages) tally.see(String(message))
        tally.end()
      })
    )
