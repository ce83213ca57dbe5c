/** What all message classes have in common: fields that are checked and frozen, and an identity by content. */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { Message } from "../Message.ts"
import type { Encoding } from "./encoding.ts"
import * as Freeze from "./freeze.ts"
import * as Json from "./json.ts"
import { type FieldIssue, fieldIssues } from "./fieldIssues.ts"

/**
 * The type id of messages.
 *
 * @since 0.1.0
 * @category type ids
 */
export const TypeId = "~miniagents/Message"

/**
 * Whether a value is a message.
 *
 * @since 0.1.0
 * @category guards
 */
export const isMessage = (value: unknown): value is Message => Predicate.hasProperty(value, TypeId)

/**
 * A value that can be no message, or a place where none is taken: the agent and the operation it was given to, the
 * path inside the input (`input[1].score`), the value in short, and what to do.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidMessage extends Schema.TaggedError<InvalidMessage>()("InvalidMessage", {
  operation: Schema.String,
  path: Schema.String,
  value: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `\`${this.operation}\` got \`${this.value}\` at \`${this.path}\`: ${this.reason}`
  }
}

export const invalid = (operation: string, path: string, value: unknown, reason: string): InvalidMessage =>
  new InvalidMessage({ operation, path, value: Json.preview(value), reason })

/** The field that every message has beside its own. */
export const Metadata: Schema.withConstructorDefault<
  Schema.withDecodingDefaultKey<Schema.$Record<Schema.String, Schema.Codec<Schema.Json>>>
> = Schema.Record(Schema.String, Schema.Json).pipe(
  Schema.withDecodingDefaultKey(Effect.succeed({})),
  Schema.withConstructorDefault(Effect.succeed({}))
)

/** Makes what a class with these fields extends. */
export const maker =
  (encoding: () => Encoding) =>
  <Tag extends string, const Fields extends Schema.Struct.Fields>(tag: Tag, fields: Fields) => {
    for (const name of reservedFields) {
      if (name in fields) throw new Error(`Message class \`${tag}\` must not define \`${name}\`: every message has it`)
    }
    // its fields are not known statically here, so the parent is taken for what this class needs of it
    const Parent = Schema.TaggedClass<object>(tag)(tag, { ...fields, metadata: Metadata }) as unknown as new (
      props: unknown,
      options?: Schema.MakeOptions
    ) => Message
    class Base extends Parent {
      constructor(props: unknown, options?: Schema.MakeOptions) {
        // what the parent throws says neither which field is wrong nor what it got
        try {
          super(props, options)
        } catch (error) {
          throw refused(tag, props, error)
        }
        freeze(this)
      }
      override get hashKey(): string {
        const known = hashKeys.get(this)
        if (known !== undefined) return known
        const engine = encoding()
        for (const inside of engine.nestedBut(this, (message) => hashKeys.has(message))) {
          withHashKey(inside, engine.hash(inside))
        }
        return withHashKey(this, engine.hash(this)).hashKey
      }
      /** Without these two, `Equal` would compare getters too, and so compute hash keys. */
      [Equal.symbol](that: Equal.Equal): boolean {
        return Object.getPrototypeOf(that) === Object.getPrototypeOf(this) && sameFields(this, that)
      }
      [Hash.symbol](): number {
        return "content" in this && typeof this.content === "string"
          ? Hash.string(tag + this.content)
          : Hash.structureKeys(this, Object.keys(this))
      }
      override toString(): string {
        return "content" in this && typeof this.content === "string" ? this.content : encoding().show(this)
      }
    }
    Object.defineProperty(Base.prototype, TypeId, { value: TypeId })
    return Base
  }

/** Freezes a message at every depth. */
export const freeze = (message: Message): void => Freeze.freezeFields(message, message._tag, freezing)

/** Notes the hash key of a message, where it is known. */
export const withHashKey = (message: Message, hashKey: string): Message => {
  hashKeys.set(message, hashKey)
  return message
}
const hashKeys = new WeakMap<Message, string>()

const reservedFields = ["metadata", "hashKey", "_tag"]

const sameFields = (self: object, that: object): boolean => {
  const keys = Object.keys(self)
  if (keys.length !== Object.keys(that).length) return false
  return keys.every((key) => Predicate.hasProperty(that, key) && Equal.equals(self[key as never], that[key]))
}

const refused = (tag: string, props: unknown, error: unknown): unknown => {
  const issue = error instanceof Error ? error.cause : undefined
  if (!SchemaIssue.isIssue(issue)) return error
  const [{ path, reason, value }] = fieldIssues(issue, props) as [FieldIssue]
  return invalid(`new ${tag}`, path, value, reason)
}

const freezing: Freeze.Options = {
  isFrozen: isMessage,
  refuse: (path, value, reason) => {
    const [tag, ...rest] = path.split(".")
    throw invalid(tag!, rest.join("."), value, `a message cannot hold ${reason}`)
  }
}
