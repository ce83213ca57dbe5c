/** Ollama: every call has index 0, told apart by id. */
import * as L from "./lib.ts"
const call = (id: string, city: string) =>
  L.callChunk({ index: 0, id, type: "function", function: { name: "weather", arguments: JSON.stringify({ city }) } })
const server = await L.serve(L.first([call("a", "Oslo"), call("b", "Rome"), L.chunk({}, "stop"), L.DONE]))
await L.ask(L.assistant(L.openai(server)), "hi")
L.verdict("19 calls that share index 0 are told apart by id", [
  L.calls.map(([, p]: any) => p.city).join() !== "Oslo,Rome" && JSON.stringify(L.calls)
])
