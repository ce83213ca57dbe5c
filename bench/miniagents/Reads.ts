/** S2 and S3: agents that reply with a message whose tokens come one at a time, read token by token. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Agent, MessagePromise } from "miniagents"
import type { MiniAgents } from "miniagents"
import type { Case } from "../Case.ts"
import { read } from "../floors/Reads.ts"
import * as Tokens from "../Tokens.ts"
import { run } from "./Runtime.ts"

type Source = (count: number) => Effect.Effect<MessagePromise.MessagePromise, never, MiniAgents.MiniAgents>

const fromStream: Source = (count) => MessagePromise.fromStream(Tokens.stream(count))

/** The iterables of the bench never throw, so nothing is made of what they throw. */
const fromIterable: Source = (count) =>
  MessagePromise.fromAsyncIterable(
    () => Tokens.iterable(count),
    (cause) => cause as never
  )

/** One message of so many tokens, without an agent. */
const message =
  (source: Source): Case =>
  (count) =>
    run(Effect.flatMap(source(count), (promise) => read(promise, count)))

/** So many agents, all triggered before the first token is read, each read by a fiber of its own. */
const agents = (source: Source): Case => {
  const agent = Agent.make(
    "Writer",
    Effect.fnUntraced(function* (ctx) {
      yield* ctx.reply(yield* source(1000))
    })
  )
  return (size) =>
    run(
      Effect.gen(function* () {
        const replies = yield* Effect.replicateEffect(agent.trigger(), size)
        yield* Effect.forEach(replies, (sequence) => Stream.runForEach(sequence, (promise) => read(promise, 1000)), {
          concurrency: "unbounded",
          discard: true
        })
      })
    )
}

export const stream = message(fromStream)
export const iterable = message(fromIterable)
export const streams = agents(fromStream)
export const iterables = agents(fromIterable)
