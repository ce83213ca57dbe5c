/** Runs the tools that a model called: all calls of one step at the same time, each with its place in the replies. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import type * as Prompt from "effect/ai/Prompt"
import * as Response from "effect/ai/Response"
import type * as Tool from "effect/ai/Tool"
import type * as MessageInput from "../../MessageInput.ts"
import * as Approval from "./Approval.ts"
import { ResponsePart, ToolResult } from "./LlmMessage.ts"
import { type Called, jsonOf } from "./responseMessages.ts"

/** The tools of an agent, whatever their types: those stand in the type of the agent. */
export interface Toolkit {
  readonly tools: Readonly<Record<string, Tool.Any>>
  readonly handle: (
    name: string,
    parameters: unknown,
    id: string
  ) => Effect.Effect<Stream.Stream<Result, unknown>, unknown>
}

interface Result {
  readonly result: unknown
  readonly encodedResult: unknown
  readonly modelOutput?: ReadonlyArray<Prompt.ToolModelOutputPart> | undefined
  readonly isFailure: boolean
  readonly preliminary: boolean
}

/** The call whose tool is running, for a tool that has something to say while it works. */
export interface Running {
  readonly id: string
  /** Shows messages in the replies of the agent that called, after the call. */
  readonly show: (input: MessageInput.MessageInput<unknown>) => void
  /** The failure that comes is already to be seen in what was shown. */
  readonly failureIsShown: () => void
}

export const CurrentCall = Context.Reference<Running | undefined>("miniagents/llm/ToolCalls/CurrentCall", {
  defaultValue: () => undefined
})

export type ResultPart = Response.ToolResultPart<string, unknown, unknown>

/** Who calls. */
export interface Caller {
  readonly agent: string
  readonly trace: ReadonlyArray<string>
  readonly prompt: Prompt.Prompt
}

/** The results of all calls, in their order, or nothing where one failed: its failure then stands at its place. */
export const run = (
  toolkit: Toolkit,
  calls: ReadonlyArray<Called>,
  caller: Caller
): Effect.Effect<ReadonlyArray<ResultPart> | undefined> =>
  Effect.map(
    Effect.forEach(calls, (call) => runOne(toolkit, call, caller), { concurrency: "unbounded" }),
    (results) => (results.every((result) => result !== undefined) ? results : undefined)
  )

/** Ends calls that are not run, because the response that made them was incomplete. */
export const refuse = (calls: ReadonlyArray<Called>, agent: string, finishReason: string): void => {
  for (const call of calls) {
    const reason = `the response ended with \`${finishReason}\` before the call could be made`
    finish(call, agent, failed({ type: "execution-interrupted", reason }))
  }
}

const runOne = (toolkit: Toolkit, call: Called, caller: Caller): Effect.Effect<ResultPart | undefined> =>
  Effect.suspend(() => {
    let shown = false
    const running: Running = {
      id: call.part.id,
      show: (input) => call.slot.add(input),
      failureIsShown: () => {
        shown = true
      }
    }
    return result(toolkit, call, caller).pipe(
      Effect.provideService(CurrentCall, running),
      Effect.matchCause({
        onSuccess: (result) => finish(call, caller.agent, result),
        onFailure: (cause) => {
          const told = mistakeOf(cause)
          if (told !== undefined) return finish(call, caller.agent, failed(told))
          call.slot.end(shown ? Exit.void : Exit.failCause(cause))
          return undefined
        }
      }),
      Effect.onInterrupt(() => Effect.sync(() => call.slot.end(Exit.interrupt())))
    )
  })

const result = (toolkit: Toolkit, call: Called, caller: Caller): Effect.Effect<Result, unknown> =>
  Effect.gen(function* () {
    const { id, name, params } = call.part
    if (!Object.hasOwn(toolkit.tools, name)) {
      const availableTools = Object.keys(toolkit.tools)
      return failed(new AiError.ToolNotFoundError({ toolName: name, availableTools }).message)
    }
    const tool = toolkit.tools[name]
    if (yield* needsApproval(tool, call, caller)) {
      const decision = yield* (yield* Approval.CurrentApprove)({ call: call.message, tool, trace: caller.trace })
      if (!decision.approved) return failed({ type: "execution-denied", reason: decision.reason })
    }
    const last = yield* Stream.unwrap(toolkit.handle(name, params, id)).pipe(
      Stream.tap((result) =>
        result.preliminary ? Effect.sync(() => progress(call, caller.agent, result)) : Effect.void
      ),
      Stream.filter((result) => !result.preliminary),
      Stream.runLast
    )
    return Option.getOrElse(last, () => failed("the tool gave no result"))
  })

const needsApproval = (tool: Tool.Any, call: Called, { prompt }: Caller): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    const { needsApproval } = tool
    if (typeof needsApproval !== "function") return Effect.succeed(needsApproval === true)
    const decode = Schema.decodeUnknownEffect(tool.parametersSchema as Schema.Codec<unknown>)(call.part.params)
    const ask = (parameters: unknown) => {
      const needed = needsApproval(parameters, { toolCallId: call.part.id, messages: prompt.content })
      return Effect.isEffect(needed) ? (needed as Effect.Effect<boolean>) : Effect.succeed(needed)
    }
    // parameters that do not fit are refused by the tool itself
    return Effect.orElseSucceed(Effect.flatMap(decode, ask), () => false)
  })

/** What the model got wrong and is told: it can call again. */
const mistakeOf = (cause: Cause.Cause<unknown>): string | undefined => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (!AiError.isAiError(error) || error.reason._tag !== "ToolParameterValidationError") return undefined
  return error.reason.message
}

const failed = (result: unknown): Result => ({ result, encodedResult: result, isFailure: true, preliminary: false })

const progress = (call: Called, agent: string, { encodedResult }: Result): void =>
  call.slot.add(
    new ResponsePart({ part: { type: "progress", id: call.part.id, result: jsonOf(encodedResult) }, agent })
  )

const finish = (call: Called, agent: string, given: Result): ResultPart => {
  const { id, name } = call.part
  const result = jsonOf(given.encodedResult)
  call.slot.add(new ToolResult({ id, name, result, isFailure: given.isFailure, agent }))
  call.slot.end()
  return Response.makePart("tool-result", {
    id,
    name,
    result: given.result,
    encodedResult: result,
    ...(given.modelOutput === undefined ? {} : { modelOutput: given.modelOutput }),
    isFailure: given.isFailure,
    preliminary: false,
    providerExecuted: false
  }) as ResultPart // its parameters are those of its class, which `makePart` cannot name
}
