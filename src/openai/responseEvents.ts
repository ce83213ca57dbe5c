/** What the events of OpenAI's Responses API add to a response. */
import type * as Response from "effect/ai/Response"
import type { OpenAI } from "openai"
import * as Metadata from "../llm/provider/metadata.ts"
import type { ResponseBuilder } from "../llm/provider/responseBuilder.ts"
import type * as Wire from "../llm/provider/Wire.ts"
import * as Part from "../llm/provider/wirePart.ts"
import * as ServedTools from "./servedTools.ts"

type Item = OpenAI.Responses.ResponseOutputItem

/** An event, or a whole response from a server that does not stream. */
type Event =
  | OpenAI.Responses.ResponseStreamEvent
  | (OpenAI.Responses.Response & { readonly type?: undefined; readonly sequence_number?: undefined })

/** Adds what an event says. */
export const decode: Wire.Codec<never, never>["decode"] = (said, response) => {
  const event = said as Event // whatever else comes, its type is not one of these
  if (response.cursor !== undefined && event.sequence_number !== undefined) {
    response.cursor = { ...response.cursor, after: event.sequence_number }
  }
  switch (event.type) {
    case "response.created":
    case "response.in_progress":
    case "response.queued":
      return begin(event.response, event.sequence_number, response)
    case "response.output_item.added":
      return startItem(event.output_index, event.item, response)
    case "response.output_text.delta":
      if (event.logprobs?.length) response.list("logprobs", event.logprobs.map(Part.json))
      return response.text(event.output_index, event.delta)
    case "response.output_text.annotation.added":
      return response.list("annotations", [Part.json(event.annotation as object)])
    case "response.refusal.delta":
      response.isRefusal = true
      response.text(event.output_index, event.delta)
      return response.annotate({ refusal: true })
    case "response.reasoning_summary_part.added":
      return event.summary_index > 0 ? response.reasoning(event.output_index, "\n\n") : undefined
    case "response.reasoning_summary_text.delta":
    case "response.reasoning_text.delta":
      return response.reasoning(event.output_index, event.delta)
    case "response.function_call_arguments.delta":
      return response.params(event.output_index, event.delta)
    case "response.output_item.done":
      return endItem(event.output_index, event.item, response)
    case "response.completed":
    case "response.incomplete":
      return finish(event.response, response)
    case undefined:
      return decodeWhole(event, response)
  }
}

const begin = (said: OpenAI.Responses.Response, at: number, response: ResponseBuilder): void => {
  // Only such a response goes on when the connection is lost.
  if (said.background === true && said.id) response.cursor = { id: said.id, after: at }
  response.begin({ id: said.id, model: said.model, created: said.created_at })
}

const decodeWhole = (said: OpenAI.Responses.Response, response: ResponseBuilder): void => {
  if (!Array.isArray(said.output)) return
  begin(said, 0, response)
  for (const [index, item] of said.output.entries()) {
    startItem(index, item, response)
    if (item.type === "message") for (const part of item.content) decodeContent(index, part, response)
    if (item.type === "reasoning") {
      response.reasoning(index, item.summary.map(({ text }) => text).join("\n\n"))
    }
    endItem(index, item, response)
  }
  finish(said, response)
}

const decodeContent = (
  index: number,
  part: OpenAI.Responses.ResponseOutputText | OpenAI.Responses.ResponseOutputRefusal,
  response: ResponseBuilder
): void => {
  response.text(index, part.type === "refusal" ? part.refusal : part.text)
  if (part.type === "refusal") response.isRefusal = true
}

const startItem = (index: number, item: Item, response: ResponseBuilder): void => {
  if (item.type === "reasoning") response.open("reasoning", index)
  if (item.type === "function_call") response.call(index, { id: item.call_id, name: item.name })
}

/** The item is whole: what has to go back with it is known now. */
const endItem = (index: number, item: Item, response: ResponseBuilder): void => {
  switch (item.type) {
    case "message":
      if (response.openMetadata !== undefined) response.annotate({ item: itemOf({ id: item.id, phase: item.phase }) })
      return response.close(index)
    case "reasoning":
      if (response.openMetadata === undefined) response.open("reasoning", index)
      response.annotate({ item: itemOf(item) })
      return response.close(index)
    case "function_call":
      if (response.callOf(index) === undefined) startItem(index, item, response)
      if (response.callOf(index)?.json === "") response.params(index, item.arguments)
      response.annotate({ item: itemOf({ id: item.id }) }, index)
      return response.close(index)
    case "image_generation_call": {
      const { output_format, result, ...rest } = item
      const served = ServedTools.of(item, itemOf)
      if (!result || served === undefined) return response.opaque({ item: itemOf(item) }, served)
      const { id, name, params = {} } = served.tool
      const kept = { item: itemOf({ ...rest, output_format }), tool: { id, name, params } }
      return response.file(`image/${output_format ?? "png"}`, result, kept)
    }
    case "computer_call": {
      if (!response.hasTool(ServedTools.computer)) return response.opaque({ item: itemOf(item) })
      // whoever has the computer runs it: a tool of this name
      const { actions, call_id, pending_safety_checks } = item
      const call = item.action === undefined ? { actions: Part.json(actions ?? []) } : Part.json(item.action)
      const checks = pending_safety_checks.length === 0 ? {} : { pending_safety_checks }
      response.call(index, { id: call_id, name: ServedTools.computer })
      response.params(index, { ...call, ...checks })
      response.annotate({ item: itemOf(item) }, index)
      return response.close(index)
    }
    default:
      return response.opaque({ item: itemOf(item) }, ServedTools.of(item, itemOf))
  }
}

/** Without what says nothing; what a state is called is not for requests. */
const itemOf = (item: object): Metadata.Metadata => Metadata.unknownOf(item, knownOfItem) ?? {}

const knownOfItem = new Set(["status"])

const finish = (said: OpenAI.Responses.Response, response: ResponseBuilder): void => {
  const { incomplete_details, usage } = said
  if (usage) decodeUsage(usage, response)
  response.note({ service_tier: said.service_tier ?? undefined, incomplete_details: Part.json(incomplete_details) })
  response.finish(reasonOf(incomplete_details?.reason))
  response.complete()
}

const reasonOf = (incomplete: string | undefined): Response.FinishReason => {
  if (incomplete === undefined) return "stop"
  return incomplete === "content_filter" ? "content-filter" : incomplete === "max_output_tokens" ? "length" : "other"
}

const decodeUsage = (usage: Partial<OpenAI.Responses.ResponseUsage>, response: ResponseBuilder): void => {
  const input = Part.count(usage.input_tokens)
  const output = Part.count(usage.output_tokens)
  const cacheRead = Part.count(usage.input_tokens_details?.cached_tokens)
  const reasoning = Part.count(usage.output_tokens_details?.reasoning_tokens)
  response.usage = {
    inputTokens: {
      total: input,
      cacheRead,
      uncached: input === undefined ? undefined : Math.max(0, input - (cacheRead ?? 0))
    },
    outputTokens: {
      total: output,
      reasoning,
      text: output === undefined ? undefined : Math.max(0, output - (reasoning ?? 0))
    }
  }
}
