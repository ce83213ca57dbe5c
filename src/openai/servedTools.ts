/** The tools that OpenAI runs itself: what they did, as calls and results, and as the items that go back. */
import * as AiError from "effect/ai/AiError"
import type * as Prompt from "effect/ai/Prompt"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type { OpenAI } from "openai"
import * as Parameters from "../llm/provider/callParameters.ts"
import * as Metadata from "../llm/provider/metadata.ts"
import type { Served } from "../llm/provider/served.ts"
import * as Part from "../llm/provider/wirePart.ts"

type Item = OpenAI.Responses.ResponseOutputItem

/** The name of the tool that a model uses a computer with: it is run by whoever has the computer. */
export const computer = "computer"

/** What a tool was called with, and the field of its item that has what it gave. */
interface Call {
  readonly name: string
  readonly params: Schema.Json
  readonly field?: "outputs" | "output" | "results"
  readonly error?: unknown
}

/** What an item tells of a tool, and the item as it is kept beside that: what the tool gave is not kept twice. */
export const of = (item: Item, itemOf: (item: object) => Metadata.Metadata): Served | undefined => {
  if (item.type === "mcp_approval_request") {
    const { arguments: json, id, name } = item
    const tool = { id, name, params: Parameters.parse(json) ?? json, result: null, isFailure: false, asks: true }
    return { tool, kept: { item: itemOf(item), approval: true } }
  }
  const call = callOf(item)
  if (call === undefined || !("id" in item) || typeof item.id !== "string") return undefined
  const { error, field, name, params } = call
  const status = "status" in item && typeof item.status === "string" ? item.status : "completed"
  const gave = field === undefined ? undefined : (Reflect.get(item, field) as Schema.Json | undefined)
  const isFailure = Boolean(error) || status === "failed" || status === "incomplete"
  const failure = isFailure ? (error as Schema.Json | undefined) : undefined
  const tool = { id: item.id, name, params, result: failure ?? gave ?? status, isFailure }
  if (field === undefined || failure || gave === undefined || gave === null)
    return { tool, kept: { item: itemOf(item) } }
  return { tool, kept: { item: { ...itemOf(item), [field]: null }, apart: field } }
}

const callOf = (item: Item): Call | undefined => {
  switch (item.type) {
    case "web_search_call":
      return { name: "web_search", params: Part.json(item.action) ?? {} }
    case "file_search_call":
      return { name: "file_search", params: { queries: item.queries }, field: "results" }
    case "code_interpreter_call":
      return {
        name: "code_interpreter",
        params: { code: item.code, container_id: item.container_id },
        field: "outputs"
      }
    case "image_generation_call":
      return { name: "image_generation", params: Metadata.unknownOf(item, ofImage) ?? {} }
    case "mcp_call": {
      const params = Parameters.parse(item.arguments) ?? item.arguments
      return { name: item.name, params, field: "output", error: item.error }
    }
    default:
      return undefined
  }
}

/** What of an image is not what it was asked for with. */
const ofImage = new Set(["id", "type", "status", "result", "output_format"])

/** The item of a call, with what the tool gave. */
export const itemsOf = (
  { apart, item }: Metadata.Metadata,
  result: Prompt.ToolResultPart | undefined
): ReadonlyArray<OpenAI.Responses.ResponseInputItem> => {
  if (!Metadata.isCollected(item)) return []
  const whole = typeof apart === "string" && result !== undefined ? { ...item, [apart]: result.result } : item
  return [whole as never]
}

/** The items of the calls in a prompt that this server has made. */
export const callsIn = (
  messages: ReadonlyArray<Prompt.Message>,
  origin: Metadata.Origin
): ReadonlyMap<string, Metadata.Metadata> =>
  new Map(
    messages.flatMap((message) =>
      message.role !== "assistant"
        ? []
        : message.content.flatMap((part) =>
            part.type === "tool-call" ? [[part.id, Metadata.copyOf(Metadata.ownOf(part.options, origin), "item")]] : []
          )
    )
  )

/** What the tools gave that the provider has run. */
export const resultsIn = (messages: ReadonlyArray<Prompt.Message>): ReadonlyMap<string, Prompt.ToolResultPart> =>
  new Map(
    messages.flatMap((message) =>
      message.role !== "assistant"
        ? []
        : message.content.flatMap((part) =>
            part.type === "tool-result" && part.providerExecuted ? [[part.id, part]] : []
          )
    )
  )

/** What was decided about a call that OpenAI asked about. */
export const decided = ({ result }: Prompt.ToolResultPart, call: Metadata.Metadata): object => ({
  type: "mcp_approval_response",
  approval_request_id: call["id"],
  approve: Predicate.hasProperty(result, "approved") && result.approved === true,
  ...(Predicate.hasProperty(result, "reason") && typeof result.reason === "string" && { reason: result.reason })
})

/** What a computer shows after a call: the picture that the tool gave. */
export const seen = (
  part: Prompt.ToolResultPart,
  call: Metadata.Metadata
): Effect.Effect<object, AiError.AiErrorReason> => {
  const picture = part.modelOutput?.find((shown) => shown.type === "file")
  if (picture === undefined) {
    const description = `the tool \`${computer}\` has to give a picture of the screen, by its \`toModelOutput\``
    return Effect.fail(new AiError.InvalidUserInputError({ description }))
  }
  const file = Part.file(picture)
  const image_url = file.type === "url" ? file.url : `data:${file.mediaType};base64,${file.data}`
  const checks = call["pending_safety_checks"]
  return Effect.succeed({
    type: "computer_call_output",
    call_id: part.id,
    output: { type: "computer_screenshot", image_url },
    // who runs the tool has seen them, and has not refused
    ...(Array.isArray(checks) && checks.length > 0 && { acknowledged_safety_checks: checks })
  })
}
