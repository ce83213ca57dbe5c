/** Promises that code fills by hand. */
import type * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Message from "../../Message.ts"
import type { MessagePromise, Origin } from "../../MessagePromise.ts"
import * as MiniAgents from "../../MiniAgents.ts"
import { shownIn } from "../../internal/place.ts"
import { attempt, Streamed } from "../../internal/promise.ts"

/** A promise that the code of the running task fills by hand, and that it has to end however it ends itself. */
export const filled = (fiber: Fiber.Fiber<unknown, unknown>, known: Message.KnownFields, origin?: Origin): Filled => {
  const runtime = MiniAgents.current(fiber)
  const task = runtime.supervisor.ownerOf(fiber)
  const promise = new Streamed<unknown>(known, runtime.streamTokens)
  promise.task = task
  promise.maker = origin ?? task.place
  const finish = (exit: Exit.Exit<Message.Message, unknown>) => promise.finish(exit, runtime, task, fiber.context)
  return {
    promise,
    push: (token) => void promise.push(token),
    end: (whole) => {
      const message = attempt(
        () => whole(promise.finishText()),
        (defect) => finish(Exit.die(defect))
      )
      if (message !== undefined) finish(Exit.succeed(message))
    },
    fail: (cause) => {
      const shown = shownIn(cause, promise.maker === task.place ? task.place : undefined)
      finish(Exit.failCause(shown))
      return shown
    }
  }
}

export interface Filled {
  readonly promise: MessagePromise<unknown>
  readonly push: (token: string) => void
  /** Ends it with the message that is made of the whole text. */
  readonly end: (whole: (text: string) => Message.Message) => void
  /** Gives the cause for the call to fail with as well: it is one failure, and reading either is reading it. */
  readonly fail: (cause: Cause.Cause<unknown>) => Cause.Cause<unknown>
}
