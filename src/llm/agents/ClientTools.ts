/**
 * Tools of whoever calls an agent from outside: the model is told of them, and the caller runs them.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as JsonSchema from "effect/JsonSchema"
import * as Tool from "effect/ai/Tool"

/**
 * A tool that the caller runs: its name (letters, digits, `_` and `-`, 64 of them at most), what it does, and the JSON
 * Schema of its parameters.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientTool {
  readonly name: string
  readonly description?: string
  readonly parameters: JsonSchema.JsonSchema
}

/**
 * The tools of the caller. There are none by default.
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentClientTools: Context.Reference<ReadonlyArray<ClientTool>> = Context.Reference<
  ReadonlyArray<ClientTool>
>("miniagents/llm/ClientTools/CurrentClientTools", { defaultValue: () => [] })

/**
 * Sets the tools that the caller runs, for the agents on models that are triggered inside an effect.
 *
 * **Details**
 *
 * A call of such a tool is a `ToolCall` with `clientExecuted`, and the replies of the agent end after the response that
 * made it: the caller runs the tool and calls the agent again, with the conversation so far and a `ToolResult`. Where
 * the agent has a tool of the same name, its own is the one that is called. Agents that work as tools of another agent
 * are not told of these tools.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MiniAgents } from "miniagents"
 * import { ClientTools, LlmAgent } from "miniagents/llm"
 * import { ScriptedModel } from "miniagents/testing"
 *
 * const assistant = LlmAgent.make("Assistant")
 *
 * const program = Effect.gen(function*() {
 *   const replies = yield* assistant.trigger("Where am I?")
 *   return yield* replies.messages // a `ToolCall` with `clientExecuted`
 * }).pipe(
 *   ClientTools.withClientTools([{ name: "locate", parameters: { type: "object", properties: {} } }]),
 *   Effect.provide([MiniAgents.layer(), ScriptedModel.layer([
 *     ScriptedModel.turn(ScriptedModel.toolCall("locate", {}))
 *   ])])
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withClientTools =
  (tools: ReadonlyArray<ClientTool>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, CurrentClientTools, tools)

/** As a model is told of it. @internal */
export const toTool = ({ description, name, parameters }: ClientTool): Tool.Any =>
  Tool.dynamic(name, { parameters, ...(description === undefined ? {} : { description }) }) as never // its schema is known when it runs
