/**
 * A file of services for the processes of a cluster, and for their callers. What runs the service is the Layer.
 *
 * Run: npx miniagents cluster agents.ts --store postgres://localhost/agents
 *
 * compose.yaml and kubernetes.yaml beside it run many of them.
 */
import { Schema } from "effect"
import { Agent } from "miniagents"
import { AgentCluster } from "miniagents/cluster"

export class Writer extends Agent.Service<Writer>()("Writer", {
  parameters: { tone: Schema.String },
  error: AgentCluster.AgentLost
}) {}

export const layer = Writer.toLayer((ctx) => ctx.reply([`A ${ctx.parameters.tone} text on `, ctx.messages]))
