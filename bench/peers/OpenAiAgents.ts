/** OpenAI Agents: a custom `Model`, run with `stream: true`, tracing disabled. */
import { Agent, type Model, Runner, Usage } from "@openai/agents"
import type { Adapter } from "../Case.ts"

const runner = new Runner({ tracingDisabled: true })

export const agent: Adapter = (source) => {
  const model: Model = {
    getResponse: () => Promise.reject(new Error("the bench only streams")),
    async *getStreamedResponse() {
      let text = ""
      yield { type: "response_started" }
      for await (const delta of source()) {
        text += delta
        yield { type: "output_text_delta", delta }
      }
      const content = [{ type: "output_text" as const, text }]
      const output = [
        { id: "1", type: "message" as const, role: "assistant" as const, status: "completed" as const, content }
      ]
      yield { type: "response_done", response: { id: "1", usage: new Usage(), output } }
    }
  }
  const agent = new Agent({ name: "Bench", instructions: "go", model })
  return async (see) => {
    const result = await runner.run(agent, "go", { stream: true })
    for await (const token of result.toTextStream()) see(token)
    await result.completed
  }
}
