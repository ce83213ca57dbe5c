/**
 * Approvals by whoever reads a run: the request for one stands in the replies, and the answer comes as a signal, so that
 * both outlive the connection.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import * as InteractionContext from "../InteractionContext.ts"
import * as Approval from "../llm/agents/Approval.ts"
import { ResponsePart, type ToolCall } from "../llm/agents/LlmMessage.ts"
import { CurrentCall } from "../llm/agents/toolCalls.ts"
import * as Runs from "./Runs.ts"

/** The answer to a request: where it is a yes, the call may be made with other parameters. */
export const Answer = Schema.Struct({
  approved: Schema.Boolean,
  reason: Schema.optionalKey(Schema.String),
  parameters: Schema.optionalKey(Schema.Json)
})

/** The part of a `ResponsePart` that asks, in the words of `effect/ai`. */
export const Asked = Schema.Struct({
  type: Schema.Literal("tool-approval-request"),
  approvalId: Schema.String,
  toolCallId: Schema.String
})

/** The part of a `ResponsePart` that says what the answer was. */
export const Answered = Schema.Struct({
  type: Schema.Literal("tool-approval-response"),
  approvalId: Schema.String,
  ...Answer.fields
})

/** The name of the signal that answers a request. */
export const signalOf = (approvalId: string): string => `approval:${approvalId}`

/** Whether a signal answers a request. */
export const isSignal = (name: string): boolean => name.startsWith(signalOf(""))

/** Whether a run waits for the answer to a request. */
export const isPending = (run: Runs.Info, approvalId: string): boolean => run.waiting.includes(signalOf(approvalId))

/** An effect in which calls are approved by whoever reads the run, unless the program says who decides. */
export const byReader = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.updateContext(effect, addTo)

/** A context in which calls are approved by whoever reads the run, unless the program says who decides. */
export const addTo = <R>(context: Context.Context<R>): Context.Context<R> =>
  context.mapUnsafe.has(Approval.CurrentApprove.key) ? context : Context.add(context, Approval.CurrentApprove, approve)

/** A call that an agent in another process wants to make, below a call here. */
export interface Elsewhere {
  /** The id of the request here. */
  readonly approvalId: string
  readonly call: ToolCall
  readonly trace: ReadonlyArray<string>
}

/** Who decides about calls elsewhere: who would decide about one that is made here; nobody if nobody would. */
export const elsewhere: Effect.Effect<((asked: Elsewhere) => Effect.Effect<typeof Answer.Type>) | undefined> =
  Effect.contextWith((context: Context.Context<never>) => {
    if (!context.mapUnsafe.has(Approval.CurrentApprove.key)) return Effect.undefined
    const decide = Context.get(context, Approval.CurrentApprove)
    return Effect.succeed(({ approvalId, call, trace }: Elsewhere) => {
      if (decide === approve) {
        const asks = { tool: call.name, parameters: call.parameters }
        return Effect.provideContext(Runs.wait(signalOf(approvalId), Answer, { asks }), context)
      }
      const part = Response.makePart("tool-approval-request", { approvalId, toolCallId: call.id })
      return Effect.map(
        decide({ call, part, tool: Tool.make(call.name), trace }),
        ({ approved, parameters, reason }): typeof Answer.Type => ({
          approved,
          ...(reason === undefined ? {} : { reason }),
          ...(parameters === undefined ? {} : { parameters })
        })
      )
    })
  })

const approve: Approval.Approve = ({ call, trace }) =>
  Effect.gen(function* () {
    const running = yield* CurrentCall
    const approvalId = yield* idOf(call)
    const show = (part: Schema.Json) => running?.show(new ResponsePart({ part, agent: trace[0] }))
    // it waits before anyone can see the request: who sees it finds that the run waits
    const asks = { tool: call.name, parameters: call.parameters }
    const wait = Runs.wait(signalOf(approvalId), Answer, { asks })
    const answer = yield* Effect.forkChild(wait, { startImmediately: true })
    show({ type: "tool-approval-request", approvalId, toolCallId: call.id } satisfies typeof Asked.Type)
    const decision = yield* Fiber.join(answer)
    show({ type: "tool-approval-response", approvalId, ...decision } satisfies typeof Answered.Type)
    const { approved, parameters, reason = "the call was not approved" } = decision
    if (!approved) return Approval.denied(reason)
    return parameters === undefined ? Approval.approved : Approval.edited(parameters)
  })

/** Unique in the run, and the same whenever the same code runs again. */
const idOf = ({ id }: ToolCall): Effect.Effect<string> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const call = Context.getOption(context, InteractionContext.InteractionContext)
    return Effect.succeed(call._tag === "Some" ? `${call.value.path}/${id}` : id)
  })
