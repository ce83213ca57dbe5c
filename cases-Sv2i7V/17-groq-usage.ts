/** Groq's usage in `x_groq` of the last chunk. */
import * as L from "./lib.ts"
import { LlmAgent } from "miniagents/llm"
const server = await L.serve(
  L.first([
    L.chunk({ content: "x" }),
    L.chunk({}, "stop", { x_groq: { id: "r", usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } } }),
    L.DONE
  ])
)
const [said] = L.valueOf(await L.ask(LlmAgent.make("A", { model: L.openai(server) as any }), "hi")) as any
L.verdict("17 usage under x_groq counts", [said.usage?.outputTokens !== 7 && `usage is ${JSON.stringify(said.usage)}`])
