/** AI SDK: `streamText` with `@ai-sdk/openai` (Chat Completions) or `@ai-sdk/anthropic`. */
import { createAnthropic } from "@ai-sdk/anthropic"
import { createOpenAI } from "@ai-sdk/openai"
import { isStepCount, streamText, tool } from "ai-7"
import { z } from "zod"
import { type Client, lookup } from "../../Case.ts"

const tools = {
  lookup: tool({
    description: "Looks a word up",
    inputSchema: z.object({ word: z.string() }),
    execute: ({ word }) => Promise.resolve(lookup(word))
  })
}

export const client: Client = async ({ protocol, tool, url }) => {
  const model =
    protocol === "openai"
      ? createOpenAI({ baseURL: url, apiKey: "none" }).chat("bench")
      : createAnthropic({ baseURL: `${url}/v1`, apiKey: "none" })("bench")
  return async (see) => {
    const { textStream } = streamText({
      model,
      prompt: "go",
      ...(tool && { tools, stopWhen: isStepCount(5) }),
      onError: ({ error }) => {
        throw error
      }
    })
    for await (const token of textStream) see(token)
  }
}
