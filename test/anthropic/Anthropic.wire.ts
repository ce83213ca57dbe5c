/** What Anthropic's protocol looks like on the wire. */
import type { Said, Wire } from "../llm/Wire.contract.ts"

export const event = (type: string, data: object = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`

export const block = (
  index: number,
  content_block: object,
  ...deltas: ReadonlyArray<object>
): ReadonlyArray<string> => [
  event("content_block_start", { index, content_block }),
  ...deltas.map((delta) => event("content_block_delta", { index, delta })),
  event("content_block_stop", { index })
]

export const start = (usage: object = {}) =>
  event("message_start", { message: { id: "response-1", model: "model-1", role: "assistant", content: [], usage } })

export const finish = (stop_reason: string, usage: object = {}) =>
  event("message_delta", { delta: { stop_reason }, usage })

export const stop = event("message_stop")

const reasons = { stop: "end_turn", length: "max_tokens", refused: "refusal" }

export const say: Wire["say"] = ({ calls = [], reason = "stop", reasoning = [], text = [], usage }) => {
  const blocks: Array<readonly [object, ReadonlyArray<object>]> = []
  if (reasoning.length > 0) {
    blocks.push([
      { type: "thinking", thinking: "" },
      reasoning.map((thinking) => ({ type: "thinking_delta", thinking }))
    ])
  }
  if (text.length > 0) blocks.push([{ type: "text", text: "" }, text.map((text) => ({ type: "text_delta", text }))])
  for (const { json, ...call } of calls) {
    const deltas = json.map((partial_json) => ({ type: "input_json_delta", partial_json }))
    blocks.push([{ type: "tool_use", input: {}, ...call }, deltas])
  }
  const events = blocks.flatMap(([content_block, deltas], index) => block(index, content_block, ...deltas))
  return {
    // What comes after the last piece of content belongs to the end.
    content: [start(usage && { input_tokens: usage[0], output_tokens: 1 }), ...events.slice(0, -1)],
    finish: [
      ...events.slice(-1),
      finish(calls.length > 0 ? "tool_use" : reasons[reason], usage && { output_tokens: usage[1] })
    ],
    end: [stop]
  }
}

/** Everything a server sends for a response. */
export const whole = (said: Said): ReadonlyArray<string> => Object.values(say(said)).flat()
