/** OpenAI Agents: its own model on Chat Completions, run with `stream: true`, tracing disabled. */
import { Agent, OpenAIChatCompletionsModel, Runner, tool } from "@openai/agents"
import OpenAI from "openai"
import { z } from "zod"
import { type Client, lookup } from "../../Case.ts"

const runner = new Runner({ tracingDisabled: true })

const tools = [
  tool({
    name: "lookup",
    description: "Looks a word up",
    parameters: z.object({ word: z.string() }),
    execute: ({ word }) => Promise.resolve(lookup(word))
  })
]

export const client: Client = async (endpoint) => {
  const model = new OpenAIChatCompletionsModel(
    new OpenAI({ baseURL: endpoint.url, apiKey: "none", maxRetries: 0 }),
    "bench"
  )
  const agent = new Agent({ name: "Bench", instructions: "go", model, ...(endpoint.tool && { tools }) })
  return async (see) => {
    const result = await runner.run(agent, "go", { stream: true })
    for await (const token of result.toTextStream()) see(token)
    await result.completed
  }
}
