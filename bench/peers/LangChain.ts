/** LangChain: `createAgent` over a custom chat model, read with `streamMode: "messages"`. */
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager"
import { SimpleChatModel } from "@langchain/core/language_models/chat_models"
import { AIMessageChunk } from "@langchain/core/messages"
import { ChatGenerationChunk } from "@langchain/core/outputs"
import { createAgent } from "langchain"
import type { Adapter } from "../Case.ts"

export const agent: Adapter = (source) => {
  class Model extends SimpleChatModel {
    override _llmType() {
      return "bench"
    }
    override _call() {
      return Promise.reject(new Error("the bench only streams"))
    }
    override bindTools() {
      return this
    }
    override async *_streamResponseChunks(_: unknown, __: unknown, run?: CallbackManagerForLLMRun) {
      for await (const text of source()) {
        const chunk = new ChatGenerationChunk({ text, message: new AIMessageChunk(text) })
        yield chunk
        await run?.handleLLMNewToken(text, undefined, undefined, undefined, undefined, { chunk })
      }
    }
  }
  const agent = createAgent({ model: new Model({}), tools: [] })
  return async (see) => {
    const stream = await agent.stream({ messages: [["user", "go"]] }, { streamMode: "messages" })
    for await (const [chunk] of stream) see(chunk.text)
  }
}
