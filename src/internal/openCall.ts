/** A call that is kept open: what makes `AgentCall` go. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { AgentCall } from "../AgentCall.ts"
import * as Message from "../Message.ts"
import type { MessageInput } from "../MessageInput.ts"
import type { MessageSequence } from "../MessageSequence.ts"
import type { Call } from "./call.ts"
import { put } from "./input.ts"
import type { Sequence } from "./sequence.ts"

export class OpenCall<E, I> implements AgentCall<E, I> {
  private readonly call: Call
  private readonly siblings: Set<unknown>

  constructor(call: Call, siblings: Set<unknown>) {
    this.call = call
    this.siblings = siblings
    siblings.add(this)
  }

  readonly send = (input: MessageInput<I>): Effect.Effect<void> => this.add(input, "send", false)

  readonly sendOutOfOrder = (input: MessageInput<I>): Effect.Effect<void> => this.add(input, "sendOutOfOrder", true)

  readonly replies = (options?: { readonly finish?: boolean }): Effect.Effect<MessageSequence<E>> =>
    Effect.sync(() => {
      if (options?.finish !== false) this.finishUnsafe()
      return this.call.replies as Sequence<E> // what it can fail with, `Agent.call` says
    })

  get finish(): Effect.Effect<void> {
    return Effect.sync(() => this.finishUnsafe())
  }

  get isFinished(): Effect.Effect<boolean> {
    return Effect.sync(() => !this.call.input.isOpen)
  }

  get path(): string {
    return this.call.path
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

  private add(input: unknown, operation: string, outOfOrder: boolean): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const name = `${this.call.name}.${operation}`
      if (!this.call.input.isOpen) return Effect.die(Message.invalid(name, "input", input, finished))
      // a call that only handed its input on has ended: what is sent now goes with who sends it
      const caller = this.call.supervisor.ownerOf(fiber)
      const owner = this.call.isGone ? caller : this.call
      const source = { ...this.call.source, owner, place: caller.place, fiber }
      const invalid = put(this.call.input, input, source, name, outOfOrder)
      return invalid === undefined ? Effect.void : Effect.die(invalid)
    })
  }
}

const finished = "the call was finished: send before `finish`, or before `replies` without `{ finish: false }`"
