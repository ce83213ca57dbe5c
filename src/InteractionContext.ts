/**
 * One running call, seen from inside the agent: what it was sent, and how it replies.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import { Service } from "./internal/call.ts"
import type { ErrorOf, MessageInput } from "./MessageInput.ts"
import type * as MessageSequence from "./MessageSequence.ts"

declare const UpstreamId: unique symbol
declare const RepliesId: unique symbol

/**
 * The error type of `ctx.messages`. It stands for whatever the caller's input can fail with: in the type of the replies
 * that the caller gets, that error is in its place. It exists only in types.
 *
 * @since 0.1.0
 * @category models
 */
export interface Upstream {
  readonly [UpstreamId]: "Upstream"
}

/**
 * The requirement by which the error of a reply gets into the error type of the agent. It exists only in types.
 *
 * @since 0.1.0
 * @category models
 */
export interface Replies<in out E> {
  readonly [RepliesId]: (_: E) => E
}

type RepliesOf<E> = [E] extends [never] ? never : Replies<E>

/**
 * One running call, seen from inside the agent.
 *
 * @since 0.1.0
 * @category models
 */
export interface InteractionContext<out P = unknown> {
  /** The messages the agent was sent; they may still be arriving. */
  readonly messages: MessageSequence.MessageSequence<Upstream>
  readonly parameters: P
  /** The agent that was called. */
  readonly agent: AgentInfo
  /**
   * Where the call stands in the tree of calls, such as `Research/0:Search`: the agents from the outermost down, each but
   * the first with its number among the calls of the one above. The same whenever the same code runs again and calls in
   * the same order.
   */
  readonly path: string
  /** The names of the agents from this one to the outermost caller. */
  readonly trace: ReadonlyArray<string>
  /**
   * Adds messages to the reply, in the order of the calls to `reply`. Returns at once: the input may still be arriving,
   * and is delivered at its place as it comes. Dies with `Message.InvalidMessage` if a value cannot become a message,
   * or if the call has ended.
   */
  reply<const I extends MessageInput<unknown>>(input: I): Effect.Effect<void, never, RepliesOf<ErrorOf<I>>>
  /**
   * Adds messages to the reply that are delivered as soon as they are ready, even before earlier replies that are not.
   * Each sequence in it keeps its inner order; its failure comes after everything else that can be delivered.
   */
  replyOutOfOrder<const I extends MessageInput<unknown>>(input: I): Effect.Effect<void, never, RepliesOf<ErrorOf<I>>>
  /**
   * Runs an effect in the background. The call does not end before the effect has ended, and fails if the effect fails.
   */
  waitFor<A, E, R, const O extends WaitOptions = {}>(
    effect: Effect.Effect<A, E, R>,
    options?: O
  ): Effect.Effect<void, never, R | (O extends { readonly ignoreFailure: true } ? never : RepliesOf<E>)>
  /** Waits for all effects that were given to `waitFor` so far. */
  readonly awaitNow: Effect.Effect<void>
  /** Waits as `awaitNow` does, then ends the reply, while the body goes on. */
  readonly finishEarly: Effect.Effect<void>
  /**
   * Ends the reply at once, while the body and the effects given to `waitFor` go on. If one of them fails after that,
   * the failure is logged.
   */
  readonly finishNow: Effect.Effect<void>
}

/**
 * How a call waits for an effect.
 *
 * @since 0.1.0
 * @category models
 */
export interface WaitOptions {
  /**
   * Whether a failure of the effect is ignored.
   *
   * @default false
   */
  readonly ignoreFailure?: boolean
}

/**
 * The call that is running, as a service: for helper functions that are called from the body of an agent and do not get
 * `ctx` as an argument.
 *
 * @since 0.1.0
 * @category services
 */
export const InteractionContext: Context.Service<InteractionContext, InteractionContext> = Service

/**
 * The name and the description of an agent.
 *
 * @since 0.1.0
 * @category models
 */
export interface AgentInfo {
  readonly name: string
  readonly description: string | undefined
}

/**
 * The body of an agent, which gets the running call.
 *
 * @since 0.1.0
 * @category models
 */
export type Body = (ctx: InteractionContext<never>) => Effect.Effect<unknown, unknown, unknown>
