import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Agent, InteractionContext, Message, MessagePromise, MessageSequence, type MiniAgents } from "miniagents"
import * as CleanRuntime from "./CleanRuntime.ts"

class Greeting extends Context.Service<Greeting, { readonly word: string }>()("miniagents/test/Greeting") {}
class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { query: Schema.String }) {}

const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
const shout = Agent.make(
  "Shout",
  { description: "Repeats it aloud", parameters: { mark: Schema.String, times: Schema.Int } },
  (ctx) =>
    Effect.flatMap(ctx.messages.text, (text) =>
      ctx.reply(text.toUpperCase() + ctx.parameters.mark.repeat(ctx.parameters.times))
    )
)

/** What a call ends with, as one text. */
const endOf = <E>(sequence: MessageSequence.MessageSequence<E>) =>
  Effect.map(Effect.exit(sequence.messages), (exit) =>
    Exit.isSuccess(exit) ? exit.value.map(String).join("|") : Cause.pretty(exit.cause).split("\n")[0]!
  )

describe("Agent", () => {
  describe("make", () => {
    it("gives an agent its name, description and parameters", () => {
      assert.isTrue(Agent.isAgent(shout))
      assert.isFalse(Agent.isAgent({ name: "Shout" }))
      assert.deepStrictEqual([shout.name, shout.description], ["Shout", "Repeats it aloud"])
      assert.deepStrictEqual(Object.keys(shout.parameters.fields), ["mark", "times"])
      assert.deepStrictEqual([echo.name, echo.description], ["Echo", undefined])
      assert.deepStrictEqual(Object.keys(echo.parameters.fields), [])
    })

    it.effect("takes what the body requires from where the agent is triggered", () =>
      Effect.gen(function* () {
        const greeter = Agent.make("Greeter", (ctx) => Effect.flatMap(Greeting, ({ word }) => ctx.reply(word)))
        const german = yield* Effect.provideService(greeter.trigger(), Greeting, { word: "Hallo" })
        const french = yield* Effect.provideService(greeter.trigger(), Greeting, { word: "Salut" })
        assert.deepStrictEqual([yield* french.text, yield* german.text], ["Salut", "Hallo"])
      }).pipe(CleanRuntime.run)
    )

    it.effect("makes an agent that can call itself", () =>
      Effect.gen(function* () {
        const countdown: Agent.Agent<{ readonly from: number }, never, MiniAgents.MiniAgents> = Agent.make(
          "Countdown",
          { parameters: { from: Schema.Int } },
          (ctx) =>
            Effect.gen(function* () {
              const { from } = ctx.parameters
              yield* ctx.reply(`${from}`)
              if (from > 0) yield* ctx.reply(yield* countdown.trigger([], { from: from - 1 }))
            })
        )
        assert.strictEqual(yield* (yield* countdown.trigger([], { from: 3 })).text, "3\n\n2\n\n1\n\n0")
      }).pipe(CleanRuntime.run)
    )
  })

  describe("trigger", () => {
    const inputs: Record<string, readonly [unknown, ReadonlyArray<string>]> = {
      nothing: [undefined, []],
      "a string": ["a", ["a"]],
      "an empty string": ["", [""]],
      "an object": [{ a: 1, gone: undefined }, ['```json\n{\n  "a": 1\n}\n```']],
      "a message": [Message.user("a"), ["a"]],
      "a promise": [MessagePromise.of(Message.text("a")), ["a"]],
      "an array": [
        ["a", "b"],
        ["a", "b"]
      ],
      "an empty array": [[], []],
      "nested arrays": [
        ["a", [["b"], []], [[[["c"]]]]],
        ["a", "b", "c"]
      ],
      "a Set": [new Set(["a", "b"]), ["a", "b"]],
      "a generator": [
        (function* () {
          yield "a"
          yield ["b"]
        })(),
        ["a", "b"]
      ],
      "a Stream": [Stream.make("a", "b"), ["a", "b"]],
      "a Stream of all of these": [
        Stream.make<ReadonlyArray<unknown>>("a", ["b", Message.text("c")], Stream.make("d", { e: 1 })),
        ["a", "b", "c", "d", '```json\n{\n  "e": 1\n}\n```']
      ]
    }
    for (const [what, [input, texts]] of Object.entries(inputs)) {
      it.effect(`takes ${what}`, () =>
        Effect.gen(function* () {
          const replies = yield* echo.trigger(input as string)
          assert.deepStrictEqual((yield* replies.messages).map(String), texts)
        }).pipe(CleanRuntime.run)
      )
    }

    it.effect("takes a sequence as it is", () =>
      Effect.gen(function* () {
        const sequence = yield* MessageSequence.from(["a", "b"])
        const replies = yield* echo.trigger(sequence)
        assert.deepStrictEqual(yield* Stream.runCollect(replies), yield* Stream.runCollect(sequence))
      }).pipe(CleanRuntime.run)
    )

    it.effect("with `startSoon` overrides the runtime's default, both ways", () =>
      Effect.gen(function* () {
        const ran: Array<string> = []
        const agent = Agent.make("Log", { parameters: { as: Schema.String } }, (ctx) =>
          Effect.sync(() => void ran.push(ctx.parameters.as))
        )
        const program = (soon: boolean) =>
          CleanRuntime.run(
            Effect.gen(function* () {
              const lazy = yield* agent.trigger([], { as: "lazy" }, { startSoon: false })
              yield* Effect.asVoid(agent.trigger([], { as: "soon" }, { startSoon: true }))
              yield* Effect.asVoid(agent.trigger([], { as: "default" }))
              yield* CleanRuntime.turns(10)
              const before = ran.splice(0)
              yield* lazy.messages
              return [before, ran.splice(0)]
            }),
            { startSoon: soon }
          )
        assert.deepStrictEqual(yield* program(true), [["soon", "default"], ["lazy"]])
        assert.deepStrictEqual(yield* program(false), [["soon"], ["lazy"]])
      })
    )

    it.effect("with `errorsAsMessages` overrides the runtime's default, both ways", () =>
      Effect.gen(function* () {
        const agent = Agent.make("Fails", (ctx) =>
          Effect.andThen(ctx.reply("before"), Effect.fail(new NotFound({ query: "x" })))
        )
        const program = (errorsAsMessages: boolean) =>
          CleanRuntime.run(
            Effect.gen(function* () {
              const asMessages = yield* agent.trigger([], {}, { errorsAsMessages: true })
              const asErrors = yield* agent.trigger([], {}, { errorsAsMessages: false })
              const byDefault = yield* agent.trigger([])
              const [before, failure] = yield* asMessages.messages
              assert.strictEqual(String(before), "before")
              assert.instanceOf(failure, Message.Failure)
              assert.deepStrictEqual([failure.error, failure.trace], ["NotFound", ["Fails"]])
              assert.deepStrictEqual(yield* Effect.flip(asErrors.messages), new NotFound({ query: "x" }))
              return yield* Effect.match(byDefault.messages, { onFailure: () => "error", onSuccess: () => "message" })
            }),
            { errorsAsMessages }
          )
        assert.deepStrictEqual([yield* program(true), yield* program(false)], ["message", "error"])
      })
    )
  })

  describe("fork", () => {
    it.effect("gives a copy with another name, description and some of the parameters, and leaves the original", () =>
      Effect.gen(function* () {
        const loud = shout.fork({ name: "Loud", description: "Louder", parameters: { mark: "!" } })
        const louder = loud.fork({ parameters: { times: 3 } })
        assert.isTrue(Agent.isAgent(loud))
        assert.deepStrictEqual([loud.name, loud.description], ["Loud", "Louder"])
        assert.deepStrictEqual([louder.name, louder.description], ["Loud", "Louder"])
        assert.deepStrictEqual([shout.name, shout.description], ["Shout", "Repeats it aloud"])
        const texts = yield* Effect.forEach(
          [
            shout.trigger("a", { mark: "?", times: 1 }),
            loud.trigger("a", { times: 2 }),
            loud.trigger("a", { mark: "?", times: 2 }),
            louder.trigger("a"),
            louder.trigger("a", { times: 1 }),
            shout.fork().trigger("a", { mark: ".", times: 1 })
          ],
          (triggered) => Effect.flatMap(triggered, (replies) => replies.text)
        )
        assert.deepStrictEqual(texts, ["A?", "A!!", "A??", "A!!!", "A!", "A."])
      }).pipe(CleanRuntime.run)
    )

    it("needs none of the parameters it was given, for a model that is to call it as well", () => {
      const loud = shout.fork({ parameters: { mark: "!" } })
      const schemaOf = (agent: typeof shout | typeof loud) => Schema.toJsonSchemaDocument(agent.parameters).schema
      assert.deepStrictEqual(schemaOf(shout)["required"], ["mark", "times"])
      assert.deepStrictEqual(schemaOf(loud)["required"], ["times"])
      assert.deepStrictEqual(schemaOf(loud)["properties"], schemaOf(shout)["properties"])
    })

    it.effect("can be called too, and its name stands in traces", () =>
      Effect.gen(function* () {
        const tracing = Agent.make("Tracing", { parameters: { a: Schema.Int } }, (ctx) => ctx.reply(ctx.trace.join()))
        const call = yield* tracing.fork({ name: "Copy", parameters: { a: 1 } }).call()
        assert.strictEqual(yield* (yield* call.replies()).text, "Copy")
      }).pipe(CleanRuntime.run)
    )

    it.effect("refuses parameters that do not fit when it is called, under its own name", () =>
      Effect.gen(function* () {
        const loud = shout.fork({ name: "Loud", parameters: { mark: "!" } })
        assert.match(yield* endOf(yield* loud.trigger("a", { times: 0.5 })), /`Loud` .*`times` got `0.5`/)
      }).pipe(CleanRuntime.run)
    )
  })

  describe("bad parameters", () => {
    const cases: Record<string, readonly [unknown, RegExp]> = {
      "one of another type": [{ mark: 1, times: 1 }, /`Shout` .*`mark` got `1`: .*string/i],
      "one out of range": [{ mark: "!", times: 0.5 }, /`Shout` .*`times` got `0.5`/],
      "one that is missing": [{ mark: "!" }, /`Shout` .*`times` got `undefined`/],
      "one too many": [{ mark: "!", times: 1, extra: true }, /`Shout` .*`extra` got `true`/],
      "several at once": [{ mark: 1, times: "2" }, /`mark` got `1`.*`times` got `"2"`/],
      none: [undefined, /`mark` got `undefined`.*`times` got `undefined`/],
      "no object": ["loud", /`Shout` .*parameters/],
      "one that is a function": [{ mark: () => "!", times: 1 }, /`mark` got `function mark`/],
      "one that is huge": [{ mark: "!", times: "9".repeat(10_000) }, /`times` got `"9{50,60}…`/]
    }
    for (const [what, [parameters, message]] of Object.entries(cases)) {
      it.effect(`${what}: the replies end with one defect that names the agent, the path and the value`, () =>
        Effect.gen(function* () {
          const replies = yield* shout.trigger("a", parameters as { mark: string; times: number })
          const good = yield* shout.trigger("a", { mark: "!", times: 1 })
          const exit = yield* Effect.exit(replies.messages)
          assert.isTrue(Exit.isFailure(exit))
          const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
          assert.isTrue(reason !== undefined && Cause.isDieReason(reason))
          assert.instanceOf(Cause.isDieReason(reason!) && reason.defect, Agent.InvalidParameters)
          assert.match(yield* endOf(replies), message)
          assert.strictEqual(yield* good.text, "A!")
        }).pipe(CleanRuntime.run)
      )
    }

    it.effect("when nobody reads it, is logged once with the agent", () =>
      Effect.gen(function* () {
        const [, log] = yield* CleanRuntime.logged(CleanRuntime.run(shout.trigger("a", { mark: "!", times: 0.5 })))
        assert.strictEqual(log.length, 1)
        assert.match(log[0]!, /^Nobody read this failure of Shout\n.*`times` got `0.5`/)
      })
    )

    it.effect("does not run the body, nor harm the agent that called", () =>
      Effect.gen(function* () {
        let ran = false
        const inner = Agent.make("Inner", { parameters: { n: Schema.Int } }, () => Effect.sync(() => void (ran = true)))
        const outer = Agent.make("Outer", (ctx) =>
          Effect.gen(function* () {
            const bad = yield* inner.trigger([], { n: 0.5 })
            const call = yield* inner.call({ n: 0.5 })
            yield* call.send("x").pipe(Effect.exit)
            assert.match(yield* endOf(bad), /`Inner`/)
            assert.match(yield* endOf(yield* call.replies()), /`Inner`/)
            yield* ctx.reply("went on")
          })
        )
        assert.strictEqual(yield* (yield* outer.trigger()).text, "went on")
        assert.isFalse(ran)
      }).pipe(CleanRuntime.run)
    )
  })

  describe("values that are no message", () => {
    const cyclic: Record<string, unknown> = { name: "x" }
    cyclic["self"] = { again: cyclic }
    const cyclicList: Array<unknown> = ["a"]
    cyclicList.push([cyclicList])
    class Plain {
      readonly x = 1
    }
    const cases: Record<string, readonly [unknown, RegExp]> = {
      "a function": [() => 1, /got `function \(anonymous\)` at `input`/],
      "a named function in a list": [["a", function named() {}], /got `function named` at `input\[1\]`/],
      "a number": [5, /got `5` at `input`/],
      "a boolean": [[true], /got `true` at `input\[0\]`/],
      "a bigint": [[1n], /got `1` at `input\[0\]`/],
      "a symbol": [Symbol("s"), /got `Symbol\(s\)` at `input`/],
      null: [null, /got `null` at `input`/],
      "undefined in a list": [["a", undefined], /got `undefined` at `input\[1\]`/],
      "NaN in an object": [["a", { deep: [{ score: NaN }] }], /got `NaN` at `input\[1\].deep\[0\].score`/],
      "an infinite number in an object": [{ a: Infinity }, /got `Infinity` at `input.a`/],
      "a cyclic object": [cyclic, /got `\{ name, self \}` at `input.self.again`: it contains itself/],
      "a cyclic list": [cyclicList, /got `array of 2` at `input\[1\]\[0\]`: it contains itself/],
      "an instance of a class": [[new Plain()], /got `Plain` at `input\[0\]`: .*class without a message schema/],
      "an instance of a class in an object": [{ a: new Plain() }, /got `Plain` at `input.a`/],
      "a Date": [{ at: new Date(0) }, /got `Date` at `input.at`/],
      "a Promise": [Promise.resolve("x"), /got `Promise` at `input`/],
      "an Effect": [["a", Effect.succeed("x")], /at `input\[1\]`: it is an Effect: `yield\*` it/],
      "a function in an object": [{ a: { b: () => 1 } }, /got `function b` at `input.a.b`/],
      "an object without a prototype's constructor": [{ a: Object.create({ odd: 1 }) as object }, /at `input.a`/]
    }
    const clear = (name: string, operation: string, exit: Exit.Exit<unknown, unknown>, message: RegExp) => {
      assert.isTrue(Exit.isFailure(exit), name)
      if (!Exit.isFailure(exit)) return
      const defect: unknown = Cause.squash(exit.cause)
      assert.instanceOf(defect, Message.InvalidMessage)
      assert.strictEqual(exit.cause.reasons.length, 1)
      assert.strictEqual(defect.operation, operation)
      assert.match(defect.message, message)
      assert.isBelow(defect.message.length, 300)
    }
    for (const [what, [value, message]] of Object.entries(cases)) {
      const input = value as string
      it.effect(`${what}: is refused wherever it is given, with one clear error, and no other call is harmed`, () =>
        Effect.gen(function* () {
          const other = yield* echo.trigger("other")
          clear("from", "MessageSequence.from", yield* Effect.exit(MessageSequence.from(input)), message)
          const replies = yield* echo.trigger(input)
          clear("trigger", "Echo.trigger", yield* Effect.exit(replies.messages), message)
          const call = yield* echo.call()
          yield* call.send("good")
          clear("send", "Echo.send", yield* Effect.exit(call.send(input)), message)
          clear("sendOutOfOrder", "Echo.sendOutOfOrder", yield* Effect.exit(call.sendOutOfOrder(input)), message)
          yield* call.send("better")
          assert.strictEqual(yield* (yield* call.replies()).text, "good\n\nbetter")
          const bad = Agent.make("Bad", (ctx) => Effect.andThen(ctx.reply("before"), ctx.reply(input)))
          const replied = yield* bad.trigger()
          clear("reply", "Bad.reply", yield* Effect.exit(replied.messages), message)
          assert.strictEqual(String((yield* Stream.runCollect(Stream.take(replied, 1))).length), "1")
          const outOfOrder = yield* Agent.make("Bad", (ctx) => ctx.replyOutOfOrder(input)).trigger()
          clear("replyOutOfOrder", "Bad.replyOutOfOrder", yield* Effect.exit(outOfOrder.messages), message)
          const caught = Agent.make("Careful", (ctx) =>
            Effect.andThen(Effect.exit(ctx.reply(input)), ctx.reply("caught"))
          )
          assert.strictEqual(yield* (yield* caught.trigger()).text, "caught")
          assert.strictEqual(yield* other.text, "other")
        }).pipe(CleanRuntime.run)
      )
    }

    it.effect("in a stream: its reader gets the error after what came before, and the agent's name is in it", () =>
      Effect.gen(function* () {
        const stream = Stream.make<ReadonlyArray<unknown>>("a", 5) as Stream.Stream<string>
        const replies = yield* echo.trigger(["first", stream])
        assert.strictEqual((yield* Stream.runCollect(Stream.take(replies, 1))).length, 1)
        clear("stream", "Echo.trigger", yield* Effect.exit(replies.messages), /got `5` at `input/)
      }).pipe(CleanRuntime.run)
    )

    it.effect("a token that is no string: the promise dies with it", () =>
      Effect.gen(function* () {
        const tokens = Stream.make<ReadonlyArray<unknown>>("a", 5) as Stream.Stream<string>
        const promise = yield* MessagePromise.fromStream(tokens)
        clear("token", "MessagePromise", yield* Effect.exit(promise.message), /got `5` at `tokens/)
      }).pipe(CleanRuntime.run)
    )

    it.effect(
      "an object that throws when it is looked at, or an Iterable that does: dies, and harms no other call",
      () =>
        Effect.gen(function* () {
          const throwing = {
            get boom(): string {
              throw new Error("getter")
            }
          }
          const iterable: Iterable<string> = {
            [Symbol.iterator]: () => {
              throw new Error("iterator")
            }
          }
          const other = yield* echo.trigger("other")
          for (const input of [throwing, iterable]) {
            const exit = yield* Effect.exit(
              Effect.flatMap(echo.trigger(input as string), (replies) => replies.messages)
            )
            assert.match(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", /getter|iterator/)
          }
          assert.strictEqual(yield* other.text, "other")
        }).pipe(CleanRuntime.run)
    )
  })

  describe("Service", () => {
    it("keeps what it was made with: its name, whatever its class is called, and the schemas that cross a process", () => {
      class Review extends Message.Class<Review>()("Review", { stars: Schema.Int }) {}
      class Failed extends Schema.TaggedError<Failed>()("Failed", { why: Schema.String }) {}
      class gw extends Agent.Service<gw>()("Reviewer", {
        description: "Reviews",
        parameters: { at: Schema.DateTimeUtc },
        error: Failed,
        messages: [Review]
      }) {}
      assert.strictEqual(gw.description, "Reviews")
      assert.strictEqual(gw.name, "Reviewer")
      assert.strictEqual(gw.error, Failed)
      assert.deepStrictEqual(gw.messages, [Review])
      const encode = Schema.encodeUnknownSync(Schema.toCodecJson(gw.parameters as unknown as Schema.Codec<unknown>))
      assert.deepStrictEqual(encode({ at: DateTime.makeUnsafe("2024-01-02T03:04:05.000Z") }), {
        at: "2024-01-02T03:04:05.000Z"
      })
    })

    class Writer extends Agent.Service<Writer>()("Writer", {
      description: "Writes",
      parameters: { tone: Schema.String },
      error: NotFound
    }) {}
    const live = Writer.toLayer((ctx) =>
      Effect.gen(function* () {
        const { word } = yield* Greeting
        if (ctx.parameters.tone === "none") return yield* new NotFound({ query: "tone" })
        yield* ctx.reply([word, ctx.messages, ctx.parameters.tone])
      })
    )
    const greeting = Layer.succeed(Greeting, { word: "Dear" })

    it("is an agent: it has a name, a description and parameters", () => {
      assert.isTrue(Agent.isAgent(Writer))
      assert.deepStrictEqual([Writer.name, Writer.description], ["Writer", "Writes"])
      assert.deepStrictEqual(Object.keys(Writer.parameters.fields), ["tone"])
    })

    it.effect("runs what its Layer implements, with the services of the place where the Layer was built", () =>
      Effect.gen(function* () {
        const replies = yield* Effect.provideService(Writer.trigger("draft", { tone: "dry" }), Greeting, {
          word: "of the caller"
        })
        assert.strictEqual(yield* replies.text, "Dear\n\ndraft\n\ndry")
        const failed = yield* Writer.trigger("draft", { tone: "none" })
        assert.deepStrictEqual(yield* Effect.flip(failed.messages), new NotFound({ query: "tone" }))
      }).pipe(Effect.provide(Layer.provide(live, greeting)), CleanRuntime.run)
    )

    it.effect("is replaced in a test by another Layer, also deep inside other agents", () =>
      Effect.gen(function* () {
        const editor = Agent.make("Editor", (ctx) =>
          Effect.flatMap(Writer.trigger(ctx.messages, { tone: "dry" }), (replies) => ctx.reply(replies))
        )
        const program = Effect.flatMap(editor.trigger("draft"), (replies) => replies.text)
        const fake = Writer.toLayer((ctx) => ctx.reply(`fake ${ctx.parameters.tone}`))
        assert.strictEqual(yield* Effect.provide(program, fake), "fake dry")
        assert.strictEqual(yield* Effect.provide(program, Layer.provide(live, greeting)), "Dear\n\ndraft\n\ndry")
      }).pipe(CleanRuntime.run)
    )

    it.effect("runs in the runtime and the call of its caller, not in those where the Layer was built", () =>
      Effect.gen(function* () {
        const inner = Agent.make("Inner", (ctx) => ctx.reply(ctx.trace.join(" <- ")))
        class Traced extends Agent.Service<Traced>()("Traced") {}
        const tracedLive = Traced.toLayer((ctx) =>
          Effect.gen(function* () {
            const here = yield* InteractionContext.InteractionContext
            assert.strictEqual(here, ctx)
            yield* ctx.reply(yield* inner.trigger())
          })
        )
        const outer = Agent.make("Outer", (ctx) => Effect.flatMap(Traced.trigger(), (replies) => ctx.reply(replies)))
        const builder = Agent.make("Builder", (ctx) =>
          Effect.gen(function* () {
            const context = yield* Layer.build(tracedLive)
            const replies = yield* Effect.provide(outer.trigger(), context)
            yield* ctx.reply(yield* replies.messages)
          }).pipe(Effect.scoped)
        )
        assert.strictEqual(yield* (yield* builder.trigger()).text, "Inner <- Traced <- Outer <- Builder")
        const alone = yield* outer.trigger().pipe(Effect.provide(tracedLive))
        assert.strictEqual(yield* alone.text, "Inner <- Traced <- Outer")
      }).pipe(CleanRuntime.run)
    )

    it.effect("can be called, forked, and checked for its parameters", () =>
      Effect.gen(function* () {
        const call = yield* Writer.call({ tone: "dry" })
        yield* call.send("draft")
        assert.strictEqual(yield* (yield* call.replies()).text, "draft/dry")
        const dry = Writer.fork({ name: "Dry", parameters: { tone: "very dry" } })
        assert.strictEqual(yield* (yield* dry.trigger("x")).text, "x/very dry")
        const wrong = yield* Writer.trigger("x", { tone: 1 } as unknown as { tone: string })
        assert.match(yield* endOf(wrong), /`Writer` .*`tone` got `1`/)
      }).pipe(
        Effect.provide(
          Writer.toLayer((ctx) =>
            Effect.flatMap(Effect.orDie(ctx.messages.text), (text) => ctx.reply(`${text}/${ctx.parameters.tone}`))
          )
        ),
        CleanRuntime.run
      )
    )

    it.effect("of a name that another service has too: calling it ends with one clear error", () =>
      Effect.gen(function* () {
        class One extends Agent.Service<One>()("Same") {}
        class Two extends Agent.Service<Two>()("Same") {}
        const oneLive = One.toLayer((ctx) => ctx.reply("one"))
        const twoLive = Two.toLayer((ctx) => ctx.reply("two"))
        const replies = yield* Effect.gen(function* () {
          return [yield* endOf(yield* One.trigger()), yield* endOf(yield* Two.trigger())]
        }).pipe(Effect.provide(Layer.merge(oneLive, twoLive)))
        assert.deepStrictEqual(replies, [
          "DuplicateName: Two agent services are named `Same`: rename one of them",
          "two"
        ])
        const other = yield* echo.trigger("other")
        assert.strictEqual(yield* other.text, "other")
      }).pipe(CleanRuntime.run)
    )
  })

  describe("ownership", () => {
    const gated = Effect.fnUntraced(function* (name: string) {
      const started = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const state = { interrupted: false }
      const agent = Agent.make(name, (ctx) =>
        Effect.gen(function* () {
          yield* Deferred.succeed(started, undefined)
          yield* Deferred.await(gate)
          yield* ctx.reply(`${name} done`)
        }).pipe(Effect.onInterrupt(() => Effect.sync(() => void (state.interrupted = true))))
      )
      return { agent, started, gate, state }
    })

    it.effect("a call that failed leaves running what it had handed on, and interrupts what nobody can read", () =>
      Effect.gen(function* () {
        const names = ["replied", "sent on", "in a list", "out of order", "token", "unread", "sent to nobody"]
        const parts = Object.fromEntries(
          yield* Effect.forEach(names, (name) => Effect.map(gated(name), (it) => [name, it]))
        )
        const part = (name: string) => parts[name] as Effect.Success<ReturnType<typeof gated>>
        const tokens = Stream.fromEffect(Effect.as(Deferred.await(part("token").gate), "token done"))
        const lost = { interrupted: false }
        const failing = Agent.make("Failing", (ctx) =>
          Effect.gen(function* () {
            yield* ctx.reply(yield* part("replied").agent.trigger())
            const sent = yield* part("sent on").agent.trigger()
            yield* ctx.reply(yield* echo.trigger(sent))
            yield* ctx.reply([["x", [yield* part("in a list").agent.trigger()]]])
            yield* ctx.replyOutOfOrder(yield* part("out of order").agent.trigger())
            yield* ctx.reply(yield* MessagePromise.fromStream(tokens))
            yield* Effect.asVoid(part("unread").agent.trigger())
            yield* Effect.asVoid(echo.trigger(yield* part("sent to nobody").agent.trigger()))
            yield* Effect.asVoid(
              MessagePromise.fromStream(
                Stream.onExit(Stream.never, () => Effect.sync(() => void (lost.interrupted = true)))
              )
            )
            yield* Effect.forEach(
              names.filter((name) => name !== "token"),
              (name) => Deferred.await(part(name).started)
            )
            yield* CleanRuntime.turns(5)
            return yield* Effect.fail("failed")
          })
        )
        const replies = yield* failing.trigger()
        yield* CleanRuntime.turns()
        assert.deepStrictEqual(
          names.filter((name) => part(name).state.interrupted),
          ["unread", "sent to nobody"]
        )
        assert.isTrue(lost.interrupted)
        yield* Effect.forEach(names, (name) => Deferred.succeed(part(name).gate, undefined))
        const seen: Array<string> = []
        const error = yield* Effect.flip(
          Stream.runForEach(replies, (promise) =>
            Effect.map(promise.message, (message) => void seen.push(`${message}`))
          )
        )
        assert.strictEqual(error, "failed")
        assert.sameMembers(seen, [
          "replied done",
          "sent on done",
          "x",
          "in a list done",
          "out of order done",
          "token done"
        ])
      }).pipe(CleanRuntime.run)
    )

    it.effect("a call that ended well leaves all that it triggered running", () =>
      Effect.gen(function* () {
        const { agent, gate, started, state } = yield* gated("child")
        const outer = Agent.make("Outer", () => Effect.asVoid(agent.trigger()))
        yield* (yield* outer.trigger()).messages
        yield* Deferred.await(started)
        yield* CleanRuntime.turns()
        assert.isFalse(state.interrupted)
        yield* Deferred.succeed(gate, undefined)
      }).pipe(CleanRuntime.run)
    )

    it.effect("what an agent's scope holds is released when its body ends, before its replies do", () =>
      Effect.gen(function* () {
        const events: Array<string> = []
        const agent = Agent.make("Scoped", (ctx) =>
          Effect.scoped(
            Effect.gen(function* () {
              yield* Effect.addFinalizer(() => Effect.sync(() => void events.push("released")))
              yield* ctx.reply("x")
              return yield* Effect.fail("failed")
            })
          )
        )
        yield* Effect.flip((yield* agent.trigger()).messages)
        events.push("read")
        assert.deepStrictEqual(events, ["released", "read"])
      }).pipe(CleanRuntime.run)
    )
  })
})
