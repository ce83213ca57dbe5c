/** What OpenAI's Responses API looks like on the wire. */
import type { Said, Wire } from "../llm/Wire.contract.ts"

let count = 0
export const event = (type: string, data: object = {}) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: count++, ...data })}\n\n`
export const about = (more: object = {}) => ({
  response: { id: "response-1", model: "model-1", created_at: 1, output: [], ...more }
})
export const created = (more: object = {}) => event("response.created", about(more))
export const item = (type: string, output_index: number, item: object) =>
  event(`response.output_item.${type}`, { output_index, item })

export const reasoning = (index: number, pieces: ReadonlyArray<string>, more: object = {}) => [
  item("added", index, { type: "reasoning", id: `rs_${index}`, summary: [] }),
  ...pieces.map((delta) =>
    event("response.reasoning_summary_text.delta", { output_index: index, summary_index: 0, delta })
  ),
  item("done", index, {
    type: "reasoning",
    id: `rs_${index}`,
    summary: [{ type: "summary_text", text: pieces.join("") }],
    status: "completed",
    ...more
  })
]
export const message = (index: number, pieces: ReadonlyArray<string>) => [
  item("added", index, { type: "message", id: `msg_${index}`, role: "assistant", content: [] }),
  ...pieces.map((delta) =>
    event("response.output_text.delta", { output_index: index, content_index: 0, delta, logprobs: [] })
  ),
  item("done", index, {
    type: "message",
    id: `msg_${index}`,
    role: "assistant",
    content: [{ type: "output_text", text: pieces.join(""), annotations: [] }]
  })
]
export const call = (index: number, id: string, name: string, pieces: ReadonlyArray<string>) => [
  item("added", index, { type: "function_call", id: `fc_${index}`, call_id: id, name, arguments: "" }),
  ...pieces.map((delta) => event("response.function_call_arguments.delta", { output_index: index, delta })),
  item("done", index, {
    type: "function_call",
    id: `fc_${index}`,
    call_id: id,
    name,
    arguments: pieces.join(""),
    status: "completed"
  })
]
export const completed = (more: object = {}) => event("response.completed", about({ status: "completed", ...more }))
export const incomplete = (reason: string, more: object = {}) =>
  event("response.incomplete", about({ status: "incomplete", incomplete_details: { reason }, ...more }))

export const say: Wire["say"] = ({ calls = [], reason = "stop", reasoning: thoughts = [], text = [], usage }) => {
  const items = [
    ...(thoughts.length > 0 ? [(index: number) => reasoning(index, thoughts)] : []),
    ...(text.length > 0 ? [(index: number) => message(index, text)] : []),
    ...calls.map(
      ({ id, json, name }) =>
        (index: number) =>
          call(index, id, name, json)
    )
  ].flatMap((make, index) => make(index))
  const counted = usage && { usage: { input_tokens: usage[0], output_tokens: usage[1] } }
  const end =
    reason === "stop"
      ? completed(counted)
      : incomplete(reason === "length" ? "max_output_tokens" : "content_filter", counted)
  return { content: [created(), ...items.slice(0, -1)], finish: [...items.slice(-1), end], end: [] }
}
export const whole = (said: Said) => Object.values(say(said)).flat()
