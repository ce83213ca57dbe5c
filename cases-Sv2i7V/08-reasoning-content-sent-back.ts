/** DeepSeek's and Moonshot's thinking models refuse a tool step whose assistant message lacks the reasoning they sent. */
import * as L from "./lib.ts"
const server = await L.serve((r, asked, n) => {
  const calling = asked.body.messages.find((m: any) => m.tool_calls)
  if (n > 1 && !calling?.reasoning_content)
    return L.json(r, 400, {
      error: {
        type: "invalid_request_error",
        message: "thinking is on, and the assistant message with the call has no reasoning_content"
      }
    })
  return L.first([
    L.chunk({ reasoning_content: "I need the weather" }),
    L.callChunk({ index: 0, id: "a", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } }),
    L.chunk({}, "tool_calls"),
    L.DONE
  ])(r, asked, n)
})
const exit = await L.ask(L.assistant(L.openai(server)), "hi")
L.verdict("08 a thinking model can use a tool (reasoning_content)", [
  L.errorOf(exit) !== undefined && L.short(L.errorOf(exit))
])
