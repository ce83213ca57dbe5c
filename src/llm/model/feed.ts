/** A stream that is pushed into and read once: it keeps nothing that was read, and wakes its reader once for many. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import type * as Arr from "effect/Array"
import { ended } from "../../internal/streamable.ts"

type Items<A> = Arr.NonEmptyReadonlyArray<A>

export class Feed<A, E = never> {
  exit: Exit.Exit<unknown, unknown> | undefined = undefined
  private waiting: Array<A> = []
  private wake: (() => void) | undefined = undefined

  append(item: A): void {
    this.waiting.push(item)
    if (this.wake !== undefined) this.wake()
  }

  end(exit: Exit.Exit<unknown, unknown>): void {
    if (this.exit !== undefined) return
    this.exit = exit
    if (this.wake !== undefined) this.wake()
  }

  get stream(): Stream.Stream<A, E> {
    return Stream.fromPull(Effect.succeed(this.pull))
  }

  private readonly pull: Pull.Pull<Items<A>, E> = Effect.suspend(() => {
    if (this.waiting.length > 0) {
      const items = this.waiting
      this.waiting = []
      return Effect.succeed(items as unknown as Items<A>)
    }
    return this.exit === undefined ? Effect.flatMap(this.changed, () => this.pull) : ended<E>(this.exit)
  })

  /** Waits for the next item or the end, and takes what comes until the reader runs along with it. */
  private readonly changed: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const dispatcher = Fiber.getCurrent()!.currentDispatcher
    this.wake = () => {
      this.wake = undefined
      dispatcher.scheduleTask(() => resume(Effect.void), 0)
    }
    return Effect.sync(() => {
      this.wake = undefined
    })
  })
}
