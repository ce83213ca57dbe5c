/** Gemini 3's OpenAI endpoint refuses a call that comes back without the signature it was sent with. */
import * as L from "./lib.ts"
const server = await L.serve((r, asked, n) => {
  const call = asked.body.messages.find((m: any) => m.tool_calls)?.tool_calls[0]
  if (n > 1 && call?.extra_content?.google?.thought_signature !== "SIG")
    return L.json(r, 400, [
      { error: { code: 400, status: "INVALID_ARGUMENT", message: "a function call lacks its thought_signature" } }
    ])
  return L.first([
    L.callChunk({
      index: 0,
      id: "a",
      type: "function",
      extra_content: { google: { thought_signature: "SIG" } },
      function: { name: "weather", arguments: '{"city":"Oslo"}' }
    }),
    L.chunk({}, "stop"),
    L.DONE
  ])(r, asked, n)
})
const exit = await L.ask(L.assistant(L.openai(server)), "hi")
L.verdict("09 a Gemini 3 model can use a tool (thought_signature)", [
  L.errorOf(exit) !== undefined && L.short(L.errorOf(exit))
])
