/**
 * An agent behind AG-UI: its own client has an agent inside of it as a sub-agent, and is asked before a file is deleted.
 *
 * Run: node --conditions=miniagents-source examples/serving/ag-ui.ts
 *
 * Prints:
 *   begins: Cleaner
 *   asks: May `DeleteFile` be called?
 *   tool: draft.txt is gone
 *   Cleaner: I deleted it
 *   Manager: All is clean
 */
import { createServer } from "node:http"
import { HttpAgent } from "@ag-ui/client"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { HttpRouter, HttpServer } from "effect/http"
import { MiniAgents } from "miniagents"
import { AgentTool, LlmAgent } from "miniagents/llm"
import { Runs } from "miniagents/runs"
import { AgUi, Guard } from "miniagents/serve"
import { ScriptedModel } from "miniagents/testing"

const { layer: script, text, toolCall, turn } = ScriptedModel
const parameters = Schema.Struct({ path: Schema.String })
const Files = Toolkit.make(Tool.make("DeleteFile", { parameters, success: Schema.String, needsApproval: true }))
const FilesLive = Files.toLayer({ DeleteFile: ({ path }) => Effect.succeed(`${path} is gone`) })

const cleaner = LlmAgent.make("Cleaner", {
  description: "Cleans up",
  toolkit: Effect.provide(Files, FilesLive),
  model: script([turn(toolCall("DeleteFile", { path: "draft.txt" })), turn(text("I deleted it"))])
})
const manager = LlmAgent.make("Manager", {
  toolkit: AgentTool.toolkit(AgentTool.make(cleaner)),
  model: script([turn(toolCall("Cleaner", { message: "Clean up" })), turn(text("All is clean"))])
})

const Served = HttpRouter.serve(AgUi.layer("/ag-ui", manager), { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.provide([Guard.layer(), Runs.layerMemory(), MiniAgents.layer()])
)

const ask = async (url: string, say: (line: string) => void) => {
  const agent = new HttpAgent({ url, initialMessages: [{ id: "1", role: "user", content: "Clean up" }] })
  await agent.runAgent({}, { onSubagentStartedEvent: ({ event }) => say(`begins: ${event.name}`) })
  const resume = agent.pendingInterrupts.map(({ id, message }) => {
    say(`asks: ${message}`)
    return { interruptId: id, status: "resolved" as const, payload: { approved: true } }
  })
  const { newMessages } = await agent.runAgent({ resume })
  for (const message of newMessages) {
    if (message.role === "tool" && message.subagentRunId !== undefined) say(`tool: ${String(message.content)}`)
    if (message.role === "assistant" && message.content !== undefined) say(`${message.name}: ${message.content}`)
  }
}

export const program = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const lines: Array<string> = []
  const url = `http://127.0.0.1:${"port" in address ? address.port : 0}/ag-ui`
  yield* Effect.promise(() => ask(url, (line) => lines.push(line)))
  yield* Effect.forEach(lines, (line) => Console.log(line))
}).pipe(Effect.provide(Served), Effect.orDie)

if (import.meta.main) NodeRuntime.runMain(program)
