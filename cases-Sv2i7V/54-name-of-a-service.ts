/** An agent that is a service has the name it was given, whatever its class is called (a minifier renames classes). */
import * as L from "./lib.ts"
import { Schema } from "effect"
import { Agent } from "miniagents"
import { AgentTool } from "miniagents/llm"
class gw extends Agent.Service<gw>()("WriterAgent", { description: "Writes", parameters: { tone: Schema.String } }) {}
L.verdict("54 a service has its own name", [
  gw.name !== "WriterAgent" && `name is ${gw.name}`,
  (AgentTool.make(gw as any) as any).name !== "WriterAgent" && `the tool is ${(AgentTool.make(gw as any) as any).name}`
])
