/**
 * Agents that ask a language model: they make a prompt of the messages they were sent, and reply with what the model
 * says, while it says it. Its reasoning, its tool calls and their results are messages of their own.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import type * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import * as Agent from "../../Agent.ts"
import type { InteractionContext, Upstream } from "../../InteractionContext.ts"
import type * as MessageSequence from "../../MessageSequence.ts"
import type { BudgetExceeded } from "../model/Budget.ts"
import * as ModelSettings from "../provider/ModelSettings.ts"
import * as LlmRun from "./llmRun.ts"
import type { NoObject } from "./objectAgent.ts"
import * as ObjectAgent from "./objectAgent.ts"
import * as StructuredOutput from "./structuredOutput.ts"
import type * as ToolCalls from "./toolCalls.ts"
import * as ToolName from "./toolName.ts"

/**
 * Options of an agent on a model, besides its name.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<
  Tools extends Record<string, Tool.Any> = {},
  ToolsE = never,
  ToolsR = never,
  ModelE = never,
  ModelR = never
> {
  /** A sentence on what the agent does, for people and for models that choose among agents. */
  readonly description?: string
  /** The system text, which stands before all messages of the prompt. */
  readonly system?: string
  /** The tools the model can call: a Toolkit, or one with its handlers, as of `AgentTool.toolkit`. */
  readonly toolkit?: Toolkit.WithHandler<Tools> | Effect.Effect<Toolkit.WithHandler<Tools>, ToolsE, ToolsR>
  /** The model, as a Layer. Without it the agent requires a `LanguageModel` from its environment. */
  readonly model?: Layer.Layer<LanguageModel.LanguageModel, ModelE, ModelR>
  /**
   * How many requests to the model one call may make. After each of them the tools run that the model called.
   *
   * @default 10
   */
  readonly maxSteps?: number
}

/**
 * The parameters of an agent on a model, all of them optional. To set some of them for all calls, use `agent.fork`.
 *
 * **Gotchas**
 *
 * An agent whose `toolChoice` is `"required"` calls tools in every request, until there are `TooManySteps`. Say
 * `firstToolChoice: "required"` for one that has to look something up before it answers.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { LlmAgent } from "miniagents/llm"
 *
 * const poet = LlmAgent.make("Poet")
 * const sober = poet.fork({ name: "Sober", parameters: { temperature: 0, maxTokens: 100 } })
 * const program = Effect.flatMap(sober.trigger("A line about rivers", { stop: ["\n"] }), (replies) => replies.text)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Parameters extends ModelSettings.Settings {
  /** The system text, instead of the one of the agent. */
  readonly system?: string
  /** Which tools the model may or must call. By default it decides itself (`"auto"`). */
  readonly toolChoice?: ToolChoice
  /** Which tools the model may or must call in the first request of a call. */
  readonly firstToolChoice?: ToolChoice
}

/**
 * Which tools a model may or must call, as `effect/ai` says it.
 *
 * @since 0.1.0
 * @category models
 */
export type ToolChoice = LanguageModel.ToolChoice<string>

/**
 * The model still wants to call tools after `maxSteps` requests.
 *
 * @since 0.1.0
 * @category errors
 */
export class TooManySteps extends Schema.TaggedError<TooManySteps>()("TooManySteps", {
  agent: Schema.String,
  maxSteps: Schema.Int
}) {
  override get message(): string {
    return `The model of \`${this.agent}\` was not done after ${this.maxSteps} requests: raise \`maxSteps\`, or see why it goes on`
  }
}

/**
 * The errors of an agent with these tools: what its input fails with, the model (`AiError`), its budget, and, where
 * it has tools, what these fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type Errors<Tools extends Record<string, Tool.Any>, ToolsE = never, ModelE = never> =
  | AiError.AiError
  | BudgetExceeded
  | Upstream
  | ToolsE
  | ModelE
  | (keyof Tools extends never ? never : TooManySteps | Tool.HandlerError<Tools[keyof Tools]>)

/**
 * The services that an agent with these tools requires.
 *
 * @since 0.1.0
 * @category models
 */
export type Services<Tools extends Record<string, Tool.Any>, ToolsR = never, ModelR = never> =
  | ToolsR
  | ModelR
  | (keyof Tools extends never ? never : Tool.HandlerServices<Tools[keyof Tools]>)

/**
 * The members of a union one by one. A union that is taken apart and put together again is spelled out where the type of
 * an agent is written down: how it was made would be as long as the agents that are its tools are deep, and longer.
 *
 * @since 0.1.0
 * @category models
 */
export type Each<A> = A extends unknown ? readonly [A] : never

/**
 * Makes an agent that asks a language model, with a system text and tools.
 *
 * **When to use**
 *
 * Whenever a model should answer. Other agents trigger it like any agent.
 *
 * **Details**
 *
 * It waits for the messages it was sent and makes a prompt of them (`LlmPrompt.fromMessages`). It replies with an
 * `Assistant` for each text, a `Reasoning` for each reasoning, and a `ToolCall` and a `ToolResult` for each tool call,
 * as soon as each of them begins. Tools that were called in one response run at the same time; then the model is asked
 * again, until it calls no more. The last `Assistant` of a response has its usage and finish reason, and the last
 * `ToolCall` the usage of one that only calls tools. If the model fails in the middle of a text, that message fails
 * after its tokens, and the agent fails too.
 *
 * If the model makes a mistake in a call (a tool that does not exist, parameters that do not fit), it is told so. If a
 * tool fails, the model is told so if the tool's `failureMode` is `"return"`; otherwise the agent fails.
 *
 * **Gotchas**
 *
 * The Layer `model` is built for each call. If it has state that calls should share, such as a concurrency limit,
 * provide it to the program instead.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { Tool, Toolkit } from "effect/ai"
 * import { MiniAgents } from "miniagents"
 * import { LlmAgent } from "miniagents/llm"
 * import { ScriptedModel } from "miniagents/testing"
 *
 * const Clock = Toolkit.make(Tool.make("GetTime", { success: Schema.String }))
 * const ClockLive = Clock.toLayer({ GetTime: () => Effect.succeed("noon") })
 *
 * const assistant = LlmAgent.make("Assistant", { system: "Be short", toolkit: Clock })
 *
 * const program = Effect.gen(function*() {
 *   const replies = yield* assistant.trigger("What time is it?")
 *   return yield* replies.messages // a `ToolCall`, a `ToolResult` and an `Assistant`
 * }).pipe(
 *   Effect.provide([MiniAgents.layer(), ClockLive, ScriptedModel.layer([
 *     ScriptedModel.turn(ScriptedModel.toolCall("GetTime", {})),
 *     ScriptedModel.turn(ScriptedModel.tokens(["It is ", "noon"]))
 *   ])])
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <
  Tools extends Record<string, Tool.Any> = {},
  ToolsE = never,
  ToolsR = never,
  ModelE = never,
  ModelR = LanguageModel.LanguageModel,
  E = Each<Errors<Tools, ToolsE, ModelE>>,
  R = Each<Services<Tools, ToolsR, ModelR>>
>(
  name: string,
  options: Options<Tools, ToolsE, ToolsR, ModelE, ModelR> = {}
): Agent.Agent<
  Parameters,
  E extends readonly [infer Error] ? Error : never,
  R extends readonly [infer Service] ? Service : never
> => {
  const { model } = options
  return build(name, options, {}, (body) => (model === undefined ? body : Effect.provide(body, model))) as never // see `build`
}

/**
 * Options of an agent whose parameters choose its model.
 *
 * @since 0.1.0
 * @category models
 */
export interface WithOptions<
  Fields extends Schema.Struct.Fields,
  Tools extends Record<string, Tool.Any> = {},
  ToolsE = never,
  ToolsR = never,
  ModelE = never,
  ModelR = never
> extends Omit<Options<Tools, ToolsE, ToolsR>, "model"> {
  /** The fields of its parameters, besides those that all agents on models have. */
  readonly parameters: Fields
  /** The model for the parameters of a call. */
  readonly model: (
    parameters: Schema.Struct<Fields>["Type"]
  ) => Layer.Layer<LanguageModel.LanguageModel, ModelE, ModelR>
}

/**
 * Makes an agent whose parameters choose its model: what the agents of providers are made of.
 *
 * **Example**
 *
 * ```ts
 * import { Schema } from "effect"
 * import { LlmAgent } from "miniagents/llm"
 * import { ScriptedModel } from "miniagents/testing"
 *
 * const parrot = LlmAgent.makeWith("Parrot", {
 *   parameters: { word: Schema.String },
 *   model: ({ word }) => ScriptedModel.layer([ScriptedModel.turn(ScriptedModel.text(word))], { name: `parrot-${word}` })
 * })
 * const polly = parrot.fork({ name: "Polly", parameters: { word: "hello" } })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeWith = <
  const Fields extends Schema.Struct.Fields,
  Tools extends Record<string, Tool.Any> = {},
  ToolsE = never,
  ToolsR = never,
  ModelE = never,
  ModelR = never,
  E = Each<Errors<Tools, ToolsE, ModelE>>,
  R = Each<Services<Tools, ToolsR, ModelR>>
>(
  name: string,
  options: WithOptions<Fields, Tools, ToolsE, ToolsR, ModelE, ModelR>
): Agent.Agent<
  Schema.Struct<Fields>["Type"] & Omit<Parameters, keyof Fields>,
  E extends readonly [infer Error] ? Error : never,
  R extends readonly [infer Service] ? Service : never
> =>
  build(
    name,
    options,
    options.parameters,
    (body, parameters) => Effect.provide(body, options.model(parameters as Schema.Struct<Fields>["Type"])) // its own schema checked them
  ) as never // see `build`

export { type Growing, NoObject, type ObjectAgent, type ObjectReplies } from "./objectAgent.ts"

/**
 * Options of an agent with structured output.
 *
 * @since 0.1.0
 * @category models
 */
export interface ObjectOptions<
  Output,
  Tools extends Record<string, Tool.Any> = {},
  ToolsE = never,
  ToolsR = never,
  ModelE = never,
  ModelR = never,
  Encoded extends { readonly [key: string]: unknown } = { readonly [key: string]: unknown }
> extends Options<Tools, ToolsE, ToolsR, ModelE, ModelR> {
  /** A message class (the reply is a message of it), or another schema of objects (the reply is a `Message.Data`). */
  readonly schema: Schema.Codec<Output, Encoded>
}

/**
 * Makes an agent that replies with one message whose fields the model filled in. `replies.object` is that object, typed
 * by the schema, and `replies.partial` the object as it grows. Output that does not fit the schema is an `AiError` with
 * a `StructuredOutputError` that holds the text.
 *
 * **When to use**
 *
 * For answers that your program reads: a rating, a plan, the fields of a form. For text that a person reads, use
 * `make`.
 *
 * **Details**
 *
 * With a `toolkit` the model first uses its tools, as those of `make` do and just as visibly; when it calls no more, it
 * is asked for the object, which is the last message. Its schema is the format of the response, whatever
 * `responseFormat` a call gives.
 *
 * The message begins with the first field, and its tokens are those of its text: the fields as JSON, or what is in the
 * field `content`. They come while the model writes the fields in the order of the schema, and as the message has them;
 * from the first field on that the schema changes (a date, a default) or that is left out, the rest comes with the
 * whole object. Once a token has come, the request is not made again, nor by another model, when it fails.
 *
 * **Example**
 *
 * ```ts
 * import { Console, Effect, Schema, Stream } from "effect"
 * import { Message } from "miniagents"
 * import { LlmAgent } from "miniagents/llm"
 *
 * class Review extends Message.Class<Review>()("Review", { stars: Schema.Int, why: Schema.String }) {}
 *
 * const critic = LlmAgent.makeObject("Critic", { schema: Review, system: "Judge the draft" })
 *
 * const program = Effect.gen(function*() {
 *   const replies = yield* critic.trigger("It was a dark night")
 *   yield* Stream.runForEach(replies.partial, ({ stars, why = "" }) => Console.log(stars, why))
 *   const review = yield* replies.object
 *   return review.stars
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeObject = <
  Output,
  Tools extends Record<string, Tool.Any> = {},
  ToolsE = never,
  ToolsR = never,
  ModelE = never,
  ModelR = LanguageModel.LanguageModel,
  Encoded extends { readonly [key: string]: unknown } = { readonly [key: string]: unknown },
  E = Each<Errors<Tools, ToolsE, ModelE>>,
  R = Each<Services<Tools, ToolsR, ModelR>>
>(
  name: string,
  options: ObjectOptions<Output, Tools, ToolsE, ToolsR, ModelE, ModelR, Encoded>
): ObjectAgent.ObjectAgent<
  Output,
  Encoded,
  Parameters,
  E extends readonly [infer Error] ? Error : never,
  R extends readonly [infer Service] ? Service : never
> => {
  const { model, schema } = options
  const run: Run = (ctx, spec) => StructuredOutput.run(ctx, { ...spec, schema })
  const agent = build(name, options, {}, (body) => (model === undefined ? body : Effect.provide(body, model)), run)
  return ObjectAgent.withObject(agent, schema) as never // see `build`
}

/**
 * The object that an agent of `makeObject` replied with, by the schema that it was made with: the message of a class, or
 * the value that a `Message.Data` stands for. It is for replies that came another way than by `trigger` of the agent:
 * through other agents, over a network, or of a call that was kept open.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Message } from "miniagents"
 * import { LlmAgent } from "miniagents/llm"
 *
 * class Review extends Message.Class<Review>()("Review", { stars: Schema.Int, why: Schema.String }) {}
 *
 * const critic = LlmAgent.makeObject("Critic", { schema: Review })
 * const stars = critic.trigger("It was a dark night").pipe(
 *   Effect.flatMap(LlmAgent.objectOf(Review)),
 *   Effect.map((review) => review.stars)
 * )
 * ```
 *
 * @see {@link makeObject}
 * @since 0.1.0
 * @category destructors
 */
export const objectOf =
  <Output>(schema: Schema.Codec<Output, { readonly [key: string]: unknown }>) =>
  <E>(replies: MessageSequence.MessageSequence<E>): Effect.Effect<Output, E | NoObject> =>
    ObjectAgent.objectOf(schema, replies)

/** What a call of an agent does with its model. */
type Run = (ctx: InteractionContext<Parameters>, spec: LlmRun.Spec) => Effect.Effect<unknown, unknown, unknown>

/**
 * Makes the agent. What it fails with and requires is put together from the types of its tools and its model, which
 * the effects it is made of do not carry: `make`, `makeWith` and `makeObject` say it.
 */
const build = (
  name: string,
  options: Omit<Options, "model" | "toolkit"> & {
    readonly toolkit?: object | Effect.Effect<unknown, unknown, unknown>
  },
  fields: Schema.Struct.Fields,
  provide: <A, E, R>(body: Effect.Effect<A, E, R>, parameters: unknown) => Effect.Effect<A, unknown, unknown>,
  run: Run = LlmRun.run
): unknown => {
  const { maxSteps = 10, system, toolkit } = options
  const body = (ctx: InteractionContext<Parameters>) => {
    const tools = Effect.flatMap(Effect.isEffect(toolkit) ? toolkit : Effect.succeed(toolkit), toolkitOf)
    const tooManySteps = () => new TooManySteps({ agent: ctx.agent.name, maxSteps })
    const { firstToolChoice, toolChoice } = ctx.parameters
    const choices = {
      ...(toolChoice !== undefined && { toolChoice }),
      ...(firstToolChoice !== undefined && { firstToolChoice })
    }
    // what is a parameter of this agent's own is for its model
    const settings = ModelSettings.pick(Struct.omit(ctx.parameters as Record<string, unknown>, Object.keys(fields)))
    const spec = { system, toolkit: undefined, choices, settings, maxSteps, tooManySteps }
    const whole = Effect.flatMap(tools, (toolkit) => run(ctx, { ...spec, toolkit }))
    return Effect.asVoid(provide(whole, ctx.parameters))
  }
  return Agent.make(name, definition(options, fields), body as never)
}

const ToolChoiceField = Schema.Union([
  Schema.Literals(["auto", "none", "required"]),
  Schema.Struct({ tool: Schema.String }),
  Schema.Struct({
    mode: Schema.optionalKey(Schema.Literals(["auto", "required"])),
    oneOf: Schema.NonEmptyArray(Schema.String)
  })
])

const settings = {
  ...ModelSettings.fields,
  toolChoice: Schema.optionalKey(ToolChoiceField),
  firstToolChoice: Schema.optionalKey(ToolChoiceField)
}
const instructions = { system: Schema.optionalKey(Schema.String) }

/** @internal The parameters that all agents on models have, by their schemas: who calls one from outside sets none. */
export const common: ReadonlySet<unknown> = new Set(Object.values({ ...settings, ...instructions }))

const definition = (options: { readonly description?: string }, fields: Schema.Struct.Fields) => ({
  parameters: { ...settings, ...fields, ...instructions },
  ...(options.description === undefined ? {} : { description: options.description })
})

/** The tools, if there are any; providers refuse a whole request for the name of one. */
const toolkitOf = (toolkit: unknown): Effect.Effect<ToolCalls.Toolkit | undefined> =>
  Effect.suspend(() => {
    if (!Predicate.hasProperty(toolkit, "tools")) return Effect.undefined
    const tools = Object.values(toolkit.tools as Record<string, Tool.Any>)
    if (tools.length === 0) return Effect.undefined
    const unfit = tools.find((tool) => !Tool.isProviderDefined(tool) && !ToolName.isFit(tool.name))
    if (unfit !== undefined) return Effect.die(new Error(ToolName.refusal(unfit.name)))
    return Effect.succeed(toolkit as unknown as ToolCalls.Toolkit) // its types stand in the type of the agent
  })
