// A program that uses no platform: `check` resolves when the library does here what it does everywhere.

import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Agent, MessagePromise, MiniAgents } from "miniagents"

const expect = (what, actual, expected) =>
  actual === expected ? Effect.void : Effect.die(new Error(`${what}: \`${actual}\` is not \`${expected}\``))

const hello = Effect.gen(function* () {
  const echo = Agent.make("Echo", (ctx) =>
    Stream.runForEach(ctx.messages, ({ message }) => Effect.flatMap(message, (said) => ctx.reply(`You said: ${said}`)))
  )
  const replies = yield* echo.trigger(["Hello", "World"])
  yield* expect("hello", yield* replies.text, "You said: Hello\n\nYou said: World")
  const [first] = yield* replies.messages
  yield* expect("a hash key", first.hashKey.length, 64)
})

/** A token is there before the next one exists. */
const streaming = Effect.gen(function* () {
  const wasRead = yield* Deferred.make()
  const tokens = Stream.concat(Stream.make("one "), Stream.fromEffect(Effect.as(Deferred.await(wasRead), "two")))
  const talker = Agent.make("Talker", (ctx) => Effect.flatMap(MessagePromise.fromStream(tokens), ctx.reply))
  const replies = yield* talker.trigger()
  const read = []
  yield* Stream.runForEach(
    Stream.flatMap(replies, (promise) => promise),
    (token) => {
      read.push(token)
      return Deferred.succeed(wasRead, undefined)
    }
  )
  yield* expect("the tokens", read.join("|"), "one |two")
})

/** Interrupting a call interrupts what it called. */
const cancellation = Effect.gen(function* () {
  const [runs, stopped] = [yield* Deferred.make(), yield* Deferred.make()]
  const sleeper = Agent.make("Sleeper", () =>
    Deferred.succeed(runs, undefined).pipe(
      Effect.andThen(Effect.never),
      Effect.onInterrupt(() => Deferred.succeed(stopped, "stopped"))
    )
  )
  const caller = Agent.make("Caller", (ctx) => Effect.flatMap(sleeper.trigger(), ctx.reply))
  const call = yield* caller.call()
  yield* Deferred.await(runs)
  yield* call.interrupt
  yield* expect("the call that was interrupted", yield* Deferred.await(stopped), "stopped")
})

export const check = () =>
  Effect.all([hello, streaming, cancellation]).pipe(
    Effect.provide(MiniAgents.layer()),
    Effect.timeout("20 seconds"),
    Effect.as("hello, streaming and cancellation"),
    Effect.runPromise
  )
