/** Gateways that answer 200 with a JSON error where a stream was asked for. */
import * as L from "./lib.ts"
import { LlmAgent } from "miniagents/llm"
const server = await L.serve((r) => L.json(r, 200, { error: { message: "insufficient balance", code: 402 } }))
const error = L.errorOf(await L.ask(LlmAgent.make("A", { model: L.openai(server) as any }), "hi"))
L.verdict("15 a JSON error under status 200 is told", [
  error === undefined && "no error",
  error !== undefined &&
    !`${error.message} ${JSON.stringify(error.reason)}`.includes("insufficient balance") &&
    `the server's words are nowhere: ${L.short(error)}`
])
