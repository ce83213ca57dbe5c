/**
 * Chains of agents: each agent reads the replies of the one before it. The chain itself is an agent.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Agent from "../Agent.ts"
import type * as InteractionContext from "../InteractionContext.ts"
import * as MessageSequence from "../MessageSequence.ts"

/**
 * Between two members of a chain, waits for all replies of the one before it before the one after it is triggered.
 *
 * @since 0.1.0
 * @category members
 */
export const AWAIT: unique symbol = Symbol.for("~miniagents/Chain/AWAIT")

/**
 * In a chain, drops the messages so far, so that the next agent is triggered without any.
 *
 * @since 0.1.0
 * @category members
 */
export const CLEAR: unique symbol = Symbol.for("~miniagents/Chain/CLEAR")

/**
 * The members of a chain or a loop: agents, `AWAIT` and `CLEAR`. A member that is `undefined` is left out.
 *
 * @since 0.1.0
 * @category models
 */
export type Member = Agent.Any | typeof AWAIT | typeof CLEAR | undefined

/**
 * Options of an agent that combines others: its name and description.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly name?: string
  readonly description?: string
}

/**
 * The errors that a chain of these members can fail with, when what comes in can fail with `In`.
 *
 * @since 0.1.0
 * @category models
 */
export type ErrorsOf<Ms extends ReadonlyArray<Member>, In = InteractionContext.Upstream> =
  Fold<Ms, { readonly flow: In; readonly failed: never }> extends infer S
    ? S extends State
      ? S["flow"] | S["failed"]
      : never
    : never

/**
 * The members that can be triggered without parameters, which is what a chain needs; one that cannot is replaced by
 * what to do about it.
 *
 * @since 0.1.0
 * @category models
 */
export type Triggerable<Ms extends ReadonlyArray<Member>> = { readonly [K in keyof Ms]: Ready<Ms[K]> }

/**
 * A member, if it can be triggered without parameters.
 *
 * @since 0.1.0
 * @category models
 */
export type Ready<M> = [Agent.ParametersOf<M>] extends [never]
  ? M
  : {} extends Agent.ParametersOf<M>
    ? M
    : { readonly "give its parameters with `fork`": Agent.ParametersOf<M> }

/**
 * The errors inside of a chain: what flows from one member to the next can fail with `flow`; what members failed with while they were awaited is
 * in `failed`.
 *
 * @since 0.1.0
 * @category models
 */
export interface State {
  readonly flow: unknown
  readonly failed: unknown
}

/**
 * The state after these members. Of an array of unknown length any member may or may not have its turn.
 *
 * @since 0.1.0
 * @category models
 */
export type Fold<Ms extends ReadonlyArray<unknown>, S> = Ms extends readonly []
  ? S
  : Ms extends readonly [infer M, ...infer Rest]
    ? Fold<Rest, Step<M, S>>
    : S extends State
      ? {
          readonly flow: S["flow"] | Exclude<Agent.ErrorOf<Ms[number]>, InteractionContext.Upstream>
          readonly failed: S["flow"] | S["failed"] | Exclude<Agent.ErrorOf<Ms[number]>, InteractionContext.Upstream>
        }
      : never

type Step<M, S> = S extends State
  ? M extends undefined
    ? S
    : M extends typeof AWAIT
      ? { readonly flow: never; readonly failed: S["failed"] | S["flow"] }
      : M extends typeof CLEAR
        ? { readonly flow: never; readonly failed: S["failed"] }
        : { readonly flow: Agent.RepliesError<Agent.ErrorOf<M>, S["flow"], {}>; readonly failed: S["failed"] }
  : never

/**
 * Makes one agent of several: the first reads the input of the chain, each other one reads the replies of the one
 * before it, and the replies of the last one are those of the chain. All of them run in parallel, except where an
 * `AWAIT` stands between two. The chain fails with what the replies of the last agent fail with, and with what was
 * awaited.
 *
 * **When to use**
 *
 * For a pipeline of agents. If what to do next depends on what an agent said, write a body that calls the other agents
 * instead.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Chain } from "miniagents/agents"
 *
 * const exclaim = Agent.make("Exclaim", Effect.fnUntraced(function*(ctx) {
 *   yield* ctx.messages.pipe(Stream.runForEach((promise) =>
 *     Effect.flatMap(promise.message, (message) => ctx.reply(`${message}!`))))
 * }))
 *
 * const program = Effect.gen(function*() {
 *   const replies = yield* Chain.make([exclaim, undefined, exclaim]).trigger("hey")
 *   return yield* replies.text // "hey!!"
 * }).pipe(Effect.provide(MiniAgents.layer()))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <const Ms extends ReadonlyArray<Member>>(
  members: Ms & NoInfer<Triggerable<Ms>>,
  options: Options = {}
): Agent.Agent<{}, ErrorsOf<Ms>, Agent.ServicesOf<Ms[number]>> =>
  define("Chain", options, (ctx) => Effect.flatMap(pass(members, ctx.messages), (last) => ctx.reply(last as never)))

/**
 * Passes messages through the members, once.
 *
 * @internal
 */
export const pass = (members: ReadonlyArray<Member>, input: Flow): Effect.Effect<Flow, unknown, unknown> =>
  Effect.gen(function* () {
    let messages = input
    for (const member of members) {
      if (member === undefined) continue
      if (member === CLEAR) messages = []
      else if (member !== AWAIT) messages = yield* runnable(member).trigger(messages as never)
      else if (MessageSequence.isMessageSequence(messages)) messages = yield* messages.messages
    }
    return messages
  })

/** @internal */
export type Flow = MessageSequence.MessageSequence<unknown> | ReadonlyArray<unknown>

/**
 * An agent whose type its caller says.
 *
 * @internal
 */
export const define = <P, E, R>(
  name: string,
  options: Options,
  body: (ctx: InteractionContext.InteractionContext<{}>) => Effect.Effect<void, unknown, unknown>
): Agent.Agent<P, E, R> => {
  const { description, name: given = name } = options
  return Agent.make(given, description === undefined ? {} : { description }, body) as never
}

/** The types of the members were checked where they were given. */
const runnable = (member: Agent.Any): Agent.Agent<{}, unknown, unknown> => member as never
