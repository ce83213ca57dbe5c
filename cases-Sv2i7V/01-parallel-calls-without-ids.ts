/** Gemini's OpenAI endpoint and gateways before it: every call of a turn in a chunk of its own, index 0 (or none), id "" (or none). */
import * as L from "./lib.ts"
const wrong: Array<string> = []
for (const [what, head] of [
  ['index 0 and id ""', { index: 0, id: "" }],
  ["neither index nor id", {}]
] as const) {
  L.calls.length = 0
  const call = (city: string) =>
    L.callChunk({ ...head, type: "function", function: { name: "weather", arguments: JSON.stringify({ city }) } })
  const server = await L.serve(L.first([call("Oslo"), call("Rome"), L.chunk({}, "stop"), L.DONE]))
  const exit = await L.ask(L.assistant(L.openai(server)), "hi")
  const cities = L.calls.map(([, p]: any) => p.city).join()
  if (cities !== "Oslo,Rome") wrong.push(`${what}: called for [${cities}], ${L.short(L.errorOf(exit) ?? "no error")}`)
}
L.verdict("01 two calls without ids are two calls", wrong)
