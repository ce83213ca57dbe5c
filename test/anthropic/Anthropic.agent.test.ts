/** The agent of Anthropic's models: what its requests hold for what it is given. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema, Stream } from "effect"
import { LanguageModel, Prompt, Tool, Toolkit } from "effect/ai"
import { Agent, Message, MiniAgents } from "miniagents"
import { Anthropic } from "miniagents/anthropic"
import { LlmAgent, LlmPrompt } from "miniagents/llm"
import { block, finish, start, stop, whole } from "./Anthropic.wire.ts"
import * as Loopback from "../llm/Loopback.ts"

/** Runs a program with agents over a client that reaches a server which always says "Hi there". */
const run = <A, E>(
  program: (server: Loopback.Loopback) => Effect.Effect<A, E, MiniAgents.MiniAgents | Anthropic.Client>,
  events: ReadonlyArray<string> = whole({ text: ["Hi ", "there"], usage: [7, 3] })
) =>
  Effect.gen(function* () {
    const server = yield* Loopback.serve(Loopback.stream(events))
    return yield* Effect.provide(program(server), [MiniAgents.layer(), Anthropic.layer({ baseUrl: server.url })])
  })

const claude = Anthropic.agent.fork({ name: "Claude", parameters: { model: "claude-haiku" } })

const text = (text: string) => [{ type: "text", text }]

describe("Anthropic.agent", () => {
  it.effect("sends what a fork and a trigger say, and replies as an assistant", () =>
    run((server) =>
      Effect.gen(function* () {
        const replies = yield* claude.trigger("Hello, how are you?", {
          system: "You are a helpful assistant.",
          maxTokens: 50,
          temperature: 0.7
        })
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.flatMap(replies, (promise) => promise)), [
          "Hi ",
          "there"
        ])
        assert.strictEqual(server.received[0]?.url, "/v1/messages")
        assert.deepStrictEqual(server.received[0]?.body, {
          model: "claude-haiku",
          max_tokens: 50,
          temperature: 0.7,
          system: text("You are a helpful assistant."),
          messages: [{ role: "user", content: text("Hello, how are you?") }],
          stream: true
        })
        const [message] = yield* replies.messages
        assert.deepStrictEqual(
          { ...message },
          {
            _tag: "Assistant",
            content: "Hi there",
            agent: "Claude",
            model: "claude-haiku",
            step: 1,
            responseId: "response-1",
            finishReason: "stop",
            usage: { inputTokens: 7, outputTokens: 3 },
            metadata: {}
          }
        )
      })
    )
  )

  it.effect("takes the model with each trigger, and knows itself and the model before the first token", () =>
    run((server) =>
      Effect.gen(function* () {
        const replies = yield* Anthropic.agent.trigger("Hi", { model: "claude-opus" })
        const known = yield* Stream.runCollect(Stream.map(replies, (promise) => promise.known))
        assert.deepStrictEqual(known, [{ _tag: "Assistant", agent: "Anthropic_Agent", model: "claude-opus", step: 1 }])
        assert.deepInclude(server.received[0]?.body, { model: "claude-opus", max_tokens: 4096 })
      })
    )
  )

  it.effect("passes every other parameter of the API on, under those that have a name of their own", () =>
    run((server) =>
      Effect.gen(function* () {
        const agent = claude.fork({
          parameters: { config: { max_tokens: 9, stop_sequences: ["END"], system: "Speak Latin" } }
        })
        yield* (yield* agent.trigger("Hi", { maxTokens: 5, system: "Be brief" })).messages
        yield* (yield* agent.trigger("Hi").pipe(Anthropic.withConfig({ service_tier: "auto" }))).messages
        const messages = [{ role: "user", content: text("Hi") }]
        const both = { model: "claude-haiku", stop_sequences: ["END"], messages, stream: true }
        assert.deepStrictEqual(
          server.received.map(({ body }) => body),
          [
            { ...both, max_tokens: 5, system: [...text("Speak Latin"), ...text("Be brief")] },
            { ...both, max_tokens: 9, service_tier: "auto", system: text("Speak Latin") }
          ]
        )
      })
    )
  )

  it.effect("sends the system texts first and as one, and neighbours of the same role as one message", () =>
    run((server) =>
      Effect.gen(function* () {
        const messages = [
          Message.user("a"),
          "b",
          Message.system("Be kind"),
          Message.user("c"),
          Message.assistant("d"),
          Message.assistant("e"),
          Message.user("f")
        ]
        yield* (yield* claude.trigger(messages, { system: "Be brief" })).messages
        assert.deepInclude(server.received[0]?.body, {
          system: text("Be brief\n\nBe kind"),
          messages: [
            { role: "user", content: text("a\n\nb\n\nc") },
            { role: "assistant", content: text("d\n\ne") },
            { role: "user", content: text("f") }
          ]
        })
      })
    )
  )

  it.effect.each<[string, ReadonlyArray<Message.Message>, ReadonlyArray<object>]>([
    [
      "an assistant",
      [Message.assistant("Welcome"), Message.user("Hi")],
      [{ role: "assistant", content: text("Welcome") }]
    ],
    ["nobody", [], []],
    ["the system alone", [Message.system("Be brief")], []]
  ])("puts `/start` of a user before what begins with %s", ([, messages, more]) =>
    run((server) =>
      Effect.gen(function* () {
        yield* (yield* claude.trigger(messages)).messages
        const sent = Loopback.bodyField(server, "messages") as ReadonlyArray<unknown>
        assert.deepStrictEqual(sent.slice(0, 2), [{ role: "user", content: text("/start") }, ...more])
      })
    )
  )

  it.effect("lets a rule that the caller has set have the last word", () =>
    run((server) =>
      Effect.gen(function* () {
        const latin: LlmPrompt.Rule = (prompt) =>
          Prompt.fromMessages([...prompt.content, Prompt.makeMessage("system", { content: "Speak Latin" })])
        yield* (yield* claude.trigger([Message.user("a"), "b"], { system: "Be brief" }).pipe(LlmPrompt.withRule(latin)))
          .messages
        assert.deepInclude(server.received[0]?.body, {
          system: [...text("Be brief"), ...text("Speak Latin")],
          messages: [{ role: "user", content: text("a\n\nb") }]
        })
      })
    )
  )

  it.effect("gives what a model thinks as a message before what it says, and sends it back signed", () =>
    run(
      (server) =>
        Effect.gen(function* () {
          const messages = yield* (yield* claude.trigger("Hi")).messages
          assert.deepStrictEqual(
            messages.map((message) => `${message._tag}: ${message}`),
            ["Reasoning: hm", "Assistant: a"]
          )
          yield* (yield* claude.trigger(["Hi", messages, "More"])).messages
          const sent = Loopback.bodyField(server, "messages", 1) as ReadonlyArray<unknown>
          assert.deepStrictEqual(sent[1], {
            role: "assistant",
            content: [{ type: "thinking", thinking: "hm", signature: "s" }, ...text("a")]
          })
        }),
      [
        start(),
        ...block(
          0,
          { type: "thinking", thinking: "" },
          { type: "thinking_delta", thinking: "hm" },
          { type: "signature_delta", signature: "s" }
        ),
        ...block(1, { type: "text", text: "a" }),
        finish("end_turn"),
        stop
      ]
    )
  )

  it.effect(
    "says that the model has paused, as it does while tools of Anthropic's own run, and does not begin anew",
    () =>
      run(
        (server) =>
          Effect.gen(function* () {
            const config = { tools: [{ type: "web_search_20250305" as const, name: "web_search" as const }] }
            const messages = yield* (yield* claude.trigger("Hi", { config })).messages
            assert.deepStrictEqual(
              messages.map((message) => [
                String(message),
                message instanceof Message.Assistant && message.finishReason
              ]),
              [["Let me search.", "pause"]]
            )
            assert.deepStrictEqual(Loopback.bodyField(server, "tools"), config.tools)
            assert.strictEqual(server.received.length, 1)
          }),
        [start(), ...block(0, { type: "text", text: "Let me search." }), finish("pause_turn"), stop]
      )
  )

  it.effect("called without a model dies with one sentence, and asks nobody", () =>
    run((server) =>
      Effect.gen(function* () {
        const replies = yield* Anthropic.agent.trigger("Hi", {} as Anthropic.Parameters)
        const exit = yield* Effect.exit(replies.messages)
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(error, Agent.InvalidParameters)
        assert.include(error.message, "name the model")
        assert.strictEqual(server.received.length, 0)
      })
    )
  )

  it("has its model, its errors and its client in its type", () => {
    expectTypeOf(claude).toExtend<
      Agent.Agent<{ readonly maxTokens?: number } & LlmAgent.Parameters, LlmAgent.Errors<{}>, Anthropic.Client>
    >()
    // @ts-expect-error no model
    void (() => Anthropic.agent.trigger("Hi"))
    // @ts-expect-error not what the API takes
    void (() => claude.trigger("Hi", { config: { thinking: { type: "often" } } }))
    void (() => claude.fork({ parameters: { config: { thinking: { type: "adaptive" } } } }).trigger("Hi"))
  })

  it.effect("goes on from pauses of Anthropic's own tools, also without tools, and stops after so many requests", () =>
    Effect.gen(function* () {
      const search = { type: "server_tool_use", id: "s", name: "web_search", input: { query: "rain" } }
      const paused = [start(), ...block(0, search), finish("pause_turn"), stop]
      for (const [pauses, requests] of [
        [1, 2],
        [99, 10]
      ] as const) {
        const server = yield* Loopback.serve((response, request, count) =>
          Loopback.stream(count <= pauses ? paused : whole({ text: ["Rain."] }))(response, request, count)
        )
        const messages = yield* claude.trigger("Does it rain?").pipe(
          Effect.flatMap((replies) => replies.messages),
          Effect.provide([MiniAgents.layer(), Anthropic.layer({ baseUrl: server.url })])
        )
        assert.strictEqual(server.received.length, requests)
        const last = messages.at(-1) as Message.Assistant
        assert.strictEqual(last.finishReason, pauses === 1 ? "stop" : "pause")
      }
    })
  )

  it.effect("begins and joins turns as it is told, and so does a model without an agent", () =>
    run((server) =>
      Effect.gen(function* () {
        const said = [Message.assistant("a"), Message.user("b"), Message.user("c")]
        const turns = LlmPrompt.withTurns({ firstUserMessage: "Go on.", delimiter: " | " })
        yield* claude.trigger(said).pipe(
          Effect.flatMap((replies) => replies.messages),
          turns
        )
        yield* LanguageModel.generateText({ prompt: [{ role: "assistant", content: "a" }] }).pipe(
          Effect.provide(Anthropic.model("m")),
          turns
        )
        yield* Effect.flatMap(claude.trigger(said), (replies) => replies.messages)
        assert.deepStrictEqual(
          server.received.map(({ body }) => (body as { readonly messages: ReadonlyArray<unknown> }).messages),
          [
            [
              { role: "user", content: text("Go on.") },
              { role: "assistant", content: text("a") },
              { role: "user", content: text("b | c") }
            ],
            [
              { role: "user", content: text("Go on.") },
              { role: "assistant", content: text("a") }
            ],
            [
              { role: "user", content: text("/start") },
              { role: "assistant", content: text("a") },
              { role: "user", content: text("b\n\nc") }
            ]
          ]
        )
      })
    )
  )

  it.effect("goes on from a pause that has nothing but a block of a tool of Anthropic's own", () =>
    Effect.gen(function* () {
      const search = { type: "server_tool_use", id: "s", name: "web_search", input: { query: "rain" } }
      const paused = [start(), ...block(0, search), finish("pause_turn"), stop]
      const server = yield* Loopback.serve((response, request, count) =>
        Loopback.stream(count === 1 ? paused : whole({ text: ["Rain."] }))(response, request, count)
      )
      const clock = Toolkit.make(Tool.make("clock", { success: Schema.String }))
      const agent = LlmAgent.make("Assistant", {
        toolkit: clock,
        model: Anthropic.model("claude")
      })
      const replies = yield* agent.trigger("Does it rain?").pipe(
        Effect.flatMap((replies) => replies.text),
        Effect.provide([
          MiniAgents.layer(),
          Anthropic.layer({ baseUrl: server.url }),
          clock.toLayer({ clock: () => Effect.succeed("") })
        ])
      )
      assert.include(replies, "Rain.")
      assert.deepStrictEqual(
        server.received.map(({ body }) => (body as { readonly messages: ReadonlyArray<unknown> }).messages),
        [
          [{ role: "user", content: text("Does it rain?") }],
          [
            { role: "user", content: text("Does it rain?") },
            { role: "assistant", content: [search] }
          ]
        ]
      )
    })
  )
})
