/** The body of a response: read in steps that give way, and left so that its connection can be used again. */
import { assert, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Stream } from "effect"
import { AiError } from "effect/ai"
import { TestClock } from "effect/testing"
import { OpenAi } from "miniagents/openai"
import { Log, withReaders } from "../../src/internal/log.ts"
import { replay } from "../../src/internal/streamable.ts"
import { BodyText, type Reader } from "../../src/llm/provider/bodyText.ts"
import { Patience } from "../../src/llm/provider/patience.ts"
import * as Wire from "../openai/OpenAi.wire.ts"

const silent = () => new AiError.UnknownError({ description: "silent" })
const patience = Effect.map(Clock.Clock, (clock) => new Patience(clock, { first: 1000, between: 1000 }, silent))

/** A body whose pieces are all there. */
const bodyOf = (pieces: ReadonlyArray<string>): Reader => {
  const left = pieces.map((piece) => new TextEncoder().encode(piece))
  return {
    read: () => {
      const value = left.shift()
      return Promise.resolve(value === undefined ? { done: true } : { done: false, value })
    }
  }
}

const textOf = (pieces: ReadonlyArray<string>) =>
  Effect.map(patience, (waiting) => new BodyText(bodyOf(pieces), waiting, silent))

it.effect("bodies that came at once are read in turns, a step of each", () =>
  Effect.gen(function* () {
    const log: Array<string> = []
    const read = (name: string) =>
      Effect.gen(function* () {
        const text = yield* textOf([name.repeat(160_000)])
        const next: Effect.Effect<void> = text.read({
          text: () => {
            log.push(name)
            return Effect.suspend(() => next)
          },
          end: Effect.void,
          broken: Effect.die
        })
        yield* next
      })
    yield* Effect.all([read("a"), read("b"), read("c")], { concurrency: "unbounded" })
    assert.strictEqual(log.join(""), "abc".repeat(3))
  })
)

it.effect("who waits for what comes over a network has seen it before the network is asked again", () =>
  Effect.gen(function* () {
    const log = new Log<string>()
    const seen: Array<string> = []
    const see = (token: string) => Effect.sync(() => void seen.push(token))
    yield* Effect.forkChild(Stream.runForEach(Stream.fromChannel(replay<string, never>(log)), see))
    while (!log.hasWaiters) yield* Effect.yieldNow
    withReaders(() => {
      log.append("a")
      log.append("b")
      assert.deepStrictEqual(seen, [])
    })
    assert.deepStrictEqual(seen, ["a", "b"])
    // a step that throws has woken them all the same
    assert.throws(() =>
      withReaders(() => {
        log.append("c")
        throw new Error("broken")
      })
    )
    assert.deepStrictEqual(seen, ["a", "b", "c"])
    log.append("d")
    assert.deepStrictEqual(seen, ["a", "b", "c"])
    log.end(Exit.void)
  })
)

/** Whether the signal of a request is aborted in the end, when its response is read so. */
const isAborted = (
  read: (stream: Stream.Stream<unknown, AiError.AiError>) => Stream.Stream<unknown, AiError.AiError>
) =>
  Effect.gen(function* () {
    const signals: Array<AbortSignal> = []
    const fetch = (_: unknown, init?: { readonly signal?: AbortSignal | null }) => {
      if (init?.signal) signals.push(init.signal)
      return Promise.resolve(
        new Response(Wire.whole({ text: ["a", "b"] }).join(""), { headers: { "content-type": "text/event-stream" } })
      )
    }
    const model = yield* Effect.flatMap(OpenAi.make({ sdk: { fetch } }), (client) => OpenAi.languageModel(client, "m"))
    yield* Stream.runDrain(read(model.streamText({ prompt: "Hi" })))
    return signals.map((signal) => signal.aborted)
  })

it.effect("a response that was read to its end is not aborted", () =>
  Effect.map(
    isAborted((stream) => stream),
    (aborted) => assert.deepStrictEqual(aborted, [false])
  )
)

it.effect("a response that nobody reads on is aborted", () =>
  Effect.map(isAborted(Stream.take(2)), (aborted) => assert.deepStrictEqual(aborted, [true]))
)

it.effect("an end that does not come is not waited for once the response is whole", () =>
  Effect.gen(function* () {
    const asked = yield* Deferred.make<void>()
    const reader: Reader = {
      read: () => {
        Deferred.doneUnsafe(asked, Effect.void)
        return new Promise(() => {})
      }
    }
    const text = new BodyText(reader, yield* patience, silent)
    const fiber = yield* Effect.forkChild(text.leave)
    yield* Deferred.await(asked)
    yield* TestClock.adjust("5 seconds")
    yield* Fiber.join(fiber)
  })
)
