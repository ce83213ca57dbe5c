/** The messages of a UI as messages of this library, decoded before anything runs. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { ToolCall, ToolResult, Reasoning } from "../llm/agents/LlmMessage.ts"
import * as Message from "../Message.ts"
import * as callRequest from "./callRequest.ts"
import type { Answer } from "./conversationRuns.ts"

type Fields = { readonly [field: string]: Schema.Json | undefined }

/** A conversation as a page sends it, and what of it was just answered. */
export interface Conversation {
  readonly messages: ReadonlyArray<Message.Message>
  /** Who the last message is from. */
  readonly last: string | undefined
  readonly answers: ReadonlyArray<Answer>
}

/** Fails with what is wrong with it. */
export const decode = (
  json: Schema.Json | undefined,
  accepts: callRequest.Accepts
): Effect.Effect<Conversation, string> =>
  Effect.gen(function* () {
    if (!Array.isArray(json)) return yield* Effect.fail("`messages` must be a list of UI messages")
    const messages: Array<Message.Message> = []
    for (const [i, message] of (json as ReadonlyArray<Schema.Json>).entries()) {
      const place = `messages[${i}]`
      if (!isFields(message) || !Array.isArray(message.parts)) {
        return yield* Effect.fail(`\`${place}\`: a UI message is an object with \`parts\``)
      }
      const made = yield* of(message, accepts, place)
      messages.push(...made)
    }
    const last = json.at(-1) as Fields | undefined
    return { messages, last: last === undefined ? undefined : String(last.role), answers: answersIn(last) }
  })

const of = (
  message: Fields,
  accepts: callRequest.Accepts,
  place: string
): Effect.Effect<ReadonlyArray<Message.Message>, string> => {
  const parts = (message.parts as ReadonlyArray<Schema.Json>).flatMap((part): ReadonlyArray<Fields> =>
    isFields(part) ? [part] : []
  )
  if (message.role === "assistant") return Effect.succeed(fromAssistant(parts))
  if (message.role !== "user" && message.role !== "system") {
    return Effect.fail(`\`${place}.role\` must be \`user\`, \`assistant\` or \`system\``)
  }
  const tag = message.role === "user" ? "User" : "System"
  const items: Array<Schema.Json> = []
  for (const part of parts) {
    const { data, text, type } = part
    if (type === "text") items.push({ _tag: tag, content: text ?? null })
    else if (typeof type === "string" && type.startsWith("data-")) items.push(fromData(type.slice(5), data ?? null))
    else return Effect.fail(`\`${place}\`: a part of the type \`${String(type)}\` is not accepted here`)
  }
  return Effect.mapError(callRequest.messages(items, accepts), (problem) => `\`${place}\`: in its parts, ${problem}`)
}

const fromData = (tag: string, data: Schema.Json): Schema.Json =>
  tag === "Data" ? { _tag: tag, data } : { ...(isFields(data) ? (data as Schema.JsonObject) : { data }), _tag: tag }

/** What was said before: of the replies, what they said themselves, and the calls with their results. */
const fromAssistant = (parts: ReadonlyArray<Fields>): ReadonlyArray<Message.Message> => {
  let step = 0
  return parts.flatMap((part): ReadonlyArray<Message.Message> => {
    if (part.type === "step-start") step++
    const known = isFields(part.providerMetadata ?? part.callProviderMetadata)
      ? ((part.providerMetadata ?? part.callProviderMetadata) as Fields).miniagents
      : undefined
    const { agent, aside, call } = isFields(known) ? known : ({} as Fields)
    // what was said inside of a call, or was shown only, is no part of the conversation
    if (call !== undefined || aside === true) return []
    const said = { ...(typeof agent === "string" ? { agent } : {}), ...(step > 0 ? { step } : {}) }
    if (part.type === "text") return [new Message.Assistant({ content: String(part.text ?? ""), ...said })]
    if (part.type === "reasoning") return [new Reasoning({ content: String(part.text ?? ""), ...said })]
    return isTool(part) ? fromTool(part, said) : []
  })
}

const fromTool = (part: Fields, said: object): ReadonlyArray<Message.Message> => {
  const { approval, errorText, input, output, state } = part
  const id = String(part.toolCallId)
  const name = part.type === "dynamic-tool" ? String(part.toolName) : String(part.type).slice("tool-".length)
  const executed = part.providerExecuted === true ? { providerExecuted: true } : {}
  const call = new ToolCall({ id, name, parameters: input ?? {}, ...said, ...executed })
  const gave = (result: Schema.Json, isFailure: boolean) => [
    call,
    new ToolResult({ id, name, result, isFailure, ...said, ...executed })
  ]
  if (state === "output-available") return gave(output ?? null, false)
  if (state === "output-error") return gave(errorText ?? "", true)
  if (state !== "output-denied") return [call]
  const reason = isFields(approval) ? (approval.reason ?? "") : ""
  return gave({ type: "execution-denied", reason }, true)
}

const answersIn = (message: Fields | undefined): Conversation["answers"] =>
  message?.role !== "assistant"
    ? []
    : (message.parts as ReadonlyArray<Schema.Json>).flatMap((part) => {
        if (!isFields(part) || part.state !== "approval-responded" || !isFields(part.approval)) return []
        const { approved, id, reason } = part.approval
        if (typeof id !== "string" || typeof approved !== "boolean") return []
        return [{ approvalId: id, approved, ...(typeof reason === "string" ? { reason } : {}) }]
      })

const isTool = ({ toolCallId, type }: Fields): boolean =>
  typeof toolCallId === "string" && typeof type === "string" && (type === "dynamic-tool" || type.startsWith("tool-"))

const isFields = (json: unknown): json is Fields => Predicate.isObject(json) && !Array.isArray(json)
