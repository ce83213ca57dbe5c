/** Keep-alives of proxies: an empty `data:`, an `event: ping` alone, `data: : keepalive` (Vertex). By the SSE standard the first two are no events. */
import * as L from "./lib.ts"
import { LlmAgent } from "miniagents/llm"
const wrong: Array<string> = []
for (const [what, piece] of [
  ["comment", ": OPENROUTER PROCESSING\n\n"],
  ["empty data", "data: \n\n"],
  ["event without data", "event: ping\n\n"],
  ["CRLF comment", ": ping\r\n\r\n"],
  ["id and retry", "id: 4\nretry: 100\n\n"]
] as const) {
  const server = await L.serve(
    L.first([piece, L.chunk({ content: "Hel" }), piece, L.chunk({ content: "lo" }), L.chunk({}, "stop"), L.DONE])
  )
  const exit = await L.ask(LlmAgent.make("A", { model: L.openai(server) as any }), "hi")
  if (L.texts(exit)[0] !== "Assistant:Hello") wrong.push(`${what}: ${L.short(L.errorOf(exit) ?? L.texts(exit))}`)
}
L.verdict("13 keep-alives of every kind are passed over", wrong)
