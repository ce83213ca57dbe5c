/**
 * Agents: an agent reads a sequence of messages and replies with a sequence of messages. Calling an agent never waits:
 * it returns the sequence of its replies at once, which can be read, read again, or passed on to other agents while it
 * fills up.
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
 * replied with), `R` are the services that its body requires, which come from where it is triggered.
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
  /** Calls the agent with all of its input, and returns the sequence of its replies at once. Never fails. */
  readonly trigger: <const I extends MessageInput.MessageInput<unknown> = never, const O extends CallOptions = {}>(
    ...args: {} extends P ? [messages?: I, parameters?: P, options?: O] : [messages: I, parameters: P, options?: O]
  ) => Effect.Effect<
    MessageSequence.MessageSequence<RepliesError<E, MessageInput.ErrorOf<I>, O>>,
    never,
    MiniAgents.MiniAgents | R
  >
  /**
   * Calls the agent and keeps the call open, so that more input can be sent while it replies. `I` is the error that
   * this input may fail with; by default it cannot fail.
   */
  readonly call: <I = never, const O extends CallOptions = {}>(
    ...args: {} extends P ? [parameters?: P, options?: O] : [parameters: P, options?: O]
  ) => Effect.Effect<AgentCall.AgentCall<RepliesError<E, I, O>, I>, never, MiniAgents.MiniAgents | R>
  /**
   * Makes a copy of the agent with another name, another description, or some parameters filled in. Who calls the copy
   * can still give other values for these.
   */
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
 * Options of one call. What is left out is as in `MiniAgents.layer`.
 *
 * @since 0.1.0
 * @category models
 */
export interface CallOptions {
  /** Whether the agent runs at once (`true`), or only when somebody reads its replies (`false`). */
  readonly startSoon?: boolean
  /**
   * Whether a failure becomes a `Message.Failure` at its place (`true`), so that the replies cannot fail, or ends the
   * replies (`false`).
   */
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
  /**
   * The fields of its parameters. For numbers use `Schema.Finite` or `Schema.Int`: `Schema.Number` also allows `NaN`
   * and `Infinity`, which models are then told of.
   */
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
 * Two agents that are services have the same name, so that the Layer of one is in the place of the other.
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
 * Makes an agent from a name and a body, a function that gets the running call and replies to it. The compiler infers
 * from the body what the agent can fail with and which services it requires.
 *
 * **When to use**
 *
 * For most agents. If a test or a deployment should be able to replace the agent, define it as a `Service`.
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
 * Defines an agent that is a service: named in one place, implemented by a Layer (`toLayer`), and replaced by another
 * Layer in tests. `error` is the schema of what its implementations may fail with.
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
