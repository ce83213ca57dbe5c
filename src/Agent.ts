/**
 * Agents: named definitions of what reads a sequence of messages and replies with one. Calling an agent never waits;
 * it gives the sequence of its replies at once, to be read, read again, or handed on while it fills up.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Types from "effect/Types"
import type * as AgentCall from "./AgentCall.ts"
import type * as InteractionContext from "./InteractionContext.ts"
import * as Engine from "./internal/agent.ts"
import type * as Message from "./Message.ts"
import type * as MessageInput from "./MessageInput.ts"
import type * as MessageSequence from "./MessageSequence.ts"
import type * as MiniAgents from "./MiniAgents.ts"

/**
 * The type id of agents.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId = Engine.TypeId

/**
 * An agent: `P` are its parameters, `E` is what its replies can fail with (the errors of its body and of everything it
 * replied with), `R` what its body requires, which is taken from where it is triggered.
 *
 * **Details**
 *
 * An agent that reads its input has `Upstream` in `E`: for the caller it is replaced by what the given input can fail
 * with, so that input which cannot fail adds nothing.
 *
 * Laws: **Eager** (`trigger` neither waits nor runs the body before it returns; the body then runs whether or not
 * anyone reads; with `startSoon: false` it starts at the first read), **One run** (however many readers, the body runs
 * once), **Errors in place** (`trigger` itself never fails) and **Cancellation** (interrupting a call interrupts every
 * call it triggered).
 *
 * @since 0.1.0
 * @category models
 */
export interface Agent<P, E, R> extends InteractionContext.AgentInfo {
  readonly [TypeId]: typeof TypeId
  /** The schema of the parameters. */
  readonly parameters: Schema.Struct<Schema.Struct.Fields>
  /** Calls the agent with all of its input at once, and gives its replies. */
  readonly trigger: <const I extends MessageInput.MessageInput<unknown> = never, const O extends CallOptions = {}>(
    ...args: {} extends P ? [messages?: I, parameters?: P, options?: O] : [messages: I, parameters: P, options?: O]
  ) => Effect.Effect<
    MessageSequence.MessageSequence<RepliesError<E, MessageInput.ErrorOf<I>, O>>,
    never,
    MiniAgents.MiniAgents | R
  >
  /** Calls the agent and keeps the call open. `I` is what the input still to be sent may fail with, nothing by default. */
  readonly call: <I = never, const O extends CallOptions = {}>(
    ...args: {} extends P ? [parameters?: P, options?: O] : [parameters: P, options?: O]
  ) => Effect.Effect<AgentCall.AgentCall<RepliesError<E, I, O>, I>, never, MiniAgents.MiniAgents | R>
  /** A copy under another name, or with some of the parameters given already; they can still be given anew. */
  readonly fork: <const Q extends Partial<P> = {}>(
    options?: ForkOptions<Q>
  ) => Agent<Types.Simplify<Omit<P, keyof Q> & Partial<Pick<P, keyof Q & keyof P>>>, E, R>
}

/**
 * Any agent, whatever its parameters, errors and requirements.
 *
 * @since 0.1.0
 * @category models
 */
export interface Any extends InteractionContext.AgentInfo {
  readonly [TypeId]: typeof TypeId
}

/**
 * The parameters of an agent.
 *
 * @since 0.1.0
 * @category type helpers
 */
export type ParametersOf<A> = PartsOf<A>[0]

/**
 * The errors that an agent can fail with, `Upstream` included.
 *
 * @since 0.1.0
 * @category type helpers
 */
export type ErrorOf<A> = PartsOf<A>[1]

/**
 * The services that the agents among these values require, beside the runtime.
 *
 * @since 0.1.0
 * @category type helpers
 */
export type ServicesOf<A> = Exclude<PartsOf<A>[2], MiniAgents.MiniAgents>

type PartsOf<A> = A extends { readonly toLayer: (body: infer Body) => unknown }
  ? PartsOfService<A, Body>
  : A extends Agent<infer P, infer E, infer R>
    ? [P, E, R]
    : never

// To compare a service with an agent, member by member, takes the compiler too long. Its `fork` gives an agent with the
// same errors and requirements, and its bodies are given the parameters.
type PartsOfService<A, Body> = A extends { readonly fork: (...args: never) => Agent<infer _, infer E, infer R> }
  ? Body extends (ctx: InteractionContext.InteractionContext<infer P>) => unknown
    ? [P, E, R]
    : never
  : never

/**
 * Choices for one call that differ from the defaults of the runtime.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallOptions {
  /** Runs the agent whether or not anyone reads (`true`), or from the first read on. */
  readonly startSoon?: boolean
  /** Gives a failure as a `Message.Failure` at its place: the replies then cannot fail. */
  readonly errorsAsMessages?: boolean
}

/**
 * The name, the description and the parameters that a fork gives to a copy of an agent.
 *
 * @since 0.1.0
 * @category models
 */
export interface ForkOptions<Q> {
  readonly name?: string
  readonly description?: string
  readonly parameters?: Q
}

/**
 * Options of an agent, besides its name and its body.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<Fields extends Schema.Struct.Fields> {
  /** A sentence on what the agent does, for people and for models that choose among agents. */
  readonly description?: string
  /** The fields of its parameters. Prefer `Schema.Finite` and `Schema.Int` to `Schema.Number`, for models too. */
  readonly parameters?: Fields
}

/**
 * The errors that the replies to a call fail with: `Upstream` becomes the error of its input, and errors taken as messages vanish.
 *
 * @since 0.1.0
 * @category models
 */
export type RepliesError<E, I, O> = O extends { readonly errorsAsMessages: true }
  ? never
  : Exclude<E, InteractionContext.Upstream> | (InteractionContext.Upstream extends E ? I : never)

/**
 * The errors that a body's replies carry, and the services it really requires.
 *
 * @since 0.1.0
 * @category models
 */
export type RepliedErrors<R> = R extends InteractionContext.Replies<infer E> ? E : never

/**
 * The services that a body requires of its caller.
 *
 * @since 0.1.0
 * @category models
 */
export type RealServices<R> = R extends InteractionContext.Replies<infer _> | InteractionContext.InteractionContext
  ? never
  : R

export { InvalidParameters } from "./internal/agent.ts"

/**
 * Two services with the same agent name: the Layer of one stands where the other is called.
 *
 * @since 0.1.0
 * @category errors
 */
export class DuplicateName extends Schema.TaggedError<DuplicateName>()("DuplicateName", { agent: Schema.String }) {
  override get message(): string {
    return `Two agent services are named \`${this.agent}\`: rename one of them`
  }
}

/**
 * Whether a value is an agent.
 *
 * @since 0.1.0
 * @category guards
 */
export const isAgent = (value: unknown): value is Agent<never, unknown, unknown> => Predicate.hasProperty(value, TypeId)

/**
 * Makes an agent of a body. Its error and requirement types are inferred from the body.
 *
 * **When to use**
 *
 * For agents that are used where they are written. Where a test or a deployment puts another one in its place, define it
 * as a `Service`.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { Agent, MiniAgents } from "miniagents"
 *
 * const shout = Agent.make("Shout", { parameters: { mark: Schema.String } }, Effect.fnUntraced(function*(ctx) {
 *   yield* ctx.messages.pipe(Stream.runForEach((promise) =>
 *     Effect.flatMap(promise.message, (message) => ctx.reply(String(message).toUpperCase() + ctx.parameters.mark))))
 * }))
 *
 * const program = Effect.gen(function*() {
 *   const replies = yield* shout.trigger("hello", { mark: "!" })
 *   return yield* replies.text // "HELLO!"
 * }).pipe(Effect.provide(MiniAgents.layer()))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  <E, R>(
    name: string,
    body: (ctx: InteractionContext.InteractionContext<{}>) => Effect.Effect<void, E, R>
  ): Agent<{}, E | RepliedErrors<R>, RealServices<R>>
  <E, R>(
    name: string,
    options: { readonly description?: string; readonly parameters?: never },
    body: (ctx: InteractionContext.InteractionContext<{}>) => Effect.Effect<void, E, R>
  ): Agent<{}, E | RepliedErrors<R>, RealServices<R>>
  <const Fields extends Schema.Struct.Fields, E, R>(
    name: string,
    options: Options<Fields>,
    body: (ctx: InteractionContext.InteractionContext<Schema.Struct<Fields>["Type"]>) => Effect.Effect<void, E, R>
  ): Agent<Schema.Struct<Fields>["Type"], E | RepliedErrors<R>, RealServices<R>>
} = (
  name: string,
  ...rest: [InteractionContext.Body] | [Options<Schema.Struct.Fields>, InteractionContext.Body]
): Agent<{}, never, never> => {
  const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest
  return Engine.define(name, options, Effect.succeed(body))
}

/**
 * The class of an agent that is a service: defined in one place, implemented by a Layer, replaced in tests. `error`
 * says what its implementations may fail with, beside what their input fails with.
 *
 * **When to use**
 *
 * For agents that a test replaces, that run in another process, or that are implemented elsewhere than they are called.
 * `make` is simpler where none of this is needed.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "miniagents"
 *
 * class Writer extends Agent.Service<Writer>()("Writer", { parameters: { tone: Schema.String } }) {}
 *
 * const WriterLive = Writer.toLayer(Effect.fnUntraced(function*(ctx) {
 *   yield* ctx.reply(`A ${ctx.parameters.tone} text`)
 * }))
 *
 * const program = Effect.gen(function*() {
 *   return yield* (yield* Writer.trigger("draft", { tone: "dry" })).text
 * }).pipe(Effect.provide(WriterLive))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const Service =
  <Self>() =>
  <
    const Fields extends Schema.Struct.Fields = {},
    Err extends Schema.Constraint = Schema.Never,
    const Classes extends ReadonlyArray<Message.AnyClass> = []
  >(
    name: string,
    options: ServiceOptions<Fields, Err, Classes> = {}
  ): ServiceClass<Self, Schema.Struct<Fields>["Type"], Err["Type"], Err, Classes> => {
    class Key extends Context.Service<Key, Implementation>()(`miniagents/Agent/${name}`) {}
    const body = Effect.flatMap(Key, (found) =>
      found.service === Key ? Effect.succeed(found.body) : Effect.die(new DuplicateName({ agent: name }))
    )
    const agent: object = Engine.define(name, options, body)
    const toLayer = (implementation: InteractionContext.Body) =>
      Layer.effect(
        Key,
        Effect.contextWith((context) => Effect.succeed({ service: Key, body: Engine.within(implementation, context) }))
      )
    const { error = Schema.Never, messages = [] } = options
    const members = { ...agent, toLayer, error, messages }
    const statics: PropertyDescriptorMap = { [TypeId]: { value: TypeId } }
    for (const [key, value] of Object.entries(members)) statics[key] ??= named(name, value)
    return Object.defineProperties<unknown>(Key, statics) as never // its type is what these members add up to
  }

/**
 * The name that an agent was given, also where it is a service whose class has another one.
 *
 * @internal
 */
export const nameOf = (agent: InteractionContext.AgentInfo): string => {
  void agent.description
  return agent.name
}

/**
 * A static member of a service. A class has the name it is declared with, which a minifier changes; the first use of a
 * member gives it the name of its agent.
 */
const named = (name: string, value: unknown): PropertyDescriptor => ({
  get(this: object) {
    if (Object.getOwnPropertyDescriptor(this, "name")?.value !== name) {
      Object.defineProperty(this, "name", { value: name, configurable: true })
    }
    return value
  }
})

/**
 * Options of an agent that is a service, besides its name.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceOptions<
  Fields extends Schema.Struct.Fields,
  Err extends Schema.Constraint,
  Classes extends ReadonlyArray<Message.AnyClass> = []
> extends Options<Fields> {
  /** The errors that its implementations may fail with. */
  readonly error?: Err
  /** The message classes of its own that it is sent or replies with, so that they can leave the process. */
  readonly messages?: Classes
}

/**
 * An agent that is a service: its key, and the agent that calls whatever implements it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceClass<
  Self,
  P,
  E,
  Err extends Schema.Constraint = Schema.Constraint,
  Classes extends ReadonlyArray<Message.AnyClass> = ReadonlyArray<Message.AnyClass>
>
  extends Context.Service<Self, Implementation>, Omit<Agent<P, E | InteractionContext.Upstream, Self>, "name"> {
  new (_: never): { readonly [TypeId]: typeof TypeId }
  /**
   * The name that was given, also where a minifier has renamed the class. Of such a class it is there from the first use
   * of any other member on.
   */
  readonly name: string
  /** The schema of what its implementations may fail with. */
  readonly error: Err
  /** The message classes of its own. */
  readonly messages: Classes
  /**
   * The Layer of an implementation. What the body requires is taken from where the Layer is built; its errors, and
   * those of what it replies with, must be among the service's.
   */
  readonly toLayer: <Err extends E | InteractionContext.Upstream, R>(
    body: (ctx: InteractionContext.InteractionContext<P>) => Effect.Effect<void, Err, R> & Allowed<RepliedErrors<R>, E>
  ) => Layer.Layer<Self, never, Exclude<RealServices<R>, MiniAgents.MiniAgents>>
}

/** Refuses a body whose replies can fail with more than the service says. */
type Allowed<Replied, E> = [Replied] extends [E | InteractionContext.Upstream]
  ? unknown
  : { readonly "the replies can fail with": Exclude<Replied, E | InteractionContext.Upstream> }

/**
 * The agent that a Layer puts behind an agent that is a service.
 *
 * @since 0.1.0
 * @category models
 */
export interface Implementation {
  readonly service: unknown
  readonly body: InteractionContext.Body
}
