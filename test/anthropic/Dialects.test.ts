/** The dialects of Anthropic's Messages: what servers that call themselves compatible send. */
import { Layer, Schema } from "effect"
import { Anthropic } from "miniagents/anthropic"
import * as Dialects from "../llm/Dialect.contract.ts"
import { block, event, finish, start, stop } from "./Anthropic.wire.ts"

const text = (index: number, ...pieces: ReadonlyArray<string>) =>
  block(index, { type: "text", text: "" }, ...pieces.map((text) => ({ type: "text_delta", text })))
const use = (index: number, more: object, ...pieces: ReadonlyArray<unknown>) =>
  block(
    index,
    { type: "tool_use", id: `toolu_${index}`, name: "weather", input: {}, ...more },
    ...pieces.map((partial_json) => ({ type: "input_json_delta", partial_json }))
  )
const hello = text(0, "Hel", "lo")
const oslo = { call: "weather", with: { city: "Oslo" } }
const rome = { call: "weather", with: { city: "Rome" } }
const osloJson = '{"city":"Oslo"}'
const calls = { finish: "tool-calls" }
const ended = { finish: "stop" }
const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`

const table: ReadonlyArray<Dialects.Dialect> = [
  {
    name: "parameters both in the start and in pieces",
    says: [start(), ...use(0, { input: { city: "Oslo" } }, osloJson), finish("tool_use"), stop],
    heard: [oslo, calls],
    pieces: osloJson
  },
  {
    name: "parameters in the start alone",
    says: [start(), ...use(0, { input: { city: "Oslo" } }), finish("tool_use"), stop],
    heard: [oslo, calls],
    pieces: osloJson
  },
  {
    name: "parameters as an object in a piece",
    says: [start(), ...use(0, {}, { city: "Oslo" }), finish("tool_use"), stop],
    heard: [oslo, calls]
  },
  {
    name: "calls without ids, and with the same",
    says: [
      start(),
      ...use(0, { id: undefined }, osloJson),
      ...use(1, { id: "x" }, '{"city":"Rome"}'),
      ...use(2, { id: "x" }, osloJson),
      finish("tool_use"),
      stop
    ],
    heard: [oslo, rome, oslo, calls]
  },
  {
    name: "null for no parameters",
    says: [start(), ...use(0, { name: "clock", input: null }, "null"), finish("tool_use"), stop],
    heard: [{ call: "clock", with: {} }, calls]
  },
  {
    name: "parameters that are no JSON are given as they are",
    says: [start(), ...use(0, {}, "{'city': 'Oslo'}"), finish("tool_use"), stop],
    heard: [{ call: "weather", with: "{'city': 'Oslo'}" }, calls]
  },
  {
    name: "a call that the token limit cut is said to be cut",
    says: [start(), ...hello, ...use(1, {}, '{"ci'), finish("max_tokens"), stop],
    heard: [{ text: "Hello" }, { error: "InvalidOutputError", saying: "token limit" }]
  },
  {
    name: "a call without a name",
    says: [start(), ...use(0, { name: undefined }, osloJson), finish("tool_use"), stop],
    heard: [{ error: "InvalidOutputError", saying: "without its name" }]
  },
  {
    name: "calls keep their order when one of them has no parameters",
    says: [start(), ...use(0, { name: "clock" }), ...use(1, {}, osloJson), finish("tool_use"), stop],
    heard: [{ call: "clock", with: {} }, oslo, calls]
  },
  {
    name: "events without names",
    says: [start(), ...hello, finish("end_turn"), stop].map((event) => event.replace(/^event: .*\n/, "")),
    heard: [{ text: "Hello" }, ended]
  },
  {
    name: "blocks that are never ended",
    says: [start(), ...hello.slice(0, -1), ...use(1, {}, osloJson).slice(0, -1), finish("tool_use"), stop],
    heard: [{ text: "Hello" }, oslo, calls]
  },
  {
    name: "blocks that never begin",
    says: [start(), ...hello.slice(1), finish("end_turn"), stop],
    heard: [{ text: "Hello" }, ended]
  },
  { name: "no reason at all", says: [start(), ...hello, stop], heard: [{ text: "Hello" }, { finish: "unknown" }] },
  {
    name: "a call and no reason at all",
    says: [start(), ...use(0, {}, osloJson), stop],
    heard: [oslo, calls]
  },
  {
    name: "a reason of its own",
    says: [start(), ...hello, finish("because"), stop],
    heard: [{ text: "Hello" }, { finish: "other" }],
    finish: { stop_reason: "because" }
  },
  {
    name: "a call and a reason of its own",
    says: [start(), ...use(0, {}, osloJson), finish("because"), stop],
    heard: [oslo, calls]
  },
  {
    name: "halves of a character in two pieces",
    says: [start(), ...text(0, "a\uD83D", "\uDE80b"), finish("end_turn"), stop],
    heard: [{ text: "a🚀b" }, ended]
  },
  {
    name: "a whole message in the place of a stream",
    says: [
      JSON.stringify({
        id: "1",
        type: "message",
        role: "assistant",
        model: "m",
        content: [
          { type: "thinking", thinking: "hm", signature: "S" },
          { type: "text", text: "Hello" },
          { type: "tool_use", id: "a", name: "weather", input: { city: "Oslo" } }
        ],
        stop_reason: "tool_use",
        usage: { input_tokens: 3, output_tokens: 2 }
      })
    ],
    contentType: "application/json",
    heard: [{ reasoning: "hm" }, { text: "Hello" }, oslo, calls],
    usage: { total: 3, output: 2 }
  },
  ...["data: \n\n", "event: ping\n\n", event("ping"), ": x\n\n", "data: {}\n\n"].map((alive) => ({
    name: `keep-alives of the form ${JSON.stringify(alive)}`,
    says: [alive, start(), alive, ...hello, alive, finish("end_turn"), alive, stop, alive],
    heard: [{ text: "Hello" }, ended]
  })),
  ...[
    ["an event", event("error", { error: { type: "overloaded_error", message: "WORDS" } }), "InternalProviderError"],
    [
      "data without a name",
      data({ type: "error", error: { type: "rate_limit_error", message: "WORDS" } }),
      "RateLimitError"
    ],
    ["a field", data({ error: { message: "WORDS", code: 402 } }), "QuotaExhaustedError"],
    ["plain text", "event: error\ndata: WORDS\n\n", "InternalProviderError"],
    ["words alone", data({ detail: "WORDS" }), "InternalProviderError"]
  ].map(([shape, said, error]) => ({
    name: `an error in mid-stream as ${shape}`,
    says: [start(), ...hello, said ?? "", stop],
    heard: [{ text: "Hello" }, { error: error ?? "", saying: "WORDS" }]
  })),
  {
    name: "status 200 and an error",
    says: [JSON.stringify({ type: "error", error: { type: "billing_error", message: "WORDS" } })],
    contentType: "application/json",
    heard: [{ error: "QuotaExhaustedError", saying: "WORDS" }]
  },
  {
    name: "usage that is null, and usage at the end alone",
    says: [
      event("message_start", { message: { id: "1", model: "m", usage: null } }),
      ...hello,
      finish("end_turn", { input_tokens: 3, cache_read_input_tokens: 4, output_tokens: 2, service_tier: "x" }),
      stop
    ],
    heard: [{ text: "Hello" }, ended],
    usage: { total: 7, cacheRead: 4, uncached: 3, output: 2 },
    finish: { service_tier: "x" }
  }
]

/** How a server may write what all of them write. */
const Habits = Schema.Struct({
  names: Schema.Boolean,
  parameters: Schema.Literals(["pieces", "start", "both", "object"]),
  id: Schema.Literals(["given", "none", "same"]),
  begins: Schema.Boolean,
  ends: Schema.Boolean,
  reason: Schema.Literals(["given", "none", "odd"]),
  stops: Schema.Boolean
})

const speak = (said: Dialects.Said, habits: typeof Habits.Type): ReadonlyArray<string> | undefined => {
  const { id, parameters, reason } = habits
  const isEmpty = said.calls.length + said.text.length + said.reasoning.length === 0
  if (reason === "none" && (isEmpty || !habits.stops)) return undefined
  const blocks = [
    ...(said.reasoning.length === 0
      ? []
      : [(index: number) => block(index, { type: "thinking", thinking: "" }, ...said.reasoning.map(thinkingDelta))]),
    ...(said.text.length === 0 ? [] : [(index: number) => text(index, ...said.text)]),
    ...said.calls.map((city) => (index: number) => {
      const json = JSON.stringify({ city })
      const pieces = { pieces: [json.slice(0, 5), json.slice(5)], start: [], both: [json], object: [{ city }] }
      const input = parameters === "start" || parameters === "both" ? { city } : {}
      return use(index, { input, ...(id === "given" ? {} : { id: id === "same" ? "x" : "" }) }, ...pieces[parameters])
    })
  ]
  const events = blocks.flatMap((block, index) => {
    const all = block(index)
    const isCall = (all[0] ?? "").includes('"tool_use"')
    return all.slice(habits.begins || isCall ? 0 : 1, habits.ends ? undefined : -1)
  })
  const why = said.calls.length > 0 ? "tool_use" : "end_turn"
  const all = [
    start(),
    ...events,
    ...(reason === "none" ? [] : [finish(reason === "odd" ? "because" : why)]),
    ...(habits.stops ? [stop] : [])
  ]
  return habits.names ? all : all.map((event) => event.replace(/^event: .*\n/, ""))
}

const thinkingDelta = (thinking: string) => ({ type: "thinking_delta", thinking })

const citation = { type: "web_search_result_location", url: "https://example.org" }
const search = { type: "server_tool_use", id: "s", name: "web_search", input: { query: "rain" } }
const found = { type: "web_search_tool_result", tool_use_id: "s", content: [{ url: "https://example.org" }] }
const hi = { type: "text", text: "Hello" }

Dialects.suite({
  name: "anthropic",
  path: "",
  layer: (options) => Layer.provide(Anthropic.model("test-model"), Anthropic.layer(options)),
  table,
  habits: Habits,
  speak,
  numbered: [start(), ...use(0, { id: "call_0" }, osloJson), finish("tool_use"), stop],
  back: [
    {
      name: "a signed thought with a call",
      says: [
        start(),
        ...block(0, { type: "thinking", thinking: "", signature: "" }, thinkingDelta("hm"), {
          type: "signature_delta",
          signature: "S"
        }),
        ...use(1, { id: "a" }, osloJson),
        finish("tool_use"),
        stop
      ],
      message: {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "hm", signature: "S" },
          { type: "tool_use", id: "a", name: "weather", input: { city: "Oslo" } }
        ]
      },
      elsewhere: {
        role: "assistant",
        content: [{ type: "tool_use", id: "a", name: "weather", input: { city: "Oslo" } }]
      }
    },
    {
      name: "a thought without a signature (MiniMax)",
      says: [
        start(),
        ...block(0, { type: "thinking", thinking: "" }, thinkingDelta("hm")),
        ...text(1, "Hello"),
        finish("end_turn"),
        stop
      ],
      message: { role: "assistant", content: [{ type: "thinking", thinking: "hm" }, hi] },
      elsewhere: { role: "assistant", content: [hi] }
    },
    {
      name: "the blocks of a paused turn, in their places",
      says: [
        start(),
        ...text(0, "Hello"),
        ...block(
          1,
          { ...search, input: {} },
          { type: "input_json_delta", partial_json: '{"query":' },
          { type: "input_json_delta", partial_json: '"rain"}' }
        ),
        ...block(2, found),
        ...block(
          3,
          { type: "text", text: "" },
          { type: "text_delta", text: "a" },
          { type: "citations_delta", citation }
        ),
        ...block(4, { type: "block_of_tomorrow" }, { type: "delta_of_tomorrow", text: "x" }),
        finish("pause_turn"),
        stop
      ],
      message: {
        role: "assistant",
        content: [
          hi,
          search,
          found,
          { type: "text", text: "a", citations: [citation] },
          { type: "block_of_tomorrow", text: "x" }
        ]
      },
      elsewhere: { role: "assistant", content: [hi, { type: "text", text: "a" }] }
    }
  ]
})
