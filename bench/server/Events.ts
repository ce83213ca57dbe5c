/** The events of the two protocols, as the bytes that a provider sends: made once for each kind of response. */
import type { Protocol } from "../Case.ts"
import * as Tokens from "../Tokens.ts"

/** Pieces of the JSON of a tool call's parameters. */
const parameters = ['{"wo', 'rd":', '"mini', 'agents"}']

const data = (event: unknown): string => `data: ${JSON.stringify(event)}\n\n`

const chunk = (delta: object, finish: string | null = null): string =>
  data({
    id: "chatcmpl-CZ3qkYvWn2hK8sT1dRfLxG5pUeJ7m",
    object: "chat.completion.chunk",
    created: 1_790_000_000,
    model: "bench-1-2026-01-01",
    service_tier: "default",
    system_fingerprint: "fp_a1b2c3d4e5",
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    usage: null
  })

const openaiEnd = (finish: string, tokens: number): ReadonlyArray<string> => [
  chunk({}, finish),
  data({
    id: "chatcmpl-CZ3qkYvWn2hK8sT1dRfLxG5pUeJ7m",
    object: "chat.completion.chunk",
    created: 1_790_000_000,
    model: "bench-1-2026-01-01",
    service_tier: "default",
    system_fingerprint: "fp_a1b2c3d4e5",
    choices: [],
    usage: { prompt_tokens: 9, completion_tokens: tokens, total_tokens: 9 + tokens }
  }),
  "data: [DONE]\n\n"
]

const named = (event: { readonly type: string }): string => `event: ${event.type}\n${data(event)}`

const anthropicStart = named({
  type: "message_start",
  message: {
    id: "msg_01XFDUDYJgAACzvnptvVoYEL",
    type: "message",
    role: "assistant",
    model: "bench-1-20260101",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 9, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 }
  }
} as { readonly type: string })

const block = (content: object, deltas: ReadonlyArray<object>): ReadonlyArray<string> => [
  named({ type: "content_block_start", index: 0, content_block: content } as { readonly type: string }),
  named({ type: "ping" }),
  ...deltas.map((delta) => named({ type: "content_block_delta", index: 0, delta } as { readonly type: string })),
  named({ type: "content_block_stop", index: 0 } as { readonly type: string })
]

const anthropicEnd = (stop: string, tokens: number): ReadonlyArray<string> => [
  named({
    type: "message_delta",
    delta: { stop_reason: stop, stop_sequence: null },
    usage: { output_tokens: tokens }
  } as { readonly type: string }),
  named({ type: "message_stop" })
]

/** A response of so many tokens of text. */
export const text: Readonly<Record<Protocol, (tokens: number) => ReadonlyArray<string>>> = {
  openai: (count) => [
    chunk({ role: "assistant", content: "", refusal: null }),
    ...Tokens.take(count).map((content) => chunk({ content })),
    ...openaiEnd("stop", count)
  ],
  anthropic: (count) => [
    anthropicStart,
    ...block(
      { type: "text", text: "" },
      Tokens.take(count).map((text) => ({ type: "text_delta", text }))
    ),
    ...anthropicEnd("end_turn", count)
  ]
}

/** A response that calls the tool `lookup`. */
export const toolCall: Readonly<Record<Protocol, ReadonlyArray<string>>> = {
  openai: [
    chunk({
      role: "assistant",
      content: null,
      tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "lookup", arguments: "" } }]
    }),
    ...parameters.map((json) => chunk({ tool_calls: [{ index: 0, function: { arguments: json } }] })),
    ...openaiEnd("tool_calls", parameters.length)
  ],
  anthropic: [
    anthropicStart,
    ...block(
      { type: "tool_use", id: "toolu_1", name: "lookup", input: {} },
      parameters.map((partial_json) => ({ type: "input_json_delta", partial_json }))
    ),
    ...anthropicEnd("tool_use", parameters.length)
  ]
}
