import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Message } from "miniagents"

class Broken extends Schema.TaggedError<Broken>()("Broken", { query: Schema.String }) {
  override get message(): string {
    return `nothing for ${this.query}`
  }
}

class Recipe extends Message.Class<Recipe>()("Recipe", {
  title: Schema.String,
  steps: Schema.Array(Message.Text),
  rating: Schema.optionalKey(Schema.Int)
}) {
  get length(): number {
    return this.steps.length
  }
}

describe("Message", () => {
  it("has a constructor for each class of plain text, with metadata or without", () => {
    const made = {
      Text: Message.text,
      User: Message.user,
      System: Message.system,
      Assistant: Message.assistant
    }
    for (const [tag, make] of Object.entries(made)) {
      const bare = make("hello")
      assert.deepStrictEqual([bare._tag, bare.content, bare.metadata, `${bare}`], [tag, "hello", {}, "hello"])
      assert.deepStrictEqual(make("hello", { a: [1] }).metadata, { a: [1] })
      assert.isTrue(Message.isMessage(bare))
    }
    assert.isFalse(Message.isMessage({ _tag: "Text", content: "hello", metadata: {} }))
  })

  it("is a text: its content, or its fields as a block of JSON", () => {
    const block = (json: unknown) => `\`\`\`json\n${JSON.stringify(json, null, 2)}\n\`\`\``
    const recipe = new Recipe({ title: "Tea", steps: [Message.text("boil")], metadata: { by: "me" } })
    assert.strictEqual(String(Message.data({ a: { b: [1, null] } })), block({ a: { b: [1, null] } }))
    assert.strictEqual(String(new Message.Embedding({ content: "said", vector: [1] })), "said")
    assert.strictEqual(
      String(recipe),
      block({ title: "Tea", steps: [{ _tag: "Text", content: "boil", metadata: {} }], metadata: { by: "me" } })
    )
  })

  it("of a class of your own has its fields, its own members, and validates", () => {
    const recipe = new Recipe({ title: "Tea", steps: [Message.text("boil"), Message.text("wait")], rating: 5 })
    assert.deepStrictEqual([recipe._tag, recipe.title, recipe.length, recipe.rating], ["Recipe", "Tea", 2, 5])
    assert.instanceOf(recipe, Recipe)
    assert.isTrue(Message.isMessage(recipe))
    assert.throws(
      () => new Recipe({ title: "Tea", steps: [], rating: 0.5 }),
      /`new Recipe` got `0.5` at `rating`: .*int/
    )
    assert.throws(
      () => new Recipe({ title: "Tea", steps: ["boil" as unknown as Message.Text] }),
      /`new Recipe` got `"boil"` at `steps\[0\]`: Expected object/
    )
    assert.throws(() => new Recipe({} as never), /`new Recipe` got `undefined` at `title`: Missing key/)
    assert.throws(() => Message.text(1 as never), /`new Text` got `1` at `content`: Expected string/)
  })

  it.each(["metadata", "hashKey", "_tag"])("refuses a class that defines `%s`, which every message has", (name) => {
    assert.throws(
      () => Message.Class<object>()("Odd", { [name]: Schema.String }),
      `\`Odd\` must not define \`${name}\``
    )
  })

  it("`data` throws what names the path and the value for what is no JSON", () => {
    const cyclic: { [key: string]: unknown } = {}
    cyclic["me"] = cyclic
    assert.throws(() => Message.data({ a: [{ b: NaN }] }), /`Message.data` got `NaN` at `value.a\[0\].b`/)
    assert.throws(() => Message.data({ f: () => 1 }), /got `function f` at `value.f`/)
    assert.throws(() => Message.data(cyclic), /at `value.me`: it contains itself/)
    assert.deepStrictEqual(Message.data({ a: undefined, b: null }).data, { b: null })
  })

  it("holds what appears twice without holding itself", () => {
    const shared = { n: 1 }
    assert.deepStrictEqual(Message.data({ a: shared, b: [shared, shared] }).data, {
      a: { n: 1 },
      b: [{ n: 1 }, { n: 1 }]
    })
  })

  it("`fromText` makes a message of a text and what was known before", () => {
    const message = Message.fromText("done", { _tag: "Assistant", model: "m", usage: { outputTokens: 3 } })
    assert.instanceOf(message, Message.Assistant)
    assert.deepStrictEqual(
      { ...message },
      {
        _tag: "Assistant",
        content: "done",
        model: "m",
        usage: { outputTokens: 3 },
        metadata: {}
      }
    )
    assert.strictEqual(Message.fromText("x", { metadata: { a: 1 } }).metadata["a"], 1)
  })

  it("`fromCause` says what failed, why, after which text, and through which agents", () => {
    const failure = Message.fromCause(Cause.fail(new Broken({ query: "q" })), { content: "so far", trace: ["A", "B"] })
    assert.deepStrictEqual(
      [failure.error, failure.reason, failure.content, failure.trace],
      ["Broken", "nothing for q", "so far", ["A", "B"]]
    )
    assert.strictEqual(String(failure), "so far\n\nBroken: nothing for q")
    const defect = Message.fromCause(Cause.die(new TypeError("bug")))
    assert.deepStrictEqual([defect.error, defect.reason, String(defect)], ["TypeError", "bug", "TypeError: bug"])
    assert.include(Message.fromCause(Cause.fail({ _tag: "Plain", n: 1 })).error, "Plain")
  })

  it("`fromCause` keeps the whole of an error that is a string", () => {
    const long = "no such page: ".repeat(50)
    assert.strictEqual(Message.fromCause(Cause.fail(long)).reason, long)
  })

  it("may be nested as deep as a conversation is long", () => {
    let last: Message.Message = Message.text("first")
    const all = [last]
    for (let i = 0; i < 20_000; i++) all.push((last = new Message.Joined({ content: `${i}`, originals: [last] })))
    assert.strictEqual(last.hashKey.length, 64)
    const nested = Message.nested(last)
    assert.isTrue(nested.length === 20_000 && nested.every((message, i) => message === all[i]))
  })

  it("`nested` gives the messages inside, each after the ones it holds itself", () => {
    const steps = [Message.text("boil"), Message.text("wait")]
    const recipe = new Recipe({ title: "Tea", steps })
    const joined = new Message.Joined({ content: "x", originals: [recipe, Message.user("u")] })
    assert.deepStrictEqual(Message.nested(joined), [...steps, recipe, joined.originals[1]!])
    assert.deepStrictEqual(Message.nested(recipe), steps)
    assert.deepStrictEqual(Message.nested(Message.text("x")), [])
    assert.deepStrictEqual(Message.nested(Message.data({ _tag: "Text", content: "no message" })), [])
  })

  describe("codec", () => {
    it.effect("decodes by tag, the given classes too, and fills in what is missing", () =>
      Effect.gen(function* () {
        const codec = Message.codec([Recipe])
        const recipe = yield* Schema.decodeEffect(codec)({
          _tag: "Recipe",
          title: "Tea",
          steps: [{ _tag: "Text", content: "boil" }]
        })
        assert.instanceOf(recipe, Recipe)
        assert.deepStrictEqual(recipe, new Recipe({ title: "Tea", steps: [Message.text("boil")] }))
        assert.deepStrictEqual(yield* Schema.decodeEffect(codec)({ _tag: "User", content: "x" }), Message.user("x"))
      })
    )

    it.effect("refuses a tag that it does not know, and says which it knows", () =>
      Effect.gen(function* () {
        const json = { _tag: "Recipe", title: "Tea", steps: [] }
        const error = yield* Effect.flip(Schema.decodeEffect(Message.codec())(json))
        assert.match(String(error), /Text, User, System, Assistant/)
        const odds: ReadonlyArray<Schema.Json> = [
          null,
          5,
          "Text",
          [],
          {},
          { _tag: 5 },
          { _tag: "Text" },
          { _tag: "Text", content: 5 }
        ]
        for (const odd of odds) yield* Effect.flip(Schema.decodeEffect(Message.codec())(odd))
      })
    )

    it.effect("looks nested messages up among the given classes as well", () =>
      Effect.gen(function* () {
        const joined = new Message.Joined({ content: "x", originals: [new Recipe({ title: "Tea", steps: [] })] })
        const json = yield* Schema.encodeUnknownEffect(Message.codec([Recipe]))(joined)
        assert.deepStrictEqual(yield* Schema.decodeEffect(Message.codec([Recipe]))(json), joined)
        yield* Effect.flip(Schema.decodeEffect(Message.codec())(json))
      })
    )

    it("throws when two classes have the same tag", () => {
      class Other extends Message.Class<Other>()("Recipe", {}) {}
      class Text extends Message.Class<Text>()("Text", {}) {}
      assert.throws(() => Message.codec([Recipe, Other]), "Two message classes have the tag `Recipe`")
      assert.throws(() => Message.codec([Text]), "Two message classes have the tag `Text`")
    })
  })
})
