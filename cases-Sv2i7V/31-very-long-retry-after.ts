/** `retry-after: 198300` (a used-up plan): a retry that sleeps for two days looks like a hang. */
import * as L from "./lib.ts"
import { LlmAgent, ModelLayer } from "miniagents/llm"
const server = await L.serve((r) =>
  L.json(r, 429, { error: { message: "usage limit reached" } }, { "retry-after": "198300" })
)
const exit = await L.ask(LlmAgent.make("A", { model: ModelLayer.retry()(L.openai(server)) as any }), "q", 4000)
const error = L.errorOf(exit)
L.verdict("31 a wait of days is a failure now, with how long it would be", [
  typeof error === "string" && "ModelLayer.retry() still sleeps, silently, for 55 hours"
])
