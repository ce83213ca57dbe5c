/** Writes down what agents ask models, and what that costs. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import { jsonOf } from "../../internal/lossless.ts"
import * as Budget from "../../llm/model/Budget.ts"
import type * as LlmLogger from "../../llm/model/LlmLogger.ts"
import { usageOf } from "../../llm/model/usage.ts"
import { endOf, type Recorder } from "./recorder.ts"
import type { Event, Json, OfferedTool, Usage } from "../wire.ts"

/** Tells the requests of the calls that a recorder sees, and of no others. */
export const logger = (recorder: Recorder, tell: (event: Event) => void): LlmLogger.Logger => {
  let count = 0
  /** The prompt that each call sent last, as texts to compare. */
  const prompts = new Map<number, ReadonlyArray<string>>()

  const begin = (request: LlmLogger.Request, call: number): number => {
    const prompt = request.prompt.content.map((message) => jsonOf(message) as Json)
    const texts = prompt.map((message) => JSON.stringify(message))
    const before = prompts.get(call) ?? []
    const differs = texts.findIndex((text, i) => text !== before[i])
    const keeps = differs < 0 ? texts.length : differs
    prompts.set(call, texts)
    const { model, responseFormat: format, step } = request
    tell({
      _tag: "asked",
      t: recorder.now,
      request: count,
      call,
      step,
      format,
      tools: request.tools.map(offered),
      keeps,
      prompt: prompt.slice(keeps),
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
        const id = begin(request, call)
        const answer = new Answer(request.model)
        const entry: LlmLogger.Entry = {
          take: (parts) => answer.take(parts),
          end: (exit) =>
            Effect.sync(() => {
              const end = endOf(exit)
              tell({ _tag: "answered", t: recorder.now, request: id, ...answer.known(price), end })
            })
        }
        return entry
      })
  }
}

/** The entry of a request that is none of ours. */
const nothing: LlmLogger.Entry = { take: () => {}, end: () => Effect.void }

/** What is known of an answer at its end. */
class Answer {
  private model: string | undefined
  private usage: Usage | undefined = undefined
  private reason: string | undefined = undefined

  constructor(model: string | undefined) {
    this.model = model
  }

  take(parts: ReadonlyArray<Response.AnyPart>): void {
    for (const part of parts) {
      if (part.type === "response-metadata") this.model = part.modelId ?? this.model
      if (part.type !== "finish") continue
      this.usage = usageOf(part.usage)
      this.reason = part.reason
    }
  }

  known(price: Budget.Price) {
    const { model, reason, usage } = this
    const cost = usage === undefined ? 0 : price({ model, ...tokensOf(usage) })
    return {
      ...(model === undefined ? {} : { model }),
      ...(reason === undefined ? {} : { reason }),
      ...(usage === undefined ? {} : { usage }),
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

const offered = (tool: Tool.Any): OfferedTool => {
  const { description, name } = tool
  const schema = Tool.isProviderDefined(tool) ? Result.succeed(undefined) : Result.try(() => Tool.getJsonSchema(tool))
  const parameters = Result.getOrElse(schema, () => undefined)
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters: jsonOf(parameters) as Json })
  }
}
