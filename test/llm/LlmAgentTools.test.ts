/** The loop of a model and its tools: in parallel, bounded, approved, and what goes wrong at its place. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Layer, Ref, Schema, Stream } from "effect"
import type { LanguageModel } from "effect/ai"
import { AiError, Tool, Toolkit } from "effect/ai"
import type { Agent, InteractionContext } from "miniagents"
import { Message, MiniAgents } from "miniagents"
import type { Budget } from "miniagents/llm"
import { Approval, LlmAgent, LlmMessage } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const { text, toolCall, turn } = ScriptedModel

class Broken extends Schema.TaggedError<Broken>()("Broken", { why: Schema.String }) {}

const Add = Tool.make("Add", { parameters: Schema.Struct({ a: Schema.Int, b: Schema.Int }), success: Schema.Int })
const kit = Toolkit.make(Add)
const kitLive = kit.toLayer({ Add: ({ a, b }) => Effect.succeed(a + b) })

const run = <A, E>(
  turns: ReadonlyArray<ScriptedModel.Turn>,
  program: Effect.Effect<
    A,
    E,
    MiniAgents.MiniAgents | LanguageModel.LanguageModel | ScriptedModel.ScriptedModel | Tool.Handler<"Add">
  >
) => program.pipe(Effect.provide([MiniAgents.layer(), ScriptedModel.layer(turns), kitLive]))

const requests = Effect.flatMap(ScriptedModel.ScriptedModel, (script) => script.requests)
const brief = (message: Message.Message) => `${message._tag}: ${message}`
const briefs = (messages: ReadonlyArray<Message.Message>) => messages.map(brief)

describe("LlmAgent with tools", () => {
  it.effect("runs the tools and asks again until the model is done, each call with its result", () =>
    run(
      [
        turn(text("let me add"), toolCall("Add", { a: 1, b: 2 }, "1"), toolCall("Add", { a: 3, b: 4 }, "2")),
        turn(toolCall("Add", { a: 3, b: 7 }, "3")),
        turn(text("10"))
      ],
      Effect.gen(function* () {
        const agent = LlmAgent.make("Adder", { toolkit: kit })
        expectTypeOf(agent).toEqualTypeOf<
          Agent.Agent<
            LlmAgent.Parameters,
            AiError.AiError | Budget.BudgetExceeded | LlmAgent.TooManySteps | InteractionContext.Upstream,
            LanguageModel.LanguageModel | Tool.Handler<"Add">
          >
        >()
        const messages = yield* (yield* agent.trigger("1+2+(3+4)?")).messages
        assert.deepStrictEqual(briefs(messages), [
          "Assistant: let me add",
          'ToolCall: Add({"a":1,"b":2})',
          "ToolResult: 3",
          'ToolCall: Add({"a":3,"b":4})',
          "ToolResult: 7",
          'ToolCall: Add({"a":3,"b":7})',
          "ToolResult: 10",
          "Assistant: 10"
        ])
        assert.deepInclude({ ...messages[1] } as object, { agent: "Adder", step: 1, id: "1" })
        const asked = yield* requests
        assert.deepStrictEqual(
          asked.map((request) => request.tools),
          [["Add"], ["Add"], ["Add"]]
        )
        assert.strictEqual(
          asked[2]?.text,
          [
            "user: 1+2+(3+4)?",
            'assistant: let me add Add({"a":1,"b":2}) Add({"a":3,"b":4})',
            "tool: Add=3 Add=7",
            'assistant: Add({"a":3,"b":7})',
            "tool: Add=10"
          ].join("\n")
        )
      })
    )
  )

  it.effect("the replies given back as history are the same prompt", () =>
    run(
      [turn(text("let me add"), toolCall("Add", { a: 1, b: 2 }, "1")), turn(text("3")), turn(text("ok"))],
      Effect.gen(function* () {
        const agent = LlmAgent.make("Adder", { toolkit: kit })
        const replies = yield* agent.trigger("1+2?")
        yield* (yield* agent.trigger(["1+2?", replies, "sure?"])).messages
        assert.strictEqual(
          (yield* requests)[2]?.text,
          'user: 1+2?\nassistant: let me add Add({"a":1,"b":2})\ntool: Add=3\nassistant: 3\nuser: sure?'
        )
      })
    )
  )

  it.effect("calls of one step run at the same time, and their results come in the order of the calls", () =>
    Effect.gen(function* () {
      const Wait = Tool.make("Wait", { parameters: Schema.Struct({ n: Schema.Int }), success: Schema.Int })
      const second = yield* Deferred.make<void>()
      const tools = Toolkit.make(Wait)
      const live = tools.toLayer({
        Wait: ({ n }) => Effect.as(n === 1 ? Deferred.await(second) : Deferred.succeed(second, undefined), n)
      })
      const agent = LlmAgent.make("A", { toolkit: tools })
      const messages = yield* (yield* agent.trigger("go").pipe(Effect.provide(live))).messages
      assert.deepStrictEqual(
        briefs(messages).filter((text) => text.startsWith("ToolResult")),
        ["ToolResult: 1", "ToolResult: 2"]
      )
    }).pipe(
      Effect.provide([
        MiniAgents.layer(),
        ScriptedModel.layer([turn(toolCall("Wait", { n: 1 }), toolCall("Wait", { n: 2 })), turn(text("done"))])
      ])
    )
  )

  it.effect("stops with a typed error when the model is not done in time", () =>
    run(
      [turn(toolCall("Add", { a: 1, b: 1 })), turn(toolCall("Add", { a: 1, b: 1 }))],
      Effect.gen(function* () {
        const replies = yield* LlmAgent.make("A", { toolkit: kit, maxSteps: 2 }).trigger(
          "go",
          {},
          { errorsAsMessages: true }
        )
        assert.deepStrictEqual(
          (yield* replies.messages).map((message) => message._tag),
          ["ToolCall", "ToolResult", "ToolCall", "Failure"]
        )
        assert.include(yield* replies.text, "TooManySteps: The model of `A` was not done after 2 requests")
      })
    )
  )

  it.effect("tells the model what it got wrong: a tool that is not there, parameters that do not fit", () =>
    run(
      [turn(toolCall("Sub", {}, "1"), toolCall("Add", { a: "x" }, "2")), turn(text("sorry"))],
      Effect.gen(function* () {
        const messages = yield* (yield* LlmAgent.make("A", { toolkit: kit }).trigger("go")).messages
        const results = messages.filter((message) => message instanceof LlmMessage.ToolResult)
        assert.deepStrictEqual(
          results.map((result) => result.isFailure),
          [true, true]
        )
        assert.include(String(results[0]), "Sub")
        assert.include(String(results[1]), "Add")
        assert.strictEqual(brief(messages[messages.length - 1]!), "Assistant: sorry")
      })
    )
  )

  it.effect("does not run the calls of a response that was cut short", () =>
    run(
      [turn(toolCall("Add", { a: 1, b: 1 }), ScriptedModel.finish("length"))],
      Effect.gen(function* () {
        const messages = yield* (yield* LlmAgent.make("A", { toolkit: kit }).trigger("go")).messages
        const [, result] = messages
        assert.isTrue(result instanceof LlmMessage.ToolResult && result.isFailure)
        assert.include(String(result), "`length`")
      })
    )
  )

  it.effect("fails with what a tool fails with, at the place of its call, after the others are done", () =>
    Effect.gen(function* () {
      const tools = Toolkit.make(
        Tool.make("Break", { failure: Broken }),
        Tool.make("Soft", { success: Schema.String, failure: Broken, failureMode: "return" })
      )
      const live = tools.toLayer({
        Break: () => Effect.fail(new Broken({ why: "hard" })),
        Soft: () => Effect.fail(new Broken({ why: "soft" }))
      })
      const agent = LlmAgent.make("A", { toolkit: tools })
      const replies = yield* agent.trigger("go").pipe(Effect.provide(live))
      expectTypeOf(replies.messages).toEqualTypeOf<
        Effect.Effect<
          ReadonlyArray<Message.Message>,
          AiError.AiError | Budget.BudgetExceeded | LlmAgent.TooManySteps | Broken
        >
      >()
      assert.deepStrictEqual(yield* Effect.flip(replies.messages), new Broken({ why: "hard" }))
      const seen = yield* replies.pipe(
        Stream.mapEffect((promise) => promise.message),
        Stream.map(brief),
        Stream.catch(() => Stream.empty),
        Stream.runCollect
      )
      assert.deepStrictEqual(seen, [
        "ToolCall: Soft({})",
        'ToolResult: {"_tag":"Broken","why":"soft"}',
        "ToolCall: Break({})"
      ])
    }).pipe(
      Effect.provide([
        MiniAgents.layer(),
        ScriptedModel.layer([turn(toolCall("Soft", {}, "s"), toolCall("Break", {}, "b"))])
      ])
    )
  )

  it.effect("a failure of the stream after a call stands after that call, which is not made", () =>
    run(
      [
        turn(
          toolCall("Add", { a: 1, b: 1 }),
          ScriptedModel.fail(new AiError.InternalProviderError({ description: "x" }))
        )
      ],
      Effect.gen(function* () {
        const replies = yield* LlmAgent.make("A", { toolkit: kit }).trigger("go", {}, { errorsAsMessages: true })
        assert.deepStrictEqual(
          (yield* replies.messages).map((message) => message._tag),
          ["ToolCall", "Failure"]
        )
      })
    )
  )

  it.effect("interrupting the agent interrupts its tools", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const started = yield* Deferred.make<void>()
      const tools = Toolkit.make(Tool.make("Hang"))
      const live = tools.toLayer({
        Hang: () =>
          Deferred.succeed(started, undefined).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
          )
      })
      const call = yield* LlmAgent.make("A", { toolkit: tools }).call().pipe(Effect.provide(live))
      const replies = yield* call.replies()
      yield* Deferred.await(started)
      yield* call.interrupt
      yield* Deferred.await(interrupted)
      assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(replies.messages)))
      yield* Effect.yieldNow
      assert.strictEqual(yield* MiniAgents.running, 0)
    }).pipe(Effect.provide([MiniAgents.layer(), ScriptedModel.layer([turn(toolCall("Hang", {}))])]))
  )

  it.effect("what a tool needs for each request is required of the caller", () =>
    Effect.gen(function* () {
      class User extends Context.Service<User, string>()("User") {}
      const tools = Toolkit.make(Tool.make("WhoAmI", { success: Schema.String, dependencies: [User] }))
      const live = tools.toLayer({ WhoAmI: () => User })
      const agent = LlmAgent.make("A", { toolkit: tools })
      expectTypeOf(agent).toExtend<
        Agent.Agent<LlmAgent.Parameters, unknown, LanguageModel.LanguageModel | User | Tool.Handler<"WhoAmI">>
      >()
      const replies = yield* agent.trigger("go").pipe(Effect.provideService(User, "Ann"), Effect.provide(live))
      assert.include((yield* replies.messages).map(String), "Ann")
    }).pipe(Effect.provide([MiniAgents.layer(), ScriptedModel.layer([turn(toolCall("WhoAmI", {})), turn(text("ok"))])]))
  )
})

describe("Approval", () => {
  const secret = Toolkit.make(
    Tool.make("Delete", {
      parameters: Schema.Struct({ path: Schema.String }),
      success: Schema.String,
      needsApproval: true
    }),
    Tool.make("Read", {
      parameters: Schema.Struct({ path: Schema.String }),
      success: Schema.String,
      needsApproval: ({ path }) => path.startsWith("/")
    })
  )
  const ran = Ref.makeUnsafe<ReadonlyArray<string>>([])
  const note = (text: string) =>
    Effect.as(
      Ref.update(ran, (all) => [...all, text]),
      "done"
    )
  const secretLive = secret.toLayer({
    Delete: ({ path }) => note(`delete ${path}`),
    Read: ({ path }) => note(`read ${path}`)
  })
  const turns = [
    turn(
      toolCall("Delete", { path: "/a" }, "1"),
      toolCall("Read", { path: "b" }, "2"),
      toolCall("Read", { path: "/c" }, "3")
    ),
    turn(text("ok"))
  ]
  const results = (approve: Layer.Layer<never>) =>
    Effect.gen(function* () {
      yield* Ref.set(ran, [])
      const replies = yield* LlmAgent.make("A", { toolkit: secret }).trigger("go")
      const messages = yield* replies.messages
      return messages.filter((message) => message instanceof LlmMessage.ToolResult).map(String)
    }).pipe(Effect.provide([MiniAgents.layer(), ScriptedModel.layer(turns), secretLive, approve]))

  it.effect("without anyone to ask, calls that need approval are denied and the model is told", () =>
    Effect.gen(function* () {
      const denied = '{"type":"execution-denied","reason":"nobody is there to approve it"}'
      assert.deepStrictEqual(yield* results(Layer.empty), [denied, "done", denied])
      assert.deepStrictEqual(yield* Ref.get(ran), ["read b"])
    })
  )

  it.effect("who is asked sees the call, the tool and the agents, and decides", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const approve = Approval.layer(({ call, tool, trace }) =>
        Effect.sync(() => {
          asked.push(`${trace.join()} ${tool.name} ${call}`)
          return call.name === "Read" ? Approval.approved : Approval.denied("never")
        })
      )
      assert.deepStrictEqual(yield* results(approve), ['{"type":"execution-denied","reason":"never"}', "done", "done"])
      assert.deepStrictEqual(asked, ['A Delete Delete({"path":"/a"})', 'A Read Read({"path":"/c"})'])
      assert.deepStrictEqual(yield* Ref.get(ran), ["read b", "read /c"])
    })
  )
})

describe("LlmAgent.makeObject with tools", () => {
  class Sum extends Message.Class<Sum>()("Sum", { value: Schema.Int }) {}
  const agent = LlmAgent.makeObject("Adder", { toolkit: kit, schema: Sum, maxSteps: 2 })

  it.effect("uses its tools visibly, and then fills in the message from what they gave", () =>
    run(
      [turn(toolCall("Add", { a: 1, b: 2 }, "1")), turn(text("done")), turn(text('{"value":3}'))],
      Effect.gen(function* () {
        expectTypeOf(agent).toEqualTypeOf<
          LlmAgent.ObjectAgent<
            Sum,
            (typeof Sum)["Encoded"],
            LlmAgent.Parameters,
            AiError.AiError | Budget.BudgetExceeded | LlmAgent.TooManySteps | InteractionContext.Upstream,
            LanguageModel.LanguageModel | Tool.Handler<"Add">
          >
        >()
        const messages = yield* (yield* agent.trigger("1+2?")).messages
        assert.deepStrictEqual(briefs(messages.slice(0, 3)), [
          'ToolCall: Add({"a":1,"b":2})',
          "ToolResult: 3",
          "Assistant: done"
        ])
        assert.deepEqual({ ...messages[3] }, { _tag: "Sum", value: 3, metadata: {} })
        assert.strictEqual(messages.length, 4)
        const asked = yield* requests
        assert.deepStrictEqual(
          asked.map(({ responseFormat, tools }) => [responseFormat, tools]),
          [
            ["text", ["Add"]],
            ["text", ["Add"]],
            ["json", []]
          ]
        )
        // the model does not go on from its own words: what providers would take as the beginning of the object
        assert.strictEqual(asked[2]?.text, 'user: 1+2?\nassistant: Add({"a":1,"b":2})\ntool: Add=3')
      })
    )
  )

  it.effect("is not asked for a message when it was not done in time, or broke off", () =>
    Effect.gen(function* () {
      const call = turn(toolCall("Add", { a: 1, b: 2 }))
      const late = yield* run([call, call], Effect.flip(Effect.flatMap(agent.trigger("go"), (all) => all.messages)))
      assert.strictEqual(late._tag, "TooManySteps")
      const overloaded = new AiError.InternalProviderError({ description: "overloaded" })
      const broken = turn(text("I am"), ScriptedModel.fail(overloaded))
      const replies = agent.trigger("go", {}, { errorsAsMessages: true })
      const messages = yield* run(
        [broken],
        Effect.flatMap(replies, (replies) => replies.messages)
      )
      assert.deepStrictEqual(
        messages.map((message) => message._tag),
        ["Failure"]
      )
    })
  )
})
