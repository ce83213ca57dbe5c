import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { Message } from "miniagents"

class Review extends Message.Class<Review>()("Review", {
  draft: Message.Text,
  notes: Schema.Array(Message.User),
  stars: Schema.Int,
  more: Schema.Struct({ list: Schema.Array(Schema.Struct({ by: Message.System, at: Schema.Int })) })
}) {}

class Folder extends Message.Class<Folder>()("Folder", {
  items: Schema.Array(Message.Any),
  named: Schema.Record(Schema.String, Message.Any),
  mixed: Schema.Array(Schema.Union([Message.Text, Schema.String]))
}) {}

/** The canonical JSON of RFC 8785, written down a second time. */
const canonical = (value: Schema.Json): string =>
  JSON.stringify(value, (_, field: unknown) =>
    typeof field === "object" && field !== null && !Array.isArray(field)
      ? new Proxy(field, { ownKeys: (target) => Reflect.ownKeys(target).sort() })
      : field
  )

const sha256 = (text: string) => createHash("sha256").update(text, "utf8").digest("hex")

const review = Arbitrary.schema(Review)
const folder = Arbitrary.map(
  Arbitrary.all({
    items: Arbitrary.array(Arbitrary.schema(Schema.Union([Message.Text, Review])), { maxLength: 3 }),
    text: Arbitrary.schema(Message.Assistant),
    mixed: Arbitrary.schema(Schema.Array(Schema.Union([Message.Text, Schema.String])))
  }),
  ({ items, mixed, text }) => new Folder({ items, named: { text }, mixed })
)

/** Lists of messages, often longer than a page; a text may stand in one several times. */
const lists = Arbitrary.map(
  Arbitrary.all({
    length: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 140 }))),
    distinct: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 140 }))),
    at: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 140 })))
  }),
  ({ at, distinct, length }) => ({ at, list: Array.from({ length }, (_, i) => Message.text(`${i % distinct}`)) })
)
const joined = (originals: ReadonlyArray<Message.Message>) => new Message.Joined({ content: "", originals })
const keysOf = (messages: ReadonlyArray<Message.Message>) => messages.map(({ hashKey }) => hashKey)
const pagesOf = (message: Message.Message) =>
  Message.nested(message).filter((each): each is Message.Page => each._tag === "Page")

/** The keys of a list, by what is kept of it alone: the message and the pages. */
const keysInPages = (message: Message.Message): ReadonlyArray<unknown> => {
  const { originals, originals__hash_keys, originals__hash_pages } = Message.serialize(message) as {
    readonly [field: string]: ReadonlyArray<string>
  }
  if (originals__hash_pages === undefined) return originals__hash_keys ?? originals!
  const kept = new Map(pagesOf(message).map((page) => [page.hashKey, Message.serialize(page)]))
  const [last, ...rest] = originals__hash_pages
  const keys: Array<unknown> = rest
  for (let key: string | undefined = last; key !== undefined;) {
    const page = kept.get(key)!
    keys.unshift(...(page["items__hash_keys"] as ReadonlyArray<string>))
    key = page["before__hash_key"] as string | undefined
  }
  return keys
}

describe("Law 12, Merkle", () => {
  it.effect.prop(
    "Law 12, Merkle: the hash key is the sha256 of the canonical JSON of `serialize`",
    [review, folder, lists],
    ([review, folder, { list }]) =>
      Effect.sync(() => {
        for (const message of [review, folder, joined(list), ...pagesOf(joined(list))]) {
          assert.strictEqual(message.hashKey, sha256(canonical(Message.serialize(message))))
        }
      }),
    { arbitrary: { runs: 50 } }
  )

  it.effect.prop(
    "Law 12, Merkle: nested messages are serialized as references by hash key, wherever they stand",
    [review],
    ([message]) =>
      Effect.sync(() => {
        const { draft, metadata, more, notes, stars } = message
        const { metadata: serialized, ...fields } = Message.serialize(message)
        assert.deepStrictEqual(Object.keys(serialized as object).length, Object.keys(metadata).length)
        assert.deepStrictEqual(fields, {
          _tag: "Review",
          draft__hash_key: draft.hashKey,
          ...(notes.length === 0 ? { notes: [] } : { notes__hash_keys: notes.map(({ hashKey }) => hashKey) }),
          stars,
          more: { list: more.list.map(({ at, by }) => ({ by__hash_key: by.hashKey, at })) }
        })
      }),
    { arbitrary: { runs: 50 } }
  )

  it.effect.prop(
    "Law 12, Merkle: every reference is to a message that `nested` gives, and each comes after those it holds itself",
    [folder, lists],
    ([folder, { list }]) =>
      Effect.sync(() => {
        for (const message of [folder, joined([folder, ...list])]) {
          const seen = new Set<string>()
          for (const each of [...Message.nested(message), message]) {
            for (const key of referencesIn(Message.serialize(each))) assert.isTrue(seen.has(key))
            seen.add(each.hashKey)
          }
        }
      }),
    { arbitrary: { runs: 50 } }
  )

  it.effect.prop(
    "Law 12, Merkle: a list longer than a page is kept as pages of 32, counted from its start",
    [lists],
    ([{ list }]) =>
      Effect.sync(() => {
        const message = joined(list)
        const pages = new Set(keysOf(pagesOf(message)))
        assert.strictEqual(pages.size, list.length > 32 ? Math.floor(list.length / 32) : 0)
        assert.deepStrictEqual(keysInPages(message), keysOf(list))
        for (const [i, page] of pagesOf(message).entries()) {
          assert.deepStrictEqual(page.items, list.slice(32 * i, 32 * (i + 1)))
          assert.strictEqual(page.length, 32 * (i + 1))
          assert.strictEqual(page.before, pagesOf(message)[i - 1])
          assert.isFrozen(page)
          assert.deepStrictEqual(new Message.Page(page), page)
          assert.strictEqual(new Message.Page(page).hashKey, page.hashKey)
        }
      })
  )

  it.effect.prop(
    "Law 12, Merkle: lists that share a beginning share its pages, and no others",
    [lists],
    ([{ at, list }]) =>
      Effect.sync(() => {
        // equal messages, and not the same ones
        const other = list.map(({ content }, i) => Message.text(i < at ? content : `other ${content}`))
        const own = new Set(keysOf(pagesOf(joined(list))))
        const shared = keysOf(pagesOf(joined(other))).filter((key) => own.has(key))
        assert.strictEqual(shared.length, list.length > 32 ? Math.floor(Math.min(at, list.length) / 32) : 0)
        assert.strictEqual(joined(other).hashKey === joined(list).hashKey, at >= list.length)
        // the last message of each page is the very same one
        const mixed = list.map((message, i) => (i % 32 === 31 ? message : other[i]!))
        for (const page of pagesOf(joined(mixed))) {
          assert.strictEqual(page.hashKey, sha256(canonical(Message.serialize(page))))
        }
      })
  )

  it("Law 12, Merkle: the record of a conversation costs what is new in it", () => {
    const list: Array<Message.Message> = []
    const kept = new Map<string, string>()
    for (let i = 0; i < 300; i++) {
      list.push(Message.text(`${i}`))
      const record = new Message.CallRecord({ agent: "Any", parameters: {}, messages: list })
      for (const each of [...Message.nested(record), record]) kept.set(each.hashKey, canonical(Message.serialize(each)))
      assert.isBelow(kept.get(record.hashKey)!.length, 100 + 33 * 67)
      assert.strictEqual(kept.size, 2 * (i + 1) + (i < 32 ? 0 : Math.floor((i + 1) / 32)))
    }
    const records = Message.nested(joined([...list, ...list]))
    assert.strictEqual(new Set(keysOf(records)).size, 300 + Math.floor(600 / 32))
  })

  it("Law 12, Merkle: pages in pages, a long way down, overflow no stack", { timeout: 60_000 }, () => {
    let message: Message.Message = Message.text("leaf")
    const around = Array.from({ length: 32 }, (_, i) => Message.text(`${i}`))
    for (let i = 0; i < 3_000; i++) message = joined([message, ...around])
    assert.match(message.hashKey, /^[0-9a-f]{64}$/)
    const long = joined(Array.from({ length: 50_000 }, (_, i) => Message.text(`${i}`)))
    assert.match(long.hashKey, /^[0-9a-f]{64}$/)
    assert.strictEqual(Message.nested(long).length, 50_000 + Math.floor(50_000 / 32))
  })

  it("Law 12, Merkle: a message covers its nested messages by their hash keys alone, however large they are", () => {
    const large = Message.text("x".repeat(100_000))
    const review = new Review({ draft: large, notes: [], stars: 1, more: { list: [] } })
    const around = new Folder({ items: [review], named: { review }, mixed: [] })
    assert.isBelow(canonical(Message.serialize(review)).length, 300)
    assert.deepStrictEqual(Message.serialize(around), {
      _tag: "Folder",
      items__hash_keys: [review.hashKey],
      named: { review__hash_key: review.hashKey },
      mixed: [],
      metadata: {}
    })
  })

  it("Law 12, Merkle: hashing a history step by step encodes each message of it once, not all of it each time", () => {
    let encoded = 0
    const Counted = Schema.String.pipe(
      Schema.decodeTo(Schema.String, {
        decode: SchemaGetter.passthrough(),
        encode: SchemaGetter.transform((text: string) => {
          encoded++
          return text
        })
      })
    )
    class Turn extends Message.Class<Turn>()("Turn", { said: Counted, before: Schema.optionalKey(Message.Any) }) {}
    let history: Message.Message = new Turn({ said: "0" })
    for (let i = 1; i < 60; i++) {
      const before = history
      history = new Turn({ said: `${i}`, before })
      assert.strictEqual(Message.serialize(history)["before__hash_key"], before.hashKey)
    }
    assert.match(history.hashKey, /^[0-9a-f]{64}$/)
    assert.isAtMost(encoded, 3 * 60)
  })

  it("Law 12, Merkle: a message that is held many times over is hashed, and found by `nested`, once", () => {
    class Pair extends Message.Class<Pair>()("Pair", { left: Message.Any, right: Message.Any }) {}
    let pair: Message.Message = Message.text("leaf")
    for (let i = 0; i < 12; i++) pair = new Pair({ left: pair, right: pair })
    assert.strictEqual(Message.nested(pair).length, 12)
    assert.strictEqual(new Set(Message.nested(pair)).size, 12)
  })

  const { hashKey } = Message.text("inside")
  it.each([
    ["a field named like a reference", { note__hash_key: "x" }, { note__hash_key_: "x" }],
    ["a field named like a list of references", { note__hash_keys: ["x"] }, { note__hash_keys_: ["x"] }],
    ["a field named like one of those", { note__hash_key_: "x" }, { note__hash_key__: "x" }],
    ["a field named by the suffix alone", { __hash_key: hashKey }, { __hash_key_: hashKey }],
    ["a field named like a list of pages", { note__hash_pages: ["x"] }, { note__hash_pages_: ["x"] }],
    ["a field that only contains the suffix", { note__hash_key_of: "x" }, { note__hash_key_of: "x" }]
  ])("Law 12, Merkle: %s keeps apart from a reference", (_, data, serialized) => {
    assert.deepStrictEqual(Message.serialize(Message.data(data)), { _tag: "Data", data: serialized, metadata: {} })
  })

  it("Law 12, Merkle: a message and a value that spells its reference have different keys", () => {
    const text = Message.text("inside")
    const one = new Folder({ items: [], named: { a: text }, mixed: [text, "x"] })
    class Spelled extends Message.Class<Spelled>()("Folder", {
      items: Schema.Array(Schema.String),
      named: Schema.Record(Schema.String, Schema.Json),
      mixed: Schema.Array(Schema.Json)
    }) {}
    const spelled = [
      new Spelled({ items: [], named: { a__hash_key: text.hashKey }, mixed: [{ __hash_key: text.hashKey }, "x"] }),
      new Spelled({ items: [], named: { a: text.hashKey }, mixed: [text.hashKey, "x"] }),
      new Spelled({ items: [], named: { a__hash_key: text.hashKey }, mixed: [text.hashKey, "x"] })
    ]
    assert.strictEqual(new Set([one, ...spelled].map((message) => message.hashKey)).size, 4)
  })

  it.effect.prop(
    "Law 12, Merkle: different JSON never has the same serialized form",
    [
      Schema.Array(
        Schema.Record(
          Schema.Literals([
            "a",
            "a__hash_key",
            "a__hash_key_",
            "a__hash_keys",
            "a__hash_keys_",
            "a__hash_pages",
            "a__hash_pages_",
            "__hash_key"
          ]),
          Schema.Literals(["x", "y"])
        )
      )
    ],
    ([values]) =>
      Effect.sync(() => {
        const messages = values.map((value) => Message.data(value))
        for (const a of messages) {
          for (const b of messages) {
            assert.strictEqual(a.hashKey === b.hashKey, canonical(a.data) === canonical(b.data))
          }
        }
      })
  )

  it("Law 12, Merkle: messages inside an Option, or an instance of a class, are found and referenced too", () => {
    class Aside extends Schema.Class<Aside>("Aside")({ by: Message.User }) {}
    class Maybe extends Message.Class<Maybe>()("Maybe", { some: Schema.Option(Message.Text), aside: Aside }) {}
    const text = Message.text("perhaps")
    const user = Message.user("me")
    const maybe = new Maybe({ some: Option.some(text), aside: new Aside({ by: user }) })
    assert.sameMembers(
      Message.nested(maybe).map(({ hashKey }) => hashKey),
      [text.hashKey, user.hashKey]
    )
    assert.sameMembers([...referencesIn(Message.serialize(maybe))], [text.hashKey, user.hashKey])
  })
})

const referencesIn = function* (json: Schema.Json): Generator<string> {
  if (Array.isArray(json)) for (const item of json as ReadonlyArray<Schema.Json>) yield* referencesIn(item)
  else if (typeof json === "object" && json !== null) {
    for (const [key, value] of Object.entries(json as Schema.JsonObject)) {
      if (key.endsWith("__hash_key")) yield value as string
      else if (/__hash_(keys|pages)$/.test(key)) yield* value as ReadonlyArray<string>
      else yield* referencesIn(value)
    }
  }
}
