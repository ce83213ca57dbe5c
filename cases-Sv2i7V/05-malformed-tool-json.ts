/** A model that writes arguments which are no JSON must be told, as it is of every other mistake, and not end the run. */
import * as L from "./lib.ts"
const server = await L.serve(
  L.first([
    L.callChunk({ index: 0, id: "a", type: "function", function: { name: "weather", arguments: "{'city': 'Oslo'}" } }),
    L.chunk({}, "tool_calls"),
    L.DONE
  ])
)
const exit = await L.ask(L.assistant(L.openai(server)), "hi")
L.verdict("05 malformed arguments are told to the model", [
  L.errorOf(exit) !== undefined && `the agent failed: ${L.short(L.errorOf(exit))}`,
  server.asked.length < 2 && "the model was not asked again"
])
