/** Stopping an agent stops the agent it called as a tool, down to the HTTP request. */
import * as L from "./lib.ts"
import { Effect, Fiber } from "effect"
import { AgentTool, LlmAgent } from "miniagents/llm"
const server = await L.serve((r, asked) =>
  JSON.stringify(asked.body.messages).includes("SUB")
    ? L.sse(r, [L.chunk({ content: "th" })], false)
    : L.sse(r, [
        L.callChunk({
          index: 0,
          id: "a",
          type: "function",
          function: { name: asked.body.tools[0].function.name, arguments: '{"message":"go"}' }
        }),
        L.chunk({}, "tool_calls"),
        L.DONE
      ])
)
const leaf = LlmAgent.make("Leaf", { system: "SUB", model: L.openai(server) as any })
const middle = LlmAgent.make("Middle", {
  toolkit: AgentTool.toolkit(AgentTool.make(leaf as any)) as any,
  model: L.openai(server) as any
})
const top = LlmAgent.make("Top", {
  toolkit: AgentTool.toolkit(AgentTool.make(middle as any)) as any,
  model: L.openai(server) as any
}) as any
const exit = await L.run(
  Effect.gen(function* () {
    const call: any = yield* top.call()
    yield* call.send("q")
    const replies: any = yield* call.replies()
    const reader: any = yield* Effect.forkChild(Effect.exit(replies.messages))
    while (server.asked.length < 3) yield* Effect.sleep(10)
    yield* Effect.sleep(100)
    yield* call.interrupt
    yield* Fiber.join(reader)
    yield* Effect.sleep(200)
  }) as any
)
L.verdict("32 a stop goes down to the last request", [
  L.errorOf(exit) !== undefined && L.short(L.errorOf(exit)),
  !server.closed.includes(3) && "the request of the innermost agent was not aborted"
])
