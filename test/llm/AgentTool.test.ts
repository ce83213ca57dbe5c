/** Agents as tools: what they are called with, what is seen of them, and what they fail with and require. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Context, Deferred, Effect, Schema, Stream } from "effect"
import type { AiError, LanguageModel } from "effect/ai"
import { Tool, Toolkit } from "effect/ai"
import type { InteractionContext, MessageSequence } from "miniagents"
import { Agent, Message, MessagePromise, MiniAgents } from "miniagents"
import type { Budget } from "miniagents/llm"
import { AgentTool, LlmAgent, LlmMessage } from "miniagents/llm"
import { ScriptedModel } from "miniagents/testing"

const { text, toolCall, turn, when } = ScriptedModel

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { query: Schema.String }) {}
class Index extends Context.Service<Index, (query: string) => Effect.Effect<string, NotFound>>()("Index") {}

const search = Agent.make(
  "Search",
  { description: "Finds pages", parameters: { query: Schema.String } },
  Effect.fnUntraced(function* (ctx) {
    const find = yield* Index
    yield* ctx.reply(`looking for ${ctx.parameters.query}`)
    yield* ctx.reply(yield* find(ctx.parameters.query))
  })
)

const found = Index.context((query) =>
  query === "nothing" ? Effect.fail(new NotFound({ query })) : Effect.succeed(`a page about ${query}`)
)

const provide = (turns: ReadonlyArray<ScriptedModel.Turn>) =>
  Effect.provide([MiniAgents.layer(), ScriptedModel.layer(turns)])

const brief = (message: Message.Message) => `${message._tag}: ${message}`
/** All that is in the replies, also what was said inside of a tool. */
const all = <E, R>(replies: Effect.Effect<MessageSequence.MessageSequence<E>, never, R>) =>
  Effect.map(
    Effect.flatMap(replies, (replies) => replies.messages),
    (messages) => messages.map(String).join("\n")
  )
const requests = Effect.flatMap(ScriptedModel.ScriptedModel, (script) => script.requests)

describe("AgentTool", () => {
  it.effect("calls an agent with its parameters, and shows what it says between the call and the result", () =>
    Effect.gen(function* () {
      const agent = LlmAgent.make("Researcher", { toolkit: AgentTool.toolkit(AgentTool.make(search)) })
      expectTypeOf(agent).toEqualTypeOf<
        Agent.Agent<
          LlmAgent.Parameters,
          AiError.AiError | Budget.BudgetExceeded | LlmAgent.TooManySteps | NotFound | InteractionContext.Upstream,
          LanguageModel.LanguageModel | Index | MiniAgents.MiniAgents
        >
      >()
      const messages = yield* (yield* agent.trigger("effect?").pipe(Effect.provide(found))).messages
      assert.deepStrictEqual(messages.map(brief), [
        'ToolCall: Search({"query":"effect"})',
        "Text: looking for effect",
        "Text: a page about effect",
        "ToolResult: looking for effect\n\na page about effect",
        "Assistant: done"
      ])
      assert.deepStrictEqual((yield* requests)[0]?.tools, ["Search"])
    }).pipe(provide([turn(toolCall("Search", { query: "effect" })), turn(text("done"))]))
  )

  it("describes itself to the model as the agent does", () => {
    const tool = AgentTool.make(search)
    assert.strictEqual(Tool.getDescription(tool), "Finds pages")
    assert.deepInclude(Tool.getJsonSchema(tool), { required: ["query"] })
    const echo = AgentTool.make(
      Agent.make("Echo", (ctx) => ctx.reply(ctx.messages)),
      { name: "echo" }
    )
    expectTypeOf(echo.name).toEqualTypeOf<"echo">()
    assert.deepInclude(Tool.getJsonSchema(echo), { required: ["message"] })
    assert.deepInclude(Tool.getJsonSchema(AgentTool.make(LlmAgent.make("Sub"))), { required: ["message"] })
  })

  it.effect("what the agent says is seen while it still works", () =>
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const slow = Agent.make(
        "Slow",
        Effect.fnUntraced(function* (ctx) {
          yield* ctx.reply(
            yield* MessagePromise.fromStream(
              Stream.concat(Stream.make("half"), Stream.fromEffectDrain(Deferred.await(go)))
            )
          )
        })
      )
      const agent = LlmAgent.make("A", { toolkit: AgentTool.toolkit(AgentTool.make(slow)) })
      const replies = yield* agent.trigger("go")
      const tokens = yield* replies.pipe(
        Stream.drop(1),
        Stream.flatMap((promise) => promise),
        Stream.take(1),
        Stream.runCollect
      )
      assert.deepStrictEqual(tokens, ["half"])
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual(
        (yield* replies.messages).map((message) => message._tag),
        ["ToolCall", "Text", "ToolResult", "Assistant"]
      )
    }).pipe(provide([turn(toolCall("Slow", { message: "hi" })), turn(text("done"))]))
  )

  it.effect("shows agents below agents at any depth, with the calls they were said in", () =>
    Effect.gen(function* () {
      const inner = LlmAgent.make("Inner", { system: "inner", toolkit: AgentTool.toolkit(AgentTool.make(search)) })
      const middle = LlmAgent.make("Middle", { system: "middle", toolkit: AgentTool.toolkit(AgentTool.make(inner)) })
      const outer = LlmAgent.make("Outer", { system: "outer", toolkit: AgentTool.toolkit(AgentTool.make(middle)) })
      const messages = yield* (yield* outer.trigger("go").pipe(Effect.provide(found))).messages
      assert.deepStrictEqual(
        LlmMessage.scopes(messages).map(
          ({ calls, message }) => `${calls.map((call) => call.name).join("/")} ${brief(message)}`
        ),
        [
          ' ToolCall: Middle({"message":"m"})',
          'Middle ToolCall: Inner({"message":"i"})',
          'Middle/Inner ToolCall: Search({"query":"q"})',
          "Middle/Inner/Search Text: looking for q",
          "Middle/Inner/Search Text: a page about q",
          "Middle/Inner ToolResult: looking for q\n\na page about q",
          "Middle/Inner Assistant: inner done",
          "Middle ToolResult: inner done",
          "Middle Assistant: middle done",
          " ToolResult: middle done",
          " Assistant: outer done"
        ]
      )
      assert.deepStrictEqual(
        LlmMessage.outermost(messages).map((message) => message._tag),
        ["ToolCall", "ToolResult", "Assistant"]
      )
    }).pipe(
      provide(
        [
          ["outer", "Middle", { message: "m" }],
          ["middle", "Inner", { message: "i" }],
          ["inner", "Search", { query: "q" }]
        ].flatMap(([who, tool, params]) => {
          const mine = (request: ScriptedModel.Request) => request.text.startsWith(`system: ${String(who)}`)
          return [
            when(turn(toolCall(String(tool), params as {}, String(who))), mine),
            when(turn(text(`${String(who)} done`)), mine)
          ]
        })
      )
    )
  )

  it.effect("its failure is the failure of who called, once and at its place", () =>
    Effect.gen(function* () {
      const agent = LlmAgent.make("A", { toolkit: AgentTool.toolkit(AgentTool.make(search)) })
      const replies = yield* agent.trigger("go").pipe(Effect.provide(found))
      assert.deepStrictEqual(yield* Effect.flip(replies.messages), new NotFound({ query: "nothing" }))
    }).pipe(provide([turn(toolCall("Search", { query: "nothing" }))]))
  )

  it.effect("as messages, its failure stands there once", () =>
    Effect.gen(function* () {
      const agent = LlmAgent.make("A", { toolkit: AgentTool.toolkit(AgentTool.make(search)) })
      const replies = yield* agent.trigger("go", {}, { errorsAsMessages: true }).pipe(Effect.provide(found))
      assert.deepStrictEqual(
        (yield* replies.messages).map((message) => message._tag),
        ["ToolCall", "Text", "Failure"]
      )
    }).pipe(provide([turn(toolCall("Search", { query: "nothing" }))]))
  )

  it.effect("in a runtime that takes errors as messages, its failure stands there once as well", () =>
    Effect.gen(function* () {
      const agent = LlmAgent.make("A", { toolkit: AgentTool.toolkit(AgentTool.make(search)) })
      const replies = yield* agent.trigger("go").pipe(Effect.provide(found))
      const messages = yield* Effect.orDie(replies.messages)
      assert.deepStrictEqual(
        messages.map((message) => message._tag),
        ["ToolCall", "Text", "Failure"]
      )
    }).pipe(
      Effect.provide([
        MiniAgents.layer({ errorsAsMessages: true }),
        ScriptedModel.layer([turn(toolCall("Search", { query: "nothing" }))])
      ])
    )
  )

  it.effect("its failure can be told to the model instead, and is then seen as a message", () =>
    Effect.gen(function* () {
      const tool = AgentTool.make(search, { failureMode: "return" })
      const agent = LlmAgent.make("A", { toolkit: AgentTool.toolkit(tool) })
      const replies = yield* agent.trigger("go").pipe(Effect.provide(found))
      expectTypeOf(replies.messages).toEqualTypeOf<
        Effect.Effect<ReadonlyArray<Message.Message>, AiError.AiError | Budget.BudgetExceeded | LlmAgent.TooManySteps>
      >()
      const messages = yield* replies.messages
      assert.deepStrictEqual(
        messages.map((message) => message._tag),
        ["ToolCall", "Text", "Failure", "ToolResult", "Assistant"]
      )
      assert.isTrue(messages[3] instanceof LlmMessage.ToolResult && messages[3].isFailure)
      assert.include(String(messages[3]), "NotFound")
    }).pipe(provide([turn(toolCall("Search", { query: "nothing" })), turn(text("sorry"))]))
  )

  it.effect("stands beside other tools", () =>
    Effect.gen(function* () {
      const tool = AgentTool.make(search, { name: "Search" })
      const kit = Toolkit.make(tool, Tool.make("GetTime", { success: Schema.String }))
      const live = kit.toLayer({ ...AgentTool.handlers(tool), GetTime: () => Effect.succeed("noon") })
      const agent = LlmAgent.make("A", { toolkit: kit })
      const replies = yield* agent.trigger("go").pipe(Effect.provide(live), Effect.provide(found))
      assert.include(yield* all(Effect.succeed(replies)), "noon")
      assert.include(yield* all(Effect.succeed(replies)), "a page about x")
      assert.strictEqual(yield* replies.text, "ok")
    }).pipe(provide([turn(toolCall("Search", { query: "x" }), toolCall("GetTime", {})), turn(text("ok"))]))
  )

  it.effect("an agent that is a service becomes a tool as well", () =>
    Effect.gen(function* () {
      class Writer extends Agent.Service<Writer>()("Writer", {
        parameters: { tone: Schema.String },
        error: NotFound
      }) {}
      const live = Writer.toLayer(
        Effect.fnUntraced(function* (ctx) {
          yield* ctx.reply(`a ${ctx.parameters.tone} text`)
        })
      )
      const agent = LlmAgent.make("A", { toolkit: AgentTool.toolkit(AgentTool.make(Writer.fork())) })
      expectTypeOf(agent).toExtend<
        Agent.Agent<LlmAgent.Parameters, unknown, LanguageModel.LanguageModel | Writer | MiniAgents.MiniAgents>
      >()
      const replies = yield* agent.trigger("go").pipe(Effect.provide(live))
      assert.include(yield* all(Effect.succeed(replies)), "a dry text")
    }).pipe(provide([turn(toolCall("Writer", { tone: "dry" })), turn(text("ok"))]))
  )

  it.effect("an agent whose name is no name of a tool is one under the nearest name that is", () =>
    Effect.gen(function* () {
      const webSearch = Agent.make("Web Search (fast)", (ctx) => ctx.reply("found"))
      const agent = LlmAgent.make("A", { toolkit: AgentTool.toolkit(AgentTool.make(webSearch)) })
      assert.include(yield* all(agent.trigger("go")), "found")
      assert.deepStrictEqual((yield* requests)[0]?.tools, ["Web_Search_fast_"])
    }).pipe(provide([turn(toolCall("Web_Search_fast_", { message: "q" })), turn(text("ok"))]))
  )

  it("a given name that no provider takes is refused by name, and so are two tools of one name", () => {
    for (const name of ["Web Search", "", "x".repeat(65)]) {
      assert.throws(() => AgentTool.make(search, { name }), `the tool of \`Search\` cannot be made: \`${name}\``)
    }
    const other = Agent.make("Se arch", (ctx) => ctx.reply("x"))
    const tools = [AgentTool.make(search, { name: "Se_arch" }), AgentTool.make(other)] as const
    assert.throws(() => AgentTool.toolkit(...tools), "two tools have the name `Se_arch`")
    assert.throws(() => AgentTool.handlers(...tools), "the tool of `Se arch` another `name`")
    assert.throws(() => AgentTool.handlers(Tool.make("GetTime")), "`GetTime` is no agent")
  })

  it.effect("any tool with such a name is refused by name before any request", () =>
    Effect.gen(function* () {
      const kit = Toolkit.make(Tool.make("get time", { success: Schema.String }))
      const live = kit.toLayer({ "get time": () => Effect.succeed("noon") })
      const replies = yield* LlmAgent.make("A", { toolkit: kit }).trigger("go").pipe(Effect.provide(live))
      const exit = yield* Effect.exit(replies.messages)
      assert.include(String(exit), "`get time` is no name of a tool")
      assert.lengthOf(yield* requests, 0)
    }).pipe(provide([]))
  )

  it.effect("is still its agent where a tool is described anew", () =>
    Effect.gen(function* () {
      const tool = AgentTool.make(Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))).annotate(Tool.Title, "An echo")
      const agent = LlmAgent.make("A", { toolkit: AgentTool.toolkit(tool) })
      assert.include(yield* all(agent.trigger("go")), "hello")
    }).pipe(provide([turn(toolCall("Echo", { message: "hello" })), turn(text("ok"))]))
  )

  it.effect("is no part of the answer, at any depth, nor is what is called and thought on the way", () =>
    Effect.gen(function* () {
      const deep = Agent.make("Deep", (ctx) => ctx.reply("at the bottom"))
      const middle = LlmAgent.make("Middle", { toolkit: AgentTool.toolkit(AgentTool.make(deep)), system: "middle" })
      const outer = LlmAgent.make("Outer", { toolkit: AgentTool.toolkit(AgentTool.make(middle)) })
      const relay = Agent.make(
        "Relay",
        Effect.fnUntraced(function* (ctx) {
          yield* ctx.reply(["first", yield* outer.trigger("go")])
        })
      )
      const replies = yield* relay.trigger()
      assert.strictEqual(yield* replies.text, "first\n\nwait\n\nthe answer")
      assert.strictEqual(yield* replies.single().message.pipe(Effect.map(String)), yield* replies.text)
      assert.strictEqual(yield* Stream.mkString(replies.single()), yield* replies.text)
      assert.deepStrictEqual(
        (yield* replies.messages).map((message) => message._tag),
        [
          ...["Text", "Reasoning", "Assistant", "ToolCall"],
          ...["ToolCall", "Text", "ToolResult", "Assistant"],
          ...["ToolResult", "Assistant"]
        ]
      )
      const known = yield* Stream.runCollect(Stream.map(replies, (promise) => promise.known.aside === true))
      assert.deepStrictEqual(known, [false, true, false, true, true, true, true, true, true, false])
      // what the model above is told is what the agent said itself
      const [told] = (yield* replies.messages).filter((message) => message instanceof LlmMessage.ToolResult).slice(-1)
      assert.strictEqual(String(told), "from below")
    }).pipe(
      provide([
        when(turn(toolCall("Deep", { message: "x" })), (request) => request.text.endsWith("user: y")),
        when(turn(text("from below")), (request) => request.text.startsWith("system: middle")),
        turn(ScriptedModel.reasoning("hm"), text("wait"), toolCall("Middle", { message: "y" })),
        turn(text("the answer"))
      ])
    )
  )

  it.effect("agents given by names are tools of these names, also in the type", () =>
    Effect.gen(function* () {
      const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
      const kit = AgentTool.toolkit({ Repeat: echo, Ask: LlmAgent.make("B") })
      type Names = Effect.Success<typeof kit>["tools"]
      expectTypeOf<keyof Names>().toEqualTypeOf<"Ask" | "Repeat">()
      const { tools } = yield* kit
      assert.deepStrictEqual(Object.keys(tools), ["Repeat", "Ask"])
      const messages = yield* (yield* LlmAgent.make("A", { toolkit: kit }).trigger("Hi")).messages
      assert.deepStrictEqual(messages.map(String), ['Repeat({"message":"x"})', "x", "x", "done"])
      assert.throws(() => AgentTool.toolkit({ "no name": echo }), "no_name")
    }).pipe(provide([turn(toolCall("Repeat", { message: "x" })), turn(text("done"))]))
  )

  it.effect(
    "what an agent said as a tool is no answer of the one that called it, also when the turn was cancelled",
    () =>
      Effect.gen(function* () {
        const inner = LlmAgent.make("Inner")
        const outer = LlmAgent.make("Outer", { toolkit: AgentTool.toolkit({ Inner: inner }) })
        const call = yield* outer.call()
        yield* call.send(Message.user("Find it"))
        const replies = yield* call.replies()
        const [asked, said] = yield* Stream.runCollect(Stream.take(replies, 2))
        assert.isTrue(said?.known.aside)
        yield* Stream.runCollect(Stream.take(said!, 1))
        yield* call.interrupt
        const kept = [
          Message.user("Find it"),
          yield* asked!.message,
          new Message.Assistant({ content: "half", agent: "Inner" })
        ]
        yield* (yield* outer.trigger([...kept, Message.user("Again")])).messages
        const script = yield* ScriptedModel.ScriptedModel
        const last = (yield* script.requests).at(-1)
        assert.strictEqual(last?.text, "user: Find it\nuser: Again")
      }).pipe(
        provide([turn(toolCall("Inner", { message: "x" })), turn(text("half"), ScriptedModel.hang), turn(text("done"))])
      )
  )
})
