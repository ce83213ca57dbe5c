/** Providers that number calls anew in every response (`call_0`): a call that was cancelled must not take the rest of the conversation with it. */
import * as L from "./lib.ts"
import { Message } from "miniagents"
import { LlmMessage } from "miniagents/llm"
const call = (city: string) =>
  new LlmMessage.ToolCall({ id: "call_0", name: "weather", parameters: { city }, agent: "A", step: 1 })
const server = await L.serve(L.first([L.chunk({ content: "ok" }), L.chunk({}, "stop"), L.DONE]))
await L.ask(L.assistant(L.openai(server)), [
  Message.user("Weather in Oslo?"),
  call("Oslo"), // stopped here
  Message.user("Rome instead"),
  call("Rome"),
  new LlmMessage.ToolResult({ id: "call_0", name: "weather", result: "sun", isFailure: false }),
  Message.assistant("Sun in Rome"),
  Message.user("And Bergen?")
])
const messages = server.asked[0]?.body.messages as Array<any>
L.verdict("26 a reused call id loses nothing of the conversation", [
  messages.at(-1)?.content !== "And Bergen?" && `the model was asked: ${JSON.stringify(messages)}`,
  messages.filter((m) => m.tool_calls).length !== messages.filter((m) => m.role === "tool").length &&
    "a call without its result, or a result without its call"
])
