/**
 * An agent as the tool of an MCP server that a host starts: the program speaks MCP through its standard input and output
 * where it is told to serve, and is the host that starts it where it is not.
 *
 * Run: node --conditions=miniagents-source examples/serving/mcp.ts
 *
 * Prints:
 *   a tool: Counter, Counts the words of a text
 *   the result: I count. / 3 words
 */
import process from "node:process"
import { fileURLToPath } from "node:url"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import { Client } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Agent, MiniAgents } from "miniagents"
import { Runs } from "miniagents/runs"
import { Mcp } from "miniagents/serve"

const counter = Agent.make(
  "Counter",
  { description: "Counts the words of a text" },
  Effect.fnUntraced(function* (ctx) {
    yield* ctx.reply("I count.")
    const text = yield* ctx.messages.text
    yield* ctx.reply(`${text.split(" ").length} words`)
  })
)

const Served = Mcp.layerStdio([counter]).pipe(Layer.provide([Runs.layerMemory(), MiniAgents.layer(), NodeStdio.layer]))

/** What a host does, whatever the program that it starts is made with. */
const ask = async (say: (line: string) => void) => {
  const args = ["--conditions=miniagents-source", "--no-warnings", fileURLToPath(import.meta.url), "serve"]
  const client = new Client({ name: "host", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
  await client.connect(new StdioClientTransport({ command: process.execPath, args }))
  const { tools } = await client.listTools()
  for (const { description, name } of tools) say(`a tool: ${name}, ${description}`)
  const { content } = await client.callTool({ name: "Counter", arguments: { message: "one two three" } })
  for (const part of content) if (part.type === "text") say(`the result: ${part.text.replace("\n\n", " / ")}`)
  await client.close()
}

export const program = Effect.gen(function* () {
  const lines: Array<string> = []
  yield* Effect.promise(() => ask((line) => lines.push(line)))
  yield* Effect.forEach(lines, (line) => Console.log(line))
})

if (import.meta.main) NodeRuntime.runMain(process.argv[2] === "serve" ? Layer.launch(Served) : program)
