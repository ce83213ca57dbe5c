/**
 * One running call, seen from the caller who keeps it open: send more while it replies.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
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
  /** Gives the replies of the agent. It also ends the input, which `finish: false` prevents: an agent that waits for more does not end then. */
  readonly replies: (options?: { readonly finish?: boolean }) => Effect.Effect<MessageSequence.MessageSequence<E>>
  /** Whether the input was ended. */
  readonly isFinished: Effect.Effect<boolean>
  /** Where the call stands in the tree of calls; see `InteractionContext.path`. */
  readonly path: string
  readonly interrupt: Effect.Effect<void>
}
