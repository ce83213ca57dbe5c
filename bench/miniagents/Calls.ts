/** S1: calls of an agent that replies with one token. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Agent, MessagePromise } from "miniagents"
import type { MessageSequence, MiniAgents } from "miniagents"
import type { Case } from "../Case.ts"
import * as Tokens from "../Tokens.ts"
import { run } from "./Runtime.ts"

const [token] = Tokens.take(1)

/** Replies with a message that is whole already. */
const whole = Agent.make(
  "Whole",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(token!)
  })
)

/** Replies with a message that streams, as a model's answer does. */
const streamed = Agent.make(
  "Streamed",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(yield* MessagePromise.fromStream(Stream.succeed(token!)))
  })
)

type Replies = MessageSequence.MessageSequence

const readWhole = Effect.fnUntraced(function* (replies: Replies) {
  const tally = new Tokens.Tally(1)
  for (const message of yield* replies.messages) tally.see(String(message))
  tally.end()
})

const readTokens = Effect.fnUntraced(function* (replies: Replies) {
  const tally = new Tokens.Tally(1)
  const see = (token: string) => Effect.sync(() => tally.see(token))
  yield* Stream.runForEach(replies, (promise) => Stream.runForEach(promise, see))
  tally.end()
})

type Trigger = Effect.Effect<Replies, never, MiniAgents.MiniAgents>
type Read = (replies: Replies) => Effect.Effect<void>

const inTurn =
  (trigger: Trigger, read: Read): Case =>
  (calls) =>
    run(
      Effect.gen(function* () {
        for (let i = 0; i < calls; i++) yield* read(yield* trigger)
      })
    )

const together =
  (trigger: Trigger, read: Read): Case =>
  (calls) =>
    run(
      Effect.gen(function* () {
        const replies: Array<Replies> = []
        for (let i = 0; i < calls; i++) replies.push(yield* trigger)
        for (const sequence of replies) yield* read(sequence)
      })
    )

export const oneByOne = inTurn(whole.trigger(), readWhole)
export const allAtOnce = together(whole.trigger(), readWhole)
export const streamedOneByOne = inTurn(streamed.trigger(), readTokens)
export const streamedAllAtOnce = together(streamed.trigger(), readTokens)
