/** VoltAgent: an `Agent` over a custom `LanguageModelV3`, without memory and observability exporters. */
import { Agent } from "@voltagent/core"
import type { Adapter } from "../Case.ts"
import * as LanguageModel from "./LanguageModel.ts"

export const agent: Adapter = (source) => {
  const agent = new Agent({ name: "Bench", instructions: "go", model: LanguageModel.make(source, "v3"), memory: false })
  return async (see) => {
    const { textStream } = await agent.streamText("go")
    for await (const token of textStream) see(token)
  }
}
