/**
 * What the OpenTelemetry conventions for generative AI say of the spans that there are here, as a table of our own.
 *
 * Source: https://github.com/open-telemetry/semantic-conventions-genai (`model/gen-ai/registry.yaml`, `spans.yaml` and the
 * JSON schemas beside them) as of November 2026, when all of it was in development.
 */
import { Schema } from "effect"

type Type = "string" | "int" | "double" | "boolean" | "string[]" | "json" | ReadonlyArray<string>

/** The attributes, with their types; the values of an open list are among those that are well known. */
export const attributes: { readonly [name: string]: Type } = {
  "error.type": "string",
  "server.address": "string",
  "server.port": "int",
  "gen_ai.operation.name": ["chat", "embeddings", "invoke_agent", "execute_tool"],
  "gen_ai.provider.name": "string",
  "gen_ai.conversation.id": "string",
  "gen_ai.agent.name": "string",
  "gen_ai.agent.description": "string",
  "gen_ai.output.type": ["text", "json", "image", "speech"],
  "gen_ai.request.model": "string",
  "gen_ai.request.max_tokens": "int",
  "gen_ai.request.temperature": "double",
  "gen_ai.request.top_p": "double",
  "gen_ai.request.stop_sequences": "string[]",
  "gen_ai.request.frequency_penalty": "double",
  "gen_ai.request.presence_penalty": "double",
  "gen_ai.request.seed": "int",
  "gen_ai.request.stream": "boolean",
  "gen_ai.response.id": "string",
  "gen_ai.response.model": "string",
  "gen_ai.response.finish_reasons": "string[]",
  "gen_ai.usage.input_tokens": "int",
  "gen_ai.usage.output_tokens": "int",
  "gen_ai.usage.cache_read.input_tokens": "int",
  "gen_ai.usage.cache_creation.input_tokens": "int",
  "gen_ai.usage.reasoning.output_tokens": "int",
  "gen_ai.tool.name": "string",
  "gen_ai.tool.call.id": "string",
  "gen_ai.tool.description": "string",
  "gen_ai.tool.type": ["function", "extension", "datastore"],
  "gen_ai.tool.call.arguments": "json",
  "gen_ai.tool.call.result": "json",
  "gen_ai.system_instructions": "json",
  "gen_ai.input.messages": "json",
  "gen_ai.output.messages": "json",
  "gen_ai.tool.definitions": "json"
}

/** The names of providers that the conventions know, of those that there are here. */
export const providers = ["openai", "anthropic", "gcp.gemini", "mistral_ai", "deepseek", "azure.ai.openai"]

/** What is content, and so is there on request alone. */
export const content = [
  "gen_ai.tool.call.arguments",
  "gen_ai.tool.call.result",
  "gen_ai.system_instructions",
  "gen_ai.input.messages",
  "gen_ai.output.messages",
  "gen_ai.tool.definitions"
]

interface Kind {
  readonly kind: "client" | "internal"
  readonly required: ReadonlyArray<string>
  /** What is required where it is known, as it is in the test. */
  readonly known: ReadonlyArray<string>
}

/** The kinds of spans, by their operations. */
export const spans: { readonly [operation: string]: Kind } = {
  invoke_agent: {
    kind: "internal",
    required: ["gen_ai.operation.name", "gen_ai.provider.name"],
    known: ["gen_ai.request.model", "gen_ai.conversation.id", "gen_ai.agent.name", "gen_ai.agent.description"]
  },
  execute_tool: {
    kind: "internal",
    required: ["gen_ai.operation.name", "gen_ai.tool.name"],
    known: ["gen_ai.tool.call.id", "gen_ai.tool.description", "gen_ai.tool.type"]
  },
  chat: {
    kind: "client",
    required: ["gen_ai.operation.name", "gen_ai.provider.name"],
    known: ["gen_ai.request.model", "gen_ai.conversation.id", "server.port"]
  }
}

/** Whether a value is of a type. */
export const isOf = (type: Type, value: unknown): boolean => {
  if (type === "int") return Number.isSafeInteger(value)
  if (type === "double") return typeof value === "number"
  if (type === "boolean") return typeof value === "boolean"
  if (type === "string[]") return Array.isArray(value) && value.every((item) => typeof item === "string")
  if (type === "string" || type === "json") return typeof value === "string" && value !== ""
  return type.includes(value as string)
}

const Served = Schema.StructWithRest(Schema.Struct({ type: Schema.String }), [
  Schema.Record(Schema.String, Schema.Json)
])
const Part = Schema.Union([
  Schema.Struct({ type: Schema.Literals(["text", "reasoning"]), content: Schema.String }),
  Schema.Struct({ type: Schema.Literal("tool_call"), id: Schema.String, name: Schema.String, arguments: Schema.Json }),
  Schema.Struct({ type: Schema.Literal("tool_call_response"), id: Schema.String, response: Schema.Json }),
  Schema.Struct({
    type: Schema.Literal("server_tool_call"),
    id: Schema.String,
    name: Schema.String,
    server_tool_call: Served
  }),
  Schema.Struct({
    type: Schema.Literal("server_tool_call_response"),
    id: Schema.String,
    server_tool_call_response: Served
  }),
  Schema.Struct({
    type: Schema.Literals(["blob", "uri"]),
    mime_type: Schema.String,
    modality: Schema.Literals(["image", "video", "audio", "document"]),
    content: Schema.optionalKey(Schema.String),
    uri: Schema.optionalKey(Schema.String)
  })
])
const Message = Schema.Struct({
  role: Schema.Literals(["system", "user", "assistant", "tool"]),
  parts: Schema.Array(Part)
})

/** The schemas of what is JSON. */
export const schemas: { readonly [name: string]: Schema.Codec<unknown, unknown> } = {
  "gen_ai.system_instructions": Schema.Array(Schema.Struct({ type: Schema.Literal("text"), content: Schema.String })),
  "gen_ai.input.messages": Schema.Array(Message),
  "gen_ai.output.messages": Schema.Array(
    Schema.Struct({
      ...Message.fields,
      finish_reason: Schema.Literals(["stop", "length", "content_filter", "tool_call", "compaction", "error"])
    })
  ),
  "gen_ai.tool.definitions": Schema.Array(
    Schema.Struct({
      type: Schema.Literal("function"),
      name: Schema.String,
      description: Schema.optionalKey(Schema.String),
      parameters: Schema.optionalKey(Schema.Json)
    })
  ),
  "gen_ai.tool.call.arguments": Schema.Json,
  "gen_ai.tool.call.result": Schema.Json
}
