/**
 * A local model that needs more than five minutes to its first token, and a caller who said `firstToken: "20 minutes"`:
 * Node's own fetch gives up after five. Takes 310 s: not in run-all unless SLOW=1.
 */
import * as L from "./lib.ts"
import { LlmAgent } from "miniagents/llm"
if (process.env["SLOW"] !== "1") {
  console.log("skip  44 takes five minutes: SLOW=1")
  process.exit(0)
}
const server = await L.serve(
  (r) => void setTimeout(() => L.sse(r, [L.chunk({ content: "Hi" }), L.chunk({}, "stop"), L.DONE]), 310_000)
)
const started = Date.now()
const exit = await L.ask(
  LlmAgent.make("A", { model: L.openai(server, "m", {}, { firstToken: "20 minutes" }) as any }),
  "hi",
  400_000
)
L.verdict("44 a first token may take as long as the caller said", [
  L.errorOf(exit) !== undefined && `after ${Math.round((Date.now() - started) / 1000)} s: ${L.short(L.errorOf(exit))}`
])
