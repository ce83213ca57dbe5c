/**
 * The attributes of the spans of agents on models, by the OpenTelemetry conventions for generative AI: the provider and the
 * model, the conversation, the tokens of all requests of a call, what they cost, and, where that is wanted, what was
 * said.
 *
 * Source: https://github.com/open-telemetry/semantic-conventions-genai.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as Base64 from "effect/encoding/Base64"
import * as Model from "effect/ai/Model"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import { errorTypeOf } from "../../internal/errorType.ts"
import * as Conversation from "../provider/conversation.ts"
import * as Budget from "./Budget.ts"

/**
 * The id of the conversation that calls belong to (`gen_ai.conversation.id`). By default there is none.
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentConversation: Context.Reference<string | undefined> = Conversation.CurrentConversation

/**
 * Sets the id of the conversation for the agents that are triggered inside an effect.
 *
 * **Example**
 *
 * ```ts
 * import { LlmAgent, Spans } from "miniagents/llm"
 *
 * const program = LlmAgent.make("Assistant").trigger("Hello").pipe(Spans.withConversation("conversation-7"))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withConversation =
  (id: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, CurrentConversation, id)

/**
 * Whether the spans of agents contain the prompt, the system text and the answer. By default they do not, because these
 * can be private.
 *
 * @since 0.1.0
 * @category references
 */
export const CurrentContent: Context.Reference<boolean> = Context.Reference<boolean>(
  "miniagents/llm/Spans/CurrentContent",
  { defaultValue: () => false }
)

/**
 * Puts the prompt, the system text and the answer into the spans of the agents that run with the Layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerContent: Layer.Layer<never> = Layer.succeed(CurrentContent, true)

/** The span of one call of an agent, to which its requests are added. @internal */
export class AgentSpan {
  private readonly sums = new Map<string, number>()
  private readonly span: Tracer.Span
  private readonly provider: string | undefined
  private readonly model: string | undefined

  constructor(span: Tracer.Span, provider: string | undefined, model: string | undefined) {
    this.span = span
    this.provider = provider
    this.model = model
  }

  asks(prompt: Prompt.Prompt, tools: ReadonlyArray<Tool.Any>): Effect.Effect<void> {
    return Effect.map(CurrentContent, (isWanted) => {
      if (!isWanted) return
      const [system, said] = [true, false].map((of) =>
        prompt.content.filter((message) => (message.role === "system") === of)
      )
      this.json("gen_ai.system_instructions", (system ?? []).flatMap(partsOf))
      this.json("gen_ai.input.messages", (said ?? []).map(messageOf))
      this.json("gen_ai.tool.definitions", tools.map(definitionOf))
    })
  }

  /** Adds the tokens of a response, and what it has cost. */
  responds(finish: Response.FinishPart | undefined, said: () => ReadonlyArray<object>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (finish === undefined) return
      const { inputTokens, outputTokens } = finish.usage
      this.sum("gen_ai.usage.input_tokens", inputTokens.total)
      this.sum("gen_ai.usage.output_tokens", outputTokens.total)
      this.sum("gen_ai.usage.cache_read.input_tokens", inputTokens.cacheRead)
      this.sum("gen_ai.usage.cache_creation.input_tokens", inputTokens.cacheWrite)
      this.sum("gen_ai.usage.reasoning.output_tokens", outputTokens.reasoning)
      const cost = yield* Budget.costOf(this.model, this.provider, finish)
      if (cost > 0) this.sum("miniagents.usage.cost", cost)
      if (!(yield* CurrentContent)) return
      const finish_reason = reasons[finish.reason] ?? finish.reason
      this.json("gen_ai.output.messages", [{ role: "assistant", parts: said(), finish_reason }])
    })
  }

  /** A tool has failed, which is the failure of the agent. */
  fails(cause: Cause.Cause<unknown>): void {
    if (!Cause.hasInterruptsOnly(cause)) this.span.attribute("error.type", errorTypeOf(cause))
  }

  private sum(name: string, more: number | undefined): void {
    if (more === undefined) return
    const sum = (this.sums.get(name) ?? 0) + more
    this.sums.set(name, sum)
    this.span.attribute(name, sum)
  }

  private json(name: string, value: ReadonlyArray<unknown>): void {
    if (value.length > 0) this.span.attribute(name, JSON.stringify(value))
  }
}

/** The span of the call that runs, with what is known of it; nothing, where there is none. @internal */
export const ofAgent: Effect.Effect<AgentSpan | undefined> = Effect.gen(function* () {
  // looked up without the error that there is none, which takes longer than all else that an agent does about spans
  const span = Option.getOrUndefined(yield* Effect.serviceOption(Tracer.ParentSpan))
  if (span?._tag !== "Span" || !span.name.startsWith("invoke_agent ")) return undefined
  const provider = Option.getOrUndefined(yield* Effect.serviceOption(Model.ProviderName))
  const model = Option.getOrUndefined(yield* Effect.serviceOption(Model.ModelName))
  const known = {
    "gen_ai.provider.name": provider,
    "gen_ai.request.model": model,
    "gen_ai.conversation.id": yield* CurrentConversation
  }
  for (const [name, value] of Object.entries(known)) if (value !== undefined) span.attribute(name, value)
  return new AgentSpan(span, provider, model)
})

/** The reasons as the conventions name them. */
const reasons: { readonly [reason: string]: string } = {
  "tool-calls": "tool_call",
  "content-filter": "content_filter"
}

const messageOf = (message: Prompt.Message) => ({ role: message.role, parts: partsOf(message) })

const partsOf = ({ content }: Prompt.Message): ReadonlyArray<object> =>
  typeof content === "string" ? [{ type: "text", content }] : content.flatMap(partOf)

const partOf = (part: Prompt.Part): ReadonlyArray<object> => {
  switch (part.type) {
    case "text":
    case "reasoning":
      return [{ type: part.type, content: part.text }]
    case "tool-call":
      return [callOf(part.id, part.name, part.params, part.providerExecuted)]
    case "tool-result":
      return [resultOf(part.id, part.name, part.result ?? null, part.providerExecuted)]
    case "file":
      return [fileOf(part)]
    default:
      return []
  }
}

/** A call of a tool, which the provider may have run itself. @internal */
export const callOf = (id: string, name: string, params: unknown, isServed: boolean): object =>
  isServed
    ? { type: "server_tool_call", id, name, server_tool_call: { type: name, arguments: params } }
    : { type: "tool_call", id, name, arguments: params }

/** @internal */
export const resultOf = (id: string, name: string, response: unknown, isServed: boolean): object =>
  isServed
    ? { type: "server_tool_call_response", id, server_tool_call_response: { type: name, response } }
    : { type: "tool_call_response", id, response }

const definitionOf = (tool: Tool.Any): object => {
  const description = Tool.getDescription(tool)
  return {
    type: "function",
    name: tool.name,
    ...(description === undefined ? {} : { description }),
    ...(Tool.isProviderDefined(tool) ? {} : { parameters: Tool.getJsonSchema(tool) })
  }
}

const fileOf = ({ data, mediaType }: Prompt.FilePart): object => {
  const [kind = ""] = mediaType.split("/")
  const about = { mime_type: mediaType, modality: ["image", "audio", "video"].includes(kind) ? kind : "document" }
  if (data instanceof Uint8Array) return { type: "blob", ...about, content: Base64.encode(data) }
  const text = String(data)
  return /^https?:/i.test(text)
    ? { type: "uri", ...about, uri: text }
    : { type: "blob", ...about, content: text.replace(/^data:[^,]*,/, "") }
}
