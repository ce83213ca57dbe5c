import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Agent, Message, MessagePromise, MessageSequence, MiniAgents, Persistence } from "miniagents"
import * as CleanRuntime from "../CleanRuntime.ts"

class Note extends Message.Class<Note>()("Note", {
  text: Schema.String,
  about: Schema.optionalKey(Message.Any),
  others: Schema.Array(Message.Any)
}) {}

class Cut extends Schema.TaggedError<Cut>()("Cut", {}) {}

/** A hook that remembers what it was given; `fail` says which calls of it fail. */
class Hook {
  readonly batches: Array<ReadonlyArray<Message.Message>> = []
  calls = 0
  private readonly fails: (call: number) => boolean
  constructor(fails: (call: number) => boolean = () => false) {
    this.fails = fails
  }
  get kept(): ReadonlyArray<Message.Message> {
    return this.batches.flat()
  }
  readonly onPersistMessages = (messages: ReadonlyArray<Message.Message>): Effect.Effect<void, unknown> =>
    Effect.gen({ self: this }, function* () {
      yield* Effect.yieldNow
      if (this.fails(this.calls++)) return yield* Effect.fail("disk full")
      this.batches.push(messages)
    })
}

const run = <A, E, R>(program: Effect.Effect<A, E, R>, hook: Hook, options: MiniAgents.Options = {}) =>
  CleanRuntime.run(program, { ...options, onPersistMessages: hook.onPersistMessages })

const keysOf = (messages: Iterable<Message.Message>) => Array.from(messages, ({ hashKey }) => hashKey)

/** All of these and what is nested in them, each once. */
const distinct = (messages: Iterable<Message.Message>) =>
  new Set(Array.from(messages).flatMap((message) => keysOf([...Message.nested(message), message])))

const checkOnceAndNestedFirst = (hook: Hook) => {
  const seen = new Set<string>()
  for (const message of hook.kept) {
    assert.isFalse(seen.has(message.hashKey), `twice: ${message}`)
    for (const key of keysOf(Message.nested(message))) assert.isTrue(seen.has(key), "nested messages come first")
    seen.add(message.hashKey)
  }
}

const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
const relay = Agent.make("Relay", (ctx) =>
  Effect.flatMap(echo.trigger(ctx.messages), (replies) => ctx.reply(["relayed", replies]))
)

/** A few texts, of which many are the same, and notes over those before them. */
const Inputs = Schema.Array(
  Schema.Struct({
    text: Schema.Literals(["a", "b", "c"]),
    about: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20 }))).check(Schema.isMaxLength(3))
  })
).check(Schema.isMaxLength(12))

const messagesOf = (inputs: typeof Inputs.Type): ReadonlyArray<Message.Message> => {
  const messages: Array<Message.Message> = []
  for (const { about, text } of inputs) {
    const others = messages.length === 0 ? [] : about.map((i) => messages[i % messages.length]!)
    messages.push(others.length === 0 ? Message.text(text) : new Note({ text, about: others[0]!, others }))
  }
  return messages
}

describe("Law 13, Persist once", () => {
  it.effect.prop(
    "Law 13, Persist once: each distinct message reaches the hook once, nested ones first, whatever the agents do",
    {
      inputs: Inputs,
      calls: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 })),
      startSoon: Schema.Boolean,
      streamTokens: Schema.Boolean
    },
    ({ calls, inputs, startSoon, streamTokens }) =>
      Effect.gen(function* () {
        const hook = new Hook()
        const messages = messagesOf(inputs)
        const program = Effect.gen(function* () {
          for (let i = 0; i < calls; i++) yield* (yield* relay.trigger(messages)).messages
          yield* Persistence.persist(messages)
        })
        yield* run(program, hook, { startSoon, streamTokens })
        checkOnceAndNestedFirst(hook)
        const records = hook.kept.filter((message) => message._tag === "ReplyRecord")
        assert.sameMembers(
          keysOf(hook.kept),
          [...distinct([...messages, ...records])],
          "all messages and what the records hold"
        )
        assert.sameMembers([...new Set(records.map((record) => (record as Message.ReplyRecord).agent))].toSorted(), [
          "Echo",
          "Relay"
        ])
      })
  )

  it.effect.prop(
    "Law 13, Persist once: a hook that fails loses nothing and gets nothing twice that it has taken",
    { inputs: Inputs, failures: Schema.Array(Schema.Boolean).check(Schema.isMaxLength(6)) },
    ({ failures, inputs }) =>
      Effect.gen(function* () {
        const hook = new Hook((call) => failures[call] === true)
        const messages = messagesOf(inputs)
        const program = Effect.gen(function* () {
          yield* (yield* relay.trigger(messages)).messages
          assert.strictEqual(yield* CleanRuntime.settled, 0)
          yield* CleanRuntime.turns(50)
          for (const message of messages) yield* Effect.exit(Persistence.persist([message]))
          for (let i = 0; i < failures.length; i++) yield* Effect.exit(Persistence.persist([]))
        })
        yield* CleanRuntime.logged(run(program, hook))
        checkOnceAndNestedFirst(hook)
        for (const key of distinct(messages)) assert.include(keysOf(hook.kept), key)
        assert.strictEqual(hook.kept.filter(({ _tag }) => _tag === "ReplyRecord").length, 2)
      })
  )

  it.effect(
    "Law 13, Persist once: `persist` fails with `PersistError` when the hook does, and again until it works",
    () =>
      Effect.gen(function* () {
        const hook = new Hook((call) => call < 2)
        const program = Effect.gen(function* () {
          const error = yield* Effect.flip(Persistence.persist([new Note({ text: "n", others: [Message.text("a")] })]))
          assert.instanceOf(error, Persistence.PersistError)
          assert.strictEqual(error.waiting, 2)
          assert.strictEqual(error.cause, "disk full")
          assert.include(error.message, "disk full")
          const again = yield* Effect.flip(Persistence.persist([Message.text("b")]))
          assert.strictEqual(again.waiting, 3)
          assert.deepStrictEqual(hook.batches, [])
          yield* Persistence.persist([])
          assert.deepStrictEqual(hook.batches.map(keysOf), [
            keysOf([Message.text("a"), new Note({ text: "n", others: [Message.text("a")] }), Message.text("b")])
          ])
          yield* Persistence.persist([Message.text("a"), Message.text("b")])
          assert.strictEqual(hook.batches.length, 1)
        })
        yield* run(program, hook)
      })
  )

  it.effect("Law 13, Persist once: a hook that dies is reported like one that fails", () =>
    Effect.gen(function* () {
      const onPersistMessages = () => Effect.die(new Error("broken hook"))
      const [, log] = yield* CleanRuntime.logged(
        CleanRuntime.run(
          Effect.gen(function* () {
            const error = yield* Effect.flip(Persistence.persist(["a"].map((text) => Message.text(text))))
            assert.include(error.message, "broken hook")
          }),
          { onPersistMessages }
        )
      )
      assert.strictEqual(log.length, 1)
      assert.include(log[0], Message.text("a").hashKey)
    })
  )

  it.effect(
    "Law 13, Persist once: in the background a failing hook is logged, harms no call, and gets all again at the end",
    () =>
      Effect.gen(function* () {
        let broken = true
        const hook = new Hook(() => broken)
        const [replies, log] = yield* CleanRuntime.logged(
          run(
            Effect.gen(function* () {
              const messages = yield* (yield* echo.trigger("hello")).messages
              assert.strictEqual(yield* CleanRuntime.settled, 0)
              assert.deepStrictEqual(hook.kept, [])
              broken = false
              return messages.map(String)
            }),
            hook
          )
        )
        assert.deepStrictEqual(replies, ["hello"])
        assert.isAtLeast(log.length, 1)
        for (const line of log) assert.match(line, /not persisted yet[^]*disk full/)
        assert.deepStrictEqual(
          hook.kept.map(({ _tag }) => _tag),
          ["Text", "CallRecord", "ReplyRecord"]
        )
        checkOnceAndNestedFirst(hook)
      })
  )

  it.effect("Law 13, Persist once: what a closing runtime cannot persist is logged by hash key", () =>
    Effect.gen(function* () {
      const hook = new Hook(() => true)
      const [, log] = yield* CleanRuntime.logged(run(Effect.flip(Persistence.persist([Message.text("lost")])), hook))
      assert.strictEqual(log.length, 1)
      assert.match(log[0]!, new RegExp(`1 messages were not persisted: ${Message.text("lost").hashKey}[^]*disk full`))
    })
  )

  it.effect(
    "Law 13, Persist once: what was persisted when `persist` is interrupted does not come again, the rest does",
    () =>
      Effect.gen(function* () {
        const batches: Array<ReadonlyArray<string>> = []
        const gates = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()] as const
        const entered = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()] as const
        const onPersistMessages = (messages: ReadonlyArray<Message.Message>) =>
          Effect.gen(function* () {
            const call = batches.length
            if (call < 2) {
              yield* Deferred.succeed(entered[call]!, undefined)
              yield* Deferred.await(gates[call]!)
            }
            batches.push(messages.map(String))
          })
        yield* CleanRuntime.run(
          Effect.gen(function* () {
            const first = yield* Effect.forkChild(Persistence.persist([Message.text("a")]))
            yield* Deferred.await(entered[0]!)
            const second = yield* Effect.forkChild(Persistence.persist([Message.text("b")]))
            yield* CleanRuntime.turns(5)
            yield* Deferred.succeed(gates[0]!, undefined)
            yield* Deferred.await(entered[1]!)
            yield* Fiber.interrupt(first)
            yield* Deferred.succeed(gates[1]!, undefined)
            yield* Fiber.join(second)
          }),
          { onPersistMessages }
        )
        assert.deepStrictEqual(batches, [["a"], ["b"]])
      })
  )

  it.effect("Law 13, Persist once: while the hook is busy messages gather, and it gets them in one batch", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const batches: Array<ReadonlyArray<Message.Message>> = []
      let running = 0
      const onPersistMessages = (messages: ReadonlyArray<Message.Message>) =>
        Effect.gen(function* () {
          assert.strictEqual(++running, 1, "one batch at a time")
          batches.push(messages)
          yield* Deferred.await(gate)
          running--
        })
      yield* CleanRuntime.run(
        Effect.gen(function* () {
          const source = Stream.fromIterable(Array.from({ length: 200 }, (_, i) => `m${i}`)).pipe(Stream.rechunk(1))
          yield* (yield* echo.trigger(source)).messages
          yield* CleanRuntime.turns()
          yield* Deferred.succeed(gate, undefined)
        }),
        { onPersistMessages }
      )
      assert.isAtMost(batches.length, 5)
      const tags = batches.flat().map(({ _tag }) => _tag)
      const counted = [200, Math.floor(200 / 32), 1, 1]
      assert.deepStrictEqual(
        ["Text", "Page", "CallRecord", "ReplyRecord"].map((tag) => tags.filter((each) => each === tag).length),
        counted
      )
      assert.strictEqual(tags.length, counted[0]! + counted[1]! + 2)
    })
  )

  it.effect(
    "Law 13, Persist once: the records say which agent was called with what, and what it replied, by hash",
    () =>
      Effect.gen(function* () {
        const hook = new Hook()
        const twice = Agent.make("Twice", { parameters: { mark: Schema.String, at: Schema.DateTimeUtc } }, (ctx) =>
          ctx.reply([ctx.messages, ctx.parameters.mark])
        )
        const at = DateTime.makeUnsafe("2024-01-02T03:04:05.000Z")
        yield* run(
          Effect.flatMap(twice.trigger(["one", { two: 2 }], { mark: "!", at }), (replies) => replies.messages),
          hook
        )
        const call = new Message.CallRecord({
          agent: "Twice",
          parameters: { mark: "!", at: "2024-01-02T03:04:05.000Z" },
          messages: [Message.text("one"), Message.data({ two: 2 })]
        })
        const replies = [...call.messages, Message.text("!")]
        const reply = new Message.ReplyRecord({ agent: "Twice", call, replies, ending: "success" })
        const records = hook.kept.filter(({ _tag }) => _tag.endsWith("Record"))
        assert.deepStrictEqual(records.map(Message.serialize), [call, reply].map(Message.serialize))
        const serialized = Message.serialize(reply)
        assert.strictEqual(serialized["call__hash_key"], call.hashKey)
        assert.deepStrictEqual(serialized["replies__hash_keys"], keysOf(reply.replies))
      })
  )

  it.effect(
    "Law 13, Persist once: a failure that ends a reply is recorded at its place, and tokens before it are kept",
    () =>
      Effect.gen(function* () {
        const hook = new Hook()
        const agent = Agent.make("Half", (ctx) =>
          Effect.gen(function* () {
            yield* ctx.reply("before")
            yield* ctx.reply(
              yield* MessagePromise.fromStream(Stream.concat(Stream.make("to", "ken"), Stream.fail(new Cut())))
            )
          })
        )
        const error = yield* run(Effect.flip(Effect.flatMap(agent.trigger(), (replies) => replies.messages)), hook)
        assert.instanceOf(error, Cut)
        const [record] = hook.kept.filter((message) => message instanceof Message.ReplyRecord)
        assert.isDefined(record)
        const [before, failure] = record.replies
        assert.strictEqual(String(before), "before")
        assert.instanceOf(failure, Message.Failure)
        assert.strictEqual(failure.error, "Cut")
        assert.strictEqual(failure.content, "token")
      })
  )

  it.effect("Law 13, Persist once: recording starts no lazy call, and the runtime closes without it", () =>
    Effect.gen(function* () {
      const hook = new Hook()
      let ran = 0
      const lazy = Agent.make("Lazy", (ctx) =>
        Effect.andThen(
          Effect.sync(() => void ran++),
          ctx.reply("late")
        )
      )
      const outer = Agent.make("Outer", (ctx) =>
        Effect.gen(function* () {
          const unread = yield* lazy.trigger([], {}, { startSoon: false })
          yield* ctx.reply([unread, unread.single()])
        })
      )
      yield* run(
        Effect.gen(function* () {
          yield* Effect.asVoid(lazy.trigger("x", {}, { startSoon: false }))
          yield* Effect.asVoid(outer.trigger("x"))
          yield* Effect.asVoid(outer.trigger("x", {}, { errorsAsMessages: true }))
          yield* CleanRuntime.turns()
        }),
        hook
      )
      assert.strictEqual(ran, 0)
    })
  )

  it.effect("Law 13, Persist once: recording a failure does not count as reading it", () =>
    Effect.gen(function* () {
      const boom = Agent.make("Boom", () => Effect.fail("boom"))
      const ways: Record<string, Effect.Effect<unknown, never, MiniAgents.MiniAgents>> = {
        "its replies": boom.trigger(),
        "a relay": relay
          .trigger("x")
          .pipe(Effect.andThen(Effect.flatMap(boom.trigger(), (replies) => echo.trigger(replies)))),
        "a joined message": Effect.flatMap(boom.trigger(), (replies) => echo.trigger([replies.single()])),
        "a token source": Effect.flatMap(MessagePromise.fromStream(Stream.fail("boom")), (promise) =>
          echo.trigger(promise)
        ),
        "a joined message with errors as messages": Effect.flatMap(boom.trigger(), (replies) =>
          echo.trigger([replies.single()], {}, { errorsAsMessages: true })
        ),
        "a token source with errors as messages": Effect.flatMap(
          MessagePromise.fromStream(Stream.fail("boom")),
          (promise) => echo.trigger(promise, {}, { errorsAsMessages: true })
        )
      }
      for (const [way, program] of Object.entries(ways)) {
        const [, without] = yield* CleanRuntime.logged(CleanRuntime.run(program))
        const [, log] = yield* CleanRuntime.logged(run(program, new Hook()))
        assert.deepStrictEqual([way, log], [way, without])
        assert.isAtLeast(log.length, 1, way)
      }
    })
  )

  it.effect(
    "Law 13, Persist once: the runtime closes although what a call was sent is under way elsewhere for ever",
    () =>
      Effect.gen(function* () {
        const hook = new Hook()
        const scope = yield* Scope.make()
        const elsewhere = yield* Effect.provideService(CleanRuntime.make(), Scope.Scope, scope)
        const never = Agent.make("Never", () => Effect.never)
        const quiet = Agent.make("Quiet", (ctx) => ctx.reply("done"))
        const foreign = yield* Effect.provideService(never.trigger(), MiniAgents.MiniAgents, elsewhere)
        const text = yield* run(
          Effect.flatMap(quiet.trigger(foreign), (replies) => replies.text),
          hook
        )
        assert.strictEqual(text, "done")
        yield* Scope.close(scope, Exit.interrupt())
      })
  )

  it.effect("Law 13, Persist once: an interrupted runtime still hands over what was whole", () =>
    Effect.gen(function* () {
      const hook = new Hook()
      const said = yield* Deferred.make<void>()
      const agent = Agent.make("Slow", (ctx) =>
        Effect.andThen(ctx.reply("said"), Effect.andThen(Deferred.succeed(said, undefined), Effect.never))
      )
      const exit = yield* Effect.exit(
        run(
          Effect.gen(function* () {
            yield* Effect.asVoid(agent.trigger("asked"))
            yield* Deferred.await(said)
            yield* CleanRuntime.turns()
            return yield* Effect.fail("no")
          }),
          hook
        )
      )
      assert.deepStrictEqual(exit, Exit.fail("no"))
      assert.sameMembers(hook.kept.filter(({ _tag }) => _tag === "Text").map(String), ["asked", "said"])
      const [record] = hook.kept.filter((message) => message instanceof Message.ReplyRecord)
      assert.strictEqual(record?.ending, "interruption", "an interrupted call leaves its records and what it had said")
      assert.deepStrictEqual(record?.replies.map(String), ["said"])
    })
  )

  it.effect("Law 13, Persist once: once per runtime, so that a second runtime's hook gets everything again", () =>
    Effect.gen(function* () {
      const hook = new Hook()
      const program = Effect.flatMap(MessageSequence.from(["a", "b"]), (sequence) =>
        Effect.flatMap(sequence.messages, Persistence.persist)
      )
      yield* run(Effect.andThen(program, program), hook)
      yield* run(program, hook)
      assert.deepStrictEqual(hook.kept.map(String), ["a", "b", "a", "b"])
    })
  )

  it.effect("Law 13, Persist once: without a hook `persist` has nothing to do", () =>
    CleanRuntime.run(Persistence.persist([Message.text("a")]))
  )

  it.effect(
    "Law 13, Persist once: several hooks get everything, each what it asks for, and the entries of the calls",
    () =>
      Effect.gen(function* () {
        const [all, texts] = [new Hook(), new Hook()]
        const entries: Array<Persistence.CallEntry> = []
        const layer = MiniAgents.layer().pipe(
          Layer.provide([
            Persistence.layer(all.onPersistMessages, {
              onCall: (entry) => Effect.sync(() => void entries.push(entry))
            }),
            Persistence.layer(texts.onPersistMessages, { only: ({ _tag }) => _tag === "Text" })
          ])
        )
        const leaf = Agent.make("Leaf", (ctx) => ctx.reply("leaf"))
        const root = Agent.make("Root", (ctx) =>
          Effect.gen(function* () {
            for (let i = 0; i < 3; i++) yield* ctx.reply(yield* leaf.trigger("same"))
          })
        )
        yield* Effect.provide(
          Effect.flatMap(root.trigger(), (replies) => replies.messages),
          layer
        )
        assert.deepStrictEqual(texts.kept.map(String).toSorted(), ["leaf", "same"])
        assert.strictEqual(
          all.kept.filter(({ _tag }) => _tag === "CallRecord").length,
          2,
          "equal calls have one record"
        )
        const ended = entries.filter(({ ending }) => ending !== undefined)
        assert.deepStrictEqual(ended.map(({ ending, parent, path }) => [path, parent, ending]).toSorted(), [
          ["Root", undefined, "success"],
          ["Root/0:Leaf", "Root", "success"],
          ["Root/1:Leaf", "Root", "success"],
          ["Root/2:Leaf", "Root", "success"]
        ])
        const keys = new Set(all.kept.map(({ hashKey }) => hashKey))
        assert.isTrue(ended.every(({ call, reply }) => keys.has(call) && keys.has(reply!)))
      })
  )

  it.effect("Law 13, Persist once: a hook that gives no Effect is refused in one sentence, and nothing hangs", () =>
    Effect.gen(function* () {
      const promised = (() => Promise.resolve()) as unknown as () => Effect.Effect<void>
      const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
      const [text, logs] = yield* CleanRuntime.logged(
        CleanRuntime.run(
          Effect.flatMap(echo.trigger("x"), (replies) => replies.text),
          { onPersistMessages: promised }
        )
      )
      assert.strictEqual(text, "x")
      assert.isTrue(logs.some((line) => line.includes("must return an Effect")))
      const error = yield* CleanRuntime.run(Effect.flip(Persistence.persist([Message.text("x")])), {
        onPersistMessages: promised
      })
      assert.include(error.message, "must return an Effect")
    })
  )

  it.effect(
    "Law 13, Persist once: what another runtime never ends is recorded as far as it came when this one closes",
    () =>
      Effect.gen(function* () {
        const hook = new Hook()
        const endless = yield* MessageSequence.from(Stream.concat(Stream.make("first"), Stream.never))
        const deaf = Agent.make("Deaf", (ctx) => ctx.reply("said"))
        const text = yield* Effect.flatMap(deaf.trigger(endless), (replies) => replies.text).pipe(
          Effect.tap(CleanRuntime.turns()),
          (program) => run(program, hook)
        )
        assert.strictEqual(text, "said")
        const [call] = hook.kept.filter((message) => message instanceof Message.CallRecord)
        assert.deepStrictEqual(call?.messages.map(String), ["first"])
        const [reply] = hook.kept.filter((message) => message instanceof Message.ReplyRecord)
        assert.deepStrictEqual([reply?.ending, reply?.replies.map(String)], ["success", ["said"]])
      }).pipe((program) => CleanRuntime.abandon(program))
  )
})
