/** An agent called "Web Search" as a tool: providers refuse the whole request for one name with a space. Fit it, or refuse it where the tool is made. */
import * as L from "./lib.ts"
import { Agent } from "miniagents"
import { AgentTool, LlmAgent } from "miniagents/llm"
const server = await L.serve((r, asked, n) =>
  asked.body.tools.every((t: any) => /^[a-zA-Z0-9_-]{1,64}$/.test(t.function.name))
    ? L.first([L.chunk({ content: "ok" }), L.chunk({}, "stop"), L.DONE])(r, asked, n)
    : L.json(r, 400, { error: { type: "invalid_request_error", message: "Invalid 'tools[0].function.name'" } })
)
let made: any
try {
  made = LlmAgent.make("Top", {
    toolkit: AgentTool.toolkit(AgentTool.make(Agent.make("Web Search", (ctx) => ctx.reply("r")))) as any,
    model: L.openai(server) as any
  })
} catch (error) {
  L.verdict("49 an agent's name that is no tool name", [
    !/Web Search/.test(String(error)) && `thrown without the name: ${error}`
  ])
}
const error = L.errorOf(await L.ask(made, "hi"))
L.verdict("49 an agent's name that is no tool name is fitted, or refused by name before any request", [
  error !== undefined && !/Web Search/.test(String(error.message)) && L.short(error)
])
