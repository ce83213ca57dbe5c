/** What every history does, whatever keeps it: run `suite` with a way to make one. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, type Layer, Logger, Schema, type Scope, Stream } from "effect"
import { Agent, Message, MessagePromise, MiniAgents, Transcript } from "miniagents"
import { History } from "miniagents/history"
import { LlmMessage } from "miniagents/llm"

class Broken extends Schema.TaggedError<Broken>()("Broken", {}) {}

/** How to make a history that is empty. */
export interface Subject<R> {
  readonly make: Effect.Effect<History.History<History.HistoryError>, History.HistoryError, R | Scope.Scope>
  /** The agent that stands before it; by default the one that every history can have. */
  readonly layer: Layer.Layer<R>
  /** A history that is told the classes of its messages; for one that cannot keep others. */
  readonly makeWith?: (
    classes: ReadonlyArray<Message.AnyClass>
  ) => Effect.Effect<History.History<History.HistoryError>, History.HistoryError, R | Scope.Scope>
  /** The history again, as the next start of the program finds it; for one that outlives the program. */
  readonly reopen?: Effect.Effect<History.History<History.HistoryError>, History.HistoryError, R | Scope.Scope>
  /** A history that is empty and can be forked. */
  readonly branching?: Effect.Effect<History.Branching<History.HistoryError>, History.HistoryError, R | Scope.Scope>
}

/** What the library's own agents reply, of classes that no history is told. */
const replied = [
  new LlmMessage.Reasoning({ content: "Hm", agent: "Front", model: "m", options: { openai: { id: "rs_1" } } }),
  new LlmMessage.ToolCall({ id: "a", name: "Ask", parameters: { city: "Paris" }, agent: "Front", step: 1 }),
  new LlmMessage.ToolResult({ id: "a", name: "Ask", result: [1, null, "-->"], isFailure: false, agent: "Front" }),
  new LlmMessage.ResponsePart({ part: { type: "source", url: "https://example.com" }, agent: "Front", model: "m" })
]

const png = "iVBORw0KGgo="
const photo = Message.image(`data:image/png;base64,${png}`, { fileName: "a [b]-->.png" })

/** What was said with files in it, by all who can say something. */
const withFiles = [
  photo,
  Message.user(["Which river is this?", photo, "And this?", Message.image("https://example.org/b.png?a=(1)")]),
  new Message.Assistant({
    content: "",
    parts: [photo],
    agent: "Painter",
    options: { openai: { item: { id: "ig_1" } } }
  }),
  new LlmMessage.ToolResult({
    id: "b",
    name: "Shot",
    result: "done",
    isFailure: false,
    output: [{ type: "file", mediaType: "image/png", data: `sha256:${photo.hashKey}` }],
    files: [photo]
  })
]

class Told extends Message.Class<Told>()("Told", { title: Schema.String }) {}
class NotTold extends Message.Class<NotTold>()("NotTold", { title: Schema.String }) {}

const chat = [
  Message.system("Be brief."),
  Message.user("Hi"),
  new Message.Assistant({ content: "Hello!", agent: "Greeter", model: "gpt-4o", usage: { outputTokens: 2 } }),
  Message.text("plain", { anything: [1, { nested: null }] }),
  Message.data({ score: 0.5, tags: ["a", "b"] }),
  new Message.Failure({ content: "So far", error: "Timeout", reason: "too slow", trace: ["Search", "Research"] }),
  new Message.Joined({ content: "a b", originals: [Message.user("a"), Message.text("b")] }),
  ...replied,
  new Message.Joined({ content: "", originals: replied }),
  ...withFiles,
  new Message.Joined({ content: "", originals: withFiles }),
  Message.user("")
]

const tags = ["Text", "User", "System", "Assistant"] as const
const pieces = [
  "user",
  "assistant / gpt-4o",
  "# system",
  "\n",
  "\n\n",
  "\r\n",
  "\r",
  " ",
  "\t",
  "========================================",
  "---",
  "```",
  "~~~~ts",
  "    ",
  "- ",
  "> ",
  "\\",
  "\\\\",
  "<!-- miniagents",
  "<!-- miniagents message -->",
  "<!-- miniagents end -->",
  '<!-- miniagents end {"_tag":"User"} -->',
  "<!--",
  "-->",
  "<script>",
  "[x]: y",
  "👩🏽‍🚀",
  "\ud83d",
  "\ude80",
  "\u2028",
  "\ufeff",
  "\u0000",
  "word"
]
const nasty = [
  "\r<!-- miniagents end -->\n",
  "\u2028<!-- miniagents end -->\n",
  "x\n\\\\<!-- miniagents message -->\nuser\n====\n",
  "\n\n```\nuser\n========================================\n",
  " <!-- miniagents end -->",
  "<!-- miniagent",
  "--> <!--"
]
/** Texts that Markdown, lines or encodings could trip over; tokens may be cut anywhere. */
const Tokens = Schema.Array(Schema.Literals(pieces))
const Small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
const Step = Schema.Struct({ fork: Schema.Boolean, branch: Small, at: Small })
const Turn = Schema.Struct({ tag: Schema.Literals(tags), tokens: Tokens })

export const suite = <R>(name: string, subject: Subject<R>): void => {
  const run = <A, E>(effect: Effect.Effect<A, E, R | Scope.Scope | MiniAgents.MiniAgents>) =>
    Effect.scoped(effect).pipe(Effect.provide([MiniAgents.layer(), subject.layer]))
  const appendAll = (history: History.History<History.HistoryError>, messages: ReadonlyArray<Message.Message>) =>
    Effect.forEach(messages, (message) => history.append(MessagePromise.of(message)), { discard: true })

  describe(`a history: ${name}`, () => {
    it.effect("is empty at first", () =>
      run(
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* (yield* subject.make).messages, [])
        })
      )
    )

    it.effect("law Order, law Whole: messages come back equal and in order, before and after more are appended", () =>
      run(
        Effect.gen(function* () {
          const history = yield* subject.make
          yield* appendAll(history, chat)
          const first = yield* history.messages
          assert.deepStrictEqual(keys(first), keys(chat))
          yield* appendAll(history, chat)
          assert.strictEqual(first.length, chat.length) // what was given does not change
          assert.deepStrictEqual(keys(yield* history.messages), keys([...chat, ...chat]))
          assert.deepStrictEqual([...(yield* history.messages)], [...chat, ...chat])
        })
      )
    )

    it.effect.prop(
      "law Whole: any text, however it was cut into tokens",
      { turns: Schema.Array(Turn) },
      ({ turns }) =>
        run(
          Effect.gen(function* () {
            const history = yield* subject.make
            const given = yield* Effect.forEach(turns, ({ tag, tokens }) =>
              MessagePromise.fromStream(Stream.fromIterable(tokens).pipe(Stream.rechunk(1)), { known: { _tag: tag } })
            )
            yield* Effect.forEach(given, (promise) => history.append(promise))
            const expected = yield* Effect.forEach(given, (promise) => promise.message)
            assert.deepStrictEqual(keys(yield* history.messages), keys(expected))
          })
        ),
      30_000
    )

    it.effect.each(nasty)("law Whole: %j", (text) =>
      run(
        Effect.gen(function* () {
          const history = yield* subject.make
          yield* appendAll(history, [Message.user(text), Message.text(`${text}\n`)])
          assert.deepStrictEqual(keys(yield* history.messages), keys([Message.user(text), Message.text(`${text}\n`)]))
        })
      )
    )

    it.effect("law Unfinished: a message that fails midway is left out, and what follows it is not", () =>
      run(
        Effect.gen(function* () {
          const history = yield* subject.make
          const broken = yield* MessagePromise.fromStream(
            Stream.concat(Stream.make("```\nhalf", " a word"), Stream.fail(new Broken()))
          )
          yield* appendAll(history, [Message.user("before")])
          assert.deepStrictEqual(yield* Effect.exit(history.append(broken)), Exit.fail(new Broken()))
          yield* appendAll(history, [Message.user("after")])
          assert.deepStrictEqual((yield* history.messages).map(String), ["before", "after"])
        })
      )
    )

    it.effect("law Unfinished: so is one whose reader was interrupted", () =>
      run(
        Effect.gen(function* () {
          const history = yield* subject.make
          const started = yield* Latch.make()
          const release = yield* Latch.make()
          const endless = yield* MessagePromise.fromStream(
            Stream.concat(Stream.make("never"), Stream.fromEffectDrain(Effect.andThen(started.open, release.await)))
          )
          const fiber = yield* Effect.forkChild(history.append(endless))
          yield* started.await
          yield* Fiber.interrupt(fiber)
          yield* appendAll(history, [Message.user("after")])
          assert.deepStrictEqual((yield* history.messages).map(String), ["after"])
          yield* release.open
        })
      )
    )

    it.effect("keeps messages apart that are appended at the same time", () =>
      run(
        Effect.gen(function* () {
          const history = yield* subject.make
          const slow = (letter: string) =>
            MessagePromise.fromStream(
              Stream.fromIterable([...letter.repeat(20)]).pipe(
                Stream.rechunk(1),
                Stream.tap(() => Effect.yieldNow)
              )
            )
          const promises = yield* Effect.forEach(["a", "b", "c"], slow)
          yield* Effect.forEach(promises, (promise) => history.append(promise), { concurrency: "unbounded" })
          const texts = (yield* history.messages).map(String).sort()
          assert.deepStrictEqual(texts, ["a".repeat(20), "b".repeat(20), "c".repeat(20)])
        })
      )
    )

    it.effect("its agent passes messages on, token by token, and keeps them", () =>
      run(
        Effect.gen(function* () {
          const history = yield* subject.make
          const agent = History.agent("Test", history)
          const replies = yield* agent.trigger([Message.user("a"), "b"])
          assert.deepStrictEqual((yield* replies.messages).map(String), ["a", "b"])
          assert.deepStrictEqual((yield* history.messages).map(String), ["a", "b"])
        })
      )
    )

    it.effect("with `returnFullHistory` its agent replies with all there is, the new messages last", () =>
      run(
        Effect.gen(function* () {
          const agent = History.agent("Test", yield* subject.make)
          yield* (yield* agent.trigger(["a", "b"])).messages
          const replies = yield* agent.trigger("c", { returnFullHistory: true })
          assert.deepStrictEqual((yield* replies.messages).map(String), ["a", "b", "c"])
        })
      )
    )

    it.effect(
      "law Origin: a message comes back with the call that made it, and with the run of that once it is over",
      () =>
        run(
          Effect.gen(function* () {
            const history = yield* subject.make
            const first = yield* Effect.provide(said(history, ["one", "two"]), MiniAgents.layer())
            const made = [undefined, "Root/0:Author", "Root/0:Author", "Root"]
            assert.deepStrictEqual(first.map(pathOf), made)
            assert.deepStrictEqual(
              first.filter((promise) => promise.origin?.run !== undefined),
              []
            )
            const second = yield* Effect.provide(said(history, ["three"]), MiniAgents.layer())
            assert.deepStrictEqual(second.map(pathOf), [...made, undefined, "Root/0:Author", "Root"])
            const runs = second.map(({ origin }) => origin?.run)
            assert.strictEqual(new Set(runs.slice(1, 4)).size, 1)
            assert.notStrictEqual(runs[1], undefined)
            assert.deepStrictEqual(
              [...runs.slice(0, 1), ...runs.slice(4)],
              [undefined, undefined, undefined, undefined]
            )
            // what it is read by, and in whichever form it travels, leaves it as it is
            const read = yield* Effect.provide(readAgain(History.agent("Reader", history)), MiniAgents.layer())
            assert.deepStrictEqual(read.map(pathOf), second.map(pathOf))
            assert.deepStrictEqual(
              read.slice(1, 4).map(({ origin }) => origin?.run),
              runs.slice(1, 4)
            )
            assert.strictEqual(read.at(-1)!.origin?.agent, "Root")
          })
        )
    )

    it.effect("messages that are marked stay out of it, unless marks are ignored", () =>
      run(
        Effect.gen(function* () {
          const history = yield* subject.make
          const input = ["a", Message.text("searching", History.noHistory), "b"]
          const passed = yield* History.agent("Test", history).trigger(input)
          assert.deepStrictEqual((yield* passed.messages).map(String), ["a", "searching", "b"])
          assert.deepStrictEqual((yield* history.messages).map(String), ["a", "b"])
          yield* (yield* History.agent("Test", history, { ignoreMarks: true }).trigger(input)).messages
          assert.deepStrictEqual((yield* history.messages).map(String), ["a", "b", "a", "searching", "b"])
        })
      )
    )

    it.effect.each([false, true])("a failure is met where it stands, and what came before it is kept (%s)", (full) =>
      run(
        Effect.gen(function* () {
          const history = yield* subject.make
          const half = yield* MessagePromise.fromStream(Stream.concat(Stream.make("half"), Stream.fail(new Broken())))
          const input = ["a", half]
          const broken = Effect.gen(function* () {
            const replies = yield* History.agent("Test", history).trigger(input, { returnFullHistory: full })
            assert.deepStrictEqual(yield* Effect.exit(replies.messages), Exit.fail(new Broken()))
          })
          // closing the runtime waits until all of it has ended, and names failures that nobody has read
          const logged = yield* logsOf(Effect.provide(broken, MiniAgents.layer()))
          assert.deepStrictEqual(logged, [])
          assert.deepStrictEqual((yield* history.messages).map(String), ["a"])
        })
      )
    )

    it.effect("what an LLM agent replies comes back as what it was, however it came", () =>
      run(
        Effect.gen(function* () {
          const history = yield* subject.make
          const reasoning = yield* MessagePromise.fromStream(Stream.rechunk(Stream.make("H", "m"), 1), {
            known: { _tag: "Reasoning", agent: "Front" },
            whole: (content) => Effect.succeed(new LlmMessage.Reasoning({ content, agent: "Front" }))
          })
          yield* (yield* History.agent("Test", history).trigger([reasoning, replied])).messages
          const expected = [new LlmMessage.Reasoning({ content: "Hm", agent: "Front" }), ...replied]
          assert.deepStrictEqual([...(yield* history.messages)], expected)
        })
      )
    )

    const roles = [
      ["user", Message.user("b", { k: 1 })],
      ["system", Message.system("b", { k: 1 })],
      ["assistant", Message.assistant("b", { k: 1 })],
      [undefined, Message.text("b", { k: 1 })]
    ] as const
    it.effect.each(roles)(
      "a string is kept as what the default role (%s) says, other messages as they are",
      ([role, b]) =>
        run(
          Effect.gen(function* () {
            const history = yield* subject.make
            const options = role === undefined ? {} : { defaultRole: role }
            const replies = yield* History.agent("Test", history, options).trigger([
              Message.user("a"),
              Message.text("b", { k: 1 }),
              replied
            ])
            // it passes on what it was sent
            assert.strictEqual((yield* replies.messages)[1]?._tag, "Text")
            assert.deepStrictEqual([...(yield* history.messages)], [Message.user("a"), b, ...replied])
          })
        )
    )

    it.effect("blank messages are left out if it is to skip them", () =>
      run(
        Effect.gen(function* () {
          const history = yield* subject.make
          const input = [Message.user(""), "a", Message.text(" \n"), replied[1]!, Message.assistant("")]
          const skipping = yield* History.agent("Test", history, { skipEmpty: true }).trigger(input)
          assert.strictEqual((yield* skipping.messages).length, input.length)
          assert.deepStrictEqual([...(yield* history.messages)], [Message.text("a"), replied[1]!])
          yield* (yield* History.agent("Test", history).trigger(input)).messages
          assert.strictEqual((yield* history.messages).length, 2 + input.length)
        })
      )
    )

    const { branching, makeWith, reopen } = subject
    if (makeWith !== undefined) {
      it.effect("refuses a message that it could not read again, and says so when it is appended", () =>
        run(
          Effect.gen(function* () {
            const history = yield* makeWith([Told])
            const told = new Told({ title: "x" })
            yield* appendAll(history, [Message.user("a"), told])
            const notTold = new NotTold({ title: "x" })
            for (const refused of [notTold, new Message.Joined({ content: "", originals: [told, notTold] })]) {
              const error = yield* Effect.flip(history.append(MessagePromise.of(refused)))
              assert.strictEqual(error.operation, "append to")
              assert.match(error.reason, /NotTold|Joined/)
              assert.include(error.reason, "classes")
            }
            yield* appendAll(history, [Message.user("b")])
            assert.deepStrictEqual([...(yield* history.messages)], [Message.user("a"), told, Message.user("b")])
          })
        )
      )
    }

    if (branching !== undefined) {
      const shared = chat.slice(0, 3)
      const started = Effect.tap(branching, (history) => appendAll(history, shared))

      it.effect("can be forked at every message, and both branches go on", () =>
        run(
          Effect.gen(function* () {
            const history = yield* started
            const forks = yield* Effect.forEach([0, 1, 2, 3], (at) => history.fork({ at }))
            yield* appendAll(history, [Message.user("there")])
            for (const [at, fork] of forks.entries()) {
              assert.deepStrictEqual(keys(yield* fork.messages), keys(shared.slice(0, at)))
              yield* appendAll(fork, [Message.user(`here ${at}`), Message.user("more")])
            }
            for (const [at, fork] of forks.entries()) {
              const expected = [...shared.slice(0, at), Message.user(`here ${at}`), Message.user("more")]
              assert.deepStrictEqual(keys(yield* fork.messages), keys(expected))
            }
            assert.deepStrictEqual(keys(yield* history.messages), keys([...shared, Message.user("there")]))
          })
        )
      )

      it.effect("is forked at its end unless a point is said, and can be read up to any point", () =>
        run(
          Effect.gen(function* () {
            const history = yield* started
            const fork = yield* history.fork()
            yield* appendAll(fork, [Message.user("after")])
            const all = [...shared, Message.user("after")]
            for (let at = 0; at <= all.length; at++) {
              assert.deepStrictEqual(keys(yield* fork.messagesBefore(at)), keys(all.slice(0, at)))
            }
          })
        )
      )

      it.effect.each([-1, 0.5, 4, Number.NaN])("says that it has no point %s", (at) =>
        run(
          Effect.gen(function* () {
            const history = yield* started
            const reason = `\`at\` must be a whole number from 0 to 3, its length; got \`${at}\``
            const read = yield* Effect.flip(history.messagesBefore(at))
            const forked = yield* Effect.flip(history.fork({ at }))
            assert.deepStrictEqual([read.operation, read.reason], ["read", reason])
            assert.deepStrictEqual([forked.operation, forked.reason], ["fork", reason])
          })
        )
      )

      it.effect.prop(
        "law Branches: a branch has what came before its point, and what was appended to it since",
        { steps: Schema.Array(Step) },
        ({ steps }) =>
          run(
            Effect.gen(function* () {
              const branches = [{ history: yield* branching, model: [] as ReadonlyArray<Message.Message> }]
              for (const [i, { at, branch, fork }] of steps.entries()) {
                const chosen = branches[branch % branches.length]!
                if (fork) {
                  const point = at % (chosen.model.length + 1)
                  const history = yield* chosen.history.fork({ at: point })
                  branches.push({ history, model: chosen.model.slice(0, point) })
                } else {
                  const message = Message.user(`${at % 3 === 0 ? "again" : i}`)
                  yield* appendAll(chosen.history, [message])
                  chosen.model = [...chosen.model, message]
                }
              }
              for (const { history, model } of branches) {
                assert.deepStrictEqual(keys(yield* history.messages), keys(model))
                const middle = Math.floor(model.length / 2)
                assert.deepStrictEqual(keys(yield* history.messagesBefore(middle)), keys(model.slice(0, middle)))
              }
            })
          ),
        30_000
      )
    }

    if (reopen === undefined) return
    it.effect("opened anew it has what was kept, and goes on", () =>
      run(
        Effect.gen(function* () {
          yield* Effect.scoped(Effect.flatMap(subject.make, (history) => appendAll(history, chat)))
          yield* Effect.scoped(
            Effect.gen(function* () {
              const history = yield* reopen
              yield* appendAll(history, [Message.user("more")])
              assert.deepStrictEqual(keys(yield* history.messages), keys([...chat, Message.user("more")]))
            })
          )
          assert.strictEqual((yield* (yield* reopen).messages).length, chat.length + 1)
        })
      )
    )
  })
}

const logsOf = <E, R>(effect: Effect.Effect<void, E, R>): Effect.Effect<ReadonlyArray<unknown>, E, R> => {
  const logged: Array<unknown> = []
  const logger = Logger.make(({ message }) => void logged.push(message))
  return Effect.as(Effect.provide(effect, Logger.layer([logger])), logged)
}

/** All of a history, after an agent has kept there what it was sent and what it and another one said. */
const said = (history: History.History<History.HistoryError>, texts: ReadonlyArray<string>) => {
  const author = Agent.make("Author", (ctx) => ctx.reply(texts))
  const root = Agent.make(
    "Root",
    Effect.fnUntraced(function* (ctx) {
      const input = [ctx.messages, yield* author.trigger(), Message.assistant("end")]
      yield* ctx.reply(yield* History.agent("Keep", history).trigger(input, { returnFullHistory: true }))
    })
  )
  return Effect.flatMap(root.trigger("from outside"), Stream.runCollect)
}

const readAgain = (agent: History.HistoryAgent<History.HistoryError>) =>
  Effect.gen(function* () {
    const replies = yield* agent.trigger([], { returnFullHistory: true })
    return yield* Stream.runCollect(yield* Transcript.decode(Transcript.encode(replies)))
  })

const pathOf = ({ origin }: MessagePromise.MessagePromise<unknown>) => origin?.path

const keys = (messages: ReadonlyArray<Message.Message>): ReadonlyArray<string> =>
  messages.map((message) => `${message._tag} ${JSON.stringify(String(message))} ${message.hashKey}`)
