/** Agents of objects: their replies have the object in its type, and what it is on the way to it. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import type { Stream as EffectStream } from "effect"
import { Arbitrary, DateTime, Effect, ExecutionPlan, Fiber, Predicate, Schema, Stream, Struct } from "effect"
import { AiError } from "effect/ai"
import type { LanguageModel } from "effect/ai"
import { TestClock } from "effect/testing"
import type { Agent, InteractionContext } from "miniagents"
import { Message, MiniAgents } from "miniagents"
import type { Budget } from "miniagents/llm"
import { LlmAgent, ModelLayer, Race } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const { text, tokens, turn } = ScriptedModel

const overloaded = new AiError.InternalProviderError({ description: "overloaded" })

class Review extends Message.Class<Review>()("Review", { stars: Schema.Int, why: Schema.String }) {}
class Note extends Message.Class<Note>()("Note", { title: Schema.String, content: Schema.String }) {}
class Own extends Message.Class<Own>()("Own", { a: Schema.String, b: Schema.String }) {
  override toString(): string {
    return `${this.b} and ${this.a}`
  }
}
class Rich extends Message.Class<Rich>()("Rich", {
  text: Schema.String,
  count: Schema.Finite,
  yes: Schema.Boolean,
  kind: Schema.Literals(["one", "two"]),
  maybe: Schema.NullOr(Schema.String),
  left: Schema.optionalKey(Schema.String),
  lists: Schema.Array(Schema.Struct({ x: Schema.String, deep: Schema.Array(Schema.Array(Schema.Int)) })),
  either: Schema.Union([Schema.String, Schema.Finite]),
  nested: Schema.Struct({ p: Schema.NullOr(Schema.Struct({ q: Schema.String })) }),
  more: Schema.optionalKey(Schema.NullOr(Schema.Int))
}) {}

const Usual = Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("usual")))

const Loose = Schema.Struct({
  first: Schema.String,
  at: Schema.DateTimeUtcFromString,
  tags: Schema.Record(Schema.String, Schema.Int),
  standard: Usual,
  last: Schema.Union([Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.String })])
})

const Defaults = Schema.Struct({
  first: Schema.String,
  nested: Schema.Struct({ deep: Schema.String, standard: Usual }),
  trimmed: Schema.Trim,
  standard: Usual
})

/** An object, and the way in which a model writes it. */
const Way = Schema.Struct({
  spaces: Schema.Literals(["", " ", "\n\t"]),
  escapes: Schema.Boolean,
  /** The first field comes last, or there is a field more, or what has a default is left out. */
  departs: Schema.Literals(["no", "order", "more", "less"]),
  size: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))
})
type Way = typeof Way.Type

const write = (value: unknown, way: Way, isTop = true): string => {
  const { escapes, spaces } = way
  if (typeof value === "string") {
    const json = JSON.stringify(value)
    return escapes
      ? json.replace(/[^\\"a-z0-9]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
      : json
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  if (Array.isArray(value))
    return `[${spaces}${value.map((item) => write(item, way, false)).join(`,${spaces}`)}${spaces}]`
  let entries = Object.entries(value)
  if (way.departs === "less") entries = entries.filter(([key]) => key !== "standard")
  if (isTop && way.departs === "order") entries = [...entries.slice(1), ...entries.slice(0, 1)]
  if (isTop && way.departs === "more") entries.splice(1, 0, ["besides", { a: ["more"] }])
  const fields = entries.map(([key, item]) => `${JSON.stringify(key)}${spaces}:${spaces}${write(item, way, false)}`)
  return `{${spaces}${fields.join(`${spaces},`)}${spaces}}`
}

const pieces = (json: string, size: number): ReadonlyArray<string> =>
  Array.from({ length: Math.ceil(json.length / size) }, (_, i) => json.slice(i * size, (i + 1) * size))

/** Whether a value of JSON goes on with another one: nothing of it was taken back. */
const goesOn = (before: unknown, after: unknown): boolean => {
  if (typeof before === "string") return typeof after === "string" && after.startsWith(before)
  if (Array.isArray(before)) {
    return Array.isArray(after) && before.every((item, i) => i < after.length && goesOn(item, after[i]))
  }
  if (typeof before !== "object" || before === null) return before === after
  return Object.entries(before).every(([key, value]) => goesOn(value, (after as Record<string, unknown>)[key]))
}

const schemas: ReadonlyArray<readonly [string, Schema.Codec<unknown, { readonly [key: string]: unknown }>]> = [
  ["a class", Review as never],
  ["a class with content", Note as never],
  ["a class with a text of its own", Own as never],
  ["a class of all kinds of fields", Rich as never],
  ["a schema that changes what is written", Loose as never],
  ["a schema that adds to what is written", Defaults as never]
]

const ask = <A, E>(
  turns: ReadonlyArray<ScriptedModel.Turn>,
  program: Effect.Effect<A, E, MiniAgents.MiniAgents | LanguageModel.LanguageModel>,
  options?: MiniAgents.Options
) => program.pipe(Effect.provide([MiniAgents.layer(options), ScriptedModel.layer(turns)]))

/** As the model writes what is trimmed. */
const padded = (value: unknown): unknown =>
  Predicate.hasProperty(value, "trimmed") ? { ...value, trimmed: ` ${String(value.trimmed)}` } : value

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe("an object as it grows", () => {
  it.effect.each(schemas)(
    "is a beginning of what it will be, and its tokens are the text of its message: %s",
    ([, schema]) =>
      Effect.gen(function* () {
        const { fields } = schema as unknown as { readonly fields: Schema.Struct.Fields }
        const Fields = Schema.Struct(
          Struct.omit(fields, ["_tag", "metadata"] as never)
        ) as never as Schema.Codec<unknown>
        const inputs = Schema.Struct({ value: Schema.toType(Fields), way: Way })
        const grow = ({ value, way }: typeof inputs.Type) =>
          Effect.gen(function* () {
            const replies = yield* LlmAgent.makeObject("A", { schema }).trigger("go")
            const partial = yield* Effect.forkChild(Stream.runCollect(replies.partial))
            const [message] = yield* replies.messages
            const [promise] = yield* Stream.runCollect(replies)
            assert.strictEqual((yield* Stream.runCollect(promise!)).join(""), String(message))
            const seen = yield* Fiber.join(partial)
            for (let i = 1; i < seen.length; i++) assert.isTrue(goesOn(seen[i - 1], seen[i]), JSON.stringify(seen))
            const { _tag: _, metadata: __, ...whole } = yield* Schema.encodeEffect(schema)(yield* replies.object)
            assert.deepStrictEqual(plain(seen.at(-1)), plain(whole))
            return true
          }).pipe((program) =>
            ask([turn(tokens(pieces(write(padded(plain(Schema.encodeSync(Fields)(value))), way), way.size)))], program)
          )
        const check = Arbitrary.checkEffect(Arbitrary.schema(inputs), grow, { seed: 7, runs: 60, size: 6 })
        const failure = Arbitrary.formatCheckFailure(yield* check)
        assert.isUndefined(failure, failure)
      })
  )

  it.effect("is seen while it is written, before it is whole", () =>
    ask(
      [turn(tokens(['{"stars": 2, ', '"why": "It', " is dark", '"}'], "1 minute"))],
      Effect.gen(function* () {
        const replies = yield* LlmAgent.makeObject("Critic", { schema: Review }).trigger("draft")
        const seen: Array<unknown> = []
        yield* Effect.forkChild(Stream.runForEach(replies.partial, (partial) => Effect.sync(() => seen.push(partial))))
        const [promise] = yield* Effect.forkChild(Stream.runCollect(Stream.take(replies, 1))).pipe(
          Effect.tap(() => TestClock.adjust("3 minutes")),
          Effect.flatMap(Fiber.join)
        )
        assert.deepStrictEqual(promise?.known, { _tag: "Review" })
        assert.deepStrictEqual(seen, [{}, { stars: 2, why: "It" }, { stars: 2, why: "It is dark" }])
        const early = yield* Stream.runCollect(Stream.take(promise!, 3))
        assert.strictEqual(early.join(""), '```json\n{\n  "stars": 2,\n  "why": "It is dark')
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* replies.object).why, "It is dark")
        assert.strictEqual(seen.length, 3)
      })
    )
  )

  it.effect("that does not come to its end fails at its place, with what was seen of it", () =>
    ask(
      [turn(tokens(['{"stars": 2, "why": "It', " is"]), ScriptedModel.fail(overloaded))],
      Effect.gen(function* () {
        const critic = LlmAgent.makeObject("Critic", { schema: Review })
        const replies = yield* critic.trigger("draft", {}, { errorsAsMessages: true })
        const [failure] = yield* replies.messages
        assert.instanceOf(failure, Message.Failure)
        assert.include(failure.content, '"why": "It is')
        assert.include(String(failure), "overloaded")
        assert.strictEqual((yield* replies.messages).length, 1)
        assert.strictEqual((yield* Effect.flip(replies.object))._tag, "NoObject")
      })
    )
  )

  it.effect("is made again before a part of it was seen, and not after that, nor by another model", () =>
    Effect.gen(function* () {
      const before = turn(tokens(["  "]), ScriptedModel.fail(overloaded))
      const after = turn(tokens(['{"stars": 2']), ScriptedModel.fail(overloaded))
      const good = turn(text('{"stars":5,"why":"good"}'))
      const layers = {
        retry: (first: ScriptedModel.Turn) =>
          ModelLayer.retry({ delay: 0 })(ScriptedModel.layer([first, ScriptedModel.always(good)])),
        fallback: (first: ScriptedModel.Turn) =>
          ModelLayer.fallback(
            ExecutionPlan.make(
              { provide: ScriptedModel.layer([first]) },
              { provide: ScriptedModel.layer([ScriptedModel.always(good)]) }
            )
          )
      }
      for (const layer of [layers.retry, layers.fallback]) {
        const stars = (first: ScriptedModel.Turn) =>
          LlmAgent.makeObject("Critic", { schema: Review })
            .trigger("draft")
            .pipe(
              Effect.flatMap(({ object }) => object),
              Effect.map((review) => review.stars),
              Effect.provide([MiniAgents.layer(), layer(first)])
            )
        assert.strictEqual(yield* stars(before), 5)
        const error = yield* Effect.flip(stars(after))
        assert.strictEqual(error._tag === "AiError" && error.reason._tag, "InternalProviderError")
      }
    })
  )

  it.effect("that is another one in the end is an error, and no message whose tokens were others", () =>
    ask(
      [turn(tokens(['{"stars": 2, "why": "a', '", "why": "b"}']))],
      Effect.gen(function* () {
        const replies = yield* LlmAgent.makeObject("Critic", { schema: Review }).trigger("draft")
        const error = yield* Effect.flip(replies.object)
        assert.strictEqual(error._tag === "AiError" && error.reason._tag, "StructuredOutputError")
      })
    )
  )

  it.effect("of which several are made at once is seen when one of them is whole", () =>
    Effect.gen(function* () {
      const slow = ScriptedModel.layer([turn(tokens(['{"stars": 1, '], "1 second"), ScriptedModel.hang)])
      const fast = ScriptedModel.layer([turn(tokens(['{"stars": 2, "why":', '"fast"}'], "2 seconds"))])
      const replies = yield* LlmAgent.makeObject("Critic", {
        schema: Review,
        model: Race.models([slow, fast])
      }).trigger("x")
      const seen = yield* Effect.forkChild(Stream.runCollect(replies.partial))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(yield* Fiber.join(seen), [{ stars: 2, why: "fast" }])
    }).pipe(Effect.provide(MiniAgents.layer()))
  )
})

describe("the type of an agent of objects", () => {
  const critic = LlmAgent.makeObject("Critic", { schema: Review })
  const when = LlmAgent.makeObject("When", { schema: Schema.Struct({ at: Schema.DateTimeUtcFromString }) })

  it.effect("has the object, which its replies give without a look at the classes of messages", () =>
    ask(
      [
        turn(text('{"stars":2,"why":"dull"}')),
        turn(text('{"at":"2024-01-01T00:00:00.000Z"}')),
        turn(text('{"stars":3,"why":""}'))
      ],
      Effect.gen(function* () {
        const review = yield* (yield* critic.trigger("draft")).object
        expectTypeOf(review).toEqualTypeOf<Review>()
        assert.strictEqual(review.stars, 2)
        const replies = yield* when.trigger("go")
        const { at } = yield* replies.object
        expectTypeOf(at).toEqualTypeOf<DateTime.Utc>()
        assert.strictEqual(DateTime.toEpochMillis(at), Date.UTC(2024, 0, 1))
        type Partial = (typeof replies)["partial"] extends EffectStream.Stream<infer A, infer _> ? A : never
        expectTypeOf<Partial>().toEqualTypeOf<{ readonly at?: string }>()
        const forked = critic.fork({ name: "Mild", parameters: { temperature: 0 } })
        const mild = yield* forked.trigger("draft")
        expectTypeOf(yield* mild.object).toEqualTypeOf<Review>()
        assert.strictEqual(mild.origin?.agent, "Mild")
      })
    )
  )

  it("is that of any other agent too, with what it fails with", () => {
    expectTypeOf(critic).toExtend<
      Agent.Agent<
        LlmAgent.Parameters,
        AiError.AiError | Budget.BudgetExceeded | InteractionContext.Upstream,
        LanguageModel.LanguageModel
      >
    >()
    type Errors = Agent.ErrorOf<typeof critic>
    expectTypeOf<Errors>().toEqualTypeOf<AiError.AiError | Budget.BudgetExceeded | InteractionContext.Upstream>()
    type Replies<A> = A extends Effect.Effect<infer R, infer _, infer __> ? R : never
    const calm = critic.trigger("x", {}, { errorsAsMessages: true })
    expectTypeOf<Replies<typeof calm>["object"]>().toEqualTypeOf<Effect.Effect<Review, LlmAgent.NoObject>>()
    // @ts-expect-error the field is of another type
    void (() => Effect.flatMap(calm, ({ object }) => Effect.map(object, (review) => review.stars.length)))
  })
})
