/** What the chunks of the Chat Completions API add to a response, also those of other servers than OpenAI's. */
import * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type { OpenAI } from "openai"
import * as Parameters from "../llm/provider/callParameters.ts"
import * as Metadata from "../llm/provider/metadata.ts"
import type { ResponseBuilder } from "../llm/provider/responseBuilder.ts"
import type * as Wire from "../llm/provider/Wire.ts"
import * as Part from "../llm/provider/wirePart.ts"

/** A piece of a response as servers send it, of which the SDK's type knows a part. */
interface Chunk {
  readonly id?: unknown
  readonly model?: unknown
  readonly created?: number | null
  readonly usage?: RawUsage | null
  readonly x_groq?: { readonly usage?: RawUsage | null } | null
  readonly choices?: ReadonlyArray<Choice> | null
}

interface Choice {
  readonly delta?: Delta | null
  /** In the place of the delta: from servers that do not stream, and from some that do. */
  readonly message?: Delta | null
  readonly finish_reason?: string | null
  readonly logprobs?: Partial<OpenAI.Chat.ChatCompletionChunk.Choice.Logprobs> | null
  readonly usage?: RawUsage | null
}

interface Delta {
  readonly content?: unknown
  readonly refusal?: unknown
  readonly reasoning?: unknown
  readonly reasoning_content?: unknown
  readonly audio?: { readonly transcript?: unknown; readonly [key: string]: unknown } | null
  readonly images?: ReadonlyArray<unknown> | null
  readonly annotations?: ReadonlyArray<Schema.Json> | null
  readonly tool_calls?: ReadonlyArray<CallPiece> | null
  readonly function_call?: CallPiece["function"]
}

interface CallPiece {
  readonly index?: number | null
  readonly id?: string | null
  readonly function?: { readonly name?: string | null; readonly arguments?: unknown } | null
}

const knownOfChunk = new Set(["id", "object", "created", "model", "choices", "usage", "obfuscation"])
const knownOfChoice = new Set(["index", "delta", "message", "finish_reason", "logprobs", "usage"])
const knownOfDelta = new Set(
  "role content refusal reasoning reasoning_content audio images annotations tool_calls function_call".split(" ")
)
const knownOfCall = new Set(["index", "id", "type", "function"])

/** Adds what a chunk says. */
export const decode: Wire.Codec<never, never>["decode"] = (said, response) => {
  const chunk = said as Chunk // what is in it is looked at field by field
  response.begin(chunk)
  decodeUsage(chunk.usage, response)
  decodeUsage(chunk.x_groq?.usage, response)
  response.noteUnknown(chunk, knownOfChunk)
  const choice = chunk.choices?.[0]
  if (choice === undefined) return
  decodeUsage(choice.usage, response)
  response.noteUnknown(choice, knownOfChoice)
  const delta = choice.delta ?? choice.message
  if (delta) decodeDelta(delta, response)
  if (choice.logprobs) decodeLogprobs(choice.logprobs, response)
  if (choice.finish_reason) decodeReason(choice.finish_reason, response)
}

/** The reasons of the API, and what other servers say for them. */
const reasons: { readonly [reason: string]: Response.FinishReason } = {
  stop: "stop",
  eos: "stop",
  eos_token: "stop",
  end: "stop",
  end_turn: "stop",
  complete: "stop",
  stop_sequence: "stop",
  length: "length",
  max_tokens: "length",
  model_length: "length",
  tool_calls: "tool-calls",
  tool_call: "tool-calls",
  tool_use: "tool-calls",
  function_call: "tool-calls",
  content_filter: "content-filter",
  safety: "content-filter",
  sensitive: "content-filter",
  refusal: "content-filter"
}

const failures = new Set(["error", "network_error", "insufficient_system_resource"])

const decodeReason = (said: string, response: ResponseBuilder): void => {
  const name = said.toLowerCase()
  if (failures.has(name)) {
    const description = `the server ended the response with the reason \`${said}\``
    return response.fail(new AiError.InternalProviderError({ description }))
  }
  const reason = Object.hasOwn(reasons, name) ? reasons[name] : undefined
  if (reason === undefined) response.note({ finish_reason: said })
  response.finish(reason ?? "other")
}

/** A model thinks, speaks and calls tools in turns: what begins ends what was open, but tool calls may interleave. */
const decodeDelta = (delta: Delta, response: ResponseBuilder): void => {
  // The field is kept, so that the reasoning goes back in the one it came in.
  const field = delta.reasoning_content ? "reasoning_content" : "reasoning"
  const thought = delta[field]
  if (thought) response.reasoning("reasoning", thought, { field })
  decodeContent(delta.content, response)
  if (delta.images) decodeContent(delta.images, response)
  // What is said aloud is text as well; the sound itself is in the metadata of the finish.
  if (delta.audio) {
    response.text("text", delta.audio.transcript)
    response.list("audio", [Part.json(delta.audio)])
  }
  if (typeof delta.refusal === "string" && delta.refusal !== "") {
    response.isRefusal = true
    response.text("text", delta.refusal)
    response.annotate({ refusal: true })
  }
  const unknown = Metadata.unknownOf(delta, knownOfDelta)
  if (unknown !== undefined) response.annotate({ message: unknown })
  if (delta.tool_calls) decodeCalls(delta.tool_calls, response)
  if (delta.function_call) decodeCalls([{ function: delta.function_call }], response)
  if (delta.annotations) response.list("annotations", delta.annotations)
}

/** A text, or pieces of text, of thoughts (Mistral) and of what there is no part for. */
const decodeContent = (content: unknown, response: ResponseBuilder): void => {
  if (typeof content === "string") return response.text("text", content)
  if (!Array.isArray(content)) return
  for (const piece of content as ReadonlyArray<unknown>) {
    if (typeof piece === "string") response.text("text", piece)
    else if (Predicate.hasProperty(piece, "thinking")) decodeThinking(piece.thinking, response)
    else if (Predicate.hasProperty(piece, "image_url") && decodeImage(piece.image_url, response)) continue
    else if (Predicate.hasProperty(piece, "text")) response.text("text", piece.text)
    else if (Predicate.isObject(piece)) response.list("content", [Part.json(piece)])
  }
}

/** Takes an image that a model made, if it comes with its content. */
const decodeImage = (image: unknown, response: ResponseBuilder): boolean => {
  const url = Predicate.hasProperty(image, "url") ? image.url : image
  const [, mediaType, data] = /^data:([^;,]+);base64,(.*)$/s.exec(String(url)) ?? []
  if (mediaType === undefined || data === undefined) return false
  response.file(mediaType, data)
  return true
}

const decodeThinking = (thinking: unknown, response: ResponseBuilder): void => {
  for (const piece of Array.isArray(thinking) ? (thinking as ReadonlyArray<unknown>) : [thinking]) {
    const text = Predicate.hasProperty(piece, "text") ? piece.text : piece
    response.reasoning("reasoning", text, { field: "thinking" })
  }
}

const decodeCalls = (pieces: ReadonlyArray<CallPiece>, response: ResponseBuilder): void => {
  for (const [position, piece] of pieces.entries()) {
    const { name, arguments: params } = piece.function ?? {}
    const open = openCall(piece, position, pieces.length, response)
    const key = open ?? newKey(piece, response)
    if (open === undefined) response.call(key, { id: piece.id, name })
    else response.name(key, name)
    response.params(key, params)
    const unknown = Metadata.unknownOf(piece, knownOfCall)
    if (unknown !== undefined) response.annotate({ call: unknown }, key)
  }
}

/** The key of the open call that a piece goes on with, if it does. */
const openCall = (
  { function: called, id, index }: CallPiece,
  position: number,
  count: number,
  response: ResponseBuilder
): string | number | undefined => {
  const hasIndex = index !== undefined && index !== null
  const keys = hasIndex ? response.callKeys.filter((key) => indexOf(key) === index) : response.callKeys
  const sameId = id ? keys.find((key) => response.callOf(key)?.givenId === id) : undefined
  const key = sameId ?? (hasIndex || count === 1 ? keys.at(-1) : keys[position])
  const open = key === undefined ? undefined : response.callOf(key)
  if (open === undefined || sameId !== undefined || !called?.name || open.name === "") return key
  if (called.name !== open.name) return undefined
  // The same name once more: some repeat it with every piece, and some have every call under the same number.
  if (open.json === "") return id ? undefined : key
  return Parameters.parse(open.json) === undefined ? key : undefined
}

/** Calls are kept by their number, with how many calls were there before them where servers number all alike. */
const newKey = ({ index }: CallPiece, response: ResponseBuilder): string => `${index ?? ""}#${response.callKeys.length}`

const indexOf = (key: string | number): number => Number.parseInt(String(key), 10)

const decodeLogprobs = (
  logprobs: Partial<OpenAI.Chat.ChatCompletionChunk.Choice.Logprobs>,
  response: ResponseBuilder
) => {
  for (const items of [logprobs.content, logprobs.refusal]) {
    if (items)
      response.list(
        "logprobs",
        items.map((item) => Part.json(item))
      )
  }
}

/** How many tokens there were, under all the names that servers have for it. */
interface RawUsage {
  readonly prompt_tokens?: unknown
  readonly completion_tokens?: unknown
  readonly input_tokens?: unknown
  readonly output_tokens?: unknown
  readonly total_tokens?: unknown
  readonly prompt_tokens_details?: { readonly cached_tokens?: unknown; readonly cache_write_tokens?: unknown } | null
  readonly completion_tokens_details?: { readonly reasoning_tokens?: unknown } | null
  readonly prompt_cache_hit_tokens?: unknown
  readonly cached_tokens?: unknown
  readonly reasoning_tokens?: unknown
}

const decodeUsage = (usage: RawUsage | null | undefined, response: ResponseBuilder): void => {
  if (!usage) return
  const before = response.usage
  const input = Part.count(usage.prompt_tokens ?? usage.input_tokens) ?? before.inputTokens.total
  const said = Part.count(usage.completion_tokens ?? usage.output_tokens)
  const cached = usage.prompt_tokens_details?.cached_tokens ?? usage.prompt_cache_hit_tokens ?? usage.cached_tokens
  const cacheRead = Part.count(cached) ?? before.inputTokens.cacheRead
  const cacheWrite = Part.count(usage.prompt_tokens_details?.cache_write_tokens) ?? before.inputTokens.cacheWrite
  const thought = usage.completion_tokens_details?.reasoning_tokens ?? usage.reasoning_tokens
  const reasoning = Part.count(thought) ?? before.outputTokens.reasoning
  // Some leave the thoughts out of what was said, as their sum shows.
  const isApart = reasoning !== undefined && usage.total_tokens === (input ?? 0) + (said ?? 0) + reasoning
  const output = said === undefined ? before.outputTokens.total : said + (isApart ? reasoning : 0)
  response.usage = {
    inputTokens: {
      total: input,
      cacheRead,
      ...(cacheWrite === undefined ? {} : { cacheWrite }),
      uncached: input === undefined ? undefined : Math.max(0, input - (cacheRead ?? 0) - (cacheWrite ?? 0))
    },
    outputTokens: {
      total: output,
      reasoning,
      text: output === undefined ? undefined : Math.max(0, output - (reasoning ?? 0))
    }
  }
  response.note({ usage: besides(usage) })
}

const knownOfUsage = new Set(
  [
    ["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens", "cached_tokens"],
    ["cache_write_tokens", "reasoning_tokens", "prompt_cache_hit_tokens", "prompt_cache_miss_tokens"]
  ].flat()
)

/** What of the usage there is no field for, unless it is zero: sound, guessed tokens, the cost. */
const besides = (usage: object): Metadata.Metadata | undefined => {
  const rest: Metadata.Collected = {}
  for (const [key, value] of Object.entries(Metadata.unknownOf(usage, knownOfUsage) ?? {})) {
    const said = Predicate.isObject(value) ? besides(value) : value
    if (said !== undefined && said !== 0) rest[key] = said
  }
  return Object.keys(rest).length === 0 ? undefined : rest
}
