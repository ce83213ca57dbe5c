/**
 * A history in memory, which lives as long as the program.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type * as Message from "../Message.ts"
import type { MessagePromise } from "../MessagePromise.ts"
import * as History from "./History.ts"
import * as Origins from "./origins.ts"

/**
 * Makes a history agent that keeps messages in memory, after the ones given.
 *
 * **When to use**
 *
 * For conversations that end with the process, and for tests.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryHistory } from "miniagents/history"
 *
 * const program = Effect.gen(function*() {
 *   const history = yield* MemoryHistory.make()
 *   yield* (yield* history.trigger("one")).messages
 *   return yield* (yield* history.trigger("two", { returnFullHistory: true })).messages // both
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  messages: Iterable<Message.Message> = [],
  options: History.AgentOptions = {}
): Effect.Effect<History.HistoryAgent> =>
  Effect.map(makeHistory(messages), (history) => History.agent("MemoryHistory", history, options))

/**
 * Makes the history that the agent of `make` is made of.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeHistory = (messages: Iterable<Message.Message> = []): Effect.Effect<History.Branching> =>
  Effect.suspend(() => keeping([...messages].map((message) => ({ message, origin: undefined }))))

const keeping = (kept: Array<Origins.Said>): Effect.Effect<History.Branching> =>
  Effect.map(Semaphore.make(1), (turn) => {
    const before = (operation: "read" | "fork", at: number | undefined) =>
      History.pointWithin(at, Effect.succeed(kept.length)).pipe(
        Effect.map((at) => kept.slice(0, at)),
        Effect.mapError(({ message }) => new History.HistoryError({ operation, history: "in memory", reason: message }))
      )
    const append = <E>(promise: MessagePromise<E>) =>
      Effect.zipWith(
        promise.message,
        Origins.originOf(promise),
        (message, origin) => void kept.push({ message, origin })
      )
    return {
      append: (promise) => turn.withPermit(append(promise)),
      messages: Effect.sync(() => kept.map(({ message }) => message)),
      promises: Effect.suspend(() => Origins.promises(kept)),
      messagesBefore: (at) => Effect.map(before("read", at), (kept) => kept.map(({ message }) => message)),
      fork: ({ at } = {}) => Effect.flatMap(before("fork", at), keeping)
    }
  })
