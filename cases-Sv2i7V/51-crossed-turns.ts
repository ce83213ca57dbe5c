/** Two turns of one conversation at once (two browser tabs) leave tool calls crossed in the history: every user message must still reach the model, and calls stay paired. */
import * as L from "./lib.ts"
import { Message } from "miniagents"
import { LlmMessage, LlmPrompt } from "miniagents/llm"
const call = (id: string) => new LlmMessage.ToolCall({ id, name: "Ask", parameters: {}, agent: "Front" })
const result = (id: string) =>
  new LlmMessage.ToolResult({ id, name: "Ask", result: `r${id}`, isFailure: false, agent: "Front" })
const A = Message.user("A?"),
  B = Message.user("I am allergic to nuts"),
  last = Message.user("What am I allergic to?")
const complaints: Array<string> = []
const look = (title: string, messages: ReadonlyArray<Message.Message>) => {
  const prompt = LlmPrompt.fromMessages(messages).content as ReadonlyArray<any>
  const text = JSON.stringify(prompt)
  for (const wanted of messages.filter((m) => m._tag === "User").map(String))
    if (!text.includes(wanted)) complaints.push(`${title}: "${wanted}" is not in the prompt`)
  const open = new Set<string>()
  for (const m of prompt)
    for (const part of Array.isArray(m.content) ? m.content : []) {
      if (part.type === "tool-call") open.add(part.id)
      if (part.type === "tool-result" && !open.delete(part.id))
        complaints.push(`${title}: result ${part.id} without a call before it`)
    }
  if (open.size > 0) complaints.push(`${title}: calls without results ${[...open]}`)
}
look("crossed", [
  A,
  B,
  call("a"),
  call("b"),
  result("a"),
  Message.assistant("A done"),
  result("b"),
  Message.assistant("B done"),
  last
])
look("nested", [
  A,
  B,
  call("a"),
  call("b"),
  result("b"),
  Message.assistant("B done"),
  result("a"),
  Message.assistant("A done"),
  last
])
look("user inside", [A, call("a"), B, result("a"), Message.assistant("A done"), Message.assistant("B done"), last])
look("cancelled", [A, call("a"), last])
L.verdict("51 crossed turns lose no message", complaints)
