/** finish_reason "length" in the middle of a call's arguments: what happened is the limit, not bad JSON. */
import * as L from "./lib.ts"
const server = await L.serve(
  L.first([
    L.chunk({ content: "Let me see." }),
    L.callChunk({ index: 0, id: "a", type: "function", function: { name: "weather", arguments: '{"ci' } }),
    L.chunk({}, "length"),
    L.DONE
  ])
)
const exit = await L.ask(L.assistant(L.openai(server)), "hi")
const said = L.short(L.errorOf(exit) ?? L.texts(exit))
L.verdict("06 a call that the token limit cut is told as that", [
  !/length|limit|max.?tokens|cut|truncat/i.test(said) && `nothing says so: ${said}`
])
