/** Groq's Llama and Qwen models, Cohere: arguments "null" for a tool that takes none. */
import * as L from "./lib.ts"
const server = await L.serve(
  L.first([
    L.callChunk({ index: 0, id: "a", type: "function", function: { name: "clock", arguments: "null" } }),
    L.chunk({}, "tool_calls"),
    L.DONE
  ])
)
const exit = await L.ask(L.assistant(L.openai(server)), "hi")
L.verdict("04 a tool without parameters runs when the model says null", [
  L.calls.length !== 1 && `not run: ${L.short(L.errorOf(exit) ?? L.texts(exit).slice(0, 2))}`
])
