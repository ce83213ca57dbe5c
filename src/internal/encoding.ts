/** Messages as JSON, and what is in them: with all of it, or with references, which is what a message is hashed over. */
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type { Message, Metadata, Page } from "../Message.ts"
import * as Files from "./files.ts"
import * as Json from "./json.ts"
import { freeze, isMessage, TypeId } from "./messageClass.ts"
import * as References from "./references.ts"
import * as UnknownFields from "./unknownFields.ts"

/** The classes whose messages are not encoded by their schemas. */
interface Classes {
  /** Their fields are JSON, but for `parts`. */
  readonly plain: ReadonlySet<unknown>
  /** Pages of lists, which can be made without being checked. */
  readonly Page: (abstract new (...args: never) => Page) & { readonly prototype: Page }
  /** Messages whose class is not known: their fields are JSON and messages. */
  readonly Unknown: Function & { readonly prototype: Message }
}

type List = ReadonlyArray<Message>

export const noMetadata: Metadata = Object.freeze({})

export class Encoding {
  private readonly classes: Classes
  /** They live as long as the lists do. */
  private readonly lastPages = new WeakMap<List, Page>()
  /** A list that grows has its first pages anew in every message, so their keys are remembered, by the last of the items. */
  private readonly pageKeys = new WeakMap<Message, PageKey>()

  constructor(classes: Classes) {
    this.classes = classes
  }

  /** Whether the fields of a message are JSON and hold no other message. */
  isPlain(message: Message): boolean {
    return this.classes.plain.has(message.constructor) && !("parts" in message)
  }

  isUnknown(message: Message): boolean {
    return message instanceof this.classes.Unknown
  }

  /** A message of these fields whose class is not known, unless they hide what every message has. */
  unknownOf(fields: object): Message | undefined {
    if (["hashKey", "toString", TypeId].some((name) => Object.hasOwn(fields, name))) return undefined
    const message = Object.create(this.classes.Unknown.prototype) as Message
    for (const [key, value] of Object.entries(fields)) Json.define(message, key, value)
    freeze(message)
    return message
  }

  /** The text of a message without a `content`. */
  show(message: Message): string {
    const { _tag: _, metadata, ...rest } = this.toJson(message)
    const hasMetadata = Predicate.isObject(metadata) && Object.keys(metadata).length > 0
    return Files.jsonBlock(hasMetadata ? { ...rest, metadata } : rest)
  }

  toJson(message: Message): Schema.JsonObject {
    if (this.isPlain(message)) return { ...message } as never // its fields are JSON
    if (!this.isUnknown(message)) return encoderOf(message)(message)
    return UnknownFields.encode(message, (inside) => this.toJson(inside))
  }

  serialize(message: Message): Schema.JsonObject {
    let encoded: object = message
    if (!this.isPlain(message) && !this.isUnknown(message) && !(message instanceof this.classes.Page)) {
      encoded = {}
      for (const [key, value] of Object.entries(message)) {
        // a message that is referenced is not encoded, or hashing a history would cost its square
        const isReference = References.isReference(value, isMessage)
        Json.define(encoded, key, isReference ? value : encoderOf(message, key)({ [key]: value })[key])
      }
    }
    return References.write(message, encoded, isMessage, (list) => this.lastPage(list as List)) as Schema.JsonObject // of an object
  }

  /** The hash key; those of the messages inside are known already. */
  hash(message: Message): string {
    // a page that was not made by `lastPage` is a message as any other
    return message instanceof this.classes.Page && message.metadata === noMetadata
      ? this.keyOfPage(message)
      : Json.hash(this.serialize(message))
  }

  /** The messages inside but for some, depth first, each after the ones that it holds itself; of long lists the pages. */
  nestedBut(message: Message, leaveOut: (message: Message) => boolean): ReadonlyArray<Message> {
    const found: Array<Message> = []
    const seen = new Set<unknown>()
    // a stack of our own: a long conversation may be as deep as it is long
    const pending: Array<() => void> = []
    const visit = (value: unknown): void => {
      if (typeof value !== "object" || value === null || seen.has(value)) return
      seen.add(value)
      if (isMessage(value)) {
        if (value !== message) {
          if (leaveOut(value)) return
          pending.push(() => found.push(value))
        }
        if (this.isPlain(value)) return
      }
      if (Array.isArray(value) && References.isPaged(value) && value.every(isMessage)) {
        for (const item of value.slice(References.onPages(value.length)).reverse()) pending.push(() => visit(item))
        return visit(this.lastPage(value))
      }
      for (const field of Object.values(value).reverse()) pending.push(() => visit(field))
    }
    visit(message)
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) next()
    return found
  }

  /** The last full page of a list. */
  private lastPage(list: List): Page {
    let page: Page | undefined = this.lastPages.get(list)
    if (page !== undefined) return page
    for (let length = References.pageSize; length <= list.length; length += References.pageSize) {
      const items = Object.freeze(list.slice(length - References.pageSize, length))
      const made = Object.create(this.classes.Page.prototype) as Page
      Object.assign(made, { _tag: "Page", ...(page && { before: page }), items, length, metadata: noMetadata })
      page = Object.freeze(made)
    }
    this.lastPages.set(list, page!)
    return page!
  }

  private keyOfPage(page: Page): string {
    const last = page.items.at(-1)!
    const before = page.before?.hashKey
    const items = page.items.map(({ hashKey }) => hashKey)
    const known = this.pageKeys.get(last)
    if (known?.before === before && known?.items.every((key, i) => key === items[i])) return known.hashKey
    const hashKey = Json.hash(this.serialize(page))
    this.pageKeys.set(last, { before, items, hashKey })
    return hashKey
  }
}

interface PageKey {
  readonly before: string | undefined
  readonly items: ReadonlyArray<string>
  readonly hashKey: string
}

type Encode = (value: unknown) => { readonly [key: string]: Schema.Json }
const encoders = new WeakMap<object, Map<string | undefined, Encode>>()

/** The encoder of a message's class, or of one field of it; each is made once. */
const encoderOf = ({ constructor: self }: Message, field?: string): Encode => {
  let known = encoders.get(self)
  if (known === undefined) encoders.set(self, (known = new Map()))
  let encode = known.get(field)
  if (encode === undefined) {
    // a message's constructor is its class, and a class is a schema
    const { fields } = self as unknown as { readonly fields: Schema.Struct.Fields }
    const schema: unknown = field === undefined ? self : Schema.Struct({ [field]: fields[field] })
    encode = Schema.encodeUnknownSync(Schema.toCodecJson(schema as Schema.Codec<unknown>)) as Encode
    known.set(field, encode)
  }
  return encode
}
