/** The messages of a UI as messages of this library, decoded before anything runs. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import { ToolCall, ToolResult, Reasoning } from "../../llm/agents/LlmMessage.ts"
import * as Message from "../../Message.ts"
import * as files from "../folds/files.ts"
import * as callRequest from "../routes/callRequest.ts"
import type { Answer } from "../routes/conversationRuns.ts"

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
  if (message.role === "assistant") {
    return Effect.mapError(fromAssistant(parts), (problem) => `\`${place}\`: in its parts, ${problem}`)
  }
  if (message.role !== "user" && message.role !== "system") {
    return Effect.fail(`\`${place}.role\` must be \`user\`, \`assistant\` or \`system\``)
  }
  const tag = message.role === "user" ? "User" : "System"
  return Effect.gen(function* () {
    const items: Array<Schema.Json> = []
    let said: Array<string | Message.File> = []
    const flush = () => {
      // texts with files are one message, as they were sent
      if (said.some((part) => typeof part !== "string")) items.push(Message.toJson(Message.user(said)))
      else for (const text of said) items.push({ _tag: tag, content: String(text) })
      said = []
    }
    for (const part of parts) {
      const { data, filename: fileName, mediaType, text, type, url } = part
      if (type === "text") said.push(yield* textOf(text, place))
      else if (type === "file" && tag === "User") {
        said.push(
          yield* Effect.mapError(files.of(url, { mediaType, fileName }), (problem) => `\`${place}\`: ${problem}`)
        )
      } else if (typeof type === "string" && type.startsWith("data-")) {
        flush()
        items.push(fromData(type.slice(5), data ?? null))
      } else return yield* Effect.fail(`\`${place}\`: a part of the type \`${String(type)}\` is not accepted here`)
    }
    flush()
    return yield* Effect.mapError(
      callRequest.messages(items, accepts),
      (problem) => `\`${place}\`: in its parts, ${problem}`
    )
  })
}

const textOf = (text: Schema.Json | undefined, place: string): Effect.Effect<string, string> =>
  typeof text === "string"
    ? Effect.succeed(text)
    : Effect.fail(`\`${place}\`: in its parts, \`content\` got \`${JSON.stringify(text)}\``)

const fromData = (tag: string, data: Schema.Json): Schema.Json =>
  tag === "Data" ? { _tag: tag, data } : { ...(isFields(data) ? (data as Schema.JsonObject) : { data }), _tag: tag }

/** What was said before: of the replies, what they said themselves, and the calls with their results. */
const fromAssistant = (parts: ReadonlyArray<Fields>): Effect.Effect<ReadonlyArray<Message.Message>, string> => {
  let step = 0
  const made = Effect.forEach(parts, (part): Effect.Effect<ReadonlyArray<Message.Message>, string> => {
    if (part.type === "step-start") step++
    const known = isFields(part.providerMetadata ?? part.callProviderMetadata)
      ? ((part.providerMetadata ?? part.callProviderMetadata) as Fields).miniagents
      : undefined
    const { agent, aside, call, fileName } = isFields(known) ? known : ({} as Fields)
    // what was said inside of a call, or was shown only, is no part of the conversation
    if (call !== undefined || aside === true) return Effect.succeed([])
    const said = { ...(typeof agent === "string" ? { agent } : {}), ...(step > 0 ? { step } : {}) }
    const content = String(part.text ?? "")
    if (part.type === "text") return Effect.succeed([new Message.Assistant({ content, ...said })])
    if (part.type === "reasoning") return Effect.succeed([new Reasoning({ content, ...said })])
    if (part.type !== "file") return Effect.succeed(isTool(part) ? fromTool(part, said) : [])
    const file = files.of(part.url, { mediaType: part.mediaType, fileName: part.filename ?? fileName })
    return Effect.map(file, (file) => [new Message.Assistant({ content: "", parts: [file], ...said })])
  })
  return Effect.map(made, (all) => all.flat())
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
