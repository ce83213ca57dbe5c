/**
 * One running call, seen from the caller who keeps it open: send more while it replies.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Call } from "./InteractionContext.ts"
import * as Message from "./Message.ts"
import type { MessageInput } from "./MessageInput.ts"
import type * as MessageSequence from "./MessageSequence.ts"

/**
 * An open call: `E` is what its replies can fail with, `I` what the input sent to it may fail with.
 *
 * **Details**
 *
 * The call is finished, so that the agent sees the end of its input, by `finish`, by `replies`, or when the agent that
 * opened it ends. `interrupt` ends the call and everything below it, and waits until all of it has ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface AgentCall<out E = never, in I = never> {
  /** Sends more, in order. Dies with `Message.InvalidMessage` when it can be no message, or after the call was finished. */
  readonly send: (input: MessageInput<I>) => Effect.Effect<void>
  /** Sends what the agent shall see as soon as it is there, before what was sent earlier and is not there yet. */
  readonly sendOutOfOrder: (input: MessageInput<I>) => Effect.Effect<void>
  /** Ends the input. */
  readonly finish: Effect.Effect<void>
  /** What the agent replies. It ends the input, unless told not to: an agent that waits for more does not end then. */
  readonly replies: (options?: { readonly finish?: boolean }) => Effect.Effect<MessageSequence.MessageSequence<E>>
  /** Whether the input was ended. */
  readonly isFinished: Effect.Effect<boolean>
  readonly interrupt: Effect.Effect<void>
}

/** @internal */
export class AgentCallImpl<E, I> implements AgentCall<E, I> {
  private readonly call: Call
  private readonly siblings: Set<unknown>

  constructor(call: Call, siblings: Set<unknown>) {
    this.call = call
    this.siblings = siblings
    siblings.add(this)
  }

  readonly send = (input: MessageInput<I>): Effect.Effect<void> => this.put(input, "send", false)

  readonly sendOutOfOrder = (input: MessageInput<I>): Effect.Effect<void> => this.put(input, "sendOutOfOrder", true)

  readonly replies = (options?: { readonly finish?: boolean }): Effect.Effect<MessageSequence.MessageSequence<E>> =>
    Effect.sync(() => {
      if (options?.finish !== false) this.finishUnsafe()
      return this.call.replies as MessageSequence.Sequence<E> // what it can fail with, `Agent.call` says
    })

  get finish(): Effect.Effect<void> {
    return Effect.sync(() => this.finishUnsafe())
  }

  get isFinished(): Effect.Effect<boolean> {
    return Effect.sync(() => !this.call.input.isOpen)
  }

  get interrupt(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.finishUnsafe()
      this.call.interruptTree()
      return this.call.gone
    })
  }

  finishUnsafe(exit: Exit.Exit<void> = Exit.void): void {
    this.siblings.delete(this)
    if (this.call.input.isOpen) this.call.input.close(exit)
  }

  private put(input: unknown, operation: string, outOfOrder: boolean): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const name = `${this.call.name}.${operation}`
      if (!this.call.input.isOpen) return Effect.die(Message.invalid(name, "input", input, finished))
      // a call that only handed its input on has ended: what is sent now goes with who sends it
      const owner = this.call.isGone ? this.call.activity.ownerOf(fiber) : this.call
      const source = { ...this.call.source, owner, fiber }
      const invalid = this.call.input.put(input, source, name, outOfOrder)
      return invalid === undefined ? Effect.void : Effect.die(invalid)
    })
  }
}

const finished = "the call was finished: send before `finish`, or before `replies` without `{ finish: false }`"
