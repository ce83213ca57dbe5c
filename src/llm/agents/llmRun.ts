/** One call of an agent that speaks with a model: requests, and the tools between them, until the model is done. */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import type * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import type { InteractionContext } from "../../InteractionContext.ts"
import type * as Message from "../../Message.ts"
import { filled } from "./filled.ts"
import * as Spans from "../model/Spans.ts"
import * as ModelSettings from "../provider/ModelSettings.ts"
import * as AgentConversation from "./agentConversation.ts"
import * as ClientTools from "./ClientTools.ts"
import { Reasoning, ToolCall, ToolResult } from "./LlmMessage.ts"
import { ResponseMessages } from "./responseMessages.ts"
import * as ToolCalls from "./toolCalls.ts"
import { watch, type Watched } from "./watched.ts"

/** What a run is made of, besides the call. */
export interface Spec {
  /** What each request is asked with. */
  readonly settings: ModelSettings.Settings
  readonly choices: Choices
  readonly system: string | undefined
  readonly toolkit: ToolCalls.Toolkit | undefined
  readonly maxSteps: number
  /** What the run fails with when the model is not done after `maxSteps` requests. */
  readonly tooManySteps: () => unknown
}

/** Which tools may or must be called, in the first request and in the others. */
export interface Choices {
  readonly toolChoice?: LanguageModel.ToolChoice<string>
  readonly firstToolChoice?: LanguageModel.ToolChoice<string>
}

/** What one request is made of. */
interface Request {
  readonly settings: ModelSettings.Settings
  readonly toolChoice: LanguageModel.ToolChoice<string> | undefined
  readonly model: LanguageModel.LanguageModel
  readonly name: string | undefined
  readonly toolkit: ToolCalls.Toolkit | undefined
  readonly clientTools: ReadonlySet<string>
  readonly prompt: Prompt.Prompt
  readonly step: number
  readonly ids: Set<string>
}

/** What the model was last asked when it called no more tools, and in which step. */
export interface Done {
  readonly prompt: Prompt.Prompt
  readonly step: number
}

/** Asks until the model is done; gives nothing where what went wrong stands at its place, or the caller is to go on. */
export const run = (ctx: InteractionContext<{ readonly system?: string }>, spec: Spec) =>
  Effect.gen(function* () {
    const model = yield* LanguageModel.LanguageModel
    const name = Option.getOrUndefined(yield* Effect.serviceOption(Model.ModelName))
    const { choices, settings } = spec
    const { clientTools, toolkit } = yield* withClientTools(spec.toolkit)
    yield* checkChoices(choices, toolkit)
    const [agent, trace] = [ctx.agent.name, ctx.trace]
    const talk = yield* AgentConversation.make(ctx, spec.system)
    const span = yield* Spans.ofAgent
    for (let step = 1; ; step++) {
      yield* AgentConversation.makeRoom(ctx, talk, toolkit)
      const { prompt } = talk
      if (span !== undefined) yield* span.asks(prompt, Object.values(toolkit?.tools ?? {}))
      const toolChoice = (step === 1 ? choices.firstToolChoice : undefined) ?? choices.toolChoice
      const response = yield* request(ctx, {
        model,
        name,
        toolkit,
        toolChoice,
        settings,
        clientTools,
        prompt,
        step,
        ids: talk.ids
      })
      const { calls, messages } = response
      if (span !== undefined) yield* span.responds(response.finish, () => messages.flatMap(spokenPart))
      const reason = response.finish?.reason ?? "stop"
      const done: Done = { prompt, step }
      if (calls.length > 0 && !complete.has(reason)) {
        ToolCalls.refuse(calls, agent, reason)
        return done
      }
      if (calls.length === 0 && response.callsClient) return undefined
      if (calls.length === 0 && (reason !== "pause" || (toolkit === undefined && !messages.some(isOngoing))))
        return done
      // one without tools has no error for that in its type, and what was said last says that it was not the end
      if (step >= spec.maxSteps && toolkit === undefined) return done
      if (step >= spec.maxSteps && !response.callsClient) {
        for (const call of calls) call.slot.end()
        return yield* Effect.fail(spec.tooManySteps())
      }
      const tools = toolkit ?? { tools: {}, handle: () => Effect.never }
      const failed = (cause: Cause.Cause<unknown>) => span?.fails(cause)
      const results = yield* ToolCalls.run(tools, calls, { agent, trace, prompt, failed })
      if (results === undefined) return undefined
      if (response.callsClient) return undefined
      talk.add(messages, response.finish?.usage)
      talk.said.push(...results)
    }
  })

/** What was said, as the conventions for spans have it. */
const spokenPart = (message: Message.Message): ReadonlyArray<object> => {
  if (message instanceof ToolCall) {
    return [Spans.callOf(message.id, message.name, message.parameters, message.providerExecuted === true)]
  }
  if (message instanceof ToolResult) return [Spans.resultOf(message.id, message.name, message.result, true)]
  const content = String(message)
  return content === "" ? [] : [{ type: message instanceof Reasoning ? "reasoning" : "text", content }]
}

/** Providers refuse a choice of what is not there, each with words of its own. */
const checkChoices = (
  choices: Choices,
  toolkit: ToolCalls.Toolkit | undefined
): Effect.Effect<void, AiError.AiError> => {
  const names = Object.keys(toolkit?.tools ?? {})
  for (const parameter of ["toolChoice", "firstToolChoice"] as const) {
    const { [parameter]: choice } = choices
    if (choice === undefined || choice === "auto" || choice === "none") continue
    const chosen = choice === "required" ? [] : "tool" in choice ? [choice.tool] : choice.oneOf
    const missing = chosen.find((name) => !names.includes(name))
    if (names.length > 0 && missing === undefined) continue
    const has = names.length === 0 ? "no tools" : `the tools ${names.map((name) => `\`${name}\``).join(", ")}`
    const description = `\`${parameter}\` is \`${JSON.stringify(choice)}\`, and the agent has ${has}`
    const reason = new AiError.InvalidRequestError({ parameter, description })
    return AiError.make({ module: "LlmAgent", method: "streamText", reason })
  }
  return Effect.void
}

/** The tools that the model is told of, those among them that the caller runs by name. */
const withClientTools = (own: ToolCalls.Toolkit | undefined) =>
  Effect.gen(function* () {
    const isTool = (yield* ToolCalls.CurrentCall) !== undefined
    const clients = isTool ? [] : yield* ClientTools.CurrentClientTools
    const added = clients.filter(({ name }) => !Object.hasOwn(own?.tools ?? {}, name))
    if (added.length === 0) return { toolkit: own, clientTools: new Set<string>() }
    const tools = Object.fromEntries(added.map((tool) => [tool.name, ClientTools.toTool(tool)]))
    const handle = (...call: Parameters<ToolCalls.Toolkit["handle"]>) => own?.handle(...call) ?? Effect.never
    return {
      toolkit: { tools: { ...own?.tools, ...tools }, handle },
      clientTools: new Set(added.map(({ name }) => name))
    }
  })

/** Whether it is work of a tool that the provider runs, which goes on when it is sent back. */
const isOngoing = (message: Message.Message): boolean =>
  message instanceof ToolCall
    ? message.providerExecuted === true
    : message instanceof Reasoning && message.content === "" && message.options !== undefined

/** Reasons of a response that is all there: its calls can be made. */
const complete: ReadonlySet<string> = new Set(["stop", "tool-calls", "pause"])

/** One request, its response as messages. */
const request = (ctx: InteractionContext, asked: Request) =>
  Effect.withFiber((fiber) => {
    const { clientTools, ids, model, name, prompt, settings, step, toolChoice, toolkit } = asked
    const messages = new ResponseMessages({
      reply: (input) => ctx.reply(input as never), // what it fails with, the agent's type says
      open: (known) => filled(fiber, known),
      agent: ctx.agent.name,
      model: name,
      step,
      clientTools,
      ids
    })
    const read = (watched: Watched | undefined) =>
      forEachChunk(stream(model, prompt, toolkit, toolChoice), (chunk) => {
        watched?.take(chunk)
        return messages.push(chunk)
      }).pipe(withSettings(settings))
    let failure: Cause.Cause<unknown> = Cause.empty
    const end = (exit: Exit.Exit<unknown, unknown>) =>
      Exit.isSuccess(exit)
        ? messages.close()
        : Effect.map(messages.fail(exit.cause), (cause) => {
            failure = cause
          })
    return watch(ctx, { model: name, prompt, step, toolkit, toolChoice, settings, responseFormat: "text" }, read).pipe(
      Effect.onExit(end),
      Effect.catchCause(() => Effect.failCause(failure)),
      Effect.as(messages)
    )
  })

/** Runs a stream: what is done with a chunk is an Effect only where it has to be one, which few chunks of tokens do. */
const forEachChunk = <A, E, E2, R, R2>(
  stream: Stream.Stream<A, E, R>,
  take: (chunk: ReadonlyArray<A>) => Effect.Effect<void, E2, R2> | undefined
): Effect.Effect<void, E | E2, R | R2> =>
  Effect.scopedWith((scope) =>
    Effect.flatMap(Channel.toPullScoped(stream.channel, scope), (pull) => {
      const next: Effect.Effect<void, E | E2 | Cause.Done, R | R2> = Effect.flatMap(pull, (chunk) => {
        const effect = take(chunk)
        return effect === undefined ? next : Effect.andThen(effect, next)
      })
      return Pull.catchDone(next, () => Effect.void)
    })
  )

/** The one way a model is asked, whatever the types of its tools. */
const stream = (
  model: LanguageModel.LanguageModel,
  prompt: Prompt.Prompt,
  toolkit: ToolCalls.Toolkit | undefined,
  toolChoice: LanguageModel.ToolChoice<string> | undefined
): Stream.Stream<Response.AnyPart, AiError.AiError> => {
  // the tools' types stand in the type of the agent, which the overloads of `streamText` cannot see here
  const asked = model as unknown as {
    streamText: (options: object) => Stream.Stream<Response.AnyPart, AiError.AiError>
  }
  return asked.streamText(
    toolkit === undefined
      ? { prompt }
      : {
          prompt,
          toolkit,
          ...(toolChoice !== undefined && { toolChoice }),
          disableToolCallResolution: true,
          toolCallValidation: "deferred"
        }
  )
}

/** The settings of an agent, for its requests and for nothing that its tools call. */
export const withSettings =
  (settings: ModelSettings.Settings) =>
  <A, E, R>(ask: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Object.keys(settings).length === 0 ? ask : ModelSettings.withSettings(ask, settings)
