/** Whether a prompt fits its model, and what makes it fit: what stands behind `Compaction`. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AiError from "effect/ai/AiError"
import * as Prompt from "effect/ai/Prompt"
import * as Tool from "effect/ai/Tool"
import { Assistant, type Message as AnyMessage } from "../../Message.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import * as ModelWindow from "../model/modelWindow.ts"
import * as TokenCount from "../model/TokenCount.ts"
import { type Entry, entries, view } from "./compactedView.ts"
import { Compacted, outermost, Reasoning, ToolCall, ToolResult } from "./LlmMessage.ts"
import * as LlmPrompt from "./LlmPrompt.ts"

export type { Entry }

/** A prompt that is too long for its model, with all that the policies could do: the reason of an `AiError`. */
export class PromptTooLong extends AiError.InvalidRequestError.extend<PromptTooLong>("miniagents/llm/PromptTooLong")({
  agent: Schema.String,
  model: Schema.optionalKey(Schema.String),
  /** About how many tokens the prompt has. */
  tokens: Schema.Finite,
  /** How many it may have: what the model takes, without what is for the answer. */
  allowed: Schema.Finite
}) {}

const tooLong = (agent: string, model: string | undefined, tokens: number, allowed: number): AiError.AiError => {
  const takes = `${model === undefined ? "its model" : `\`${model}\``} takes ${allowed}`
  const description = `the prompt of \`${agent}\` has about ${tokens} tokens, and ${takes}`
  const named = model === undefined ? {} : { model }
  const reason = new PromptTooLong({ parameter: "prompt", description, agent, ...named, tokens, allowed })
  return AiError.make({ module: "Compaction", method: "fit", reason })
}

/** What a policy is asked. */
export interface Room {
  readonly agent: string
  readonly entries: ReadonlyArray<Entry>
  readonly excess: number
  /** About how many tokens messages have. */
  readonly measure: (messages: ReadonlyArray<AnyMessage>) => number
}

export type Policy<R = never> = (
  room: Room
) => Effect.Effect<Option.Option<Compacted>, never, R | MiniAgents.MiniAgents>

export interface Compaction {
  readonly window: number | undefined
  readonly reserve: number
  readonly target: number
  readonly policies: ReadonlyArray<Policy>
}

export const CurrentCompaction: Context.Reference<Compaction | undefined> = Context.Reference<Compaction | undefined>(
  "miniagents/llm/Compaction/CurrentCompaction",
  { defaultValue: () => undefined }
)

/** How many tokens a conversation had after so many of its messages, as the provider said. */
export interface Known {
  readonly tokens: number
  readonly messages: number
}

/** A conversation about to be sent. */
export interface Sending {
  readonly agent: string
  readonly model: string | undefined
  readonly provider: string | undefined
  /** About how many tokens its tools have. */
  readonly tools: number
  readonly messages: ReadonlyArray<AnyMessage>
  readonly known: Known | undefined
  readonly promptOf: (messages: ReadonlyArray<AnyMessage>) => Prompt.Prompt
}

/** Makes room where a prompt would be too long; gives what was compacted for that. */
export const fit = (
  sending: Sending,
  compaction: Compaction
): Effect.Effect<ReadonlyArray<Compacted>, AiError.AiError, MiniAgents.MiniAgents> =>
  Effect.gen(function* () {
    const { agent, messages, model, promptOf, tools } = sending
    const window = compaction.window ?? (yield* ModelWindow.CurrentWindow)(model, sending.provider)
    if (window === undefined) return []
    const allowed = window - compaction.reserve
    let tokens = yield* tokensOf(sending)
    if (tokens <= allowed) return []
    // What is estimated of the parts is right about the whole, of which more is known.
    const scale = tokens / (tools + TokenCount.estimate(promptOf(messages)))
    const measure = (messages: ReadonlyArray<AnyMessage>) => scale * TokenCount.estimate(apart(messages))
    const made: Array<Compacted> = []
    for (const policy of compaction.policies) {
      const excess = tokens - allowed * compaction.target
      const seen = entries([...messages, ...made])
      const compacted = yield* policy({ agent, entries: seen, excess, measure })
      if (compacted._tag === "None") continue
      made.push(compacted.value)
      tokens = Math.ceil(scale * (tools + TokenCount.estimate(promptOf(view([...messages, ...made])))))
      if (tokens <= allowed) return made
    }
    return yield* tooLong(agent, model, tokens, allowed)
  })

/** As the provider has said of what it has seen, and counted for the rest. */
const tokensOf = ({ known, messages, promptOf, tools }: Sending): Effect.Effect<number> =>
  known === undefined
    ? Effect.map(TokenCount.count(promptOf(messages)), (tokens) => tokens + tools)
    : Effect.map(TokenCount.count(apart(messages.slice(known.messages))), (tokens) => tokens + known.tokens)

/** A prompt of messages that need not stand together, such as the result of a call without the call. */
const apart = (messages: ReadonlyArray<AnyMessage>): Prompt.Prompt =>
  Prompt.fromMessages(
    messages.flatMap((message) =>
      message instanceof ToolCall || message instanceof ToolResult || message instanceof Reasoning
        ? [Prompt.userMessage({ content: [Prompt.textPart({ text: String(message) })] })]
        : LlmPrompt.fromMessages([message]).content
    )
  )

/** How long a conversation was when its provider last said so to this agent, and nothing was compacted since. */
export const knownOf = (messages: ReadonlyArray<AnyMessage>, agent: string): Known | undefined => {
  const compacted = messages.findLastIndex((message) => message instanceof Compacted)
  const outer = new Set(outermost(messages.slice(compacted + 1)))
  const at = messages.findLastIndex(
    (message, i) =>
      i > compacted &&
      message instanceof Assistant &&
      message.agent === agent &&
      message.usage?.outputTokens !== undefined &&
      outer.has(message)
  )
  const { usage } = (messages[at] ?? {}) as Assistant
  const tokens = usage?.inputTokens === undefined ? undefined : usage.inputTokens + (usage.outputTokens ?? 0)
  return tokens === undefined ? undefined : { tokens, messages: at + 1 }
}

/** About how many tokens the descriptions of tools have. */
export const tokensOfTools = (tools: ReadonlyArray<Tool.Any>): number =>
  tools.reduce((sum, tool) => {
    const schema = Tool.isProviderDefined(tool) ? {} : Tool.getJsonSchema(tool)
    return sum + TokenCount.estimateText(`${tool.name} ${Tool.getDescription(tool) ?? ""} ${JSON.stringify(schema)}`)
  }, 0)
