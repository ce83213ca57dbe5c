/** What the parts of a response tell beside their content, as fields of messages. */
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Struct from "effect/Struct"
import * as AiError from "effect/ai/AiError"
import * as Response from "effect/ai/Response"
import { jsonOf } from "../model/lossless.ts"
import type * as Message from "../../Message.ts"
import { usageOf } from "../model/usage.ts"
import type { ServedTool } from "../provider/served.ts"
import { ToolCall, ToolResult } from "./LlmMessage.ts"
import { outputOf } from "./toolOutput.ts"

/** What is known at the end. What a provider says beside the content is the metadata of the message, under its name. */
export const saidAtEnd = ({ metadata, reason, usage }: Response.FinishPart) => ({
  finishReason: reason,
  usage: usageOf(usage),
  ...(Object.keys(metadata).length === 0 ? {} : { metadata: jsonOf(metadata) as Message.Metadata }) // an object stays one
})

/** What a tool of the provider's own was called with and gave, or the call that the provider asks about. */
export type Served = ReadonlyArray<ToolCall | ToolResult> | Response.ToolCallPart<string, unknown>

/**
 * What the metadata of a part tells of such a tool, if a builder of responses says so there. A file that it made is in its
 * result, and is said as well, with all that is kept.
 */
export const servedIn = (
  metadata: Response.ProviderMetadata,
  here: { readonly agent: string; readonly model?: string; readonly step: number },
  file?: Message.File
): Served | undefined => {
  const tool = Object.values(metadata).flatMap((said) =>
    Predicate.hasProperty(said, "tool") && isServed(said.tool) ? [said.tool] : []
  )[0]
  if (tool === undefined) return undefined
  const { asks = false, id, isFailure = false, name, params, result } = tool
  const rest = withoutTool(metadata)
  if (asks) return Response.makePart("tool-call", { id, name, params, providerExecuted: false, metadata: rest })
  const also = { ...here, providerExecuted: true }
  const kept = file === undefined ? optionsOf(rest) : {}
  const call = params === undefined ? [] : [new ToolCall({ id, name, parameters: params, ...also, ...kept })]
  const given = file === undefined ? { result } : { result: String(file), ...outputOf([file]) }
  if (given.result === undefined) return call
  // what is kept stands with the call, unless that came before
  const of = call.length === 0 ? kept : {}
  return [...call, new ToolResult({ id, name, isFailure, ...given, ...also, ...of, result: given.result })]
}

const isServed = (value: unknown): value is ServedTool =>
  Predicate.hasProperty(value, "id") &&
  (Predicate.hasProperty(value, "params") || Predicate.hasProperty(value, "result"))

export const withoutTool = (metadata: Response.ProviderMetadata): Response.ProviderMetadata =>
  Record.map(metadata, (said) => (Predicate.hasProperty(said, "tool") ? Struct.omit(said, ["tool"]) : said)) as never // it is JSON, less one field

export const optionsOf = (options: Response.ProviderMetadata) =>
  Object.keys(options).length === 0 ? {} : { options: jsonOf(options) }

/** The failure that a part tells of. */
export const failureOf = (error: unknown): AiError.AiError => {
  if (AiError.isAiError(error)) return error
  const description = error instanceof Error ? error.message : JSON.stringify(jsonOf(error))
  const reason = AiError.isAiErrorReason(error) ? error : new AiError.UnknownError({ description })
  return AiError.make({ module: "LlmAgent", method: "streamText", reason })
}
