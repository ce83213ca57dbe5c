/** The dialects of OpenAI's Chat Completions: what servers that call themselves compatible send. */
import { Layer, Schema } from "effect"
import { OpenAi } from "miniagents/openai"
import * as Dialects from "../llm/Dialect.contract.ts"
import { chunk, event } from "./OpenAi.wire.ts"

const done = "data: [DONE]\n\n"
const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`
const call = (piece: object) => chunk({ tool_calls: [piece] })
const weather = (args: unknown, more: object = {}) => call({ ...more, function: { name: "weather", arguments: args } })
const choice = (more: object) => event({ choices: [{ index: 0, ...more }] })
const oslo = { call: "weather", with: { city: "Oslo" } }
const rome = { call: "weather", with: { city: "Rome" } }
const [osloJson, romeJson] = ['{"city":"Oslo"}', '{"city":"Rome"}']
const calls = { finish: "tool-calls" }
const stop = { finish: "stop" }
const hello = [chunk({ content: "Hel" }), chunk({ content: "lo" })]

const calling: ReadonlyArray<Dialects.Dialect> = [
  {
    name: "calls without ids and numbers (Gemini)",
    says: [weather(osloJson, { id: "" }), weather(romeJson, { id: "" }), chunk({}, "stop"), done],
    heard: [oslo, rome, calls]
  },
  {
    name: "calls that all have the number 0 (Ollama)",
    says: [weather(osloJson, { index: 0, id: "a" }), weather(romeJson, { index: 0, id: "b" }), chunk({}, "stop"), done],
    heard: [oslo, rome, calls]
  },
  {
    name: "calls with the same id",
    says: [weather(osloJson, { index: 0, id: "x" }), weather(romeJson, { index: 1, id: "x" }), chunk({}, "stop")],
    heard: [oslo, rome, calls]
  },
  {
    name: "a new id with every piece (vLLM)",
    says: [
      weather("", { index: 0, id: "a" }),
      call({ index: 0, id: "b", function: { arguments: '{"city":' } }),
      call({ index: 0, id: "c", function: { arguments: '"Oslo"}' } }),
      chunk({}, "tool_calls"),
      done
    ],
    heard: [oslo, calls]
  },
  {
    name: "calls without parameters that all have the number 0",
    says: [
      ...["a", "b"].map((id) => call({ index: 0, id, function: { name: "clock", arguments: "" } })),
      chunk({}, "tool_calls"),
      done
    ],
    heard: [{ call: "clock", with: {} }, { call: "clock", with: {} }, calls]
  },
  {
    name: "the name once more with the first parameters",
    says: [weather("", { index: 0 }), weather(osloJson, { index: 0 }), chunk({}, "tool_calls"), done],
    heard: [oslo, calls]
  },
  {
    name: "the name in a later piece",
    says: [
      call({ index: 0, id: "a", function: { arguments: "" } }),
      call({ index: 0, function: { name: "weather", arguments: osloJson } }),
      chunk({}, "tool_calls")
    ],
    heard: [oslo, calls]
  },
  {
    name: "the name after the parameters",
    says: [
      call({ index: 0, id: "a", function: { arguments: osloJson } }),
      call({ index: 0, function: { name: "weather" } }),
      chunk({}, "tool_calls")
    ],
    heard: [oslo, calls],
    pieces: osloJson
  },
  {
    name: "a call without a name",
    says: [call({ index: 0, id: "a", function: { arguments: osloJson } }), chunk({}, "tool_calls"), done],
    heard: [{ error: "InvalidOutputError", saying: "without its name" }]
  },
  {
    name: "parameters that are an object (llama.cpp)",
    says: [weather({ city: "Oslo" }, { index: 0, id: "a" }), chunk({}, "tool_calls"), done],
    heard: [oslo, calls]
  },
  {
    name: "the JSON of JSON (Qwen)",
    says: [weather(JSON.stringify(osloJson), { index: 0, id: "a" }), chunk({}, "tool_calls"), done],
    heard: [oslo, calls]
  },
  {
    name: "null for no parameters (Groq)",
    says: [call({ index: 0, id: "a", function: { name: "clock", arguments: "null" } }), chunk({}, "tool_calls"), done],
    heard: [{ call: "clock", with: {} }, calls]
  },
  {
    name: "an empty object before the pieces",
    says: [
      weather("{}", { index: 0, id: "a" }),
      call({ index: 0, function: { arguments: osloJson } }),
      chunk({}, "tool_calls")
    ],
    heard: [oslo, calls]
  },
  {
    name: "the whole once more after the pieces",
    says: [
      weather("", { index: 0, id: "a" }),
      call({ index: 0, function: { arguments: osloJson } }),
      call({ index: 0, id: "a", function: { name: "weather", arguments: osloJson } }),
      chunk({}, "tool_calls")
    ],
    heard: [oslo, calls]
  },
  {
    name: "parameters that are no JSON are given as they are",
    says: [weather("{'city': 'Oslo'}", { index: 0, id: "a" }), chunk({}, "tool_calls"), done],
    heard: [{ call: "weather", with: "{'city': 'Oslo'}" }, calls]
  },
  {
    name: "a call that the token limit cut is said to be cut",
    says: [...hello, weather('{"ci', { index: 0, id: "a" }), chunk({}, "length"), done],
    heard: [{ text: "Hello" }, { error: "InvalidOutputError", saying: "token limit" }]
  },
  {
    name: "a call that the token limit cut before its parameters",
    says: [weather("", { index: 0, id: "a" }), chunk({}, "length"), done],
    heard: [{ error: "InvalidOutputError", saying: "token limit" }]
  },
  {
    name: "a whole call before the token limit is whole",
    says: [weather(osloJson, { index: 0, id: "a" }), chunk({}, "length"), done],
    heard: [oslo, { finish: "length" }]
  },
  {
    name: "the old field for one call",
    says: [chunk({ function_call: { name: "weather", arguments: osloJson } }), chunk({}, "function_call"), done],
    heard: [oslo, calls]
  }
]

const speaking: ReadonlyArray<Dialects.Dialect> = [
  {
    name: "text as a list of pieces, and thoughts among them (Mistral)",
    says: [
      chunk({ content: [{ type: "thinking", thinking: [{ type: "text", text: "hm" }] }] }),
      chunk({ content: [{ type: "text", text: "Hel" }] }),
      chunk({ content: "lo" }),
      chunk({ content: [{ type: "image_url", image_url: { url: "https://example.org/a.png" } }] }),
      chunk({ content: [{ type: "reference", reference_ids: [1] }] }, "stop"),
      done
    ],
    heard: [{ reasoning: "hm" }, { text: "Hello" }, stop],
    finish: {
      content: [
        { type: "image_url", image_url: { url: "https://example.org/a.png" } },
        { type: "reference", reference_ids: [1] }
      ]
    }
  },
  {
    name: "message in the place of delta",
    says: [choice({ message: { content: "Hello" }, finish_reason: "stop" }), done],
    heard: [{ text: "Hello" }, stop]
  },
  {
    name: "a whole response in the place of a stream",
    says: [
      JSON.stringify(
        {
          id: "1",
          model: "m",
          object: "chat.completion",
          choices: [
            {
              index: 0,
              message: {
                role: "assistant",
                content: "Hello",
                tool_calls: [{ id: "a", function: { name: "weather", arguments: osloJson } }]
              },
              finish_reason: "tool_calls"
            }
          ],
          usage: { prompt_tokens: 3, completion_tokens: 2 }
        },
        undefined,
        2
      )
    ],
    contentType: "application/json",
    heard: [{ text: "Hello" }, oslo, calls],
    usage: { total: 3, output: 2 }
  },
  {
    name: "a stream that is called JSON",
    says: [...hello, chunk({}, "stop"), done],
    contentType: "application/json",
    heard: [{ text: "Hello" }, stop]
  },
  {
    name: "halves of a character in two pieces",
    says: [chunk({ content: "a\uD83D" }), chunk({ content: "\uDE80b" }, "stop"), done],
    heard: [{ text: "a🚀b" }, stop]
  },
  {
    name: "half of a character and nothing after it",
    says: [chunk({ content: "a\uD83D" }, "stop"), done],
    heard: [{ text: "a\uFFFD" }, stop]
  },
  {
    name: "a reason in every chunk",
    says: [chunk({ content: "Hel" }, "stop"), chunk({ content: "lo" }, "stop"), done],
    heard: [{ text: "Hello" }, stop]
  },
  {
    name: "a whole response without a reason",
    says: [JSON.stringify({ choices: [{ message: { content: "Hello" } }] })],
    contentType: "application/json",
    heard: [{ text: "Hello" }, { finish: "unknown" }]
  },
  {
    name: "the end and nothing else",
    says: [done],
    heard: [{ error: "NetworkError", saying: "ended before the model had finished" }]
  },
  {
    name: "nothing but what goes back",
    says: [chunk({ extra_content: { x: 1 } }), chunk({}, "stop"), done],
    heard: [{ reasoning: "" }, stop]
  },
  {
    name: "line ends that come in two pieces",
    says: [...hello, ..."event: error\r\ndata: WORDS\r\n\r\n"],
    heard: [{ text: "Hello" }, { error: "InternalProviderError", saying: "WORDS" }]
  },
  { name: "no reason at all", says: [...hello, done], heard: [{ text: "Hello" }, { finish: "unknown" }] },
  {
    name: "a call and no reason at all",
    says: [weather(osloJson, { index: 0, id: "a" }), done],
    heard: [oslo, calls]
  },
  {
    name: "a reason of its own",
    says: [...hello, chunk({}, "because"), done],
    heard: [{ text: "Hello" }, { finish: "other" }],
    finish: { finish_reason: "because" }
  },
  ...["eos", "end", "end_turn", "STOP"].map((reason) => ({
    name: `the reason ${reason}`,
    says: [...hello, chunk({}, reason), done],
    heard: [{ text: "Hello" }, stop]
  })),
  { name: "the reason tool_call", says: [weather(osloJson), chunk({}, "tool_call"), done], heard: [oslo, calls] },
  { name: "a call and the reason eos", says: [weather(osloJson), chunk({}, "eos"), done], heard: [oslo, calls] },
  {
    name: "no empty line at the end",
    says: [...hello, chunk({}, "stop").trimEnd()],
    heard: [{ text: "Hello" }, stop]
  },
  ...["data: \n\n", "event: ping\n\n", "data: : keepalive\n\n", ": x\n\n", "id: 4\nretry: 100\n\n", "data: {}\n\n"].map(
    (alive) => ({
      name: `keep-alives of the form ${JSON.stringify(alive)}`,
      says: [alive, hello[0] ?? "", alive, hello[1] ?? "", alive, chunk({}, "stop"), alive, done, alive],
      heard: [{ text: "Hello" }, stop]
    })
  ),
  {
    name: "a chunk about the prompt, without id and model (Azure)",
    says: [
      data({ id: "", model: "", created: 0, choices: [], prompt_filter_results: [{ prompt_index: 0 }] }),
      ...hello,
      chunk({}, "stop"),
      done
    ],
    heard: [{ text: "Hello" }, stop],
    finish: { prompt_filter_results: [{ prompt_index: 0 }] }
  }
]

const failing: ReadonlyArray<Dialects.Dialect> = [
  ["a field", data({ error: { message: "WORDS", type: "server_error" } }), "InternalProviderError"],
  ["a status as the code", data({ error: { message: "WORDS", code: 429 } }), "RateLimitError"],
  ["a status as text (LiteLLM)", data({ error: { message: "WORDS", code: "429" } }), "RateLimitError"],
  [
    "a name of Google's",
    data([{ error: { code: 400, message: "WORDS", status: "INVALID_ARGUMENT" } }]),
    "InvalidRequestError"
  ],
  ["an object of its own (vLLM)", data({ object: "error", message: "WORDS", code: 400 }), "InvalidRequestError"],
  ["an event of that name", `event: error\n${data({ message: "WORDS" })}`, "InternalProviderError"],
  ["an event of that name with plain text", "event: error\ndata: WORDS\n\n", "InternalProviderError"],
  [
    "a field of events (llama.cpp)",
    `error: ${JSON.stringify({ code: 500, message: "WORDS" })}\n\n`,
    "InternalProviderError"
  ],
  ["a line of JSON", `${JSON.stringify({ error: { message: "WORDS", code: 503 } })}\n\n`, "InternalProviderError"],
  ["a text", data({ error: "WORDS" }), "InternalProviderError"],
  ["detail (FastAPI)", data({ detail: "WORDS" }), "InternalProviderError"],
  [
    "a chunk with content (OpenRouter)",
    event({ error: { code: 502, message: "WORDS" }, choices: [{ delta: { content: "" }, finish_reason: "error" }] }),
    "InternalProviderError"
  ],
  ["nothing but the reason", chunk({}, "error"), "InternalProviderError"]
].map(([shape, said, error]) => ({
  name: `an error in mid-stream as ${shape}`,
  says: [...hello, said ?? "", done],
  heard: [{ text: "Hello" }, { error: error ?? "", saying: shape === "nothing but the reason" ? "`error`" : "WORDS" }]
}))

const refusing: ReadonlyArray<Dialects.Dialect> = (
  [
    [{ error: { message: "WORDS", code: 402 } }, "QuotaExhaustedError", ""],
    [{ error: { message: "WORDS", code: 429 } }, "RateLimitError", ""],
    [{ detail: "WORDS" }, "InternalProviderError", "WORDS"],
    [{ success: false, errors: [{ code: 7, message: "WORDS" }] }, "InternalProviderError", "WORDS"],
    [{ ok: true }, "InvalidResponseError", '{"ok":true}']
  ] as const
).map(([body, error, saying]) => ({
  name: `status 200 and ${JSON.stringify(body)}`,
  says: [JSON.stringify(body)],
  contentType: "application/json",
  heard: [{ error, saying }]
}))

const usages: ReadonlyArray<Dialects.Dialect> = (
  [
    ["x_groq", { x_groq: { usage: { prompt_tokens: 3, completion_tokens: 2 } } }, { total: 3, output: 2 }],
    ["the names of others", { usage: { input_tokens: 3, output_tokens: 2 } }, { total: 3, output: 2 }],
    [
      "cached tokens (DeepSeek)",
      { usage: { prompt_tokens: 9, completion_tokens: 2, prompt_cache_hit_tokens: 4 } },
      { total: 9, cacheRead: 4, uncached: 5 }
    ],
    [
      "cached tokens (Moonshot)",
      { usage: { prompt_tokens: 9, completion_tokens: 2, cached_tokens: 4 } },
      { cacheRead: 4 }
    ],
    [
      "written tokens",
      { usage: { prompt_tokens: 9, prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 3 } } },
      { cacheRead: 4, cacheWrite: 3, uncached: 2 }
    ],
    [
      "thoughts among what was said",
      {
        usage: {
          prompt_tokens: 3,
          completion_tokens: 9,
          total_tokens: 12,
          completion_tokens_details: { reasoning_tokens: 4 }
        }
      },
      { output: 9, thought: 4 }
    ],
    [
      "thoughts beside what was said (xAI)",
      {
        usage: {
          prompt_tokens: 3,
          completion_tokens: 5,
          total_tokens: 12,
          completion_tokens_details: { reasoning_tokens: 4 }
        }
      },
      { output: 9, thought: 4 }
    ]
  ] as const
).map(([name, more, usage]) => ({
  name: `usage with ${name}`,
  says: [...hello, chunk({}, "stop", more), done],
  heard: [{ text: "Hello" }, stop],
  usage
}))

const counted: ReadonlyArray<Dialects.Dialect> = [
  {
    name: "usage in the choice (Moonshot)",
    says: [
      ...hello,
      choice({ delta: {}, finish_reason: "stop", usage: { prompt_tokens: 3, completion_tokens: 2 } }),
      done
    ],
    heard: [{ text: "Hello" }, stop],
    usage: { total: 3, output: 2 }
  },
  {
    name: "usage in every chunk, and null in the last",
    says: [
      chunk({ content: "Hello" }, null, { usage: { prompt_tokens: 3, completion_tokens: 2 } }),
      chunk({}, "stop", { usage: null }),
      done
    ],
    heard: [{ text: "Hello" }, stop],
    usage: { total: 3, output: 2 }
  },
  {
    name: "usage with sound and cost",
    says: [
      ...hello,
      chunk({}, "stop", { usage: { prompt_tokens: 3, cost: 0.1, prompt_tokens_details: { audio_tokens: 2 } } }),
      done
    ],
    heard: [{ text: "Hello" }, stop],
    finish: { usage: { cost: 0.1, prompt_tokens_details: { audio_tokens: 2 } } }
  },
  {
    name: "log probabilities, a fingerprint and what nobody knows",
    says: [
      event({
        choices: [{ delta: { content: "Hel" }, logprobs: { content: [{ token: "Hel" }] } }],
        system_fingerprint: "fp"
      }),
      event({ choices: [{ delta: { content: "lo" }, logprobs: { content: [{ token: "lo" }] } }], provider: "X" }),
      choice({ delta: {}, finish_reason: "stop", stop_reason: 7 }),
      done
    ],
    heard: [{ text: "Hello" }, stop],
    finish: { logprobs: [{ token: "Hel" }, { token: "lo" }], system_fingerprint: "fp", provider: "X", stop_reason: 7 }
  }
]

/** How a server may write what all of them write. */
const Habits = Schema.Struct({
  index: Schema.Literals(["given", "zero", "none"]),
  id: Schema.Literals(["given", "repeated", "empty", "none"]),
  name: Schema.Literals(["first", "repeated", "later"]),
  parameters: Schema.Literals(["pieces", "whole", "object", "twice", "of JSON", "after {}"]),
  content: Schema.Literals(["text", "pieces"]),
  reasoning: Schema.Literals(["reasoning", "reasoning_content", "thinking"]),
  field: Schema.Literals(["delta", "message"]),
  reason: Schema.Literals(["last", "every", "none", "eos"]),
  ends: Schema.Boolean
})

const speak = (said: Dialects.Said, habits: typeof Habits.Type): ReadonlyArray<string> | undefined => {
  const { content, field, id, index, name, parameters, reason } = habits
  const isNumbered = index === "given"
  const hasId = id === "given" || id === "repeated"
  // Nothing would say where a call begins, or that nothing follows.
  if (name === "later" && !isNumbered) return undefined
  if (name === "repeated" && !isNumbered && !hasId && parameters !== "pieces") return undefined
  if (name === "repeated" && id !== "repeated" && /twice|after/.test(parameters)) return undefined
  if (!isNumbered && !hasId && parameters === "twice") return undefined
  if (!habits.ends && (reason === "none" || reason === "every")) return undefined
  const isCall = said.calls.length > 0
  if (reason === "none" && !isCall && said.text.length + said.reasoning.length === 0) return undefined
  const why = (isLast: boolean) => {
    if (reason === "none" || (!isLast && reason !== "every")) return null
    return reason === "eos" ? "eos" : isCall ? "tool_calls" : "stop"
  }
  const deltas: Array<object> = [
    ...said.reasoning.map((text) =>
      habits.reasoning === "thinking"
        ? { content: [{ type: "thinking", thinking: [{ type: "text", text }] }] }
        : { [habits.reasoning]: text }
    ),
    ...said.text.map((text) => ({ content: content === "text" ? text : [{ type: "text", text }] })),
    ...said.calls.flatMap((city, position) => {
      const json = JSON.stringify({ city })
      const middle = json.length >> 1
      const pieces: { [how in typeof parameters]: ReadonlyArray<unknown> } = {
        pieces: ["", json.slice(0, middle), json.slice(middle)],
        whole: [json],
        object: [{ city }],
        twice: ["", json, json],
        "of JSON": [JSON.stringify(json)],
        "after {}": ["{}", json]
      }
      return pieces[parameters].map((piece, i) => ({
        tool_calls: [
          {
            ...(index === "none" ? {} : { index: index === "zero" ? 0 : position }),
            ...(id === "empty" ? { id: "" } : {}),
            ...(hasId && (i === 0 || id === "repeated") ? { id: `id_${position}` } : {}),
            function: {
              ...(name === "repeated" || i === (name === "first" ? 0 : pieces[parameters].length - 1)
                ? { name: "weather" }
                : {}),
              arguments: piece
            }
          }
        ]
      }))
    })
  ]
  const chunks = deltas.map((delta) => choice({ [field]: delta, finish_reason: why(false) }))
  return [...chunks, choice({ [field]: {}, finish_reason: why(true) }), ...(habits.ends ? [done] : [])]
}

Dialects.suite({
  name: "openai",
  path: "/v1",
  layer: (options) => Layer.provide(OpenAi.model("test-model"), OpenAi.layer(options)),
  table: [...calling, ...speaking, ...failing, ...refusing, ...usages, ...counted],
  habits: Habits,
  speak,
  numbered: [weather(osloJson, { index: 0, id: "call_0" }), chunk({}, "tool_calls"), done],
  back: [
    {
      name: "reasoning_content with a call (DeepSeek)",
      says: [
        chunk({ reasoning_content: "h" }),
        chunk({ reasoning_content: "m" }),
        weather(osloJson, { index: 0, id: "a" }),
        chunk({}, "tool_calls"),
        done
      ],
      message: { ...assistant(null, [{ id: "a" }]), reasoning_content: "hm" },
      elsewhere: assistant(null, [{ id: "a" }])
    },
    {
      name: "reasoning_details in pieces (OpenRouter)",
      says: [
        chunk({ reasoning: "h", reasoning_details: [{ type: "reasoning.text", index: 0, text: "h" }] }),
        chunk({ reasoning: "m", reasoning_details: [{ type: "reasoning.text", index: 0, text: "m" }] }),
        chunk({ content: "", reasoning_details: [{ type: "reasoning.text", index: 0, text: "", signature: "S" }] }),
        chunk({ reasoning_details: [{ type: "reasoning.encrypted", index: 1, data: "E" }] }),
        chunk({ content: "Hello" }, "stop"),
        done
      ],
      message: {
        role: "assistant",
        content: "Hello",
        reasoning_details: [
          { type: "reasoning.text", index: 0, text: "hm", signature: "S" },
          { type: "reasoning.encrypted", index: 1, data: "E" }
        ]
      },
      elsewhere: { role: "assistant", content: "Hello" }
    },
    {
      name: "extra_content of a call (Gemini)",
      says: [
        weather(osloJson, { id: "a", extra_content: { google: { thought_signature: "S" } } }),
        chunk({}, "stop"),
        done
      ],
      message: assistant(null, [{ id: "a", extra_content: { google: { thought_signature: "S" } } }]),
      elsewhere: assistant(null, [{ id: "a" }])
    },
    {
      name: "extra_content after a text (Gemini)",
      says: [
        chunk({ content: "Hello" }),
        chunk({ content: "", extra_content: { google: { thought_signature: "S" } } }, "stop"),
        done
      ],
      message: { role: "assistant", content: "Hello", extra_content: { google: { thought_signature: "S" } } },
      elsewhere: { role: "assistant", content: "Hello" }
    },
    {
      name: "thoughts among the pieces (Mistral)",
      says: [
        chunk({ content: [{ type: "thinking", thinking: [{ type: "text", text: "hm" }] }] }),
        chunk({ content: [{ type: "text", text: "Hello" }] }, "stop"),
        done
      ],
      message: {
        role: "assistant",
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
          { type: "text", text: "Hello" }
        ]
      },
      elsewhere: { role: "assistant", content: "Hello" }
    }
  ]
})

function assistant(content: string | null, made: ReadonlyArray<object>) {
  const tool_calls = made.map((call) => ({
    type: "function",
    function: { name: "weather", arguments: osloJson },
    ...call
  }))
  return { role: "assistant", content, tool_calls }
}
