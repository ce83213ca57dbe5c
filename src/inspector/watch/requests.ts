/** Writes down what agents ask models, and what that costs. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import type * as Tool from "effect/ai/Tool"
import { jsonOf } from "../../llm/model/lossless.ts"
import { withSettings } from "../../llm/agents/llmRun.ts"
import * as Budget from "../../llm/model/Budget.ts"
import * as Exchange from "../../llm/model/exchange.ts"
import type * as LlmLogger from "../../llm/model/LlmLogger.ts"
import { usageOf } from "../../llm/model/usage.ts"
import type { End, Event, Json, Moment, OfferedTool, Usage } from "../wire.ts"
import { endOf, type Recorder } from "./recorder.ts"

/** Tells the requests of the calls that a recorder sees, and of no others. */
export const logger = (recorder: Recorder, tell: (event: Event) => void): LlmLogger.Logger => {
  let count = 0
  /** The prompt that each call sent last, as texts to compare. */
  const prompts = new Map<number, ReadonlyArray<string>>()
  /** The request of each call that has no answer yet. */
  const open = new Map<number, number>()

  const begin = (request: LlmLogger.Request, call: number, names: object): number => {
    const { format, isExact, model, offers, prompt, rest, step } = writtenDown(request)
    const texts = prompt.map((message) => JSON.stringify(message))
    const before = prompts.get(call) ?? []
    const differs = texts.findIndex((text, i) => text !== before[i])
    const keeps = differs < 0 ? texts.length : differs
    prompts.set(call, texts)
    open.set(call, count)
    tell({
      _tag: "asked",
      t: recorder.now,
      request: count,
      call,
      step,
      format,
      tools: offers,
      keeps,
      prompt: prompt.slice(keeps),
      ...(isExact ? { rest: { ...names, ...rest } } : {}),
      ...(model === undefined ? {} : { model })
    })
    return count++
  }

  return {
    open: (request) =>
      Effect.gen(function* () {
        const call = yield* recorder.current
        if (call === undefined) return nothing
        const price = yield* Budget.CurrentPrice
        const id = begin(request, call, yield* namesOf(request))
        const answer = new Answer(request, recorder)
        const entry: LlmLogger.Entry = {
          take: (parts) => answer.take(parts),
          end: (exit) =>
            Effect.sync(() => {
              if (open.get(call) === id) open.delete(call)
              tell({ _tag: "answered", t: recorder.now, request: id, ...answer.known(price), ...endedBy(exit) })
            })
        }
        return entry
      }),
    lost: ({ error, event, what }) =>
      Effect.map(recorder.current, (call) => {
        const request = open.get(call ?? -1)
        if (request === undefined) return
        tell({ _tag: "lost", t: recorder.now, request, event, what, error: error.reason._tag, reason: error.message })
      })
  }
}

/** A request as it is written down; `rest` is what its answer depends on besides the prompt and the tools. */
const writtenDown = (request: LlmLogger.Request) => {
  const { model, object, prompt: sent, responseFormat: format, step, toolChoice = "auto", tools } = request
  const responseFormat =
    object === undefined
      ? ({ type: "text" } as const)
      : ({
          type: "json",
          objectName: object.name,
          schema: object.schema
        } as LanguageModel.ProviderOptions["responseFormat"])
  const kind = format === "json" ? "generateObject" : "streamText"
  const made = Result.try(() => plain(Exchange.requestOf(kind, { prompt: sent, tools, toolChoice, responseFormat })))
  // what has no such form can be looked at all the same
  const { prompt, tools: offers = [], ...rest } = Result.getOrElse(made, () => asItIs(sent, tools))
  return { format, model, step, prompt, offers, rest, isExact: Result.isSuccess(made) }
}

/** What tells a model from others, as a cassette has it. */
const namesOf = ({ settings = {} }: LlmLogger.Request): Effect.Effect<object> =>
  Effect.gen(function* () {
    const provider = Option.getOrUndefined(yield* Effect.serviceOption(Model.ProviderName))
    const model = Option.getOrUndefined(yield* Effect.serviceOption(Model.ModelName))
    return plain({ provider, model, ...(yield* withSettings(settings)(Exchange.changes)) })
  })

interface Asked {
  readonly prompt: ReadonlyArray<Json>
  readonly tools?: ReadonlyArray<OfferedTool>
  readonly [field: string]: unknown
}

/** As it will be read from a file. */
const plain = (value: object): Asked & { readonly [field: string]: Json } => JSON.parse(JSON.stringify(value)) as never

/** A request with what cannot be written down as it is sent. */
const asItIs = (prompt: Prompt.Prompt, tools: ReadonlyArray<Tool.Any>): Asked & { readonly [field: string]: Json } => ({
  prompt: prompt.content.map((message) => jsonOf(message) as Json),
  tools: tools.map(({ description, name }) => ({
    name,
    ...(description === undefined ? {} : { description })
  })) as never
})

const endedBy = (exit: Exit.Exit<unknown, unknown>): { readonly end: End; readonly error?: Json } => {
  const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
  return { end: endOf(exit), ...(AiError.isAiError(error) ? { error: Exchange.encodeError(error) as Json } : {}) }
}

/** The entry of a request that is none of ours. */
const nothing: LlmLogger.Entry = { take: () => {}, end: () => Effect.void }

/** What is known of an answer at its end. */
class Answer {
  private model: string | undefined
  private usage: Usage | undefined = undefined
  private reason: string | undefined = undefined
  private readonly encode: (part: Response.AnyPart) => unknown
  private readonly recorder: Recorder
  private readonly began: number
  private response: Array<Moment> | undefined = []

  constructor({ model, responseFormat }: LlmLogger.Request, recorder: Recorder) {
    this.model = model
    this.recorder = recorder
    this.began = recorder.now
    this.encode = responseFormat === "json" ? Exchange.wholePartOf : Exchange.partOf
  }

  take(parts: ReadonlyArray<Response.AnyPart>): void {
    // a part of a kind that is not known here is no reason to fail the request
    const encoded = Result.try(() => parts.map((part) => this.encode(part) as Json))
    if (Result.isFailure(encoded)) this.response = undefined
    else if (parts.length > 0) this.response?.push({ at: this.recorder.now - this.began, parts: encoded.success })
    for (const part of parts) {
      if (part.type === "response-metadata") this.model = part.modelId ?? this.model
      if (part.type !== "finish") continue
      this.usage = usageOf(part.usage)
      this.reason = part.reason
    }
  }

  known(price: Budget.Price) {
    const { model, reason, response, usage } = this
    const cost = usage === undefined ? 0 : price({ model, ...tokensOf(usage) })
    return {
      ...(model === undefined ? {} : { model }),
      ...(reason === undefined ? {} : { reason }),
      ...(usage === undefined ? {} : { usage }),
      ...(response === undefined ? {} : { response }),
      ...(cost === 0 ? {} : { cost })
    }
  }
}

const tokensOf = ({ cacheReadTokens = 0, cacheWriteTokens = 0, inputTokens = 0, outputTokens = 0 }: Usage) => ({
  cacheReadTokens,
  cacheWriteTokens,
  inputTokens,
  outputTokens
})
