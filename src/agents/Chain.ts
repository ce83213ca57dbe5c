/**
 * Chains: agents of which each reads what the one before it replies. The chain itself is an agent.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Agent from "../Agent.ts"
import type * as InteractionContext from "../InteractionContext.ts"
import * as MessageSequence from "../MessageSequence.ts"
import type * as MiniAgents from "../MiniAgents.ts"

/**
 * Waits for all the messages that the agent before it replies, before the one after it is triggered.
 *
 * @since 0.1.0
 * @category members
 */
export const AWAIT: unique symbol = Symbol.for("~miniagents/Chain/AWAIT")

/**
 * Drops the messages so far: the agent after it is triggered without any.
 *
 * @since 0.1.0
 * @category members
 */
export const CLEAR: unique symbol = Symbol.for("~miniagents/Chain/CLEAR")

/**
 * Any agent, whatever its parameters, errors and requirements.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnyAgent extends InteractionContext.AgentInfo {
  readonly [Agent.TypeId]: typeof Agent.TypeId
}

/**
 * What a chain or a loop is made of: agents, `AWAIT` and `CLEAR`. A member that is `undefined` is left out.
 *
 * @since 0.1.0
 * @category models
 */
export type Member = AnyAgent | typeof AWAIT | typeof CLEAR | undefined

/**
 * How a combination of agents is named.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly name?: string
  readonly description?: string
}

/**
 * The parameters of an agent.
 *
 * @since 0.1.0
 * @category models
 */
export type ParametersOf<A> = PartsOf<A>[0]

/**
 * What an agent can fail with, `Upstream` included.
 *
 * @since 0.1.0
 * @category models
 */
export type ErrorOf<A> = PartsOf<A>[1]

/**
 * What the agents among these members require.
 *
 * @since 0.1.0
 * @category models
 */
export type ServicesOf<M> = Exclude<PartsOf<M>[2], MiniAgents.MiniAgents>

/**
 * What a chain of these members can fail with, when what comes in can fail with `In`.
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
export type Ready<M> = [ParametersOf<M>] extends [never]
  ? M
  : {} extends ParametersOf<M>
    ? M
    : { readonly "give its parameters with `fork`": ParametersOf<M> }

/**
 * What flows from one member to the next can fail with `flow`; what members failed with while they were awaited is
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
          readonly flow: S["flow"] | Exclude<ErrorOf<Ms[number]>, InteractionContext.Upstream>
          readonly failed: S["flow"] | S["failed"] | Exclude<ErrorOf<Ms[number]>, InteractionContext.Upstream>
        }
      : never

type Step<M, S> = S extends State
  ? M extends undefined
    ? S
    : M extends typeof AWAIT
      ? { readonly flow: never; readonly failed: S["failed"] | S["flow"] }
      : M extends typeof CLEAR
        ? { readonly flow: never; readonly failed: S["failed"] }
        : { readonly flow: Agent.RepliesError<ErrorOf<M>, S["flow"], {}>; readonly failed: S["failed"] }
  : never

type PartsOf<A> = A extends { readonly toLayer: (body: infer Body) => unknown }
  ? PartsOfService<A, Body>
  : A extends Agent.Agent<infer P, infer E, infer R>
    ? [P, E, R]
    : never

// To compare a service with an agent, member by member, takes the compiler too long. Its `fork` gives an agent with the
// same errors and requirements, and its bodies are given the parameters.
type PartsOfService<A, Body> = A extends { readonly fork: (...args: never) => Agent.Agent<infer _, infer E, infer R> }
  ? Body extends (ctx: InteractionContext.InteractionContext<infer P>) => unknown
    ? [P, E, R]
    : never
  : never

/**
 * Makes an agent of several: the first reads the input of the chain, each of the others what the one before it
 * replies, and what the last one replies is the reply of the chain. All of them run in parallel, unless an `AWAIT`
 * stands between two. The chain fails with what its last replies fail with, and with what was awaited.
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
): Agent.Agent<{}, ErrorsOf<Ms>, ServicesOf<Ms[number]>> =>
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
const runnable = (member: AnyAgent): Agent.Agent<{}, unknown, unknown> => member as never
