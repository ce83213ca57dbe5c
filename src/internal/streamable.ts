/** What makes a value of ours a Stream: the interface on its prototype, and channels that replay a log. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { pipeArguments } from "effect/Pipeable"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type { Log } from "./log.ts"
import type { Observes } from "./ropeReader.ts"

export type StreamChannel<A, E> = Stream.Stream<A, E>["channel"]

const identity = (value: never) => value
const variance = { _R: identity, _E: identity, _A: identity }

/** Makes the instances of a class Streams of the given kind, whose channel is the given one or their own field. */
export const makeStreamable = <Self extends object>(
  prototype: Self,
  typeId: string,
  channel?: (self: Self) => StreamChannel<unknown, unknown>
): void => {
  const methods: object = prototype
  Object.defineProperties(methods, {
    [Stream.TypeId]: { value: variance },
    [typeId]: { value: typeId },
    pipe: {
      value() {
        return pipeArguments(this, arguments)
      }
    }
  })
  if (channel === undefined) return
  Object.defineProperty(methods, "channel", {
    get(this: Self) {
      return channel(this)
    }
  })
}

/**
 * A channel that gives a log's items from the first on, and then its end, to each reader. For who only watches it starts
 * nothing and takes no failure as read.
 */
export const replay = <A, E>(log: Log<A>, observes: Observes = "all"): StreamChannel<A, E> =>
  Channel.fromPull(
    Effect.sync(() => {
      let index = 0
      const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<A>, E> = Effect.suspend(() => {
        if (log.start !== undefined && observes === "all") log.startUnsafe()
        const { exit, items } = log
        if (index < items.length) {
          // a log that has ended never changes, so that its items can be given as they are
          const chunk = index === 0 && exit !== undefined ? items : items.slice(index)
          index = items.length
          // from an index below the length
          return Effect.succeed(chunk as unknown as Arr.NonEmptyReadonlyArray<A>)
        }
        if (exit === undefined) return Effect.flatMap(log.changedFor(observes), () => pull)
        if (observes === "all") log.readExit()
        return ended<E>(exit)
      })
      return pull
    })
  )

/** How a stream ends, of what a log ended with. */
export const ended = <E>(exit: Exit.Exit<unknown, unknown>): Effect.Effect<never, E | Cause.Done> =>
  Exit.isSuccess(exit) ? Cause.done() : Effect.failCause(exit.cause as Cause.Cause<E>) // what it fails with, its type says
