/** Models whose requests and responses pass by as JSON: what a cassette and a journal stand between. */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Prompt from "effect/ai/Prompt"
import * as Response from "effect/ai/Response"
import * as Tool from "effect/ai/Tool"
import { withoutSecrets } from "../../internal/address.ts"

/** The parts of a response. */
export type Parts = Stream.Stream<Schema.Json, AiError.AiError>

/** Answers a request, by its content or by the live response. */
export type Play = (request: { readonly call: string; readonly [field: string]: unknown }, live: Parts) => Parts

/** Whether a response ends with these parts, even if it is not read any further. */
export const isEnd = (parts: ReadonlyArray<Schema.Json>): boolean =>
  parts.some((part) => Predicate.hasProperty(part, "type") && part.type === "finish")

/** The same model, with something before it. Tools are run by this one, whether the call was played or not. */
export const languageModel = (
  model: LanguageModel.LanguageModel,
  play: Play
): Effect.Effect<LanguageModel.LanguageModel> => {
  const asked = model as unknown as Asked // the types of the tools are not known here
  return LanguageModel.make({
    supportsSystemMessagesInHistory: model.supportsSystemMessagesInHistory,
    streamText: (options) => {
      const parts = Stream.mapArrayEffect(asked.streamText(inner(options)), (parts) => encodeStream(parts))
      return play(requestOf("streamText", options), parts) as unknown as Stream.Stream<
        Response.StreamPartEncoded,
        AiError.AiError
      > // parts that are none do not decode
    },
    generateText: (options) => {
      const call = options.responseFormat.type === "json" ? "generateObject" : "generateText"
      const parts = Stream.unwrap(
        Effect.map(whole(asked, options), (parts) => Stream.rechunk(Stream.fromArray(parts), 1))
      )
      return Stream.runCollect(play(requestOf(call, options), parts)) as unknown as Effect.Effect<
        Array<Response.PartEncoded>,
        AiError.AiError
      > // as above
    }
  })
}

export const embeddingModel = (
  model: EmbeddingModel.EmbeddingModel,
  play: Play
): Effect.Effect<EmbeddingModel.EmbeddingModel> =>
  EmbeddingModel.make({
    embedMany: ({ inputs }) => {
      const live = Effect.map(model.embedMany(inputs), ({ embeddings, usage }) => ({
        results: embeddings.map(({ vector }) => [...vector]),
        usage: usage.inputTokens === undefined ? {} : { inputTokens: usage.inputTokens }
      }))
      return Effect.flatMap(Stream.runCollect(play({ call: "embedMany", inputs }, Stream.fromEffect(live))), ([part]) =>
        decodeEmbeddings(part).pipe(
          Effect.mapError((error) =>
            AiError.make({
              module: "EmbeddingModel",
              method: "embedMany",
              reason: AiError.InvalidOutputError.fromSchemaError(error)
            })
          ),
          Effect.map(({ results, usage }) => ({
            results: results.map((vector) => [...vector]),
            usage: { inputTokens: usage.inputTokens }
          }))
        )
      )
    }
  })

/** What is asked of a model without the types of its tools. */
interface Asked {
  readonly streamText: (options: object) => Stream.Stream<Response.AnyPart, AiError.AiError>
  readonly generateText: (options: object) => Effect.Effect<Content, AiError.AiError>
  readonly generateObject: (options: object) => Effect.Effect<Content & { readonly value: unknown }, AiError.AiError>
}

interface Content {
  readonly content: ReadonlyArray<Response.AnyPart>
}

/** The same request to the model behind, which gives calls as they are and leaves the tools alone. */
const inner = ({ prompt, toolChoice, tools }: LanguageModel.ProviderOptions): object =>
  tools.length === 0
    ? { prompt }
    : {
        prompt,
        toolChoice,
        toolkit: { tools: Object.fromEntries(tools.map((tool) => [tool.name, tool])), handle: () => Effect.never },
        disableToolCallResolution: true,
        toolCallValidation: "deferred"
      }

const whole = (
  model: Asked,
  options: LanguageModel.ProviderOptions
): Effect.Effect<ReadonlyArray<Schema.Json>, AiError.AiError> => {
  const { responseFormat } = options
  if (responseFormat.type === "text") {
    return Effect.flatMap(model.generateText(inner(options)), ({ content }) => encodeWhole(content))
  }
  const { objectName, schema } = responseFormat
  return Effect.gen(function* () {
    const { content, value } = yield* model.generateObject({ ...inner(options), objectName, schema })
    // providers may spell an object in ways of their own: what was understood of it is recorded
    const object = yield* Effect.orDie(Schema.encodeUnknownEffect(schema as Schema.Codec<unknown>)(value))
    const isFinish = (part: Response.AnyPart) => part.type === "finish"
    const rest = content.filter((part) => part.type !== "text" && !isFinish(part))
    return [
      ...(yield* encodeWhole(rest)),
      { type: "text", text: JSON.stringify(object) },
      ...(yield* encodeWhole(content.filter(isFinish)))
    ]
  })
}

/** What of a request its answer depends on. */
export const requestOf = (
  call: string,
  options: Pick<LanguageModel.ProviderOptions, "prompt" | "tools" | "toolChoice" | "responseFormat">
) => ({
  call,
  prompt: Schema.encodeSync(Prompt.Prompt)(options.prompt).content.map((message) =>
    lean(message as unknown as Schema.Json)
  ),
  ...(options.tools.length === 0
    ? {}
    : { tools: options.tools.map(toolOf), toolChoice: options.toolChoice as unknown }),
  ...(options.responseFormat.type === "text"
    ? {}
    : { object: options.responseFormat.objectName, schema: jsonSchemaOf(options.responseFormat.schema) })
})

const toolOf = (tool: Tool.Any): object =>
  Tool.isProviderDefined(tool)
    ? { name: tool.name, id: tool.id, args: tool.args as unknown }
    : { name: tool.name, description: tool.description, parameters: Tool.getJsonSchema(tool) }

const jsonSchemaOf = (schema: Schema.Top): unknown => Tool.getJsonSchemaFromSchema(schema)

/** The parts as they were before they were decoded, and as they will be read from a file. */
const encoded =
  (schema: Schema.Codec<unknown, unknown>) =>
  <Parts extends ReadonlyArray<Response.AnyPart>>(parts: Parts) =>
    Effect.map(
      Effect.orDie(Schema.encodeEffect(Schema.Array(schema))(parts)),
      (parts) =>
        (JSON.parse(JSON.stringify(parts)) as Array<Schema.Json>).map(lean) as {
          readonly [I in keyof Parts]: Schema.Json
        }
    )

const encodePart = Schema.encodeUnknownSync(Response.StreamPart())

/** A part of a streamed response, as it is written down. */
export const partOf = (part: Response.AnyPart): Schema.Json =>
  // most parts are such, and nothing is to be done for them
  part.type === "text-delta" && Object.keys(part.metadata).length === 0
    ? { type: part.type, id: part.id, delta: part.delta }
    : lean(JSON.parse(JSON.stringify(encodePart(part))) as Schema.Json)

const encodeWholePart = Schema.encodeUnknownSync(Response.Part())

/** A part of a response that came as a whole, as it is written down. */
export const wholePartOf = (part: Response.AnyPart): Schema.Json =>
  lean(JSON.parse(JSON.stringify(encodeWholePart(part))) as Schema.Json)

const encodeStream = encoded(Response.StreamPart())
const encodeWhole = encoded(Response.Part())

const decodeEmbeddings = Schema.decodeUnknownEffect(
  Schema.Struct({
    results: Schema.Array(Schema.Array(Schema.Finite)),
    usage: Schema.Struct({ inputTokens: Schema.optional(Schema.Finite) })
  })
)

/** Without the fields that nearly every message and part has, and that are nearly always empty. */
export const lean = (part: Schema.Json): Schema.Json => {
  if (!isObject(part)) return part
  const { content, metadata, options, ...rest } = part
  return {
    ...rest,
    ...(content === undefined ? {} : { content: Array.isArray(content) ? content.map(lean) : content }),
    ...(options === undefined || isEmpty(options) ? {} : { options }),
    ...(metadata === undefined || isEmpty(metadata) ? {} : { metadata })
  }
}

const isObject = (value: Schema.Json): value is Schema.JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isEmpty = (value: Schema.Json) => isObject(value) && Object.keys(value).length === 0

/** Headers, bodies and what an error was caused by can hold a key, and addresses a password; nothing needs them. */
export const encodeError = (error: AiError.AiError): Schema.Json => {
  const { cause: _cause, http: _http, url, ...fields } = error.reason as AiError.AiErrorReason & Unsafe
  const Reason = error.reason.constructor as new (fields: object) => AiError.AiErrorReason // each is such a class
  const reason = new Reason(url === undefined ? fields : { ...fields, url: withoutSecrets(url) })
  return Schema.encodeSync(Schema.toCodecJson(AiError.AiError))(
    AiError.make({ module: error.module, method: error.method, reason })
  )
}

/** The fields of reasons that are not for everybody. */
interface Unsafe {
  readonly cause?: unknown
  readonly http?: unknown
  readonly url?: string
}

/**
 * What `withConfig` of a provider changes for the requests made within. Each provider has it in a reference of a key that
 * ends so; none is imported for it, as a test need not have the SDK of any.
 */
export const changes: Effect.Effect<object> = Effect.contextWith((context) => {
  const given = Array.from(context.mapUnsafe).filter(([key]) => /^miniagents\/.+\/Current(Config|Settings)$/.test(key))
  const config = Object.assign({}, ...given.map(([, config]) => config as object)) as object
  return Effect.succeed(Object.keys(config).length === 0 ? {} : { config })
})
