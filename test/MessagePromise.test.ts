import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, Message, MessagePromise, MiniAgents } from "miniagents"
import * as CleanRuntime from "./CleanRuntime.ts"

class Prefix extends Context.Service<Prefix, { readonly text: string }>()("miniagents/test/Prefix") {}
class Broken extends Schema.TaggedError<Broken>()("Broken", { cause: Schema.Defect() }) {}

const collect = <E>(promise: MessagePromise.MessagePromise<E>) => {
  const seen: Array<string> = []
  return Effect.map(
    Effect.exit(Stream.runForEach(promise, (token) => Effect.sync(() => void seen.push(token)))),
    (exit) => ({ seen, exit })
  )
}

describe("MessagePromise", () => {
  it("is a Stream that is known as a promise", () => {
    const promise = MessagePromise.of(Message.text("x"))
    assert.isTrue(MessagePromise.isMessagePromise(promise))
    assert.isTrue(Stream.isStream(promise))
    assert.isFalse(MessagePromise.isMessagePromise(Stream.make("x")))
    assert.isFalse(MessagePromise.isMessagePromise("x"))
  })

  it.effect("of a message knows its fields but the content, and has it as one token", () =>
    Effect.gen(function* () {
      const message = Message.assistant("hello", { a: 1 })
      const promise = MessagePromise.of(message)
      assert.deepStrictEqual({ ...promise.known }, { _tag: "Assistant", metadata: { a: 1 } })
      assert.deepStrictEqual(yield* Stream.runCollect(promise), ["hello"])
      assert.strictEqual(yield* promise.message, message)
      assert.deepStrictEqual(yield* Stream.runCollect(MessagePromise.of(Message.text(""))), [])
    })
  )

  it.effect("knows what is known before the content is, and its message has that", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const tokens = Stream.fromEffect(Effect.as(Deferred.await(gate), "hello"))
      const plain = yield* MessagePromise.fromStream(tokens)
      const known = { _tag: "Assistant", model: "m", agent: "A", metadata: { a: { b: 1 } } } as const
      const promise = yield* MessagePromise.fromStream(tokens, { known })
      assert.deepStrictEqual(plain.known, { _tag: "Text" })
      assert.deepStrictEqual(promise.known, known)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual({ ...(yield* promise.message) }, { ...known, content: "hello" })
    }).pipe(CleanRuntime.run)
  )

  it.effect("`whole` makes the message of the text when the tokens have ended, once", () =>
    Effect.gen(function* () {
      const texts: Array<string> = []
      const promise = yield* MessagePromise.fromStream(Stream.make("a", "b"), {
        known: { _tag: "Assistant" },
        whole: (text) =>
          Effect.map(Prefix, (prefix) => {
            texts.push(text)
            return Message.assistant(prefix.text + text)
          })
      }).pipe(Effect.provideService(Prefix, { text: "> " }))
      assert.strictEqual(String(yield* promise.message), "> ab")
      assert.strictEqual(yield* promise.message, yield* promise.message)
      assert.deepStrictEqual(texts, ["ab"])
      const failed = yield* MessagePromise.fromStream(Stream.make("a", "b"), { whole: () => Effect.fail("no whole") })
      const { exit, seen } = yield* collect(failed)
      assert.deepStrictEqual([seen, exit], [["a", "b"], Exit.fail("no whole")])
      assert.strictEqual(yield* Effect.flip(failed.message), "no whole")
    }).pipe(CleanRuntime.run)
  )

  it.effect("can be of any class, when `whole` makes it", () =>
    Effect.gen(function* () {
      class Note extends Message.Class<Note>()("Note", { note: Schema.String }) {}
      const promise = yield* MessagePromise.fromStream(Stream.make("a", "b"), {
        known: { _tag: "Note", metadata: { by: "me" } },
        whole: (note) => Effect.succeed(new Note({ note, metadata: { by: "me" } }))
      })
      assert.deepStrictEqual(promise.known, { _tag: "Note", metadata: { by: "me" } })
      assert.deepStrictEqual(yield* promise.message, new Note({ note: "ab", metadata: { by: "me" } }))
    }).pipe(CleanRuntime.run)
  )

  it.effect("fails with what its source fails with, after the tokens before that, for every reader", () =>
    Effect.gen(function* () {
      const ends = { fail: Stream.fail("no"), die: Stream.die("bug"), interrupt: Stream.fromEffect(Effect.interrupt) }
      for (const end of Object.values(ends)) {
        const promise = yield* MessagePromise.fromStream(Stream.concat(Stream.make("a", "b"), end))
        const one = yield* collect(promise)
        const two = yield* collect(promise)
        assert.deepStrictEqual(one.seen, ["a", "b"])
        assert.deepStrictEqual(two, one)
        assert.deepStrictEqual<Exit.Exit<unknown, string>>(yield* Effect.exit(promise.message), one.exit)
      }
    }).pipe(CleanRuntime.run)
  )

  it.effect("takes the services of its source from where it is made", () =>
    Effect.gen(function* () {
      const tokens = Stream.fromEffect(Effect.map(Prefix, ({ text }) => text))
      const promise = yield* Effect.provideService(MessagePromise.fromStream(tokens), Prefix, { text: "here" })
      assert.strictEqual(String(yield* promise.message), "here")
    }).pipe(CleanRuntime.run)
  )

  for (const read of ["message", "tokens"] as const) {
    it.effect(`in a lazy runtime starts when the first reader asks for its ${read}, and runs once`, () =>
      Effect.gen(function* () {
        let runs = 0
        const tokens = Stream.suspend(() => {
          runs++
          return Stream.make("a", "b")
        })
        const promise = yield* MessagePromise.fromStream(tokens)
        yield* Effect.asVoid(MessagePromise.fromStream(tokens))
        yield* CleanRuntime.turns(10)
        assert.strictEqual(runs, 0)
        if (read === "tokens") assert.deepStrictEqual(yield* Stream.runCollect(promise), ["a", "b"])
        assert.strictEqual(String(yield* promise.message), "ab")
        assert.deepStrictEqual(yield* Stream.runCollect(promise), ["a", "b"])
        assert.strictEqual(runs, 1)
      }).pipe((program) => CleanRuntime.run(program, { startSoon: false }))
    )
  }

  it.effect("outlives the fiber that made it, and the runtime that ran it", () =>
    Effect.gen(function* () {
      const promise = yield* CleanRuntime.run(
        Effect.flatMap(Effect.forkChild(MessagePromise.fromStream(Stream.make("a", "b"))), Fiber.join)
      )
      assert.deepStrictEqual(yield* Stream.runCollect(promise), ["a", "b"])
      assert.strictEqual(String(yield* promise.message), "ab")
    })
  )

  describe("fromAsyncIterable", () => {
    const onError = (cause: unknown) => new Broken({ cause })

    it.effect("takes the tokens of an async iterable", () =>
      Effect.gen(function* () {
        const open = async function* () {
          yield "Hel"
          yield "lo"
        }
        const promise = yield* MessagePromise.fromAsyncIterable(open, onError, { known: { _tag: "User" } })
        assert.deepStrictEqual(yield* Stream.runCollect(promise), ["Hel", "lo"])
        assert.deepStrictEqual(yield* promise.message, Message.user("Hello"))
      }).pipe(CleanRuntime.run)
    )

    it.effect("fails with the error made of what the iterable, or opening it, throws", () =>
      Effect.gen(function* () {
        const thrown = new Error("cut")
        const cuts: Record<string, (signal: AbortSignal) => AsyncIterable<string>> = {
          later: async function* () {
            yield "a"
            throw thrown
          },
          opening: () => {
            throw thrown
          },
          next: () => ({
            [Symbol.asyncIterator]: () => ({
              next: () => {
                throw thrown
              }
            })
          })
        }
        for (const [when, open] of Object.entries(cuts)) {
          const promise = yield* MessagePromise.fromAsyncIterable(open, onError)
          const { exit, seen } = yield* collect(promise)
          assert.deepStrictEqual(seen, when === "later" ? ["a"] : [])
          const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
          assert.instanceOf(error, Broken)
          assert.strictEqual(error.cause, thrown)
        }
      }).pipe(CleanRuntime.run)
    )

    it.effect("aborts its signal and ends the iterator when the call that owns it is interrupted", () =>
      Effect.gen(function* () {
        const events: Array<string> = []
        const started = yield* Deferred.make<void>()
        const open = (signal: AbortSignal): AsyncIterable<string> => {
          signal.addEventListener("abort", () => events.push("aborted"))
          return {
            [Symbol.asyncIterator]: () => ({
              next: () => {
                Deferred.doneUnsafe(started, Exit.void)
                return new Promise<IteratorResult<string>>(() => {})
              },
              return: () => {
                events.push("returned")
                return Promise.resolve({ done: true, value: undefined })
              }
            })
          }
        }
        const agent = Agent.make("Reads", (ctx) =>
          Effect.flatMap(MessagePromise.fromAsyncIterable(open, onError), (promise) =>
            Effect.andThen(ctx.reply(promise), Effect.never)
          )
        )
        const call = yield* agent.call()
        yield* Deferred.await(started)
        yield* call.interrupt
        assert.sameMembers(events, ["aborted", "returned"])
        assert.strictEqual(yield* MiniAgents.running, 0)
      }).pipe(CleanRuntime.run)
    )

    it.effect("dies of a token that is no string", () =>
      Effect.gen(function* () {
        const open = (() =>
          (async function* () {
            yield "a"
            yield 5
          })()) as unknown as () => AsyncIterable<string>
        const { exit, seen } = yield* collect(yield* MessagePromise.fromAsyncIterable(open, onError))
        assert.deepStrictEqual(seen, ["a"])
        assert.match(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", /got `5` at `tokens`: a token is a string/)
      }).pipe(CleanRuntime.run)
    )
  })
})
