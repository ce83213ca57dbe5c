/** What the compiler must say about the public types. A wrong type fails `npm run types`; here the programs also run. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  Agent,
  type AgentCall,
  type InteractionContext,
  Message,
  type MessageInput,
  MessagePromise,
  MessageSequence,
  MiniAgents,
  Replay
} from "miniagents"
import * as CleanRuntime from "./CleanRuntime.ts"

type Exact<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
/** Compiles only when the two types are the same. */
const assertType = <A, B>(...proof: Exact<A, B> extends true ? [] : ["these types differ", A, B]): void =>
  assert.lengthOf(proof, 0)

class Boom extends Schema.TaggedError<Boom>()("Boom", {}) {}
class Pow extends Schema.TaggedError<Pow>()("Pow", {}) {}
class Late extends Schema.TaggedError<Late>()("Late", {}) {}
class Db extends Context.Service<Db, { readonly get: Effect.Effect<string> }>()("miniagents/test/Db") {}

type Runs = MiniAgents.MiniAgents
type Replying<E> = Effect.Effect<MessageSequence.MessageSequence<E>, never, Runs>
type Reads = InteractionContext.Upstream

const echo = Agent.make(
  "Echo",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.messages.pipe(
      Stream.runForEach((promise) => Effect.flatMap(promise.message, (message) => ctx.reply(`You said: ${message}`)))
    )
  })
)
const faulty = Agent.make(
  "Faulty",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply("hi")
    return yield* new Boom()
  })
)
const search = Agent.make(
  "Search",
  { parameters: { query: Schema.String } },
  Effect.fnUntraced(function* (ctx) {
    const db = yield* Db
    yield* ctx.reply(`${ctx.parameters.query} ${yield* db.get}`)
    if (ctx.parameters.query === "") return yield* new Pow()
  })
)
const both = Agent.make(
  "Both",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply([
      "start",
      yield* faulty.trigger("x"),
      [yield* search.trigger(ctx.messages, { query: "q" })],
      { a: 1 }
    ])
    yield* ctx.reply(yield* echo.trigger(yield* faulty.trigger("z")))
  })
)
const relay = Agent.make(
  "Relay",
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply(yield* echo.trigger(ctx.messages))
  })
)
const outOfOrder = Agent.make("OutOfOrder", (ctx) =>
  Effect.flatMap(faulty.trigger(), (replies) => ctx.replyOutOfOrder(["x", replies]))
)
const waits = Agent.make("Waits", (ctx) => ctx.waitFor(Effect.flatMap(Db, () => Effect.fail(new Late()))))
const several = Agent.make(
  "Several",
  { parameters: { a: Schema.Int, b: Schema.optionalKey(Schema.String), c: Schema.DateTimeUtc } },
  () => Effect.void
)
const optional = Agent.make("Optional", { parameters: { a: Schema.optionalKey(Schema.Int) } }, () => Effect.void)

type SequenceOf<A> = A extends Effect.Effect<infer S, infer _E, infer _R> ? S : never

describe("the types of agents", () => {
  it("hold the errors of the body and of what it replied, and what it requires", () => {
    assertType<typeof echo, Agent.Agent<{}, Reads, never>>()
    assertType<typeof faulty, Agent.Agent<{}, Boom, never>>()
    assertType<typeof search, Agent.Agent<{ readonly query: string }, Pow, Db>>()
    assertType<typeof both, Agent.Agent<{}, Boom | Pow, Runs | Db>>()
    assertType<typeof relay, Agent.Agent<{}, Reads, Runs>>()
    assertType<typeof outOfOrder, Agent.Agent<{}, Boom, Runs>>()
    assertType<typeof waits, Agent.Agent<{}, Late, Db>>()
  })

  it("`trigger` replaces `Upstream` by the error of its input, and cannot fail itself", () => {
    const never = echo.trigger("x")
    assertType<typeof never, Effect.Effect<MessageSequence.MessageSequence, never, Runs>>()
    const nothing = echo.trigger()
    assertType<typeof nothing, Effect.Effect<MessageSequence.MessageSequence, never, Runs>>()
    const stream = echo.trigger(Stream.fail(new Boom()))
    assertType<SequenceOf<typeof stream>, MessageSequence.MessageSequence<Boom>>()
    const nested = echo.trigger(["x", [Stream.fail(new Boom()), [Stream.make(Stream.fail(new Pow()))]]])
    assertType<SequenceOf<typeof nested>, MessageSequence.MessageSequence<Boom | Pow>>()
    const unread = faulty.trigger(Stream.fail(new Pow()))
    assertType<SequenceOf<typeof unread>, MessageSequence.MessageSequence<Boom>>()
    const program = Effect.gen(function* () {
      const replies = yield* relay.trigger(yield* both.trigger("hello"))
      return yield* replies.messages
    })
    assertType<typeof program, Effect.Effect<ReadonlyArray<Message.Message>, Boom | Pow, Runs | Db>>()
  })

  it("`errorsAsMessages: true` leaves no error, `false` and other options all", () => {
    const calm = both.trigger("x", {}, { errorsAsMessages: true })
    assertType<SequenceOf<typeof calm>, MessageSequence.MessageSequence>()
    const loud = both.trigger("x", {}, { errorsAsMessages: false, startSoon: false })
    assertType<SequenceOf<typeof loud>, MessageSequence.MessageSequence<Boom | Pow>>()
    const unknown = both.trigger("x", {}, { errorsAsMessages: Math.PI > 3 })
    assertType<SequenceOf<typeof unknown>, MessageSequence.MessageSequence<Boom | Pow>>()
    const call = both.call({}, { errorsAsMessages: true })
    assertType<SequenceOf<typeof call>, AgentCall.AgentCall<never, never>>()
  })

  it("`call` takes input of the errors it is told, and its replies have these in the place of `Upstream`", () => {
    const plain = echo.call()
    assertType<typeof plain, Effect.Effect<AgentCall.AgentCall<never, never>, never, Runs>>()
    const told = echo.call<Boom>()
    assertType<SequenceOf<typeof told>, AgentCall.AgentCall<Boom, Boom>>()
    const unread = faulty.call<Pow>()
    assertType<SequenceOf<typeof unread>, AgentCall.AgentCall<Boom, Pow>>()
    const replies = Effect.flatMap(told, (call) => call.replies())
    assertType<SequenceOf<typeof replies>, MessageSequence.MessageSequence<Boom>>()
    type Sent = Parameters<SequenceOf<typeof told>["send"]>[0]
    assertType<Sent, MessageInput.MessageInput<Boom>>()
  })

  it("`fork` makes given parameters optional and keeps errors and requirements", () => {
    const some = several.fork({ parameters: { a: 1 } })
    type Left = typeof some extends Agent.Agent<infer P, infer _E, infer _R> ? P : never
    assertType<keyof Left, "a" | "b" | "c">()
    assertType<Left["a"], number | undefined>()
    const renamed = search.fork({ name: "Other" })
    assertType<typeof renamed, Agent.Agent<{ readonly query: string }, Pow, Db>>()
    const given = search.fork({ parameters: { query: "x" } })
    const triggered = given.trigger("x")
    assertType<typeof triggered, Effect.Effect<MessageSequence.MessageSequence<Pow>, never, Runs | Db>>()
  })

  it("sequences and promises keep the errors of what they were made of", () => {
    const sequence = MessageSequence.from(["x", Stream.fail(new Boom()), { a: 1 }])
    assertType<typeof sequence, Effect.Effect<MessageSequence.MessageSequence<Boom>, never, Runs>>()
    const plain = MessageSequence.from("x")
    assertType<SequenceOf<typeof plain>, MessageSequence.MessageSequence>()
    const promise = MessagePromise.fromStream(Stream.fromEffect(Effect.flatMap(Db, () => new Boom())), {
      whole: () => Effect.fail(new Pow())
    })
    assertType<typeof promise, Effect.Effect<MessagePromise.MessagePromise<Boom | Pow>, never, Runs | Db>>()
    type S = MessageSequence.MessageSequence<Boom>
    assertType<S["messages"], Effect.Effect<ReadonlyArray<Message.Message>, Boom>>()
    assertType<S["text"], Effect.Effect<string, Boom>>()
    assertType<ReturnType<S["single"]>, MessagePromise.MessagePromise<Boom>>()
    assertType<MessagePromise.MessagePromise<Boom>["message"], Effect.Effect<Message.Message, Boom>>()
    const replay = Replay.make(Stream.fromEffect(Effect.flatMap(Db, () => new Boom())))
    assertType<typeof replay, Effect.Effect<Stream.Stream<never, Boom>, never, Db | Scope.Scope>>()
    const layer = MiniAgents.layer({ onPersistMessages: () => Effect.asVoid(Db) })
    assertType<typeof layer, Layer.Layer<MiniAgents.MiniAgents, never, Db>>()
  })

  it("messages have the types of their fields", () => {
    class Review extends Message.Class<Review>()("Review", { draft: Message.Text, stars: Schema.Int }) {}
    assertType<Review["draft"], Message.Text>()
    assertType<Review["stars"], number>()
    assertType<Review["_tag"], "Review">()
    assertType<Review["hashKey"], string>()
    const codec = Message.codec([Review])
    assertType<typeof codec, Schema.Codec<Message.Builtin | Review, Schema.Json>>()
    type ErrorsOf = MessageInput.ErrorOf<readonly [string, Stream.Stream<string, Boom>, { readonly a: 1 }]>
    assertType<ErrorsOf, Boom>()
  })

  it("a service requires itself, and has the errors it says", () => {
    class Writer extends Agent.Service<Writer>()("Writer", { parameters: { tone: Schema.String }, error: Boom }) {}
    class Plain extends Agent.Service<Plain>()("Plain") {}
    const written = Writer.trigger("draft", { tone: "dry" })
    assertType<typeof written, Effect.Effect<MessageSequence.MessageSequence<Boom>, never, Writer | Runs>>()
    const sent = Writer.trigger(Stream.fail(new Pow()), { tone: "dry" })
    assertType<SequenceOf<typeof sent>, MessageSequence.MessageSequence<Boom | Pow>>()
    const plain = Plain.trigger()
    assertType<typeof plain, Effect.Effect<MessageSequence.MessageSequence, never, Plain | Runs>>()
    const live = Writer.toLayer(
      Effect.fnUntraced(function* (ctx) {
        assertType<typeof ctx.parameters, { readonly tone: string }>()
        yield* ctx.reply([yield* (yield* Db).get, ctx.messages, yield* faulty.trigger()])
      })
    )
    assertType<typeof live, Layer.Layer<Writer, never, Db>>()
    const pow = Effect.fail(new Pow()) as Effect.Effect<void, Pow>
    // @ts-expect-error a body must not fail with more than the service says
    // @effect-diagnostics-next-line missingEffectError:off
    Writer.toLayer((_) => pow)
    // @ts-expect-error nor must what it replies with
    Writer.toLayer((ctx) => Effect.flatMap(search.trigger([], { query: "x" }), (replies) => ctx.reply(replies)))
    // @ts-expect-error parameters are missing
    void Writer.trigger("draft")
    const calls = Agent.make("Calls", (ctx) =>
      Effect.flatMap(Writer.trigger(ctx.messages, { tone: "dry" }), (replies) => ctx.reply(replies))
    )
    assertType<typeof calls, Agent.Agent<{}, Boom | Reads, Writer | Runs>>()
    assert.strictEqual(Writer.name, "Writer")
  })

  it("refuse what can be no message, and parameters that do not fit", () => {
    const refused = [
      // @ts-expect-error a function
      () => relay.trigger(() => 1),
      // @ts-expect-error a function in a list
      () => relay.trigger(["x", () => 1]),
      // @ts-expect-error a function in an object
      () => relay.trigger({ a: () => 1 }),
      // @ts-expect-error an Effect
      () => relay.trigger(Effect.succeed("x")),
      // @ts-expect-error an Effect in a list: it has to be yielded
      () => relay.trigger(["x", relay.trigger("x")]),
      // @ts-expect-error a Date
      () => relay.trigger(new Date(0)),
      // @ts-expect-error a Date in an object
      () => relay.trigger({ at: new Date(0) }),
      // @ts-expect-error a Promise
      () => relay.trigger(Promise.resolve("x")),
      // @ts-expect-error a number
      () => relay.trigger(5),
      // @ts-expect-error null
      () => relay.trigger(null),
      // @ts-expect-error undefined in a list
      () => relay.trigger([undefined]),
      // @ts-expect-error a stream of numbers
      () => relay.trigger(Stream.make(1)),
      // @ts-expect-error missing parameters
      () => search.trigger("y"),
      // @ts-expect-error a missing parameter
      () => search.trigger("y", {}),
      // @ts-expect-error a parameter of another type
      () => search.trigger("y", { query: 1 }),
      // @ts-expect-error a parameter too many
      () => search.trigger("y", { query: "x", more: 1 }),
      // @ts-expect-error missing parameters of a call
      () => search.call(),
      // @ts-expect-error a fork with a parameter of another type
      () => search.fork({ parameters: { query: 1 } }),
      // @ts-expect-error an option that there is none of
      () => echo.trigger("x", {}, { lazy: true }),
      // @ts-expect-error replying with a function
      () => Agent.make("Bad", (ctx) => ctx.reply(() => 1)),
      // @ts-expect-error input that can fail, where the call was not told so
      () => Effect.flatMap(echo.call(), (call) => call.send(Stream.fail(new Boom()))),
      // @ts-expect-error a class that nothing says how to make
      () => MessagePromise.fromStream(Stream.make("x"), { known: { _tag: "Mine" } }),
      // @ts-expect-error a field that every message has
      () => Message.text("x", { f: () => 1 }),
      // @ts-expect-error messages do not change
      (message: Message.Text) => (message.content = "x"),
      // @ts-expect-error metadata does not change
      (message: Message.Text) => (message.metadata["a"] = 1)
    ]
    assert.isTrue(refused.every((call) => typeof call === "function"))
  })

  it("say what an input can fail with of which no more is known than its type", () => {
    const given = <I extends MessageInput.MessageInput<unknown>>(_: I) => echo.trigger({} as I)
    const sure = () => given({} as MessageInput.MessageInput)
    const fails = () => given({} as MessageInput.MessageInput<Boom>)
    const anything = () => given({} as MessageInput.MessageInput<unknown>)
    const mixed = () => given({} as MessageInput.MessageInput<Boom> | MessageSequence.MessageSequence<Pow>)
    const inside = () => given(["x", {} as MessageInput.MessageInput, [{} as MessageInput.MessageInput<Boom>]])
    const streamed = () => given({} as Stream.Stream<MessageInput.MessageInput<Boom>, Pow>)
    const anyone = <E>(input: MessageInput.MessageInput<E>): Replying<E> => echo.trigger(input)
    assertType<ReturnType<typeof sure>, Replying<never>>()
    assertType<ReturnType<typeof fails>, Replying<Boom>>()
    assertType<ReturnType<typeof anything>, Replying<unknown>>()
    assertType<ReturnType<typeof mixed>, Replying<Boom | Pow>>()
    assertType<ReturnType<typeof inside>, Replying<Boom>>()
    assertType<ReturnType<typeof streamed>, Replying<Boom | Pow>>()
    assertType<ReturnType<typeof anyone<Late>>, Replying<Late>>()
  })

  it("accept what can be a message, read-only or not, and optional parameters that are left out", () => {
    const mutable: Array<string> = ["x"]
    const accepted = [
      echo.trigger(mutable),
      echo.trigger(new Set(["x"])),
      echo.trigger({ a: { b: [1, null, true] } }),
      echo.trigger(Message.user("x")),
      echo.trigger(MessagePromise.of(Message.user("x"))),
      echo.trigger([Message.user("x"), { a: 1 }, "x", ["y", Stream.make("z", Message.text("w"))]]),
      optional.trigger(),
      optional.trigger("x"),
      optional.trigger("x", { a: 1 }),
      optional.call()
    ]
    assert.isTrue(accepted.every(Effect.isEffect))
  })

  it.effect("are what happens", () =>
    Effect.gen(function* () {
      const db = Layer.succeed(Db, { get: Effect.succeed("found") })
      const end = yield* Effect.exit(
        Effect.flatMap(both.trigger("hello"), (replies) => replies.messages).pipe(Effect.provide(db))
      )
      assert.isTrue(Exit.isFailure(end))
      assert.deepStrictEqual(Exit.isFailure(end) && Cause.squash(end.cause), new Boom())
    }).pipe(CleanRuntime.run)
  )
})
