/** Runs the tools that a model called: all calls of one step at the same time, each with its place in the replies. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as AiError from "effect/ai/AiError"
import * as Prompt from "effect/ai/Prompt"
import * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import { NotJson } from "../../internal/json.ts"
import { withErrorType } from "../../internal/errorType.ts"
import { lossless } from "../model/lossless.ts"
import * as Message from "../../Message.ts"
import type * as MessageInput from "../../MessageInput.ts"
import * as Spans from "../model/Spans.ts"
import * as Approval from "./Approval.ts"
import type { Called } from "./callMessage.ts"
import { ResponsePart, type ToolCall, ToolResult } from "./LlmMessage.ts"
import { outputOf, shown } from "./toolOutput.ts"

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
  /** Gives the model files beside the result. */
  readonly attach: (files: ReadonlyArray<Message.File>) => void
  /** The failure that comes is already to be seen in what was shown. */
  readonly failureIsShown: () => void
}

export const CurrentCall = Context.Reference<Running | undefined>("miniagents/llm/ToolCalls/CurrentCall", {
  defaultValue: () => undefined
})

/** Who calls. */
export interface Caller {
  readonly agent: string
  readonly trace: ReadonlyArray<string>
  readonly prompt: Prompt.Prompt
  /** Is told what a tool failed with, where that is the failure of the agent. */
  readonly failed: (cause: Cause.Cause<unknown>) => void
}

/** The results of all calls, in their order, or nothing where one failed: its failure then stands at its place. */
export const run = (
  toolkit: Toolkit,
  calls: ReadonlyArray<Called>,
  caller: Caller
): Effect.Effect<ReadonlyArray<ToolResult> | undefined> =>
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

const runOne = (toolkit: Toolkit, call: Called, caller: Caller): Effect.Effect<ToolResult | undefined> =>
  Effect.suspend(() => {
    let shown = false
    const attached: Array<Message.File> = []
    const running: Running = {
      id: call.message.id,
      show: (input) => call.slot.add(input),
      attach: (files) => void attached.push(...files),
      failureIsShown: () => {
        shown = true
      }
    }
    return inSpan(toolkit, call, result(toolkit, call, caller)).pipe(
      Effect.map((given) => finish(call, caller.agent, withFiles(given, attached))),
      Effect.provideService(CurrentCall, running),
      Effect.catchCause((cause) => {
        const told = mistakeOf(cause)
        if (told !== undefined) return Effect.sync(() => finish(call, caller.agent, failed(told)))
        caller.failed(cause)
        call.slot.end(shown ? Exit.void : Exit.failCause(cause))
        return Effect.undefined
      }),
      Effect.onInterrupt(() => Effect.sync(() => call.slot.end(Exit.interrupt())))
    )
  })

/** In a span of its own, where there are any, by the OpenTelemetry conventions for generative AI. */
const inSpan = (
  { tools }: Toolkit,
  { message: { id, name, parameters } }: Called,
  result: Effect.Effect<Given, unknown>
): Effect.Effect<Given, unknown> =>
  Effect.withFiber(({ cache }) => {
    if (cache.tracer === undefined) return result
    const description = Object.hasOwn(tools, name) ? Tool.getDescription(tools[name]) : undefined
    const attributes = {
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": name,
      "gen_ai.tool.call.id": id,
      "gen_ai.tool.type": "function",
      ...(description === undefined ? {} : { "gen_ai.tool.description": description })
    }
    return Effect.withSpan(withErrorType(discreet(result, parameters)), `execute_tool ${name}`, { attributes })
  })

/** `effect/ai` puts the parameters into the span that it finds: they are content, and so are there on request alone. */
const discreet = <E>(result: Effect.Effect<Given, E>, parameters: Schema.Json): Effect.Effect<Given, E> =>
  Effect.gen(function* () {
    const span = yield* Effect.orDie(Effect.currentSpan) // the one that is around this
    const isWanted = yield* Spans.CurrentContent
    if (isWanted) span.attribute("gen_ai.tool.call.arguments", JSON.stringify(parameters))
    const attribute = (name: string, value: unknown) =>
      name === "tool" || name === "parameters" ? undefined : span.attribute(name, value)
    const quiet = Object.create(span, { attribute: { value: attribute } }) as Tracer.Span // a span is what its fields are
    const given = yield* Effect.provideService(result, Tracer.ParentSpan, quiet)
    if (isWanted) span.attribute("gen_ai.tool.call.result", JSON.stringify(given.result))
    return given
  })

const result = (toolkit: Toolkit, call: Called, caller: Caller): Effect.Effect<Given, unknown> =>
  Effect.gen(function* () {
    const { id, name, parameters } = call.message
    let params: unknown = call.part.params
    if (isAskedFor(call.message)) return yield* approval(call, caller)
    if (!Object.hasOwn(toolkit.tools, name)) {
      const availableTools = Object.keys(toolkit.tools)
      return failed(new AiError.ToolNotFoundError({ toolName: name, availableTools }).message)
    }
    // a tool without parameters would take it
    if (typeof parameters === "string") return failed(`the parameters of \`${name}\` are no JSON: write one object`)
    const tool = toolkit.tools[name]
    if (yield* needsApproval(tool, call, caller)) {
      const decision = yield* decide(tool, call, caller)
      if (!decision.approved) {
        return failed({ type: "execution-denied", reason: decision.reason ?? "it was not approved" })
      }
      if (decision.parameters !== undefined) params = decision.parameters
    }
    const last = yield* Stream.unwrap(toolkit.handle(name, params, id)).pipe(
      Stream.tap((result) => (result.preliminary ? progress(call, caller.agent, tool, result) : Effect.void)),
      Stream.filter((result) => !result.preliminary),
      Stream.runLast
    )
    return yield* Option.match(last, {
      onNone: () => Effect.succeed(failed("the tool gave no result")),
      onSome: (given) => encode(tool, given)
    })
  })

const decide = (tool: Tool.Any, { message }: Called, { trace }: Caller): Effect.Effect<Approval.Decision> =>
  Effect.flatMap(Approval.CurrentApprove, (approve) => {
    const part = Response.makePart("tool-approval-request", { approvalId: message.id, toolCallId: message.id })
    return approve({ call: message, part, tool, trace })
  })

/** Whether it is the provider that asks: it makes the call itself, once somebody says yes. */
const isAskedFor = ({ options }: ToolCall): boolean =>
  Predicate.isObject(options) &&
  Object.values(options).some((said) => Predicate.hasProperty(said, "approval") && said.approval === true)

const approval = (call: Called, caller: Caller): Effect.Effect<Given> =>
  Effect.map(decide(Tool.make(call.message.name), call, caller), ({ approved, parameters, reason }) => {
    // the provider has the parameters, and they cannot be changed there
    const isMade = approved && parameters === undefined
    const why = approved && !isMade ? "its parameters are not the right ones" : reason
    return { result: { approved: isMade, ...(why === undefined ? {} : { reason: why }) }, isFailure: false }
  })

const needsApproval = (tool: Tool.Any, call: Called, { prompt }: Caller): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    const { needsApproval } = tool
    if (typeof needsApproval !== "function") return Effect.succeed(needsApproval === true)
    const decode = Schema.decodeUnknownEffect(tool.parametersSchema as Schema.Codec<unknown>)(call.part.params)
    const ask = (parameters: unknown) => {
      const needed = needsApproval(parameters, { toolCallId: call.message.id, messages: prompt.content })
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

/** What a tool gave, in JSON. */
interface Given {
  readonly result: Schema.Json
  readonly output?: Schema.Json
  readonly files?: ReadonlyArray<Message.File>
  readonly isFailure: boolean
}

const failed = (result: Schema.Json): Given => ({ result, isFailure: true })

/** The result as its schema spells it in JSON; what the schema leaves open, as it is spelled everywhere else. */
const encode = (tool: Tool.Any, given: Result): Effect.Effect<Given> =>
  Effect.gen(function* () {
    const { encodedResult, isFailure, modelOutput, result } = given
    const schema = isFailure ? Tool.failureResultSchema(tool) : tool.successSchema
    const spelled = Schema.encodeUnknownEffect(Schema.toCodecJson(schema as Schema.Codec<unknown>))(result)
    // a schema that leaves something open has no spelling for it, and one that needs services cannot be asked here
    const json = lossless(yield* Effect.catchCause(spelled, () => Effect.succeed(encodedResult)))
    if (json instanceof NotJson) {
      return yield* Effect.die(Message.invalid(`the tool ${tool.name}`, `result${json.path}`, json.value, json.reason))
    }
    return { result: json, isFailure, ...(modelOutput !== undefined && outputOf(modelOutput.map(shown))) }
  })

/** A result with the files that came beside it. */
const withFiles = (given: Given, files: ReadonlyArray<Message.File>): Given => {
  if (files.length === 0 || given.isFailure || given.output !== undefined) return given
  const text = typeof given.result === "string" ? given.result : JSON.stringify(given.result)
  return { ...given, ...outputOf([...(text.trim() === "" ? [] : [Prompt.textPart({ text })]), ...files]) }
}

const progress = (call: Called, agent: string, tool: Tool.Any, given: Result): Effect.Effect<void> =>
  Effect.map(encode(tool, given), ({ result }) =>
    call.slot.add(new ResponsePart({ part: { type: "progress", id: call.message.id, result }, agent }))
  )

const finish = (call: Called, agent: string, given: Given): ToolResult => {
  const { id, name, step } = call.message
  const message = new ToolResult({ id, name, ...given, agent, ...(step === undefined ? {} : { step }) })
  call.slot.add(message)
  call.slot.end()
  return message
}
