/** Mistral's reasoning models: `content` is a list of `thinking` and `text` pieces. */
import * as L from "./lib.ts"
import { LlmAgent } from "miniagents/llm"
const server = await L.serve(
  L.first([
    L.chunk({ content: [{ type: "thinking", thinking: [{ type: "text", text: "hmm" }] }] }),
    L.chunk({ content: [{ type: "text", text: "Hello" }] }),
    L.chunk({ content: " you" }),
    L.chunk({}, "stop"),
    L.DONE
  ])
)
const exit = await L.ask(LlmAgent.make("A", { model: L.openai(server) as any }), "hi")
const said = L.texts(exit)
L.verdict("07 text in a list of pieces is not lost", [
  !said.includes("Assistant:Hello you") && L.errorOf(exit) === undefined && `lost without a word: ${L.short(said)}`
])
