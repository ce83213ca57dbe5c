/** LangChain: `createAgent` on `ChatOpenAI` or `ChatAnthropic`, read with `streamMode: "messages"`. */
import { ChatAnthropic } from "@langchain/anthropic"
import { AIMessageChunk } from "@langchain/core/messages"
import { ChatOpenAI } from "@langchain/openai"
import { createAgent, tool } from "langchain"
import { z } from "zod"
import { type Client, lookup } from "../../Case.ts"

const tools = [
  tool(({ word }) => lookup(word), {
    name: "lookup",
    description: "Looks a word up",
    schema: z.object({ word: z.string() })
  })
]

export const client: Client = async (endpoint) => {
  const { protocol, url } = endpoint
  const model =
    protocol === "openai"
      ? new ChatOpenAI({ model: "bench", apiKey: "none", maxRetries: 0, configuration: { baseURL: url } })
      : new ChatAnthropic({ model: "bench", apiKey: "none", maxRetries: 0, anthropicApiUrl: url })
  const agent = createAgent({ model, tools: endpoint.tool ? tools : [] })
  return async (see) => {
    const stream = await agent.stream({ messages: [["user", "go"]] }, { streamMode: "messages" })
    for await (const [chunk] of stream) {
      if (AIMessageChunk.isInstance(chunk) && chunk.text !== "") see(chunk.text)
    }
  }
}
