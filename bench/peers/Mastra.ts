/** Mastra: an `Agent` over a custom `LanguageModelV4`. */
import { Agent } from "@mastra/core/agent"
import type { Adapter } from "../Case.ts"
import * as LanguageModel from "./LanguageModel.ts"

export const agent: Adapter = (source) => {
  const agent = new Agent({ id: "bench", name: "Bench", instructions: "go", model: LanguageModel.make(source, "v4") })
  return async (see) => {
    const { textStream } = await agent.stream("go")
    for await (const token of textStream) see(token)
  }
}
