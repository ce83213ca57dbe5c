/** AI SDK: `streamText` over a custom `LanguageModelV4`. */
import { streamText } from "ai-7"
import type { Adapter } from "../Case.ts"
import * as LanguageModel from "./LanguageModel.ts"

export const agent: Adapter = (source) => {
  const model = LanguageModel.make(source, "v4")
  return async (see) => {
    const { textStream } = streamText({
      model,
      prompt: "go",
      onError: ({ error }) => {
        throw error
      }
    })
    for await (const token of textStream) see(token)
  }
}
