/** The input of a run of AG-UI, decoded before anything runs. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type { ClientTool } from "../../llm/agents/ClientTools.ts"
import { ToolCall, ToolResult } from "../../llm/agents/LlmMessage.ts"
import * as Message from "../../Message.ts"
import * as files from "../folds/files.ts"
import type * as callRequest from "../routes/callRequest.ts"
import type { Answer } from "../routes/conversationRuns.ts"

type Fields = { readonly [field: string]: Schema.Json | undefined }

/** The messages of a conversation; fails with what is wrong with it. */
export const messages = (
  json: Schema.Json | undefined,
  accepts: callRequest.Accepts
): Effect.Effect<ReadonlyArray<Message.Message>, string> =>
  Effect.suspend(() => {
    if (!Array.isArray(json)) return Effect.fail("`messages` must be a list of messages")
    const names = new Map<string, string>()
    return Effect.map(
      Effect.forEach(json as ReadonlyArray<Schema.Json>, (message, i) =>
        isFields(message)
          ? Effect.mapError(of(message, names, accepts), (problem) => `\`messages[${i}]\`: ${problem}`)
          : Effect.fail(`\`messages[${i}]\`: a message is an object`)
      ),
      (all) => all.flat()
    )
  })

const of = (
  message: Fields,
  names: Map<string, string>,
  accepts: callRequest.Accepts
): Effect.Effect<ReadonlyArray<Message.Message>, string> =>
  Effect.gen(function* () {
    const { content, error, role, subagentRunId, toolCallId, toolCalls } = message
    // what was said inside of a call is no part of the conversation
    if (subagentRunId !== undefined && role !== "user") return []
    switch (role) {
      case "user":
        return [Message.user(Array.isArray(content) ? yield* partsOf(content) : yield* textOf(content))]
      case "system":
      case "developer":
        if (!accepts.some(({ identifier }) => identifier === "System")) {
          return yield* Effect.fail("instructions (messages of the class `System`) are not accepted here")
        }
        return [Message.system(yield* textOf(content))]
      case "tool": {
        const id = String(toolCallId)
        const name = names.get(id)
        if (name === undefined) return yield* Effect.fail("it is the result of a call that was not made")
        const result = typeof error === "string" ? error : yield* textOf(content)
        return [new ToolResult({ id, name, result, isFailure: typeof error === "string" })]
      }
      case "assistant": {
        const text = content === undefined || content === null ? "" : yield* textOf(content)
        const said = text === "" ? [] : [Message.assistant(text)]
        const calls = Array.isArray(toolCalls) ? (toolCalls as ReadonlyArray<Schema.Json>) : []
        return [...said, ...calls.flatMap((call) => callOf(call, names))]
      }
      case "reasoning":
      case "activity":
        return [] // what was shown only
      default:
        return yield* Effect.fail("`role` must be `user`, `assistant`, `system`, `developer`, `tool` or `reasoning`")
    }
  })

const callOf = (call: Schema.Json, names: Map<string, string>): ReadonlyArray<ToolCall> => {
  if (!isFields(call) || typeof call.id !== "string" || !isFields(call.function)) return []
  const { arguments: given, name } = call.function
  if (typeof name !== "string") return []
  names.set(call.id, name)
  return [new ToolCall({ id: call.id, name, parameters: parsed(given) })]
}

const parsed = (given: Schema.Json | undefined): Schema.Json =>
  typeof given !== "string" || given === ""
    ? (given ?? {})
    : Result.getOrElse(
        Result.try(() => JSON.parse(given) as Schema.Json),
        () => given // as a model gave it
      )

const textOf = (content: Schema.Json | undefined): Effect.Effect<string, string> => {
  if (typeof content === "string") return Effect.succeed(content)
  if (!Array.isArray(content)) return Effect.fail("`content` must be a text or a list of parts")
  const texts: Array<string> = []
  for (const part of content as ReadonlyArray<Schema.Json>) {
    if (!isFields(part) || part.type !== "text" || typeof part.text !== "string") {
      return Effect.fail("a part is a `text`, or from a user an `image`, `audio`, `video` or `document`")
    }
    texts.push(part.text)
  }
  return Effect.succeed(texts.join(""))
}

/** What a person said: texts, and files of these types. */
const partsOf = (content: ReadonlyArray<Schema.Json>): Effect.Effect<ReadonlyArray<string | Message.File>, string> =>
  Effect.forEach(content, (part): Effect.Effect<string | Message.File, string> => {
    if (!isFields(part) || !fileTypes.has(String(part.type)) || !isFields(part.source)) return textOf([part])
    const { mimeType, type, value } = part.source
    const source =
      type === "data" ? `data:${String(mimeType)};base64,${String(value)}` : type === "url" ? value : undefined
    return files.of(source, { mediaType: mimeType ?? (part.type === "document" ? undefined : part.type) })
  })

const fileTypes: ReadonlySet<string> = new Set(["image", "audio", "video", "document"])

/** The tools of a page. */
export const tools = (json: Schema.Json | undefined): Effect.Effect<ReadonlyArray<ClientTool>, string> => {
  const all = Array.isArray(json) ? (json as ReadonlyArray<Schema.Json>) : []
  return Effect.forEach(all, (tool, i) => {
    if (!isFields(tool) || typeof tool.name !== "string" || !/^[\w-]{1,64}$/.test(tool.name)) {
      return Effect.fail(`\`tools[${i}]\`: the name of a tool has 1 to 64 letters, digits, \`_\` and \`-\``)
    }
    const { description, name, parameters } = tool
    return Effect.succeed({
      name,
      ...(typeof description === "string" ? { description } : {}),
      parameters: isFields(parameters) ? (parameters as Schema.JsonObject) : { type: "object", properties: {} }
    })
  })
}

/** What a page answers to the interrupts of the run before. */
export const answers = (json: Schema.Json | undefined): Effect.Effect<ReadonlyArray<Answer>, string> => {
  const all = Array.isArray(json) ? (json as ReadonlyArray<Schema.Json>) : []
  return Effect.forEach(all, (entry, i): Effect.Effect<Answer, string> => {
    if (!isFields(entry) || typeof entry.interruptId !== "string") {
      return Effect.fail(`\`resume[${i}]\`: it must have an \`interruptId\``)
    }
    const { interruptId: approvalId, payload, status } = entry
    if (status === "cancelled") return Effect.succeed({ approvalId, approved: false, reason: "it was cancelled" })
    const { approved, reason } = isFields(payload) ? payload : { approved: payload, reason: undefined }
    if (typeof approved !== "boolean") {
      return Effect.fail(`\`resume[${i}].payload\` must be an object with \`approved\``)
    }
    return Effect.succeed({ approvalId, approved, ...(typeof reason === "string" ? { reason } : {}) })
  })
}

/** The messages of a client that are not of a run, of which the ids begin with a prefix. */
export const without = (json: Schema.Json | undefined, prefix: string): ReadonlyArray<Schema.JsonObject> =>
  Array.isArray(json)
    ? (json as ReadonlyArray<Schema.Json>).flatMap((message) =>
        isFields(message) && !String(message.id).startsWith(prefix) ? [message as Schema.JsonObject] : []
      )
    : []

/**
 * The messages of a client with those of a run emptied that come after the message `at` of it: they keep their places
 * and are filled again. Nothing where it has none.
 */
export const restored = (
  json: Schema.Json | undefined,
  prefix: string,
  at: number
): ReadonlyArray<Schema.JsonObject> | undefined => {
  let found = false
  const messages = (Array.isArray(json) ? (json as ReadonlyArray<Schema.JsonObject>) : []).flatMap((message) => {
    const id = String(message.id)
    if (!id.startsWith(prefix) || Number.parseInt(id.slice(prefix.length + 1), 10) <= at) return [message]
    found = true
    if (message.role === "tool") return []
    const { content, toolCalls, ...rest } = message
    const emptied = toolCalls === undefined ? {} : { toolCalls: [] }
    return [{ ...rest, ...(content === undefined ? {} : { content: "" }), ...emptied }]
  })
  return found ? messages : undefined
}

/** The ids of the calls in messages. */
export const callIds = (messages: ReadonlyArray<Schema.JsonObject>): ReadonlyArray<string> =>
  messages.flatMap(({ toolCalls }) =>
    Array.isArray(toolCalls)
      ? (toolCalls as ReadonlyArray<Schema.Json>).flatMap((call) => (isFields(call) ? [String(call.id)] : []))
      : []
  )

const isFields = (json: unknown): json is Fields => Predicate.isObject(json) && !Array.isArray(json)
