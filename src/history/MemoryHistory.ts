/**
 * A history in memory, which lives as long as the program.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type * as Message from "../Message.ts"
import * as History from "./History.ts"

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
  Effect.gen(function* () {
    const kept = [...messages]
    const turn = yield* Semaphore.make(1)
    const before = (operation: "read" | "fork", at: number | undefined) =>
      History.pointWithin(at, Effect.succeed(kept.length)).pipe(
        Effect.map((at) => kept.slice(0, at)),
        Effect.mapError(({ message }) => new History.HistoryError({ operation, history: "in memory", reason: message }))
      )
    return {
      append: (promise) => turn.withPermit(Effect.map(promise.message, (message) => void kept.push(message))),
      messages: Effect.sync(() => [...kept]),
      messagesBefore: (at) => before("read", at),
      fork: ({ at } = {}) => Effect.flatMap(before("fork", at), makeHistory)
    }
  })
