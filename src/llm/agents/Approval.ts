/**
 * Decides about the calls of tools that need approval (`needsApproval`).
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import type * as Tool from "effect/ai/Tool"
import type { ToolCall } from "./LlmMessage.ts"

/**
 * The call that is to be decided about: the call itself, its tool, and the names of the agents, from the one that calls
 * the tool to the outermost.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly call: ToolCall
  /** The same as a part of `effect/ai`, by whose `approvalId` the decision of another process can be told. */
  readonly part: Response.ToolApprovalRequestPart
  readonly tool: Tool.Any
  readonly trace: ReadonlyArray<string>
}

/**
 * A decision: the call is made, with other `parameters` if there are some, or it is not made, and the model is told the
 * `reason`. A `Prompt.ToolApprovalResponsePart` of `effect/ai` is such a decision.
 *
 * @since 0.1.0
 * @category models
 */
export interface Decision extends Pick<Prompt.ToolApprovalResponsePart, "approved" | "reason"> {
  readonly parameters?: Schema.Json
}

/**
 * Decides about the calls of tools made with `needsApproval`. It may take as long as it likes: other calls of the same
 * step go on.
 *
 * @since 0.1.0
 * @category models
 */
export type Approve = (request: Request) => Effect.Effect<Decision>

/**
 * The decision that a call may be made.
 *
 * @since 0.1.0
 * @category constructors
 */
export const approved: Decision = { approved: true }

/**
 * The decision that a call is made with other parameters than the model gave.
 *
 * @since 0.1.0
 * @category constructors
 */
export const edited = (parameters: Schema.Json): Decision => ({ approved: true, parameters })

/**
 * The decision that a call is not made, with what the model is told.
 *
 * @since 0.1.0
 * @category constructors
 */
export const denied = (reason: string): Decision => ({ approved: false, reason })

/**
 * The function that decides. By default there is none, and calls that need approval are denied; in a durable run they
 * wait for a signal instead.
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentApprove: Context.Reference<Approve> = Context.Reference<Approve>(
  "miniagents/llm/Approval/CurrentApprove",
  { defaultValue: () => () => Effect.succeed(denied("nobody is there to approve it")) }
)

/**
 * Sets the function that decides, for the agents that are triggered inside an effect.
 *
 * **When to use**
 *
 * For tools whose calls a person, or a rule, has to allow before they run.
 *
 * **Example**
 *
 * ```ts
 * import { Console, Effect } from "effect"
 * import { Approval } from "miniagents/llm"
 *
 * const careful = Approval.withApproval(Effect.fnUntraced(function*({ call, trace }) {
 *   yield* Console.log(`${trace.join(" <- ")} wants ${call}`)
 *   return call.name === "DeleteFile" ? Approval.denied("nothing is deleted here") : Approval.approved
 * }))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withApproval =
  (approve: Approve) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, CurrentApprove, approve)

/**
 * Sets the function that decides, as a Layer.
 *
 * **When to use**
 *
 * To decide about all calls of a program by one function, such as a question in the terminal. In a durable run you can
 * leave it out: calls then wait for a signal.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (approve: Approve): Layer.Layer<never> => Layer.succeed(CurrentApprove, approve)
