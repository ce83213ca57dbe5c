/**
 * Pieces of prompts and tools that both protocols write the same way.
 *
 * @since 0.1.0
 */
import * as AiError from "effect/ai/AiError"
import type * as LanguageModel from "effect/ai/LanguageModel"
import * as Prompt from "effect/ai/Prompt"
import * as Tool from "effect/ai/Tool"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import type * as JsonSchema from "effect/JsonSchema"
import type * as Schema from "effect/Schema"

/**
 * A file in a prompt: by its address, or with what is in it as base64.
 *
 * @since 0.1.0
 * @category models
 */
export type File =
  | { readonly type: "url"; readonly url: string }
  | { readonly type: "base64"; readonly data: string; readonly mediaType: string }

/**
 * Text of a prompt's file is an address, a data URL or base64.
 *
 * @since 0.1.0
 * @category converting
 */
export const file = (part: Prompt.FilePart): File => {
  // `image/*` says what it is for, not what it is.
  const mediaType = part.mediaType === "image/*" ? "image/jpeg" : part.mediaType
  const { data } = part
  if (data instanceof URL) return { type: "url", url: data.href }
  if (data instanceof Uint8Array) return { type: "base64", data: Base64.encode(data), mediaType }
  if (/^https?:/i.test(data)) return { type: "url", url: data }
  const [, type, encoded] = /^data:([^;,]+);base64,(.*)$/s.exec(data) ?? []
  return { type: "base64", data: encoded ?? data, mediaType: type ?? mediaType }
}

/**
 * The error of a part that a protocol has no place for.
 *
 * @since 0.1.0
 * @category errors
 */
export const unsupported = (what: string, protocol: string): AiError.InvalidUserInputError =>
  new AiError.InvalidUserInputError({ description: `${what} cannot be sent by the ${protocol} protocol` })

/**
 * What the model reads as the result of a tool call.
 *
 * @since 0.1.0
 * @category converting
 */
export const resultText = (part: Prompt.ToolResultPart): string => {
  if (part.modelOutput !== undefined) return Prompt.toolModelOutputToText(part.modelOutput)
  return typeof part.result === "string" ? part.result : (JSON.stringify(part.result) ?? "null")
}

/**
 * A tool as providers want to know it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolDescription {
  readonly name: string
  readonly description: string | undefined
  readonly schema: JsonSchema.JsonSchema
  readonly strict: boolean | undefined
}

/**
 * Describes the tools of a request.
 *
 * @since 0.1.0
 * @category converting
 */
export const tools = (
  options: LanguageModel.ProviderOptions,
  transformer: LanguageModel.CodecTransformer
): Effect.Effect<ReadonlyArray<ToolDescription>, AiError.AiErrorReason> =>
  Effect.forEach(options.tools, (tool) => describeTool(tool, transformer))

const describeTool = (
  tool: Tool.Any,
  transformer: LanguageModel.CodecTransformer
): Effect.Effect<ToolDescription, AiError.AiErrorReason> => {
  if (Tool.isProviderDefined(tool)) {
    const description = "a tool of the provider's own is given in `tools` of the model's configuration"
    return new AiError.ToolConfigurationError({ toolName: tool.name, description })
  }
  return Effect.map(
    supported(() => Tool.getJsonSchema(tool, { transformer })),
    (schema) => ({
      name: tool.name,
      description: Tool.getDescription(tool),
      schema,
      strict: Tool.getStrictMode(tool)
    })
  )
}

/**
 * The JSON Schema that the answer must have, when a value is asked for rather than text.
 *
 * @since 0.1.0
 * @category converting
 */
export const format = (
  options: LanguageModel.ProviderOptions,
  transformer: LanguageModel.CodecTransformer
): Effect.Effect<
  { readonly name: string; readonly schema: JsonSchema.JsonSchema } | undefined,
  AiError.UnsupportedSchemaError
> => {
  const { responseFormat } = options
  if (responseFormat.type === "text") return Effect.undefined
  return Effect.map(
    supported(() => transformer(responseFormat.schema as Schema.Codec<unknown, unknown>).jsonSchema),
    (schema) => ({ name: objectName(responseFormat.objectName), schema })
  )
}

/**
 * The name of a kind of object, in characters that OpenAI takes, and 64 of them at most.
 *
 * @since 0.1.0
 * @category converting
 */
export const objectName = (name: string): string => name.replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, 64)

const supported = <A>(schema: () => A): Effect.Effect<A, AiError.UnsupportedSchemaError> =>
  Effect.try({
    try: schema,
    catch: (error) =>
      new AiError.UnsupportedSchemaError({ description: error instanceof Error ? error.message : String(error) })
  })

/**
 * A count of tokens, if it is one.
 *
 * @since 0.1.0
 * @category converting
 */
export const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined

/**
 * A piece of an event as what it is: events are parsed JSON, which the SDKs' types do not say.
 *
 * @since 0.1.0
 * @category converting
 */
export const json = <A extends object | null | undefined>(
  value: A
): Extract<A, null | undefined> | { readonly [key: string]: Schema.Json } => value as never
