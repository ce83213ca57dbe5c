/**
 * Loops: chains of agents that start again with the replies of their last agent.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Agent from "../Agent.ts"
import type { Upstream } from "../InteractionContext.ts"
import * as Chain from "./Chain.ts"

/**
 * Waits for all the messages that the agent before it replies, before the one after it is triggered.
 *
 * @since 0.1.0
 * @category members
 */
export const AWAIT: typeof Chain.AWAIT = Chain.AWAIT

/**
 * Drops the messages so far: the agent after it is triggered without any.
 *
 * @since 0.1.0
 * @category members
 */
export const CLEAR: typeof Chain.CLEAR = Chain.CLEAR

/**
 * The errors that a loop of these members can fail with, when what comes in can fail with `In`: what its `AWAIT`s meet, in the
 * first turn and in all later ones.
 *
 * @since 0.1.0
 * @category models
 */
export type ErrorsOf<Ms extends ReadonlyArray<Chain.Member>, In = Upstream> =
  Chain.Fold<
    Ms,
    {
      readonly flow: In | FlowOf<Chain.Fold<Ms, { readonly flow: In; readonly failed: never }>>
      readonly failed: never
    }
  > extends infer S
    ? S extends Chain.State
      ? S["failed"]
      : never
    : never

type FlowOf<S> = S extends Chain.State ? S["flow"] : never

/**
 * The loop has no `AWAIT` after one of its agents, so it would start turns without end.
 *
 * @since 0.1.0
 * @category errors
 */
export class WouldSpin extends Schema.TaggedError<WouldSpin>()("WouldSpin", { loop: Schema.String }) {
  override get message(): string {
    return `\`${this.loop}\` would start turns without end and never wait for one: put an agent and, somewhere after it, an \`AWAIT\` into the loop, with no \`CLEAR\` between them`
  }
}

/**
 * Makes an agent that chains the members again and again: the first turn begins with the input of the loop, each later
 * one with what the turn before it came to. The loop replies nothing; it goes on until an agent in it ends it with
 * `Loop.end`, until what it awaits fails, or until it is interrupted.
 *
 * **When to use**
 *
 * For agents that take turns until one of them ends the loop.
 *
 * **Details**
 *
 * Triggering an agent does not wait, so a loop needs an `AWAIT` after one of its agents, or it would start turns
 * without end: its call then dies with `Loop.WouldSpin`. A turn that is over leaves nothing behind.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Loop } from "miniagents/agents"
 *
 * const countdown = Agent.make("Countdown", Effect.fnUntraced(function*(ctx) {
 *   const left = Number(yield* ctx.messages.text)
 *   if (left === 0) return yield* Loop.end
 *   yield* ctx.reply(String(left - 1))
 * }))
 *
 * const program = Effect.gen(function*() {
 *   const replies = yield* Loop.make([countdown, Loop.AWAIT]).trigger("10")
 *   return yield* replies.messages // none, after ten turns
 * }).pipe(Effect.provide(MiniAgents.layer()))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <const Ms extends ReadonlyArray<Chain.Member>>(
  members: Ms & NoInfer<Chain.Triggerable<Ms>>,
  options: Chain.Options = {}
): Agent.Agent<{}, ErrorsOf<Ms>, Agent.ServicesOf<Ms[number]>> =>
  Chain.define("Loop", options, (ctx) =>
    waits(members) ? untilEnd(turns(members, ctx.messages)) : Effect.die(new WouldSpin({ loop: ctx.agent.name }))
  )

/**
 * Ends the innermost loop that the calling agent runs in. The agent ends as interrupted, and with it what is made of
 * its replies; the loop ends well when an `AWAIT` meets that. Agents that had their messages before go on to their end.
 *
 * **Gotchas**
 *
 * Outside of a loop it is an interruption, as when a person presses Ctrl+C. It is none of the failures that
 * `errorsAsMessages` turns into messages, so that a loop ends in such a runtime, too.
 *
 * @since 0.1.0
 * @category combinators
 */
export const end: Effect.Effect<never> = Effect.withFiber((fiber) =>
  Effect.failCause(Cause.annotate(Cause.interrupt(fiber.id), Context.make(Ended, true)))
)

class Ended extends Context.Service<Ended, boolean>()("miniagents/Loop/Ended") {}

const turns = (members: ReadonlyArray<Chain.Member>, input: Chain.Flow): Effect.Effect<void, unknown, unknown> =>
  Effect.gen(function* () {
    let messages = input
    while (true) messages = yield* Chain.pass(members, messages)
  })

const untilEnd = <E, R>(effect: Effect.Effect<void, E, R>): Effect.Effect<void, E, R> =>
  Effect.catchCauseIf(effect, isEnd, () => Effect.void)

const isEnd = (cause: Cause.Cause<unknown>): boolean =>
  Cause.hasInterruptsOnly(cause) && Context.getOrUndefined(Cause.annotations(cause), Ended) === true

/** Whether some `AWAIT`, in this turn or the next, meets what an agent replies. */
const waits = (members: ReadonlyArray<Chain.Member>): boolean => {
  let replied = false
  for (const member of [...members, ...members]) {
    if (member === AWAIT && replied) return true
    if (member === CLEAR) replied = false
    else if (member !== AWAIT && member !== undefined) replied = true
  }
  return false
}
