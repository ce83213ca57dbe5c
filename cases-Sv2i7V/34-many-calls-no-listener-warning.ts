/** Many requests at once and one after another: no MaxListenersExceededWarning, and aborts leave no unhandled rejection. */
import * as L from "./lib.ts"
import { Effect } from "effect"
import { LlmAgent } from "miniagents/llm"
const warnings: Array<string> = []
process.on("warning", (warning) => warnings.push(`${warning.name}: ${warning.message}`))
const server = await L.serve((r, asked, n) =>
  n % 2
    ? L.sse(r, [L.chunk({ content: "x" }), L.chunk({}, "stop"), L.DONE])
    : L.sse(r, [L.chunk({ content: "x" })], false)
)
const model = L.openai(server)
const exit = await L.run(
  Effect.gen(function* () {
    const calls = yield* Effect.forEach(
      Array.from({ length: 60 }),
      () => (LlmAgent.make("A", { model: model as any }) as any).call(),
      { concurrency: 10 }
    )
    for (const call of calls as Array<any>) {
      yield* call.send("q")
      yield* call.replies()
    }
    while (server.asked.length < 60) yield* Effect.sleep(10)
    yield* Effect.sleep(200)
    for (const call of calls as Array<any>) yield* call.interrupt
    yield* Effect.sleep(300)
  }) as any,
  15000
)
L.verdict("34 sixty requests, half of them aborted, warn of nothing", [
  L.errorOf(exit) !== undefined && L.short(L.errorOf(exit)),
  warnings.length > 0 && warnings[0]
])
