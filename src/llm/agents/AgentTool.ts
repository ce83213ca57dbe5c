/**
 * Agents as tools of a model: the model calls an agent by its name, with its parameters. What the agent replies while
 * it works is in the replies of the calling agent, between the tool call and its result.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Agent from "../../Agent.ts"
import type { AgentInfo, Upstream } from "../../InteractionContext.ts"
import type * as MessageSequence from "../../MessageSequence.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import * as Message from "../../Message.ts"
import { outermost } from "./LlmMessage.ts"
import { filesIn } from "./LlmPrompt.ts"
import { CurrentCall } from "./toolCalls.ts"
import * as ToolName from "./toolName.ts"

/**
 * A tool that calls an agent. It fails with what the agent's replies fail with, and requires what the agent requires.
 *
 * @since 0.1.0
 * @category models
 */
export type AgentTool<Name extends string, P, E, R, Mode extends Tool.FailureMode = "error"> = Tool.Tool<
  Name,
  {
    readonly parameters: Schema.Codec<ToolParameters<P>, unknown>
    readonly success: Schema.String
    readonly failure: Schema.Codec<Exclude<E, Upstream>, unknown>
    readonly failureMode: Mode
  },
  R | MiniAgents.MiniAgents
>

/**
 * The parameters of the tool: those of the agent, or a single `message` if the agent needs none.
 *
 * @since 0.1.0
 * @category models
 */
export type ToolParameters<P> = {} extends P ? { readonly message: string } : P

/**
 * Options of a tool that calls an agent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<Name extends string, Mode extends Tool.FailureMode> {
  /**
   * The name of the tool: letters, digits, `_` and `-`, 64 of them at most. By default the agent's, with `_` in the
   * place of what no provider takes: an agent "Web Search" is the tool `Web_Search`.
   */
  readonly name?: Name
  /**
   * Decides what a failure of the agent does: the calling agent fails too (`"error"`, the default), or its model is told of the
   * failure and can react to it (`"return"`), and the failure is in the replies as a `Message.Failure`.
   */
  readonly failureMode?: Mode
}

/**
 * Makes a tool that calls an agent. The model gives the agent's parameters; an agent without required parameters is
 * sent a message instead, which the model gives as the parameter `message`. The model is told the text of the agent's
 * reply. Throws if the given `name` is one that providers refuse.
 *
 * **When to use**
 *
 * To let a model decide whether and with which parameters an agent is called. Where your code decides, trigger the
 * agent.
 *
 * **Gotchas**
 *
 * An agent that is a service becomes a tool by its fork: `AgentTool.make(Writer.fork())`. A parameter that a fork was
 * given is asked of the model all the same.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "miniagents"
 * import { AgentTool, LlmAgent } from "miniagents/llm"
 *
 * const search = Agent.make("Search", {
 *   description: "Finds pages",
 *   parameters: { query: Schema.String }
 * }, Effect.fnUntraced(function*(ctx) {
 *   yield* ctx.reply(`Nothing about ${ctx.parameters.query}`)
 * }))
 *
 * const researcher = LlmAgent.make("Researcher", {
 *   toolkit: AgentTool.toolkit(AgentTool.make(search))
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <P, E, R, const Name extends string = string, Mode extends Tool.FailureMode = "error">(
  agent: Agent.Agent<P, E, R>,
  options: Options<Name, Mode> = {}
): AgentTool<Name, P, E, R, Mode> => toTool(agent, options) as never // the types are the agent's

/**
 * Makes a toolkit with handlers from agents, for the option `toolkit` of `LlmAgent.make`. It takes tools made with
 * `make`, or a record of agents, whose keys are then the names of the tools. To combine agents with other tools, make a
 * Toolkit of both and use `handlers`. Throws if two tools have the same name, or one has a name that providers refuse.
 *
 * **When to use**
 *
 * To give a model agents as its tools. For tools that are no agents use `Toolkit.make` of `effect/ai`.
 *
 * **Example**
 *
 * ```ts
 * import { Agent } from "miniagents"
 * import { AgentTool, LlmAgent } from "miniagents/llm"
 *
 * const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
 * const parrot = LlmAgent.make("Parrot", { toolkit: AgentTool.toolkit({ Repeat: echo }) })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const toolkit: {
  <const Tools extends ReadonlyArray<Tool.Any>>(
    ...tools: Tools
  ): Effect.Effect<Toolkit.WithHandler<Toolkit.ToolsByName<Tools>>>
  <const Agents extends { readonly [name: string]: Agent.Any }>(
    agents: Agents
  ): Effect.Effect<Toolkit.WithHandler<ToolsOf<Agents>>>
} = (...given: ReadonlyArray<unknown>): Effect.Effect<never> => {
  const isTool = (value: unknown): value is Tool.Any => Tool.isUserDefined(value) || Tool.isProviderDefined(value)
  const tools = given.every(isTool)
    ? given
    : Object.entries(given[0] as object).map(([name, agent]) => toTool(agent, { name }))
  const all = handlers(...tools)
  const kit = Toolkit.make(...tools) as unknown as Toolkit.Toolkit<Record<string, Tool.Any>> // its handlers are all here
  return Effect.provide(kit, kit.toLayer(all as never)) as never
}

/**
 * The tools that agents are, by the names that they are given.
 *
 * @since 0.1.0
 * @category models
 */
export type ToolsOf<Agents extends { readonly [name: string]: Agent.Any }> = {
  readonly [Name in keyof Agents & string]: Agents[Name] extends Agent.Agent<infer P, infer E, infer R>
    ? AgentTool<Name, P, E, R>
    : never
}

/**
 * The handlers of agents that are tools, for `Toolkit.toLayer`, by the names of the tools. Throws where two of them have
 * the same name, and for a tool that is no agent.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Tool, Toolkit } from "effect/ai"
 * import { Agent } from "miniagents"
 * import { AgentTool } from "miniagents/llm"
 *
 * const echo = AgentTool.make(Agent.make("Echo", (ctx) => ctx.reply(ctx.messages)), { name: "Echo" })
 * const tools = Toolkit.make(echo, Tool.make("GetTime", { success: Schema.String }))
 * const toolsLive = tools.toLayer({ ...AgentTool.handlers(echo), GetTime: () => Effect.succeed("noon") })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const handlers = <const Tools extends ReadonlyArray<Tool.Any>>(
  ...tools: Tools
): Toolkit.HandlersFrom<Toolkit.ToolsByName<Tools>> => {
  const all: Record<string, (parameters: object) => Effect.Effect<string, unknown, MiniAgents.MiniAgents>> = {}
  for (const tool of tools) {
    const agent = Context.get(tool.annotations, Called)
    if (agent === undefined) throw new Error(`\`${tool.name}\` is no agent: make it with \`AgentTool.make\``)
    if (Object.hasOwn(all, tool.name)) {
      throw new Error(`two tools have the name \`${tool.name}\`: give the tool of \`${agent.name}\` another \`name\``)
    }
    all[tool.name] = (parameters) => call(agent, parameters, tool.failureMode)
  }
  return all as never // one for each tool, with its agent's types
}

const toTool = (agent: unknown, options: Options<string, Tool.FailureMode>): Tool.Any => {
  const called = agent as Agent.Agent<{}, unknown, unknown> // its parameters are checked by its own schema
  const { failureMode = "error", name = ToolName.fit(Agent.nameOf(called)) } = options
  if (!ToolName.isFit(name)) throw new Error(`the tool of \`${called.name}\` cannot be made: ${ToolName.refusal(name)}`)
  return Tool.make(name, {
    description: called.description ?? `Calls ${called.name}`,
    parameters: needsParameters(called.parameters) ? called.parameters : MessageOnly,
    success: Schema.String,
    failure: Failure,
    failureMode
  }).annotate(Called, called)
}

/** The agent that a tool calls, as an annotation of the tool. */
const Called = Context.Reference<Agent.Agent<{}, unknown, unknown> | undefined>("miniagents/llm/AgentTool/Called", {
  defaultValue: () => undefined
})

/** The agent that a tool calls, if it is one. @internal */
export const calledBy = (tool: Tool.Any): AgentInfo | undefined => Context.get(tool.annotations, Called)

const call = (agent: Agent.Agent<{}, unknown, unknown>, given: object, mode: Tool.FailureMode) =>
  Effect.gen(function* () {
    const running = yield* CurrentCall
    const errorsAsMessages = mode === "return"
    const [messages, parameters] = inputOf(agent, given)
    const trigger = agent.trigger(messages, parameters, { errorsAsMessages }) as Effect.Effect<
      MessageSequence.MessageSequence<unknown>,
      never,
      MiniAgents.MiniAgents
    > // what else it requires stands in the type of the tool
    const replies = yield* trigger
    running?.show(replies)
    const said = yield* Effect.tapCause(replies.messages, () => Effect.sync(() => running?.failureIsShown()))
    running?.attach(
      outermost(said)
        .filter((message) => !Message.isAside(message))
        .flatMap(filesIn)
    )
    const failure = errorsAsMessages ? said.find((message) => message instanceof Message.Failure) : undefined
    return failure === undefined ? yield* replies.text : yield* Effect.fail(String(failure))
  })

/** What an agent is called with, by what its tool is called with: messages and parameters. @internal */
export const inputOf = (
  agent: { readonly parameters: Schema.Struct<Schema.Struct.Fields> },
  given: object
): readonly [messages: ReadonlyArray<string>, parameters: object] =>
  needsParameters(agent.parameters) ? [[], given] : [Object.values(given), {}]

const MessageOnly = Schema.Struct({ message: Schema.String.annotate({ description: "What to say to the agent" }) })

/** What an agent fails with has no schema: its model is told the text. */
const Failure: Schema.Codec<unknown, unknown> = Schema.Unknown

const needsParameters = (parameters: Schema.Struct<Schema.Struct.Fields>): boolean =>
  Object.values(parameters.fields).some(
    (field) => !Predicate.hasProperty(field.ast.context, "isOptional") || !field.ast.context.isOptional
  )
