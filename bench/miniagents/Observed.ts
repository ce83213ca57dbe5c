/** S17: calls and tokens that an observer sees, and the same that none does. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Agent, MessagePromise, MiniAgents, Observer } from "miniagents"
import type { Case } from "../Case.ts"
import * as Tokens from "../Tokens.ts"

const words = Agent.make("Words", (ctx) => ctx.reply(ctx.messages))

const said = Agent.make("Said", (ctx) =>
  Stream.runForEach(ctx.messages, (promise) =>
    Effect.flatMap(MessagePromise.fromStream(promise), (token) => ctx.reply(token))
  )
)

const inTurn = (count: number) =>
  Effect.gen(function* () {
    const tally = new Tokens.Tally(count)
    for (const token of Tokens.take(count))
      for (const message of yield* (yield* words.trigger(token)).messages) tally.see(String(message))
    tally.end()
  })

const spoken = (count: number) =>
  Effect.gen(function* () {
    const source = Tokens.stream(count).pipe(Stream.tap(() => Effect.yieldNow))
    const replies = yield* said.trigger(yield* MessagePromise.fromStream(source))
    const tally = new Tokens.Tally(count)
    const see = (token: string) => Effect.sync(() => tally.see(token))
    yield* Stream.runForEach(replies, (promise) => Stream.runForEach(promise, see))
    tally.end()
  })

type Watch = (call: Observer.Call, see: (count: number) => Effect.Effect<void>) => Effect.Effect<unknown>

const untilTheEnd: Watch = (call, see) => Effect.andThen(call.exit, see(1))

const asItComes: Watch = ({ replies }, see) =>
  Effect.exit(Stream.runForEach(replies, (promise) => Stream.runForEachArray(promise, (tokens) => see(tokens.length))))

const observed = <E>(program: Effect.Effect<void, E, MiniAgents.MiniAgents>, watch: Watch) => {
  let seen = 0
  const see = (count: number) => Effect.sync(() => void (seen += count))
  const observer = Observer.layer({ onCall: (call) => watch(call, see) })
  const counted = Effect.flatMap(Effect.provide(program, Layer.provideMerge(MiniAgents.layer(), observer)), () =>
    seen === 0 ? Effect.die(new Error("the observer saw nothing")) : Effect.void
  )
  return Effect.runPromise(counted)
}

const alone = <E>(program: Effect.Effect<void, E, MiniAgents.MiniAgents>) =>
  Effect.runPromise(Effect.provide(program, MiniAgents.layer()))

export const calls: Case = (count) => alone(inTurn(count))
export const watchedCalls: Case = (count) => observed(inTurn(count), asItComes)
export const callsToTheirEnd: Case = (count) => observed(inTurn(count), untilTheEnd)
export const tokens: Case = (count) => alone(spoken(count))
export const watchedTokens: Case = (count) => observed(spoken(count), asItComes)
