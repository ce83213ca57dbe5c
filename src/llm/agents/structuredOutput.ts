/** One request whose response is an object, as one message, after those in which the model used its tools. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Model from "effect/ai/Model"
import type * as Response from "effect/ai/Response"
import { type Filled, filled } from "./filled.ts"
import type { InteractionContext } from "../../InteractionContext.ts"
import * as Message from "../../Message.ts"
import * as Spans from "../model/Spans.ts"
import { CurrentGrowth, type Growth } from "../provider/growth.ts"
import { type Form, formOf, GrowingText } from "./growingText.ts"
import * as AgentConversation from "./agentConversation.ts"
import * as LlmRun from "./llmRun.ts"
import { watch } from "./watched.ts"

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
        ? { prompt: yield* AgentConversation.promptOf(ctx, system), step: 0 }
        : yield* LlmRun.run(ctx, { ...spec, settings })
    if (prepared === undefined) return
    const { prompt, step } = prepared
    const output = outputOf(schema)
    // the type of the object is the schema's, which `generateObject` cannot name here
    const ask = (
      model as unknown as { generateObject: (options: object) => Effect.Effect<ObjectResponse, AiError.AiError> }
    ).generateObject({ prompt, schema: output.schema, objectName: output.name })
    const object = { name: output.name, schema: output.schema }
    const request = { prompt, step: step + 1, toolkit: undefined, settings, object }
    const asked = { model: name, responseFormat: "json", ...request } as const
    const metadata = { agent: ctx.agent.name, ...(name === undefined ? {} : { model: name }) }
    yield* growing(ctx, output, metadata, (growth) =>
      Effect.gen(function* () {
        const response = yield* watch(ctx, asked, (watched) =>
          Effect.tap(LlmRun.withSettings(settings)(ask), ({ content }) => Effect.sync(() => watched?.take(content)))
        ).pipe(Effect.provideService(CurrentGrowth, growth))
        const finish = response.content.find((part) => part.type === "finish")
        yield* (
          (yield* Spans.ofAgent)?.responds(finish, () => [{ type: "text", content: JSON.stringify(response.value) }]) ??
          Effect.void
        )
        return yield* output.toMessage(response.value, metadata)
      })
    )
  })

/** Replies with an object, whose text can be read while it is made. */
const growing = <R>(
  ctx: InteractionContext,
  { form, schema, tag }: Output,
  metadata: Message.Metadata,
  make: (growth: Growth) => Effect.Effect<Message.Message, unknown, R>
): Effect.Effect<void, unknown, R> =>
  Effect.withFiber((fiber) => {
    const known = tag === "Data" ? { _tag: tag, metadata } : { _tag: tag }
    const object = new GrowingObject(
      () => new GrowingText(form, schema),
      () => filled(fiber, known),
      ctx
    )
    let failure: Cause.Cause<unknown> = Cause.empty
    return Effect.flatMap(make(object), (message) => object.end(message)).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) failure = object.fail(exit.cause)
        })
      ),
      Effect.catchCause(() => Effect.failCause(failure))
    )
  })

/** The message of an object while a model writes it. Invariant: what was shown of it is how its text begins. */
class GrowingObject implements Growth {
  private promise: Filled | undefined = undefined
  private shown = ""
  private written = ""
  private text: GrowingText
  private readonly restart: () => GrowingText
  private readonly open: () => Filled
  private readonly ctx: InteractionContext

  constructor(restart: () => GrowingText, open: () => Filled, ctx: InteractionContext) {
    this.restart = restart
    this.text = restart()
    this.open = open
    this.ctx = ctx
  }

  get isShown(): boolean {
    return this.promise !== undefined
  }

  begin(): void {
    this.text = this.restart()
    this.written = ""
  }

  push(piece: string): Effect.Effect<void> | undefined {
    this.written += this.text.push(piece)
    const { promise, shown, written } = this
    if (written.length <= shown.length || !written.startsWith(shown)) return undefined
    this.shown = written
    const filling = promise ?? this.open()
    filling.push(written.slice(shown.length))
    if (promise !== undefined) return undefined
    this.promise = filling
    return this.ctx.reply(filling.promise as never) // what it fails with, the agent's type says
  }

  /** The object is whole. */
  end(message: Message.Message): Effect.Effect<void, AiError.AiError> {
    const { promise, shown } = this
    if (promise === undefined) return this.ctx.reply(message)
    const text = String(message)
    if (!text.startsWith(shown)) return Effect.fail(another(text))
    if (text !== shown) promise.push(text.slice(shown.length))
    promise.end(() => message)
    this.promise = undefined
    return Effect.void
  }

  /** It will not be whole: gives the failure of the call, which is that of the message. */
  fail(cause: Cause.Cause<unknown>): Cause.Cause<unknown> {
    return this.promise?.fail(cause) ?? cause
  }
}

const another = (responseText: string): AiError.AiError => {
  const description = "the object is another one than that which was being written"
  const reason = new AiError.StructuredOutputError({ description, responseText })
  return AiError.make({ module: "LlmAgent", method: "generateObject", reason })
}

/** An object that is asked for, and the message that is made of it. @internal */
export interface Output {
  /** The fields that the model fills in. */
  readonly schema: Schema.Top
  readonly name: string
  /** The class of the message. */
  readonly tag: string
  readonly form: Form
  readonly toMessage: (value: unknown, metadata: Message.Metadata) => Effect.Effect<Message.Message>
}

/** A model fills in the fields of a message; its tag and metadata are ours. */
export const outputOf = (schema: Schema.Top): Output => {
  const name = Predicate.hasProperty(schema, "identifier") ? String(schema.identifier) : "Output"
  const toData = (value: unknown, metadata: Message.Metadata) =>
    Schema.encodeUnknownEffect(schema as Schema.Codec<unknown>)(value).pipe(
      Effect.map((encoded) => Message.data(encoded as Record<string, unknown>, metadata)),
      Effect.orDie // it was decoded with this schema
    )
  if (!isMessageClass(schema)) return { schema, name, tag: "Data", form: "json", toMessage: toData }
  const fields = Schema.Struct(Struct.omit(schema.fields, ["_tag", "metadata"]))
  const form = formOf(schema.prototype, fields)
  return { schema: fields, name, tag: name, form, toMessage: (value) => Effect.sync(() => new schema(value)) }
}

interface MessageClass extends Schema.Top {
  readonly fields: Record<"_tag" | "metadata", Schema.Top> & Schema.Struct.Fields
  readonly prototype: Message.Message
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
