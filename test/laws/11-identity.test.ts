import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as Schema from "effect/Schema"
import { Message } from "miniagents"

/** A message with all that a message can hold: other messages, lists, dates, optional keys, structures of these. */
class Section extends Message.Class<Section>()("Section", {
  title: Schema.String,
  body: Message.Text,
  notes: Schema.Array(Message.User),
  when: Schema.DateTimeUtc,
  tag: Schema.optionalKey(Schema.String),
  score: Schema.NullOr(Schema.Finite),
  deep: Schema.Struct({ list: Schema.Array(Schema.Struct({ message: Message.System, big: Schema.BigInt })) })
}) {}

class Book extends Message.Class<Book>()("Book", {
  sections: Schema.Array(Section),
  cover: Schema.optionalKey(Message.Any),
  index: Schema.Record(Schema.String, Message.Text)
}) {}

const classes = [Section, Book]
const codec = Message.codec(classes)

const generated = {
  Text: Message.Text,
  User: Message.User,
  System: Message.System,
  Assistant: Message.Assistant,
  Failure: Message.Failure,
  Data: Message.Data,
  Embedding: Message.Embedding,
  Section
}
const anyMessage = Arbitrary.schema(Schema.Union(Object.values(generated)))
const joined = Arbitrary.map(
  Arbitrary.all({ originals: Arbitrary.array(anyMessage, { maxLength: 4 }), content: Arbitrary.schema(Schema.String) }),
  (fields): Message.Message => new Message.Joined(fields)
)
const book = Arbitrary.map(
  Arbitrary.all({
    sections: Arbitrary.array(Arbitrary.schema(Section), { maxLength: 2 }),
    cover: joined,
    index: Arbitrary.schema(Schema.Record(Schema.String, Message.Text))
  }),
  (fields): Message.Message => new Book(fields)
)
const record = Arbitrary.map(
  Arbitrary.all({
    agent: Arbitrary.schema(Schema.String),
    parameters: Arbitrary.schema(Schema.Json),
    messages: Arbitrary.array(anyMessage, { maxLength: 3 }),
    replies: Arbitrary.array(anyMessage, { maxLength: 3 })
  }),
  ({ agent, messages, parameters, replies }): Message.Message =>
    new Message.ReplyRecord({ agent, call: new Message.CallRecord({ agent, parameters, messages }), replies })
)

const arbitraries: Record<string, Arbitrary.Arbitrary<Message.Message>> = {
  ...Object.fromEntries(
    Object.entries(generated).map(([name, schema]) => [
      name,
      Arbitrary.map(Arbitrary.schema(schema), (message): Message.Message => message)
    ])
  ),
  Joined: joined,
  Book: book,
  ReplyRecord: record
}

const isLeaf = (value: unknown): boolean => typeof value !== "object" || value === null || DateTime.isDateTime(value)

const unfrozen = (value: unknown, path = "message"): ReadonlyArray<string> => {
  if (isLeaf(value)) return []
  const inside = Object.entries(value as object).flatMap(([key, field]) => unfrozen(field, `${path}.${key}`))
  return Object.isFrozen(value) ? inside : [path, ...inside]
}

/** The same value with the keys of every object in it the other way round. */
const reversed = (value: Schema.Json): Schema.Json => {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value as Schema.JsonObject)
      .toReversed()
      .map(([key, field]) => [key, reversed(field)])
  )
}

/** All values that differ from this one in one place, and how. */
const changes = (value: Schema.Json, path = ""): ReadonlyArray<readonly [string, Schema.Json]> => {
  if (typeof value === "string") return [[path, `${value}!`]]
  if (typeof value === "number") return [[path, value === 0 ? 1 : value === 1 ? 2 : value / 2 + 1]]
  if (typeof value === "boolean") return [[path, !value]]
  if (value === null) return [[path, 0]]
  if (Array.isArray(value)) {
    const list: ReadonlyArray<Schema.Json> = value
    return [
      [`${path}[]`, [...list, "more"]],
      ...list.flatMap((item, i) =>
        changes(item, `${path}[${i}]`).map(([at, changed]): [string, Schema.Json] => [at, list.with(i, changed)])
      )
    ]
  }
  const object = value as Schema.JsonObject
  const names = Object.keys(object)
  return [
    [`${path}.`, { ...object, [`${names.join("")}x`]: null }],
    ...names.flatMap((name) =>
      changes(object[name]!, `${path}.${name}`).map(([at, changed]): [string, Schema.Json] => [
        at,
        Object.fromEntries(Object.entries(object).map(([key, field]) => [key, key === name ? changed : field]))
      ])
    )
  ]
}

describe("Law 11, Identity", () => {
  for (const [name, arbitrary] of Object.entries(arbitraries)) {
    it.effect.prop(
      `Law 11, Identity: a ${name} is frozen at every depth, and decoding what it encodes to gives an equal one`,
      [arbitrary],
      ([message]) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(unfrozen(message), [])
          const json = yield* Schema.encodeUnknownEffect(codec)(message)
          const again = yield* Schema.decodeEffect(codec)(structuredClone(json))
          assert.deepStrictEqual(unfrozen(again), [])
          assert.strictEqual(again.constructor, message.constructor)
          assert.isTrue(Equal.equals(again, message))
          assert.strictEqual(Hash.hash(again), Hash.hash(message))
          assert.strictEqual(again.hashKey, message.hashKey)
          assert.match(message.hashKey, /^[0-9a-f]{64}$/)
          if ("content" in message) assert.strictEqual(String(again), String(message))
        }),
      { arbitrary: { runs: 60 } }
    )

    it.effect.prop(
      `Law 11, Identity: the order of keys does not matter to a ${name}`,
      [arbitrary],
      ([message]) =>
        Effect.gen(function* () {
          const json = yield* Schema.encodeUnknownEffect(codec)(message)
          const again = yield* Schema.decodeEffect(codec)(reversed(json))
          assert.isTrue(Equal.equals(again, message))
          assert.strictEqual(again.hashKey, message.hashKey)
        }),
      { arbitrary: { runs: 40 } }
    )
  }

  it.effect.prop(
    "Law 11, Identity: two messages are equal exactly when their hash keys are",
    [Arbitrary.array(Arbitrary.schema(Schema.Union([Message.Text, Message.Data])), { minLength: 2, maxLength: 12 })],
    ([messages]) =>
      Effect.sync(() => {
        for (const a of messages) {
          for (const b of messages) assert.strictEqual(Equal.equals(a, b), a.hashKey === b.hashKey)
        }
      }),
    { arbitrary: { size: 3 } }
  )

  it.effect.prop(
    "Law 11, Identity: any change of the content of a message changes it",
    [Arbitrary.schema(Message.Data)],
    ([message]) =>
      Effect.sync(() => {
        for (const [path, data] of changes(message.data)) {
          const other = new Message.Data({ data: data as Schema.JsonObject, metadata: message.metadata })
          assert.notStrictEqual(other.hashKey, message.hashKey, path)
          assert.isFalse(Equal.equals(other, message), path)
        }
        for (const [path, metadata] of changes(message.metadata)) {
          const other = new Message.Data({ data: message.data, metadata: metadata as Message.Metadata })
          assert.notStrictEqual(other.hashKey, message.hashKey, path)
          assert.isFalse(Equal.equals(other, message), path)
        }
      }),
    { arbitrary: { runs: 50, size: 10 } }
  )

  it.effect.prop(
    "Law 11, Identity: any change inside a nested message changes the message that holds it",
    [Arbitrary.schema(Section)],
    ([section]) =>
      Effect.sync(() => {
        const { body, deep, notes, when } = section
        const fields = { ...section }
        const others = [
          new Section({ ...fields, body: Message.text(`${body.content}!`, body.metadata) }),
          new Section({
            ...fields,
            body: Message.text(body.content, { ...body.metadata, more: 1, [body.content]: 2 })
          }),
          new Section({ ...fields, notes: [...notes, Message.user("more")] }),
          new Section({ ...fields, when: DateTime.add(when, { milliseconds: when.epochMilliseconds > 0 ? -1 : 1 }) }),
          new Section({ ...fields, tag: `${section.tag ?? ""}!` }),
          new Section({ ...fields, score: section.score === null ? 0 : null }),
          new Section({ ...fields, deep: { list: [...deep.list, { message: Message.system(""), big: 1n }] } }),
          ...notes.map((note, i) => new Section({ ...fields, notes: notes.with(i, Message.user(`${note.content}!`)) })),
          ...deep.list.map(
            (item, i) => new Section({ ...fields, deep: { list: deep.list.with(i, { ...item, big: item.big + 1n }) } })
          )
        ]
        const keys = new Set([section, ...others].map(({ hashKey }) => hashKey))
        assert.strictEqual(keys.size, others.length + 1)
        for (const other of others) assert.isFalse(Equal.equals(section, other))
      }),
    { arbitrary: { runs: 50 } }
  )

  it("Law 11, Identity: the class is part of the content", () => {
    const all = [
      Message.text("x"),
      Message.user("x"),
      Message.system("x"),
      Message.assistant("x"),
      Message.data({ content: "x" })
    ]
    assert.strictEqual(new Set(all.map(({ hashKey }) => hashKey)).size, all.length)
    for (const [i, a] of all.entries())
      for (const b of all.slice(i + 1)) assert.isFalse(Equal.equals<unknown, unknown>(a, b))
  })

  it("Law 11, Identity: the hash key is the sha256 of the canonical JSON, a key that any other program can compute", () => {
    assert.strictEqual(
      Message.text("Hello").hashKey, // printf '{"_tag":"Text","content":"Hello","metadata":{}}' | sha256sum
      "7ebcd22ee0b5275abc563d793dab11d764d96e5d2af211e08edac30edce8790c"
    )
    assert.strictEqual(
      Message.data({ z: [1, 1e21, -0], é: null, a: { b: true } }, { n: 0.1 }).hashKey,
      "aaddd5ef3757c6c5c020f1d20e6c8011ec7f24b9d6e34e8370dfaa6b744dfa40"
    )
  })

  it("Law 11, Identity: a string and the message made of it are one, however it was made", () => {
    const made = [
      Message.text("a"),
      Message.text("a", {}),
      new Message.Text({ content: "a" }),
      new Message.Text({ content: "a", metadata: {} }),
      Message.fromText("a"),
      Message.fromText("a", { _tag: "Text" })
    ]
    for (const message of made) {
      assert.isTrue(Equal.equals(message, made[0]))
      assert.isTrue(Equal.equals(made[0], message))
      assert.strictEqual(message.hashKey, made[0]!.hashKey)
      assert.strictEqual(Hash.hash(message), Hash.hash(made[0]))
      assert.instanceOf(message, Message.Text)
      assert.deepStrictEqual(unfrozen(message), [])
    }
  })

  it("Law 11, Identity: what a message was made of stays its maker's, and cannot change the message", () => {
    const inner = { deep: [{ value: 1 }] }
    const metadata = { inner }
    const message = Message.user("x", metadata)
    const key = message.hashKey
    const data = Message.data(inner)
    inner.deep[0]!.value = 2
    inner.deep.push({ value: 3 })
    assert.deepStrictEqual(message.metadata, { inner: { deep: [{ value: 1 }] } })
    assert.strictEqual(Message.user("x", { inner: { deep: [{ value: 1 }] } }).hashKey, key)
    assert.deepStrictEqual(data.data, { deep: [{ value: 1 }] })
  })

  it("Law 11, Identity: what was frozen on the surface alone is frozen at every depth in a message", () => {
    const inner = { value: 1 }
    const message = Message.user("x", { outer: Object.freeze({ inner }) })
    assert.deepStrictEqual(unfrozen(message), [])
    assert.deepStrictEqual(unfrozen(new Message.Data({ data: { outer: Object.freeze([inner]) } })), [])
  })

  it("Law 11, Identity: an instance of a class inside a message is frozen too", () => {
    class Point extends Schema.Class<Point>("Point")({ x: Schema.Finite, list: Schema.Array(Schema.Finite) }) {}
    class Place extends Message.Class<Place>()("Place", { point: Point }) {}
    const place = new Place({ point: new Point({ x: 1, list: [1] }) })
    assert.deepStrictEqual(unfrozen(place), [])
  })

  it("Law 11, Identity: what could still change is refused with the class, the field and what to take instead", () => {
    class Dated extends Message.Class<Dated>()("Dated", { at: Schema.Date }) {}
    class Bytes extends Message.Class<Bytes>()("Bytes", { deep: Schema.Struct({ bytes: Schema.Uint8Array }) }) {}
    class Table extends Message.Class<Table>()("Table", { map: Schema.ReadonlyMap(Schema.String, Schema.String) }) {}
    assert.throws(() => new Dated({ at: new Date(0) }), /`Dated` got `Date` at `at`: .*DateTime/)
    assert.throws(() => new Bytes({ deep: { bytes: new Uint8Array(1) } }), /`Bytes` got `Uint8Array` at `deep.bytes`/)
    assert.throws(() => new Table({ map: new Map() }), /`Table` got `Map` at `map`/)
  })

  it("Law 11, Identity: assigning to a message throws", () => {
    const message = Message.data({ list: [1] })
    const mutable: { -readonly [K in keyof Message.Data]: Message.Data[K] } = message
    assert.throws(() => (mutable.data = {}), TypeError)
    assert.throws(() => (message.data["list"] as Array<number>).push(2), TypeError)
  })
})
