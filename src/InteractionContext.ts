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
 * The error that reading `ctx.messages` fails with: whatever the input of the caller fails with, who sees that instead. It exists
 * in types alone.
 *
 * @since 0.1.0
 * @category models
 */
export interface Upstream {
  readonly [UpstreamId]: "Upstream"
}

/**
 * A requirement that exists in types alone: what a reply can fail with, on its way to the agent's error type.
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
   * Adds to the reply. Returns at once: what is given may be still under way, and is delivered at its place, in the
   * order of the calls to `reply`. Dies with `Message.InvalidMessage` when it can be no message, or when the call has
   * ended.
   */
  reply<const I extends MessageInput<unknown>>(input: I): Effect.Effect<void, never, RepliesOf<ErrorOf<I>>>
  /**
   * Adds to the reply what is delivered as soon as it is there, before what was replied earlier if that is not there
   * yet. Each sequence in it keeps its inner order; its failure comes after all else that can be delivered.
   */
  replyOutOfOrder<const I extends MessageInput<unknown>>(input: I): Effect.Effect<void, never, RepliesOf<ErrorOf<I>>>
  /**
   * Runs an effect in the background; the call does not end before it has. Its failure becomes the call's, unless it is to
   * be ignored.
   */
  waitFor<A, E, R, const O extends WaitOptions = {}>(
    effect: Effect.Effect<A, E, R>,
    options?: O
  ): Effect.Effect<void, never, R | (O extends { readonly ignoreFailure: true } ? never : RepliesOf<E>)>
  /** Waits for all that was given to `waitFor` so far. */
  readonly awaitNow: Effect.Effect<void>
  /** Waits as `awaitNow` does, then ends the reply, while the body goes on. */
  readonly finishEarly: Effect.Effect<void>
  /** Ends the reply at once, while the body and what was given to `waitFor` go on. What fails then is logged. */
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
   * The effect's failure is nobody's.
   *
   * @default false
   */
  readonly ignoreFailure?: boolean
}

/**
 * The context of the call that is running, for code that an agent calls.
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
