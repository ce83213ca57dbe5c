/** llama.cpp's server for a while, and proxies: `arguments` is a JSON object, not a string of JSON. */
import * as L from "./lib.ts"
const server = await L.serve(
  L.first([
    L.callChunk({ index: 0, id: "a", type: "function", function: { name: "weather", arguments: { city: "Oslo" } } }),
    L.chunk({}, "tool_calls"),
    L.DONE
  ])
)
const exit = await L.ask(L.assistant(L.openai(server)), "hi")
L.verdict("02 arguments that are an object reach the tool, or are an error that says so", [
  JSON.stringify(L.calls) !== '[["weather",{"city":"Oslo"}]]' &&
    L.errorOf(exit) === undefined &&
    `the arguments were dropped without a word: ${L.texts(exit)[0]}`
])
