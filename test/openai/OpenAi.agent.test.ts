/** The agent of OpenAI's models: what its requests hold for what it is given. */
import { assert, describe, expectTypeOf, it } from "@effect/vitest"
import { Cause, Effect, Exit, Redacted, Stream } from "effect"
import type { AiError } from "effect/ai"
import { Agent, Message, MiniAgents } from "miniagents"
import type { MessageSequence } from "miniagents"
import type { LlmAgent } from "miniagents/llm"
import { Budget, LlmPrompt } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import * as Loopback from "../llm/Loopback.ts"
import { chunk, whole } from "./OpenAi.wire.ts"

/** Runs a program with agents over a client that reaches a server which always says "Hi there". */
const run = <A, E>(
  program: (server: Loopback.Loopback) => Effect.Effect<A, E, MiniAgents.MiniAgents | OpenAi.Client>,
  events: ReadonlyArray<string> = whole({ text: ["Hi ", "there"], usage: [7, 3] })
) =>
  Effect.gen(function* () {
    const server = yield* Loopback.serve(Loopback.stream(events))
    const layer = OpenAi.layer({ apiKey: Redacted.make("sk-1"), baseUrl: `${server.url}/v1` })
    return yield* Effect.provide(program(server), [MiniAgents.layer(), layer])
  })

const mini = OpenAi.agent.fork({ name: "Mini", parameters: { model: "gpt-4o-mini" } })

const always = { stream: true, stream_options: { include_usage: true } }

describe("OpenAi.agent", () => {
  it.effect("sends what a fork and a trigger say, and replies as an assistant", () =>
    run((server) =>
      Effect.gen(function* () {
        const replies = yield* mini.trigger("Hello, how are you?", {
          system: "You are a helpful assistant.",
          maxTokens: 50,
          temperature: 0.7
        })
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.flatMap(replies, (promise) => promise)), [
          "Hi ",
          "there"
        ])
        assert.deepStrictEqual(server.received[0]?.body, {
          model: "gpt-4o-mini",
          max_tokens: 50,
          temperature: 0.7,
          messages: [
            { role: "system", content: "You are a helpful assistant." },
            { role: "user", content: "Hello, how are you?" }
          ],
          ...always
        })
        assert.strictEqual(server.received[0]?.headers.authorization, "Bearer sk-1")
        const [message] = yield* replies.messages
        assert.deepStrictEqual(
          { ...message },
          {
            _tag: "Assistant",
            content: "Hi there",
            agent: "Mini",
            model: "gpt-4o-mini",
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
        const replies = yield* OpenAi.agent.trigger("Hi", { model: "gpt-5.2" })
        const known = yield* Stream.runCollect(Stream.map(replies, (promise) => promise.known))
        assert.deepStrictEqual(known, [{ _tag: "Assistant", agent: "OpenAI_Agent", model: "gpt-5.2", step: 1 }])
        assert.deepInclude(server.received[0]?.body, { model: "gpt-5.2" })
      })
    )
  )

  it.effect("passes every other parameter of the API on, under those that have a name of their own", () =>
    run((server) =>
      Effect.gen(function* () {
        const agent = mini.fork({
          parameters: { config: { seed: 7, stop: ["END"], temperature: 0, extra_body: { top_k: 3 } } }
        })
        yield* (yield* agent.trigger("Hi", { temperature: 1 })).messages
        yield* (yield* agent.trigger("Hi", { model: "o4-mini", config: { max_completion_tokens: 9 } })).messages
        yield* (yield* agent.trigger("Hi", { maxTokens: 5, config: { max_completion_tokens: 9 } })).messages
        yield* (yield* agent.trigger("Hi").pipe(OpenAi.withConfig({ seed: 8 }))).messages
        const messages = [{ role: "user", content: "Hi" }]
        assert.deepStrictEqual(
          server.received.map(({ body }) => body),
          [
            { model: "gpt-4o-mini", seed: 7, stop: ["END"], temperature: 1, top_k: 3, messages, ...always },
            { model: "o4-mini", max_completion_tokens: 9, messages, ...always },
            { model: "gpt-4o-mini", max_tokens: 5, messages, ...always },
            { model: "gpt-4o-mini", seed: 8, stop: ["END"], temperature: 0, top_k: 3, messages, ...always }
          ]
        )
      })
    )
  )

  it.effect.each([
    ["https://api.openai.com/v1", "max_completion_tokens"],
    ["https://eu.api.openai.com/v1", "max_completion_tokens"],
    ["https://mine.openai.azure.com/openai/v1", "max_completion_tokens"],
    ["http://localhost:11434/v1", "max_tokens"],
    ["https://notopenai.com/v1", "max_tokens"],
    ["https://example.org/api.openai.com/v1", "max_tokens"]
  ])("names the limit as %s knows it", ([baseUrl, expected]) =>
    Effect.gen(function* () {
      const bodies: Array<object> = []
      // nothing goes to the network: what the SDK would send is kept
      const fetch: typeof globalThis.fetch = (_, init) => {
        bodies.push(JSON.parse(String(init?.body)))
        const headers = { "content-type": "text/event-stream" }
        return Promise.resolve(new Response(whole({ text: ["a"] }).join(""), { headers }))
      }
      const replies = yield* mini.trigger("Hi", { maxTokens: 5 }).pipe(
        Effect.flatMap(({ text }) => text),
        Effect.provide([MiniAgents.layer(), OpenAi.layer({ baseUrl, sdk: { fetch } })])
      )
      assert.strictEqual(replies, "a")
      assert.deepInclude(bodies[0], { [expected]: 5 })
      assert.doesNotHaveAnyKeys(bodies[0], [expected === "max_tokens" ? "max_completion_tokens" : "max_tokens"])
    })
  )

  it.effect("sends messages with their roles, one by one, wherever they stand", () =>
    run((server) =>
      Effect.gen(function* () {
        const messages = [
          Message.assistant("Welcome"),
          Message.user("a"),
          "b",
          { n: 1 },
          Message.assistant("c"),
          Message.assistant(""),
          Message.system("Be brief"),
          new Message.Assistant({ content: "d", agent: "Another" })
        ]
        yield* (yield* mini.trigger(messages)).messages
        assert.deepStrictEqual(Loopback.bodyField(server, "messages"), [
          { role: "assistant", content: "Welcome" },
          { role: "user", content: "a" },
          { role: "user", content: "b" },
          { role: "user", content: '```json\n{\n  "n": 1\n}\n```' },
          { role: "assistant", content: "c" },
          { role: "system", content: "Be brief" },
          { role: "assistant", content: "d" }
        ])
      })
    )
  )

  it.effect("follows a rule that is set, as for a server that wants turns to alternate", () =>
    run((server) =>
      Effect.gen(function* () {
        const messages = [Message.user("a"), Message.user("b"), Message.system("Be brief")]
        yield* (yield* mini.trigger(messages).pipe(LlmPrompt.withRule(LlmPrompt.anthropic))).messages
        assert.deepStrictEqual(Loopback.bodyField(server, "messages"), [
          { role: "system", content: "Be brief" },
          { role: "user", content: "a\n\nb" }
        ])
      })
    )
  )

  it.effect("gives what a model thinks as a message before what it says", () =>
    run(
      () =>
        Effect.gen(function* () {
          const messages = yield* (yield* mini.trigger("Hi")).messages
          assert.deepStrictEqual(
            messages.map((message) => `${message._tag}: ${message}`),
            ["Reasoning: hm", "Assistant: a"]
          )
        }),
      [chunk({ reasoning_content: "hm" }), ...whole({ text: ["a"] })]
    )
  )

  it.effect.each<[object, string]>([
    [{}, "name the model"],
    [{ model: "" }, "name the model"],
    [{ model: "m", maxTokens: 0 }, "`maxTokens` got `0`"],
    [{ model: "m", temperature: Number.NaN }, "`temperature` got"],
    [{ model: "m", config: 7 }, "`config` got `7`"],
    [{ model: "m", max_tokens: 7 }, "`max_tokens` got `7`"]
  ])("called with %j dies with one sentence, and asks nobody", ([parameters, sentence]) =>
    run((server) =>
      Effect.gen(function* () {
        const replies = yield* OpenAi.agent.trigger("Hi", parameters as OpenAi.Parameters)
        const exit = yield* Effect.exit(replies.messages)
        assert.isTrue(Exit.isFailure(exit))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(error, Agent.InvalidParameters)
        assert.include(error.message, sentence)
        assert.include(error.message, "`OpenAI_Agent`")
        assert.strictEqual(server.received.length, 0)
      })
    )
  )

  it.effect("gives a refusal of the server at its place, after one request", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.answer(429, { error: { message: "slow down" } }))
      const replies = yield* mini.trigger("Hi", {}, { errorsAsMessages: true }).pipe(
        Effect.flatMap(({ messages }) => messages),
        Effect.provide([MiniAgents.layer(), OpenAi.layer({ baseUrl: server.url })])
      )
      assert.deepStrictEqual(
        replies.map((message) => message._tag),
        ["Failure"]
      )
      assert.strictEqual(server.received.length, 1)
    })
  )

  it.effect("is held by the budget of a tree", () =>
    run((server) =>
      Effect.gen(function* () {
        const twice = Effect.gen(function* () {
          const answers = [yield* mini.trigger("a"), yield* mini.trigger("b")]
          return yield* Effect.forEach(answers, ({ messages }) => Effect.exit(messages))
        })
        const exits = yield* twice.pipe(Budget.withBudget(yield* Budget.make({ calls: 1 })))
        assert.deepStrictEqual(exits.map(Exit.isSuccess), [true, false])
        assert.strictEqual(server.received.length, 1)
      })
    )
  )

  it("has its model, its errors and its client in its type", () => {
    expectTypeOf(mini.trigger("Hi")).toEqualTypeOf<
      Effect.Effect<
        MessageSequence.MessageSequence<AiError.AiError | Budget.BudgetExceeded>,
        never,
        MiniAgents.MiniAgents | OpenAi.Client
      >
    >()
    expectTypeOf(OpenAi.agent).toExtend<
      Agent.Agent<OpenAi.Parameters & LlmAgent.Parameters, LlmAgent.Errors<{}>, OpenAi.Client>
    >()
    // @ts-expect-error no model
    void (() => OpenAi.agent.trigger("Hi"))
    // @ts-expect-error no model, though parameters
    void (() => OpenAi.agent.fork({ parameters: { temperature: 1 } }).trigger("Hi"))
    // @ts-expect-error no model, though parameters that are lists
    void (() => OpenAi.agent.fork({ parameters: { config: { stop: ["a"] } } }).trigger("Hi"))
    // @ts-expect-error not a parameter of the API
    void (() => mini.trigger("Hi", { config: { temprature: 1 } }))
    // @ts-expect-error not what the API takes
    void (() => mini.fork({ parameters: { config: { reasoning_effort: "utmost" } } }))
    void (() => mini.fork({ parameters: { config: { stop: ["a"], tools: [] } } }).trigger("Hi"))
  })
})
