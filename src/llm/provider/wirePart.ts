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
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import { withoutSecrets } from "../../internal/address.ts"

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
 * The text that a file is, if it is one and comes with its content.
 *
 * @since 0.1.0
 * @category converting
 */
export const textOf = (file: File): string | undefined =>
  file.type === "base64" && isText.test(file.mediaType)
    ? Result.getOrUndefined(Base64.decodeString(file.data))
    : undefined

const isText = /^(text\/|application\/(json|xml|yaml)\b)/

/**
 * A file that is a text, as one, for protocols that have no other place for it.
 *
 * @since 0.1.0
 * @category converting
 */
export const asText = (part: Prompt.FilePart): string | undefined => {
  const text = textOf(file(part))
  return text === undefined ? undefined : `[${part.fileName ?? part.mediaType}]\n\n${text}`
}

/**
 * A file as errors name it: its name, if it has one, and its type.
 *
 * @since 0.1.0
 * @category converting
 */
export const nameOf = ({ data, fileName, mediaType }: Prompt.FilePart): string => {
  const name = fileName ?? (isAddress(data) ? withoutSecrets(String(data)) : undefined)
  return name === undefined ? `a file of type \`${mediaType}\`` : `\`${name}\` (\`${mediaType}\`)`
}

const isAddress = (data: Prompt.FilePart["data"]): boolean => /^https?:/i.test(String(data))

/**
 * The error of a file that a protocol has no place for.
 *
 * @since 0.1.0
 * @category errors
 */
export const unsupported = (part: Prompt.FilePart, protocol: string): AiError.InvalidUserInputError =>
  new AiError.InvalidUserInputError({ description: `${nameOf(part)} cannot be sent by the ${protocol} protocol` })

/**
 * A refusal of a request with files, when it is about them: the model takes none, or none like these.
 *
 * @since 0.1.0
 * @category errors
 */
export const refusalOf = (reason: AiError.AiErrorReason, prompt: Prompt.Prompt): AiError.AiErrorReason => {
  const isRefusal = reason._tag === "InvalidRequestError" || reason._tag === "InternalProviderError"
  const said = isRefusal ? (reason.description ?? "") : ""
  if (!(reason._tag === "InvalidRequestError" ? aboutFiles : takesNone).test(said)) return reason
  const files = filesIn(prompt)
  const images = files.filter(({ mediaType }) => mediaType.startsWith("image/"))
  const named = aboutImages.test(said) && images.length > 0 ? images : files
  if (named.length === 0) return reason
  const names = [...new Set(named.map(nameOf))].join(", ")
  return new AiError.InvalidUserInputError({ description: `the model does not take ${names}: ${said}` })
}

const aboutImages = /image|vision/i
const aboutFiles = /image|vision|multi-?modal|modalit|audio|file|document|pdf|content[^ ]* must be a string/i
/** Servers of one's own say it with the status of an error of theirs, which is no use to try again. */
const takesNone = /(image|vision|multi-?modal|audio)[^]*(not support|unsupported|missing|mmproj)|mmproj/i

const filesIn = ({ content }: Prompt.Prompt): ReadonlyArray<Prompt.FilePart> =>
  content.flatMap((message) =>
    message.role === "system" ? [] : (message.content as ReadonlyArray<Prompt.Part>).flatMap(filesOfPart)
  )

const filesOfPart = (part: Prompt.Part): ReadonlyArray<Prompt.FilePart> => {
  if (part.type === "file") return [part]
  return part.type === "tool-result" ? (part.modelOutput ?? []).flatMap(filesOfPart) : []
}

/**
 * The messages with the files that the assistant made, and with `tools` those that tools gave, in messages of the user
 * after them: for protocols that take files from nobody else. What is to be kept where it is, `keep` says.
 *
 * @since 0.1.0
 * @category converting
 */
export const filesFromUser = (
  messages: ReadonlyArray<Prompt.Message>,
  {
    keep = () => false,
    tools = false
  }: { readonly keep?: (part: Prompt.FilePart) => boolean; readonly tools?: boolean }
): ReadonlyArray<Prompt.Message> => {
  const moved: Array<Prompt.Message> = []
  let files: Array<Prompt.TextPart | Prompt.FilePart> = []
  const move = (file: Prompt.FilePart, from: string) => {
    const text = `[${file.fileName ?? file.mediaType}, ${from}]`
    files.push(Prompt.textPart({ text }), file)
    return text
  }
  const flush = () => {
    if (files.length > 0) moved.push(Prompt.userMessage({ content: files }))
    files = []
  }
  for (const message of messages) {
    if (message.role !== "tool") flush()
    if (message.role === "assistant") {
      const isMoved = (part: Prompt.AssistantMessagePart) => part.type === "file" && !keep(part)
      const content = message.content.filter((part) => !isMoved(part))
      for (const part of message.content) if (part.type === "file" && isMoved(part)) move(part, "made by the assistant")
      moved.push(content.length === message.content.length ? message : Prompt.assistantMessage({ ...message, content }))
    } else if (message.role === "tool" && tools) {
      const content = message.content.map((part) => {
        if (part.type !== "tool-result" || part.modelOutput === undefined) return part
        const modelOutput = part.modelOutput.map((shown) =>
          shown.type === "file" ? Prompt.textPart({ text: move(shown, `given by \`${part.name}\``) }) : shown
        )
        return Prompt.toolResultPart({ ...part, modelOutput })
      })
      moved.push(Prompt.toolMessage({ ...message, content }))
    } else moved.push(message)
  }
  flush()
  return moved
}

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
