/** A call that was cancelled before its result, of several in one step: the next turn is accepted. */
import * as L from "./lib.ts"
import { Message } from "miniagents"
import { LlmMessage } from "miniagents/llm"
const call = (id: string, city: string) =>
  new LlmMessage.ToolCall({ id, name: "weather", parameters: { city }, agent: "A", step: 1 })
const server = await L.serve(L.first([L.chunk({ content: "ok" }), L.chunk({}, "stop"), L.DONE]))
await L.ask(L.assistant(L.openai(server)), [
  Message.user("q"),
  call("a", "Oslo"),
  new LlmMessage.ToolResult({ id: "a", name: "weather", result: "rain", isFailure: false }),
  call("b", "Rome"),
  Message.user("stop that")
])
const messages = server.asked[0]?.body.messages as Array<any>
const calls = messages.flatMap((m) => (m.tool_calls ?? []).map((c: any) => c.id)).join()
const results = messages.flatMap((m) => (m.role === "tool" ? [m.tool_call_id] : [])).join()
L.verdict("28 a cancelled call leaves no orphan", [
  calls !== results && `calls ${calls}, results ${results}`,
  messages.at(-1)?.content !== "stop that" && "the last message is missing"
])
