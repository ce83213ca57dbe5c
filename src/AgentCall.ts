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
  /**
   * Sends more input, after what was sent before. Dies with `Message.InvalidMessage` if the value cannot become a
   * message, or if the call was finished.
   */
  readonly send: (input: MessageInput<I>) => Effect.Effect<void>
  /**
   * Sends more input, which the agent sees as soon as it arrives, even before earlier input that has not arrived yet.
   */
  readonly sendOutOfOrder: (input: MessageInput<I>) => Effect.Effect<void>
  /** Ends the input of the agent. */
  readonly finish: Effect.Effect<void>
  /**
   * Returns the replies of the agent, and ends its input. With `finish: false` the input stays open: then an agent that
   * reads to the end of its input goes on until `finish`.
   */
  readonly replies: (options?: { readonly finish?: boolean }) => Effect.Effect<MessageSequence.MessageSequence<E>>
  /** Whether the input was ended. */
  readonly isFinished: Effect.Effect<boolean>
  /** Where the call stands in the tree of calls; see `InteractionContext.path`. */
  readonly path: string
  readonly interrupt: Effect.Effect<void>
}
