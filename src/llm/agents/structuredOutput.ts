/** One request whose response is an object, as one message, after those in which the model used its tools. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import type * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import type * as Response from "effect/ai/Response"
import type { InteractionContext } from "../../InteractionContext.ts"
import * as Message from "../../Message.ts"
import * as Spans from "../model/Spans.ts"
import * as LlmRun from "./llmRun.ts"

interface Spec extends LlmRun.Spec {
  readonly schema: Schema.Top
}

/** A response with an object, whatever its type. */
interface ObjectResponse {
  readonly value: unknown
  readonly content: ReadonlyArray<Response.AnyPart>
}

export const run = (ctx: InteractionContext<{ readonly system?: string }>, spec: Spec) =>
  Effect.gen(function* () {
    const { schema, system, toolkit } = spec
    const settings = Struct.omit(spec.settings, ["responseFormat"])
    const model = yield* LanguageModel.LanguageModel
    const name = Option.getOrUndefined(yield* Effect.serviceOption(Model.ModelName))
    const prepared: LlmRun.Done | undefined =
      toolkit === undefined
        ? { prompt: yield* LlmRun.promptOf(ctx, system), step: 0 }
        : yield* LlmRun.run(ctx, { ...spec, settings })
    if (prepared === undefined) return
    const { prompt, step } = prepared
    const output = outputOf(schema)
    // the type of the object is the schema's, which `generateObject` cannot name here
    const ask = (
      model as unknown as { generateObject: (options: object) => Effect.Effect<ObjectResponse, AiError.AiError> }
    ).generateObject({ prompt, schema: output.schema, objectName: output.name })
    const asked = { model: name, prompt, step: step + 1, toolkit: undefined, responseFormat: "json" } as const
    const response = yield* LlmRun.watch(ctx, asked, (watched) =>
      Effect.tap(LlmRun.withSettings(settings)(ask), ({ content }) => Effect.sync(() => watched?.take(content)))
    )
    const finish = response.content.find((part) => part.type === "finish")
    yield* (
      (yield* Spans.ofAgent)?.responds(finish, () => [{ type: "text", content: JSON.stringify(response.value) }]) ??
      Effect.void
    )
    yield* ctx.reply(
      yield* output.toMessage(response.value, { agent: ctx.agent.name, ...(name === undefined ? {} : { model: name }) })
    )
  })

interface Output {
  readonly schema: Schema.Top
  readonly name: string
  readonly toMessage: (value: unknown, metadata: Message.Metadata) => Effect.Effect<Message.Message>
}

/** A model fills in the fields of a message; its tag and metadata are ours. */
const outputOf = (schema: Schema.Top): Output => {
  const name = Predicate.hasProperty(schema, "identifier") ? String(schema.identifier) : "Output"
  const toData = (value: unknown, metadata: Message.Metadata) =>
    Schema.encodeUnknownEffect(schema as Schema.Codec<unknown>)(value).pipe(
      Effect.map((encoded) => Message.data(encoded as Record<string, unknown>, metadata)),
      Effect.orDie // it was decoded with this schema
    )
  if (!isMessageClass(schema)) return { schema, name, toMessage: toData }
  const fields = Struct.omit(schema.fields, ["_tag", "metadata"])
  return { schema: Schema.Struct(fields), name, toMessage: (value) => Effect.sync(() => new schema(value)) }
}

interface MessageClass extends Schema.Top {
  readonly fields: Record<"_tag" | "metadata", Schema.Top> & Schema.Struct.Fields
  new (fields: unknown): Message.Message
}

const isMessageClass = (schema: Schema.Top): schema is MessageClass =>
  typeof schema === "function" && Predicate.hasProperty(schema, "fields") && Message.isMessage(schema.prototype)

/** The last object of a schema among messages, if there is one: a message of its class, or what a `Data` has. */
export const find = (schema: Schema.Top, messages: ReadonlyArray<Message.Message>): Option.Option<unknown> => {
  const found = messages.findLast((message) =>
    isMessageClass(schema) ? message instanceof schema : message instanceof Message.Data
  )
  if (!(found instanceof Message.Data) || isMessageClass(schema)) return Option.fromUndefinedOr(found)
  // a schema that needs services has been asked by nobody before
  return Schema.decodeOption(schema as Schema.Codec<unknown, Schema.JsonObject>)(found.data as Schema.JsonObject)
}
