/** What a sub-agent does is seen, and its failure is not an empty success. */
import * as L from "./lib.ts"
import { AgentTool, LlmAgent } from "miniagents/llm"
const server = await L.serve((r, asked, n) => {
  if (!JSON.stringify(asked.body.messages).includes("SUB"))
    return L.first(
      [
        L.callChunk({ index: 0, id: "o", type: "function", function: { name: "Sub", arguments: '{"message":"go"}' } }),
        L.chunk({}, "tool_calls"),
        L.DONE
      ],
      "finished"
    )(r, asked, n)
  if (n === 2)
    return L.sse(r, [
      L.callChunk({ index: 0, id: "i", type: "function", function: { name: "clock", arguments: "{}" } }),
      L.chunk({}, "tool_calls"),
      L.DONE
    ])
  return L.json(r, 500, { error: { message: "the model is gone" } })
})
const sub = LlmAgent.make("Sub", { system: "SUB", toolkit: L.kit, model: L.openai(server) as any })
const exit = await L.ask(
  LlmAgent.make("Top", {
    toolkit: AgentTool.toolkit(AgentTool.make(sub as any, { failureMode: "return" })) as any,
    model: L.openai(server) as any
  }),
  "hi"
)
const told = server.asked.at(-1)?.body.messages.find((m: any) => m.role === "tool")?.content
const seen = L.texts(exit)
L.verdict("43 the work and the failure of a sub-agent are seen and told", [
  !String(told).includes("the model is gone") && `the model is told ${L.short(told)}`,
  !seen.some((t) => t.startsWith("ToolCall:clock")) && `seen ${L.short(seen)}`,
  !seen.at(-1)?.endsWith("finished") && L.short(L.errorOf(exit) ?? seen)
])
