/** What OpenAI's protocol looks like on the wire. */
import type { Said, Wire } from "../llm/Wire.contract.ts"

export const chunk = (delta: unknown, finish_reason: string | null = null, more: object = {}): string =>
  event({ choices: [{ index: 0, delta, finish_reason }], ...more })

export const event = (data: object): string =>
  `data: ${JSON.stringify({ id: "response-1", object: "chat.completion.chunk", created: 1, model: "model-1", ...data })}\n\n`

export const say: Wire["say"] = ({ calls = [], reason = "stop", reasoning = [], text = [], usage }) => ({
  content: [
    chunk({ role: "assistant", content: "" }),
    ...reasoning.map((piece) => chunk({ reasoning_content: piece })),
    ...text.map((piece) => chunk({ content: piece })),
    ...calls.flatMap(({ id, json, name }, index) => [
      chunk({ tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] }),
      ...json.map((piece) => chunk({ tool_calls: [{ index, function: { arguments: piece } }] }))
    ])
  ],
  finish: [
    chunk({}, { stop: calls.length > 0 ? "tool_calls" : "stop", length: "length", refused: "content_filter" }[reason]),
    ...(usage ? [event({ choices: [], usage: { prompt_tokens: usage[0], completion_tokens: usage[1] } })] : [])
  ],
  end: ["data: [DONE]\n\n"]
})

/** Everything a server sends for a response. */
export const whole = (said: Said): ReadonlyArray<string> => Object.values(say(said)).flat()
