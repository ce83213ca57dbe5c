/** What is special about each provider, against the shapes in which its servers were seen to answer. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Redacted, Schema, Stream } from "effect"
import { LanguageModel, Model, Prompt, Tool, Toolkit } from "effect/ai"
import type { Response } from "effect/ai"
import { Provider } from "miniagents/llm"
import { OpenAi } from "miniagents/openai"
import { Azure, DeepSeek, Gemini, Mistral, Ollama, OpenRouter } from "miniagents/providers"
import * as Loopback from "../llm/Loopback.ts"

const event = (data: object) => `data: ${JSON.stringify({ id: "r", model: "m", ...data })}\n\n`
const chunk = (delta: object, finish_reason: string | null = null) =>
  event({ choices: [{ index: 0, delta, finish_reason }] })
const done = "data: [DONE]\n\n"

const Weather = Tool.make("weather", { parameters: Schema.Struct({ city: Schema.String }), success: Schema.String })
const toolkit = Toolkit.make(Weather)

/** A call that another model made, and its result. */
const elsewhere: Prompt.RawInput = [
  { role: "user", content: "Weather in Oslo?" },
  {
    role: "assistant",
    content: [
      {
        type: "tool-call",
        id: "call_from_elsewhere",
        name: "weather",
        params: { city: "Oslo" },
        providerExecuted: false
      }
    ]
  },
  {
    role: "tool",
    content: [{ type: "tool-result", id: "call_from_elsewhere", name: "weather", result: "rain", isFailure: false }]
  }
]

interface Asked {
  readonly prompt?: Prompt.RawInput
  readonly config?: OpenAi.Config
  readonly tools?: "auto" | "required"
  /** The server; otherwise one that greets. */
  readonly server?: Loopback.Loopback
}

const greeting = [chunk({ content: "Hi" }, "stop"), done]

/** Asks a provider at a server of its own, and gives what it was sent and the parts that it answered with. */
const ask = <Name extends string>(
  provider: Pick<OpenAi.Compatible<Name>, "layerConfig" | "model" | "profile">,
  asked: Asked = {}
) =>
  Effect.gen(function* () {
    const { config, prompt = "Hello", tools } = asked
    const server = asked.server ?? (yield* Loopback.serve(Loopback.stream(greeting)))
    const { baseUrlVariable, keyVariable } = provider.profile
    const environment = { [keyVariable]: "key", [baseUrlVariable]: server.url }
    const layer = provider
      .model("m", config)
      .pipe(
        Layer.provide(provider.layerConfig()),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))
      )
    const parts: Array<Response.AnyPart> = []
    const stream = Stream.unwrap(
      Effect.map(LanguageModel.LanguageModel, (model) =>
        tools === undefined
          ? model.streamText({ prompt })
          : model.streamText({ prompt, toolkit: yieldable, toolChoice: tools, ...deferred })
      )
    )
    const name = yield* Stream.runForEach(stream, (part) => Effect.sync(() => parts.push(part))).pipe(
      Effect.andThen(Model.ProviderName),
      Effect.provide(layer)
    )
    const received = server.received.at(-1)
    assert(received !== undefined)
    return { name, parts, received, body: received.body as { readonly [field: string]: unknown } }
  })

const deferred = { disableToolCallResolution: true, toolCallValidation: "deferred" } as const
const yieldable = { tools: toolkit.tools, handle: () => Effect.die("not called") } as never

/** The prompt of the next request, after a response. */
const after = (prompt: Prompt.RawInput, parts: ReadonlyArray<Response.AnyPart>): Prompt.Prompt =>
  Prompt.concat(
    Prompt.concat(Prompt.make(prompt), Prompt.fromResponseParts(parts as never)),
    Prompt.make([
      {
        role: "tool",
        content: parts.flatMap((part) =>
          part.type === "tool-call"
            ? [{ type: "tool-result" as const, id: part.id, name: part.name, result: "rain", isFailure: false }]
            : []
        )
      }
    ])
  )

const all = { Azure, DeepSeek, Gemini, Mistral, Ollama, OpenRouter }

describe("a provider", () => {
  it.effect.each(Object.entries(all))("%s has a name, a key, an address and an answer", ([, provider]) =>
    Effect.gen(function* () {
      const { name, parts, received } = yield* ask(provider as typeof Mistral)
      assert.strictEqual(name, provider.profile.name)
      assert.deepStrictEqual(
        parts.flatMap((part) => (part.type === "text-delta" ? [part.delta] : [])),
        ["Hi"]
      )
      assert.strictEqual(received.headers[provider === Azure ? "api-key" : "authorization"]?.includes("key"), true)
      assert.strictEqual(
        provider.agent.name,
        `${Object.entries(all).find(([, other]) => other === provider)?.[0]}_Agent`
      )
    })
  )

  it.effect("takes a dozen lines, whatever protocol of ours it speaks", () =>
    Effect.gen(function* () {
      const Groq = Provider.define({
        title: "Groq",
        profile: {
          name: "groq",
          baseUrl: "https://api.groq.com/openai/v1",
          keyVariable: "GROQ_API_KEY",
          baseUrlVariable: "GROQ_BASE_URL"
        },
        protocol: OpenAi.protocol
      })
      const { body, name, received } = yield* ask(Groq, { config: { temperature: 0 } })
      assert.deepStrictEqual([name, received.headers.authorization], ["groq", "Bearer key"])
      assert.deepStrictEqual([body["model"], body["temperature"]], ["m", 0])
      assert.strictEqual(Groq.agent.name, "Groq_Agent")
      const asked = yield* ask(Groq).pipe(Groq.withConfig({ temperature: 1 }))
      assert.strictEqual(asked.body["temperature"], 1)
    })
  )

  const fields: ReadonlyArray<
    readonly [string, (typeof all)[keyof typeof all], Asked, { readonly [field: string]: unknown }]
  > = [
    [
      "Mistral has other names for the limit and the seed, and takes no options of the stream",
      Mistral,
      { config: { max_completion_tokens: 9, seed: 7 } },
      { max_tokens: 9, max_completion_tokens: undefined, random_seed: 7, seed: undefined, stream_options: undefined }
    ],
    ["Mistral is asked for any tool where one is required", Mistral, { tools: "required" }, { tool_choice: "any" }],
    [
      "Mistral is told that the beginning of an answer is one",
      Mistral,
      {
        prompt: [
          { role: "user", content: "A word" },
          { role: "assistant", content: "Rain" }
        ]
      },
      {
        messages: [
          { role: "user", content: "A word" },
          { role: "assistant", content: "Rain", prefix: true }
        ]
      }
    ],
    [
      "DeepSeek has the older name for the limit",
      DeepSeek,
      { config: { max_completion_tokens: 9 } },
      { max_tokens: 9, max_completion_tokens: undefined }
    ],
    ["OpenRouter tells what it cost", OpenRouter, {}, { usage: { include: true } }],
    ["Ollama has the older name for the limit", Ollama, { config: { max_completion_tokens: 9 } }, { max_tokens: 9 }]
  ]
  it.effect.each(fields)("%s", ([, provider, asked, expected]) =>
    Effect.gen(function* () {
      const { body } = yield* ask(provider as typeof Mistral, asked)
      for (const [field, value] of Object.entries(expected)) assert.deepStrictEqual(body[field], value, field)
    })
  )

  const calls: ReadonlyArray<readonly [string, (typeof all)[keyof typeof all], object]> = [
    [
      "Mistral takes ids of nine letters and digits",
      Mistral,
      { id: "c069322ec", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } }
    ],
    [
      "Gemini takes a mark in the place of a signature",
      Gemini,
      {
        id: "call_from_elsewhere",
        type: "function",
        function: { name: "weather", arguments: '{"city":"Oslo"}' },
        extra_content: { google: { thought_signature: "skip_thought_signature_validator" } }
      }
    ]
  ]
  it.effect.each(calls)("of calls that another model made %s", ([, provider, expected]) =>
    Effect.gen(function* () {
      const { body } = yield* ask(provider as typeof Mistral, { prompt: elsewhere })
      const [, call, result] = body["messages"] as ReadonlyArray<{
        readonly tool_calls: ReadonlyArray<{ readonly id: string }>
        readonly tool_call_id: string
      }>
      assert.deepStrictEqual(call?.tool_calls as unknown, [expected])
      assert.strictEqual(result?.tool_call_id, call?.tool_calls[0]?.id)
    })
  )

  it.effect("DeepSeek is told the schema in words, and answers in JSON", () =>
    Effect.gen(function* () {
      const server = yield* Loopback.serve(Loopback.stream([chunk({ content: '{"n":7}' }, "stop"), done]))
      const layer = Layer.provide(
        DeepSeek.model("deepseek-chat"),
        DeepSeek.layer({ apiKey: Redacted.make("key"), baseUrl: server.url })
      )
      const response = yield* LanguageModel.generateObject({
        prompt: "A number",
        schema: Schema.Struct({ n: Schema.Int })
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(response.value, { n: 7 })
      assert.deepStrictEqual(Loopback.bodyField(server, "response_format"), { type: "json_object" })
      const messages = Loopback.bodyField(server, "messages") as ReadonlyArray<{ readonly content: string }>
      assert.match(messages.at(-1)?.content ?? "", /fits this JSON Schema: \{.*"n"/)
    })
  )
})

/** A call as each provider's servers were seen to stream it, and what has to go back with it. */
const recorded = [
  {
    name: "DeepSeek wants its thoughts back with its calls",
    provider: DeepSeek,
    said: [
      chunk({ role: "assistant", content: null, reasoning_content: "" }),
      chunk({ reasoning_content: "I look." }),
      chunk({
        tool_calls: [{ index: 0, id: "call_0_a", type: "function", function: { name: "weather", arguments: "" } }]
      }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '{"city": "Oslo"}' } }] }, "tool_calls"),
      event({
        choices: [],
        usage: {
          prompt_tokens: 20,
          completion_tokens: 8,
          total_tokens: 28,
          prompt_cache_hit_tokens: 16,
          prompt_cache_miss_tokens: 4,
          completion_tokens_details: { reasoning_tokens: 3 }
        }
      }),
      done
    ],
    back: { reasoning_content: "I look." },
    cacheRead: 16
  },
  {
    name: "Gemini wants the signature of a thought back with its call",
    provider: Gemini,
    said: [
      chunk({
        role: "assistant",
        tool_calls: [
          {
            extra_content: { google: { thought_signature: "c2lnbmVk" } },
            function: { arguments: '{"city":"Oslo"}', name: "weather" },
            id: "function-call-1",
            index: 0,
            type: "function"
          }
        ]
      }),
      chunk({ role: "assistant" }, "stop"),
      event({ choices: [], usage: { prompt_tokens: 20, completion_tokens: 8, total_tokens: 31 } }),
      done
    ],
    back: {
      tool_calls: [
        {
          id: "function-call-1",
          type: "function",
          function: { name: "weather", arguments: '{"city":"Oslo"}' },
          extra_content: { google: { thought_signature: "c2lnbmVk" } }
        }
      ]
    },
    cacheRead: undefined
  },
  {
    name: "OpenRouter wants the details of a thought back",
    provider: OpenRouter,
    said: [
      ": OPENROUTER PROCESSING\n\n",
      chunk({
        role: "assistant",
        content: "",
        reasoning: "I look.",
        reasoning_details: [{ type: "reasoning.text", text: "I look.", format: "anthropic-claude-v1", index: 0 }]
      }),
      chunk({ reasoning_details: [{ type: "reasoning.text", signature: "c2ln", index: 0 }] }),
      chunk({ tool_calls: [{ index: 0, id: "toolu_1", function: { name: "weather", arguments: '{"city":"Oslo"}' } }] }),
      chunk({ content: "" }, "tool_calls"),
      event({
        choices: [],
        usage: { prompt_tokens: 20, completion_tokens: 8, cost: 0.0021, prompt_tokens_details: { cached_tokens: 12 } }
      }),
      done
    ],
    back: {
      reasoning_details: [
        { type: "reasoning.text", text: "I look.", format: "anthropic-claude-v1", index: 0, signature: "c2ln" }
      ]
    },
    cacheRead: 12
  },
  {
    name: "Mistral streams whole calls, and has thoughts as pieces of the content",
    provider: Mistral,
    said: [
      chunk({ role: "assistant", content: [{ type: "thinking", thinking: [{ type: "text", text: "I look." }] }] }),
      chunk({ content: "Wait." }),
      chunk(
        { tool_calls: [{ id: "D681PevKs", function: { name: "weather", arguments: '{"city": "Oslo"}' }, index: 0 }] },
        "tool_calls"
      ),
      done
    ],
    back: {
      content: [
        { type: "thinking", thinking: [{ type: "text", text: "I look." }] },
        { type: "text", text: "Wait." }
      ]
    },
    cacheRead: undefined
  },
  {
    name: "Azure begins with what its filter says, and no choice",
    provider: Azure,
    said: [
      event({ choices: [], prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }] }),
      chunk({ tool_calls: [{ index: 0, id: "call_1", function: { name: "weather", arguments: '{"city":"Oslo"}' } }] }),
      event({ choices: [{ index: 0, delta: {}, finish_reason: "tool_calls", content_filter_results: {} }] }),
      event({
        choices: [],
        usage: { prompt_tokens: 20, completion_tokens: 8, prompt_tokens_details: { cached_tokens: 0 } }
      }),
      done
    ],
    back: {},
    cacheRead: 0
  },
  {
    name: "Ollama thinks in a field of its own, and counts its calls anew",
    provider: Ollama,
    said: [
      chunk({ role: "assistant", content: "", reasoning: "I look." }),
      chunk({
        role: "assistant",
        content: "",
        tool_calls: [
          { id: "call_1", index: 0, type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } }
        ]
      }),
      chunk({ role: "assistant", content: "" }, "tool_calls"),
      event({ choices: [], usage: { prompt_tokens: 20, completion_tokens: 8, total_tokens: 28 } }),
      done
    ],
    back: { reasoning: "I look." },
    cacheRead: undefined
  }
] as const

describe("a recorded call", () => {
  it.effect.each(recorded)("$name", ({ back, cacheRead, provider, said }) =>
    Effect.gen(function* () {
      const prompt: Prompt.RawInput = "Weather in Oslo?"
      const server = yield* Loopback.serve((response, request, count) =>
        Loopback.stream(count === 1 ? said : greeting)(response, request, count)
      )
      const { parts } = yield* ask(provider as typeof Mistral, { prompt, server, tools: "auto" })
      const finish = parts.at(-1)
      const call = parts.find((part) => part.type === "tool-call")
      assert.deepStrictEqual([call?.name, call?.params as unknown], ["weather", { city: "Oslo" }])
      assert(finish?.type === "finish")
      assert.strictEqual(finish.reason, "tool-calls")
      assert.strictEqual(finish.usage.inputTokens.cacheRead, cacheRead)
      const { body } = yield* ask(provider as typeof Mistral, { prompt: after(prompt, parts), server, tools: "auto" })
      const messages = body["messages"] as ReadonlyArray<{ readonly [field: string]: unknown }>
      for (const [field, value] of Object.entries(back)) assert.deepStrictEqual(messages[1]?.[field], value, field)
    })
  )
})

describe("an address", () => {
  it.each([
    ["127.0.0.1", "http://127.0.0.1:11434/v1"],
    ["0.0.0.0:8080", "http://127.0.0.1:8080/v1"],
    ["https://ollama.com", "https://ollama.com/v1"],
    ["http://localhost:11434/v1/", "http://localhost:11434/v1"]
  ])("of Ollama may be written as `%s`", (host, expected) => {
    assert.strictEqual(Ollama.profile.toBaseUrl?.(host), expected)
  })

  it.each([
    ["https://r.openai.azure.com/", "https://r.openai.azure.com/openai/v1"],
    ["https://r.openai.azure.com/openai/v1/", "https://r.openai.azure.com/openai/v1/"]
  ])("of Azure may be written as `%s`", (endpoint, expected) => {
    assert.strictEqual(Azure.profile.toBaseUrl?.(endpoint), expected)
  })

  it.effect("has to be said where everyone has one of their own, and no key goes anywhere without", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(Azure.layer({ apiKey: Redacted.make("key") }))))
      assert.match(String(exit), /`azure.ai.openai` has no address: give a `baseUrl`/)
      const unset = Azure.layerConfig().pipe(
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ AZURE_OPENAI_API_KEY: "key" })))
      )
      assert.match(String(yield* Effect.exit(Effect.scoped(Layer.build(unset)))), /AZURE_OPENAI_ENDPOINT/)
    })
  )

  it.effect("of Ollama is reached without a key", () =>
    Effect.gen(function* () {
      const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({}))
      const connected = Layer.build(Layer.provide(Ollama.layerConfig(), environment))
      const { url } = yield* Effect.scoped(
        Effect.flatMap(connected, (context) => Effect.provide(Ollama.Client, context))
      )
      assert.strictEqual(url, "http://localhost:11434/v1")
    })
  )
})
