/** What the events of Anthropic's Messages API add to a response. */
import type Anthropic from "@anthropic-ai/sdk"
import type * as Response from "effect/ai/Response"
import * as Parameters from "../llm/provider/callParameters.ts"
import * as Metadata from "../llm/provider/metadata.ts"
import type { ResponseBuilder } from "../llm/provider/responseBuilder.ts"
import type * as Wire from "../llm/provider/Wire.ts"
import * as Part from "../llm/provider/wirePart.ts"
import * as ServedBlocks from "./servedBlocks.ts"

/** An event, or a whole message from a server that does not stream. */
type Event =
  | Anthropic.RawMessageStreamEvent
  | (Partial<Anthropic.Message> & { readonly type: "message" })
  | { readonly type?: undefined }

/** Adds what an event says. */
export const decode: Wire.Codec<never, never>["decode"] = (said, response) => {
  const event = said as Event // whatever else comes, its type is not one of these
  switch (event.type) {
    case "message_start":
      response.begin(event.message)
      response.noteUnknown(event.message, knownOfMessage)
      return decodeUsage(event.message.usage, response)
    case "content_block_start":
      return startBlock(event.index, event.content_block, response)
    case "content_block_delta":
      return decodeDelta(event.index, event.delta, response)
    case "content_block_stop":
      return endBlock(event.index, response)
    case "message_delta":
      decodeUsage(event.usage, response)
      response.noteUnknown(event, knownOfMessage)
      return decodeStop(event.delta, response)
    case "message_stop":
      return response.complete()
    case "message":
      return decodeMessage(event, response)
  }
}

const decodeMessage = (message: Partial<Anthropic.Message>, response: ResponseBuilder): void => {
  response.begin(message)
  decodeUsage(message.usage, response)
  for (const [index, block] of (message.content ?? []).entries()) {
    startBlock(index, block, response)
    endBlock(index, response)
  }
  decodeStop(message, response)
}

const reasons: { readonly [reason: string]: Response.FinishReason } = {
  end_turn: "stop",
  stop_sequence: "stop",
  stop: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  length: "length",
  tool_use: "tool-calls",
  tool_calls: "tool-calls",
  pause_turn: "pause",
  refusal: "content-filter",
  content_filter: "content-filter"
}

const startBlock = (
  index: number,
  block: Anthropic.RawContentBlockStartEvent["content_block"],
  response: ResponseBuilder
): void => {
  switch (block.type) {
    case "text": {
      response.open("text", index)
      const unknown = Metadata.unknownOf(block, knownOfText)
      if (unknown !== undefined) response.annotate(unknown)
      return response.text(index, block.text)
    }
    case "thinking":
      response.open("reasoning", index)
      if (block.signature) response.annotate({ signature: block.signature })
      return response.reasoning(index, block.thinking)
    case "redacted_thinking":
      response.open("reasoning", index)
      return response.annotate({ redactedData: block.data })
    case "tool_use":
      // The parameters are usually empty here, and what follows are their pieces.
      response.call(index, { id: block.id, name: block.name, initial: block.input })
      return annotateCall(index, block, response)
    default:
      response.open("opaque", index)
      // in its place among the others, and as it is, for when it is sent back
      return response.annotate({ block: { ...Part.json(block) } })
  }
}

const knownOfText = new Set(["type", "text"])
const knownOfCall = new Set(["type", "id", "name", "input"])

const annotateCall = (index: number, block: object, response: ResponseBuilder): void => {
  const call = Metadata.unknownOf(block, knownOfCall)
  if (call !== undefined) response.annotate({ call }, index)
}

const decodeDelta = (
  index: number,
  delta: Anthropic.RawContentBlockDeltaEvent["delta"],
  response: ResponseBuilder
): void => {
  switch (delta.type) {
    case "text_delta":
      return response.text(index, delta.text)
    case "thinking_delta":
      return response.reasoning(index, delta.thinking)
    case "input_json_delta":
      if (response.callOf(index) !== undefined) return response.params(index, delta.partial_json)
      return response.annotate({ block: { input_text: delta.partial_json } })
    case "signature_delta":
      return response.annotate({ signature: delta.signature })
    case "citations_delta":
      return response.annotate({ citations: [Part.json(delta.citation)] })
    default: {
      const unknown = Metadata.unknownOf(delta, knownOfDelta)
      if (unknown === undefined) return
      return response.annotate(response.openMetadata?.["block"] === undefined ? unknown : { block: unknown })
    }
  }
}

const knownOfDelta = new Set(["type"])

const endBlock = (index: number, response: ResponseBuilder): void => {
  const block: unknown = response.openMetadata?.["block"]
  if (Metadata.isCollected(block) && typeof block["input_text"] === "string") {
    block["input"] = Parameters.parse(block["input_text"]) ?? block["input_text"]
    delete block["input_text"]
  }
  response.close(index, Metadata.isCollected(block) ? ServedBlocks.of(block) : undefined)
}

const knownOfMessage = new Set("type id role model content stop_reason usage delta".split(" "))

/** Why the model stopped, and what the reasons leave out. */
const decodeStop = (delta: { readonly stop_reason?: string | null }, response: ResponseBuilder): void => {
  response.noteUnknown(delta, knownOfMessage)
  const { stop_reason: said } = delta
  if (!said) return
  const reason = Object.hasOwn(reasons, said) ? reasons[said] : undefined
  if (reason === undefined) response.note({ stop_reason: said })
  response.finish(reason ?? "other")
}

const knownOfUsage = new Set(
  "input_tokens cache_read_input_tokens cache_creation_input_tokens output_tokens output_tokens_details".split(" ")
)

/** The usage at the end is that of the whole response, but leaves out what has not changed. */
const decodeUsage = (
  usage: Partial<Anthropic.Usage> | Partial<Anthropic.MessageDeltaUsage> | null | undefined,
  response: ResponseBuilder
): void => {
  if (!usage) return
  const { inputTokens, outputTokens } = response.usage
  const uncached = Part.count(usage.input_tokens) ?? inputTokens.uncached
  const cacheRead = Part.count(usage.cache_read_input_tokens) ?? inputTokens.cacheRead
  const cacheWrite = Part.count(usage.cache_creation_input_tokens) ?? inputTokens.cacheWrite
  const total = uncached === undefined ? undefined : uncached + (cacheRead ?? 0) + (cacheWrite ?? 0)
  const output = Part.count(usage.output_tokens) ?? outputTokens.total
  const reasoning = Part.count(usage.output_tokens_details?.thinking_tokens) ?? outputTokens.reasoning
  const text = output === undefined || reasoning === undefined ? undefined : Math.max(0, output - reasoning)
  response.usage = {
    inputTokens: { uncached, cacheRead, cacheWrite, total },
    outputTokens: { total: output, reasoning, text }
  }
  response.noteUnknown(usage, knownOfUsage)
}
