/**
 * Messages: immutable, schema-defined values that agents exchange. Two messages with the same content are equal
 * (`Equal.equals`) and have the same `hashKey`, as commits in git do; a message that holds other messages is hashed
 * over their hash keys alone, so a history of any length is identified by one key.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Decoder from "./internal/decoder.ts"
import { Encoding, noMetadata } from "./internal/encoding.ts"
import * as Files from "./internal/files.ts"
import * as Json from "./internal/json.ts"
import * as MessageClass from "./internal/messageClass.ts"
import { isMessage, type TypeId } from "./internal/messageClass.ts"
import { traceOf } from "./internal/place.ts"
import { keepDefect, reasonOf } from "./internal/reason.ts"
import * as UnknownFields from "./internal/unknownFields.ts"

export { InvalidMessage, isMessage, TypeId } from "./internal/messageClass.ts"

/**
 * Additional data about a message: a JSON object, empty by default. It is a part of the message's identity.
 *
 * @since 0.1.0
 * @category models
 */
export type Metadata = { readonly [key: string]: Schema.Json }

/**
 * An immutable value with a tag, frozen at every depth. Make classes of your own with `Message.Class`.
 *
 * Laws: **Identity** (equal content means `Equal.equals` and the same `hashKey`; key order does not matter; any change
 * changes it; encode then decode gives it back) and **Merkle** (nested messages are covered by their hash keys alone).
 *
 * @since 0.1.0
 * @category models
 */
export interface Message {
  readonly [TypeId]: typeof TypeId
  readonly _tag: string
  readonly metadata: Metadata
  /** The sha256 (64 hex digits) of the canonical JSON of `Message.serialize`; computed when first asked for. */
  readonly hashKey: string
  /** The text of the message: its `content` if it has one, else its fields as a fenced block of JSON. */
  toString(): string
}

/**
 * The static side of a message class: a schema whose instances are messages.
 *
 * @since 0.1.0
 * @category models
 */
export interface Class<Self, Tag extends string, Fields extends Schema.Struct.Fields> extends Schema.Class<
  Self,
  Schema.TaggedStruct<Tag, Fields & { readonly metadata: typeof MessageClass.Metadata }>,
  Message
> {}

/**
 * Any message class, as `Message.codec` takes them.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnyClass extends Schema.Codec<Message, unknown> {
  readonly identifier: string
}

const Base = MessageClass.maker(() => encoding)

/**
 * Makes a class of messages with fields of its own, any of which may hold other messages.
 *
 * **When to use**
 *
 * For messages with fields of their own. Agents can tell them apart with `instanceof`. If nobody needs that, a plain
 * object will do, which becomes a `Message.Data`.
 *
 * **Details**
 *
 * Instances are validated and frozen at every depth. A field whose value could still change afterwards (`Date`, `Map`,
 * `Set`, typed arrays) is refused: take `Schema.DateTimeUtc`, an array or a string.
 *
 * **Example**
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Message } from "miniagents"
 *
 * class Review extends Message.Class<Review>()("Review", {
 *   draft: Message.Text,
 *   stars: Schema.Int
 * }) {}
 *
 * const review = new Review({ draft: Message.text("It was a dark night"), stars: 2 })
 * console.log(review.draft.content, review.hashKey.length)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const Class =
  <Self>() =>
  <Tag extends string, const Fields extends Schema.Struct.Fields>(tag: Tag, fields: Fields): Class<Self, Tag, Fields> =>
    Base(tag, fields) as never // the class is built for `Self`, which only the caller's `extends` makes true

/**
 * The key under which a class says that its messages are asides.
 *
 * @see {@link isAside}
 * @since 0.1.0
 * @category type ids
 */
export const AsideId = "~miniagents/Message/Aside"

/**
 * Whether the messages of a class are asides: shown, but not said, and so not in the `text` of a sequence. A class says
 * so with a getter, which is no part of the content.
 *
 * **Example**
 *
 * ```ts
 * import { Schema } from "effect"
 * import { Message } from "miniagents"
 *
 * class Progress extends Message.Class<Progress>()("Progress", { percent: Schema.Int }) {
 *   get [Message.AsideId](): true {
 *     return true
 *   }
 * }
 * Message.isAside(new Progress({ percent: 50 })) // true
 * ```
 *
 * @see `MessageSequence.aside` for any message, where it is put into a sequence
 * @since 0.1.0
 * @category guards
 */
export const isAside = (message: Message): boolean => AsideId in message

/**
 * The schema of a field that can hold any message. Decoding one takes `Message.codec` with the classes it may be of.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Any: Schema.declare<Message> = Schema.declare(isMessage, {
  identifier: "Message",
  toCodecJson: () =>
    Schema.link<Message>()(Schema.Json, {
      decode: SchemaGetter.transformEffect((json: Schema.Json) =>
        Effect.flatMap(CurrentDecode, (decode) => decode(json))
      ),
      encode: SchemaGetter.transform(toJson)
    })
})

/**
 * A plain message: what a bare string becomes.
 *
 * @since 0.1.0
 * @category models
 */
export class Text extends Class<Text>()("Text", { content: Schema.String }) {}

/**
 * An image or another file: what is in it (`data`, base64) or where it is (`url`), its media type, and its name.
 * `options` is what a provider is told with it, under the provider's name.
 *
 * **Details**
 *
 * It is a message of its own, from the user, and a part of others (`parts`), which refer to it by its `hashKey`: however
 * often it is said, it is kept once. Its text is Markdown, with its address, or its `hashKey` in the place of one.
 *
 * @see {@link image} and {@link file} make one
 * @since 0.1.0
 * @category models
 */
export class File extends Class<File>()("File", {
  mediaType: Schema.String,
  source: Schema.Union([
    Schema.Struct({ data: Schema.String.check(Schema.isBase64()) }),
    Schema.Struct({ url: Schema.String })
  ]),
  fileName: Schema.optionalKey(Schema.String),
  options: Schema.optionalKey(Schema.Json)
}) {
  /** A copy of the bytes; nothing for a file that is given by its address. */
  get bytes(): Uint8Array | undefined {
    return "data" in this.source ? Files.bytesOf(this.source.data) : undefined
  }

  /** The address of the file, or a data URL: what a browser takes. */
  get href(): string {
    return "url" in this.source ? this.source.url : `data:${this.mediaType};base64,${this.source.data}`
  }

  override toString(): string {
    return Files.toMarkdown(this)
  }
}

/**
 * A part of what was said: a text or a file.
 *
 * @since 0.1.0
 * @category models
 */
export type Part = Text | File

const Parts: Schema.optionalKey<Schema.$Array<Schema.Union<readonly [typeof Text, typeof File]>>> = Schema.optionalKey(
  Schema.Array(Schema.Union([Text, File]))
)

/**
 * The words of a person. If there are files among the texts, `parts` has everything in its order, and `content` only
 * the texts.
 *
 * @since 0.1.0
 * @category models
 */
export class User extends Class<User>()("User", { content: Schema.String, parts: Parts }) {
  override toString(): string {
    return textOfParts(this)
  }
}

/**
 * An instruction to a model.
 *
 * @since 0.1.0
 * @category models
 */
export class System extends Class<System>()("System", { content: Schema.String }) {}

/**
 * How many tokens a response took, as far as the provider says so. `inputTokens` includes those that were read from the
 * provider's cache or written to it, `outputTokens` those of the reasoning.
 *
 * @since 0.1.0
 * @category models
 */
export const Usage: Schema.Struct<{ readonly [Name in Counted]: Schema.optionalKey<Schema.Int> }> = Schema.Struct({
  inputTokens: Schema.optionalKey(Schema.Int),
  outputTokens: Schema.optionalKey(Schema.Int),
  cacheReadTokens: Schema.optionalKey(Schema.Int),
  cacheWriteTokens: Schema.optionalKey(Schema.Int),
  reasoningTokens: Schema.optionalKey(Schema.Int)
})

type Counted = "inputTokens" | "outputTokens" | "cacheReadTokens" | "cacheWriteTokens" | "reasoningTokens"

/**
 * @since 0.1.0
 * @category models
 */
export type Usage = (typeof Usage)["Type"]

/**
 * The words of a model: the agent and the model that did, in which step (request) of the agent's run, from 1, why it
 * stopped, the id that the provider gave the response, and how many tokens it took. `options` has what the provider
 * wants back with the text in the next request, under the provider's name; what else a provider said of the response is
 * in the `metadata`, under its name too. Images that a model made are `parts`, as those of `User` are.
 *
 * @since 0.1.0
 * @category models
 */
export class Assistant extends Class<Assistant>()("Assistant", {
  content: Schema.String,
  agent: Schema.optionalKey(Schema.String),
  model: Schema.optionalKey(Schema.String),
  step: Schema.optionalKey(Schema.Int),
  finishReason: Schema.optionalKey(Schema.String),
  responseId: Schema.optionalKey(Schema.String),
  usage: Schema.optionalKey(Usage),
  options: Schema.optionalKey(Schema.Json),
  parts: Parts
}) {
  override toString(): string {
    return textOfParts(this)
  }
}

/**
 * A failure that became a message, where errors are taken as messages: what was said before it (`content`), the
 * error's tag and text, and the agents it came through, the innermost first.
 *
 * @since 0.1.0
 * @category models
 */
export class Failure extends Class<Failure>()("Failure", {
  content: Schema.String,
  error: Schema.String,
  reason: Schema.String,
  trace: Schema.Array(Schema.String)
}) {
  override toString(): string {
    return `${this.content}${this.content === "" ? "" : "\n\n"}${this.error}: ${this.reason}`
  }
}

/**
 * A message that carries a JSON object; plain objects that are sent or replied become such messages.
 *
 * @since 0.1.0
 * @category models
 */
export class Data extends Class<Data>()("Data", { data: Schema.Record(Schema.String, Schema.Json) }) {
  override toString(): string {
    return Files.jsonBlock(this.data)
  }
}

/**
 * An embedding: the vector of a text, with the model that made it.
 *
 * @since 0.1.0
 * @category models
 */
export class Embedding extends Class<Embedding>()("Embedding", {
  content: Schema.String,
  vector: Schema.Array(Schema.Finite),
  model: Schema.optionalKey(Schema.String)
}) {}

/**
 * Several messages joined into one text, with the originals.
 *
 * @since 0.1.0
 * @category models
 */
export class Joined extends Class<Joined>()("Joined", { content: Schema.String, originals: Schema.Array(Any) }) {}

/**
 * The record of one call: which agent was called with which parameters and messages. Persistence hooks receive it.
 *
 * @since 0.1.0
 * @category models
 */
export class CallRecord extends Class<CallRecord>()("CallRecord", {
  agent: Schema.String,
  parameters: Schema.Json,
  messages: Schema.Array(Any)
}) {}

/**
 * The record of what an agent replied to a call, and how the reply ended: after an interruption or a failure it has what
 * was said until then, the failure as its last message. Persistence hooks receive it.
 *
 * @since 0.1.0
 * @category models
 */
export class ReplyRecord extends Class<ReplyRecord>()("ReplyRecord", {
  agent: Schema.String,
  call: CallRecord,
  replies: Schema.Array(Any),
  ending: Schema.optionalKey(Schema.Literals(["success", "failure", "interruption"]))
}) {}

/**
 * A part of a list of messages that is longer than 32: 32 messages in a row, counted from the start of the list, after
 * the ones of the page before it. Persistence hooks receive pages before the message that has the list, which refers to
 * its last full page alone; lists that begin with the same messages have the same pages.
 *
 * @since 0.1.0
 * @category models
 */
export class Page extends Class<Page>()("Page", {
  /** The page before this one, unless it is the first. */
  before: Schema.optionalKey(Any),
  items: Schema.Array(Any),
  /** How many messages the list has up to the end of this page. */
  length: Schema.Int
}) {}

/**
 * The messages this library defines.
 *
 * @since 0.1.0
 * @category models
 */
export type Builtin = InstanceType<(typeof builtinClasses)[keyof typeof builtinClasses]>

/**
 * The fields of a message that are known before its content: the tag of its class (`Text` by default), any of its fields but
 * the content, and whether it is an aside.
 *
 * @since 0.1.0
 * @category models
 */
export type Known =
  | { readonly _tag?: "Text" | "User" | "System"; readonly metadata?: Metadata; readonly aside?: boolean }
  | KnownAssistant

type KnownAssistant = { readonly _tag: "Assistant"; readonly aside?: boolean } & Partial<
  Pick<Assistant, "agent" | "model" | "step" | "finishReason" | "responseId" | "usage" | "options" | "metadata">
>

/**
 * The fields of a message that are known, whatever its class.
 *
 * @since 0.1.0
 * @category models
 */
export type KnownFields = Partial<Omit<KnownAssistant, "_tag">> & { readonly _tag?: string }

/**
 * Makes a message that is nothing but text.
 *
 * **When to use**
 *
 * For text without a role; a plain string becomes such a message by itself. For conversations with a model use `user`,
 * `assistant` and `system`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const text = (content: string, metadata?: Metadata): Text =>
  metadata === undefined && typeof content === "string" ? bareText(content) : new Text(fields(content, metadata))

/**
 * A message from a person: a text, or texts and files in their order.
 *
 * **When to use**
 *
 * For the words of a person in a conversation with a model.
 *
 * **Example**
 *
 * ```ts
 * import { Message } from "miniagents"
 *
 * const question = Message.user(["Which river is this?", Message.image("https://example.org/river.png")])
 * console.log(String(question)) // Which river is this?, and below it ![image/png](https://example.org/river.png)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const user = (content: Said, metadata?: Metadata): User => new User(saidFields(content, metadata))

/**
 * The content of a message: a text, or texts and files in their order.
 *
 * @since 0.1.0
 * @category models
 */
export type Said = string | ReadonlyArray<string | Part>

/**
 * An instruction to a model.
 *
 * **When to use**
 *
 * For instructions to a model that belong to one conversation. Those that an agent always has are its `system` option.
 *
 * @since 0.1.0
 * @category constructors
 */
export const system = (content: string, metadata?: Metadata): System => new System(fields(content, metadata))

/**
 * A message from a model: a text, or texts and files in their order.
 *
 * **When to use**
 *
 * For words of a model that your program makes up or has stored.
 *
 * @since 0.1.0
 * @category constructors
 */
export const assistant = (content: Said, metadata?: Metadata): Assistant => new Assistant(saidFields(content, metadata))

/**
 * The name and other facts of a file beside its content.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileOptions {
  /** By default what the data URL says, the first bytes show, or the end of the name. */
  readonly mediaType?: string
  readonly fileName?: string
  readonly metadata?: Metadata
  /** Options for a provider that are sent with it, as in `{ openai: { detail: "low" } }`. */
  readonly options?: { readonly [provider: string]: Schema.JsonObject }
}

/**
 * A file, by its bytes, a data URL, or its address. Throws `InvalidMessage` for anything else. Equal bytes of equal type
 * and name are the same file.
 *
 * **When to use**
 *
 * To give a model a PDF, a text or another file. For images use `image`.
 *
 * **Example**
 *
 * ```ts
 * import { Message } from "miniagents"
 *
 * const report = Message.file(new TextEncoder().encode("%PDF-1.7 ..."), { fileName: "report.pdf" })
 * console.log(report.mediaType) // application/pdf
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const file = (source: string | URL | Uint8Array, options?: FileOptions): File =>
  fileOf("Message.file", source, options, "application/octet-stream")

/**
 * An image, by its bytes, a data URL, or its address, as `file`. Where nothing tells its type it is `image/*`.
 *
 * **When to use**
 *
 * To show a model an image, on its own or among the texts of `user`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const image = (source: string | URL | Uint8Array, options?: FileOptions): File =>
  fileOf("Message.image", source, options, "image/*")

/**
 * A message that carries a JSON object. Throws `InvalidMessage` for what is no JSON.
 *
 * **When to use**
 *
 * To send or reply with a JSON object that needs no class of its own. A plain object becomes such a message by itself.
 *
 * @since 0.1.0
 * @category constructors
 */
export const data = (value: { readonly [key: string]: unknown }, metadata?: Metadata): Data => {
  const copy = Json.frozenCopy(value)
  if (copy instanceof Json.NotJson) throw invalid("Message.data", `value${copy.path}`, copy.value, copy.reason)
  const json = copy as Schema.JsonObject // of an object
  return new Data(metadata === undefined ? { data: json } : { data: json, metadata })
}

/**
 * The message that a finished text makes, together with what was known before.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromText = (content: string, known: Known = {}): Text | User | System | Assistant => {
  const { _tag: tag = "Text", ...rest } = known
  if (tag === "Text" && rest.metadata === undefined && Object.keys(rest).length === 0) return bareText(content)
  return new textClasses[tag]({ ...rest, content })
}

/**
 * The message that a failure becomes: the text that came before it, and the agents it came through, which are those that
 * `MiniAgents.traceOf` names unless others are given.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromCause = (
  cause: Cause.Cause<unknown>,
  options: { readonly content?: string; readonly trace?: ReadonlyArray<string> } = {}
): Failure => {
  const { content = "", trace = traceOf(cause) } = options
  if (Cause.hasInterruptsOnly(cause)) {
    return new Failure({ content, error: "Interrupted", reason: "it was interrupted", trace })
  }
  const error: unknown = Cause.squash(cause)
  const tag = Predicate.hasProperty(error, "_tag") ? error._tag : error instanceof Error ? error.name : "Error"
  return keepDefect(new Failure({ content, error: String(tag), reason: reasonOf(error), trace }), cause)
}

/**
 * The JSON object a message is stored as: its tag and fields, with every nested message replaced by a reference to its
 * hash key (`field__hash_key`, and `field__hash_keys` for an array of messages). An array of more than 32 messages is
 * referred to by pages (`field__hash_pages`: the key of its last full `Page`, and the keys after that). `hashKey` is the
 * sha256 of its canonical spelling (RFC 8785).
 *
 * @since 0.1.0
 * @category encoding
 */
export const serialize = (message: Message): Schema.JsonObject => encoding.serialize(message)

/**
 * The messages inside a message, depth first: each after the ones it holds itself. A list of more than 32 messages adds
 * the pages that it is referred to by.
 *
 * @since 0.1.0
 * @category getters
 */
export const nested = (message: Message): ReadonlyArray<Message> => nestedBut(message, () => false)

/**
 * The messages inside a message, but for those to be left out, and what only they hold.
 *
 * @internal
 */
export const nestedBut = (message: Message, leaveOut: (message: Message) => boolean): ReadonlyArray<Message> =>
  encoding.nestedBut(message, leaveOut)

/**
 * The JSON codec of the library's messages and the given classes, nested messages inline: decoding gives back an equal
 * message. Throws when two classes have the same tag.
 *
 * @since 0.1.0
 * @category encoding
 */
export const codec = <const Classes extends ReadonlyArray<AnyClass> = []>(
  classes?: Classes
): Schema.Codec<Builtin | Classes[number]["Type"], Schema.Json> => {
  const decode = Decoder.byTag(builtins, classes ?? [])
  return decodingBy(decode) as never // it looks classes up by tag, so it gives instances of these classes only
}

const decodingBy = (decode: Decoder.Decode): Schema.Codec<Message, Schema.Json> =>
  Schema.toCodecJson(Any).pipe(
    Schema.middlewareDecoding((effect) => Effect.provideService(effect, CurrentDecode, decode))
  )

/**
 * A codec that keeps what `codec` would refuse: a message of a class that is not known here, or whose fields are not
 * those of the class, keeps its tag and its fields, and is encoded as what it was decoded from.
 *
 * @internal
 */
export const keepingCodec = (classes: ReadonlyArray<AnyClass>): Schema.Codec<Message, Schema.Json> =>
  decodingBy(UnknownFields.keeping(Decoder.byTag(builtins, classes), unknownOf))

/** @internal A message that was read from JSON of which this is the hash key. */
export const withHashKey = MessageClass.withHashKey

/** @internal */
export const invalid = MessageClass.invalid

/** @internal Whether a message is of a class of this module, all messages of which can be read again. */
export const isBuiltin = (message: Message): boolean =>
  builtins.get(message._tag) === message.constructor || isUnknown(message)

/** @internal */
export const isUnknown = (message: Message): boolean => encoding.isUnknown(message)

const textClasses = { Text, User, System, Assistant }
const plain = { ...textClasses, File, Failure, Data, Embedding }
const builtinClasses = { ...plain, Joined, CallRecord, ReplyRecord, Page }
/** @internal */
export const builtins: ReadonlyMap<string, AnyClass> = new Map(Object.entries(builtinClasses))
/** @internal Those whose messages are plain, but for what was said with files in it. */
export const plainClasses: ReadonlySet<unknown> = new Set(Object.values(plain))

/** @internal How the JSON of a message inside of another one becomes a message. */
export const CurrentDecode = Context.Reference<Decoder.Decode>("miniagents/Message/CurrentDecode", {
  defaultValue: () => Decoder.byTag(builtins, [])
})

/** A message of a class that is not known here; its fields are JSON and messages. */
class Unknown extends Base("Unknown", {}) {}

/** @internal A message of these fields, unless they hide what every message has. */
export const unknownOf = (fields: object): Message | undefined => encoding.unknownOf(fields)

/** @internal */
export const toJson = (message: Message): Schema.JsonObject => encoding.toJson(message)

/** @internal Messages whose fields are JSON and hold no other message: they need no encoding. */
export const isPlain = (message: Message): boolean => encoding.isPlain(message)

const encoding = new Encoding({ plain: plainClasses, Page, Unknown })

/** A `Text` without the passes that a string needs none of: most messages begin as bare strings. */
const bareText = (content: string): Text =>
  Object.freeze(
    Object.assign(Object.create(Text.prototype) as Text, { _tag: "Text", content, metadata: noMetadata } as const)
  )

const fields = (content: string, metadata: Metadata | undefined) =>
  metadata === undefined ? { content } : { content, metadata }

const saidFields = (said: Said, metadata: Metadata | undefined) => {
  if (typeof said === "string") return fields(said, metadata)
  const parts = said.map((part) => (typeof part === "string" ? bareText(part) : part))
  const content = parts.flatMap((part) => (part instanceof Text ? [part.content] : [])).join("\n\n")
  return { ...fields(content, metadata), parts }
}

const textOfParts = ({ content, parts }: User | Assistant): string =>
  parts === undefined ? content : parts.map(String).join("\n\n")

const fileOf = (operation: string, given: string | URL | Uint8Array, options: FileOptions = {}, otherwise: string) => {
  const fields = Files.fieldsOf(given, options, otherwise)
  if (typeof fields === "string") throw invalid(operation, "source", given, fields)
  return new File(fields)
}
