/** Google ADK: an `LlmAgent` over a custom `BaseLlm`, run in memory with streaming. */
import { BaseLlm, InMemoryRunner, LlmAgent, type LlmResponse, LogLevel, setLogLevel, StreamingMode } from "@google/adk"
import type { Adapter } from "../Case.ts"

setLogLevel(LogLevel.ERROR)
const message = { userId: "1", newMessage: { role: "user", parts: [{ text: "go" }] } }

export const agent: Adapter = (source) => {
  class Model extends BaseLlm {
    connect() {
      return Promise.reject(new Error("the bench only streams"))
    }
    async *generateContentAsync(): AsyncGenerator<LlmResponse, void> {
      let all = ""
      for await (const text of source()) {
        all += text
        yield { content: { role: "model", parts: [{ text }] }, partial: true }
      }
      yield { content: { role: "model", parts: [{ text: all }] }, turnComplete: true }
    }
  }
  const model = new Model({ model: "bench" })
  const runner = new InMemoryRunner({ agent: new LlmAgent({ name: "Bench", model }) })
  return async (see) => {
    const events = runner.runEphemeral({ ...message, runConfig: { streamingMode: StreamingMode.SSE } })
    for await (const event of events) if (event.partial) see(event.content!.parts![0]!.text!)
  }
}
