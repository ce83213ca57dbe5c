/** What an aborted call has cost so far counts. */
import * as L from "./lib.ts"
import { Effect } from "effect"
import { Budget, LlmAgent } from "miniagents/llm"
const server = await L.serve((r) => L.sse(r, [L.chunk({ content: "x".repeat(400) })], false))
const exit = await L.run(
  Effect.gen(function* () {
    const budget = yield* Budget.make({ tokens: 1000 })
    const call: any = yield* (LlmAgent.make("A", { model: L.openai(server) as any }) as any)
      .call()
      .pipe(Budget.withBudget(budget))
    yield* call.send("q".repeat(160))
    yield* call.replies()
    while (server.asked.length < 1) yield* Effect.sleep(10)
    yield* Effect.sleep(200)
    yield* call.interrupt
    return yield* budget.usage
  }) as any
)
const usage = L.valueOf(exit) as any
L.verdict("33 an aborted call is charged for what it gave", [
  !(usage?.calls === 1 && usage.inputTokens >= 40 && usage.outputTokens >= 80) && JSON.stringify(usage)
])
