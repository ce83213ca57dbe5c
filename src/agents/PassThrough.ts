/**
 * Agents that pass on what they read, as it comes, and do something with every message.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import * as Agent from "../Agent.ts"
import type { InteractionContext, Upstream } from "../InteractionContext.ts"
import type { MessagePromise } from "../MessagePromise.ts"

/**
 * Makes an agent that replies with what it is sent and does something with each message, one after the other, maybe
 * while it still streams. Its reply ends when all of that is done.
 *
 * **When to use**
 *
 * In a chain, to show, keep or count what flows through it.
 *
 * **Details**
 *
 * A failure of `each` is one of the agent. A message that fails is passed on at its place, where it is met by whoever
 * reads the reply; what `each` makes of it does not matter.
 *
 * **Example**
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { PassThrough } from "miniagents/agents"
 *
 * const log = PassThrough.make("Log", (promise) =>
 *   Effect.flatMap(promise.message, (message) => Console.log(message.hashKey)))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(
  name: string,
  each: (promise: MessagePromise<Upstream>) => Effect.Effect<void, E, R>
): Agent.Agent<{}, E | Upstream, R> => Agent.make(name, (ctx) => run(ctx, each)) as never // what `ctx.reply` adds is `Upstream`

/**
 * Passes on all the messages that an agent reads, and does something with each: what an agent of `make` does, for the
 * body of another one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const run = <E, R>(
  ctx: InteractionContext,
  each: (promise: MessagePromise<Upstream>) => Effect.Effect<void, E, R>
): Effect.Effect<void, Exclude<E, Upstream>, R | Effect.Services<ReturnType<typeof passOn>>> =>
  Effect.andThen(
    passOn(ctx),
    Stream.runForEach(quiet(ctx.messages), (promise) => unlessUnreadable(promise, each(promise)))
  )

const passOn = (ctx: InteractionContext) => ctx.reply(ctx.messages)

/** A failure of the sequence itself is passed on with it. */
const quiet = <A>(stream: Stream.Stream<A, Upstream>): Stream.Stream<A> => Stream.catchCause(stream, () => Stream.empty)

const unlessUnreadable = <E, R>(
  promise: MessagePromise<Upstream>,
  effect: Effect.Effect<void, E, R>
): Effect.Effect<void, Exclude<E, Upstream>, R> =>
  Effect.catchCause(effect, (cause) =>
    Effect.flatMap(Effect.exit(promise.message), (whole) =>
      // an `Upstream` can come from this promise alone
      Exit.isFailure(whole) ? Effect.void : (Effect.failCause(cause) as Effect.Effect<void, Exclude<E, Upstream>>)
    )
  )
