/** A program that a host of MCP starts. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeStdio from "@effect/platform-node/NodeStdio"
import * as Layer from "effect/Layer"
import { Agent, MiniAgents } from "miniagents"
import { Runs } from "miniagents/runs"
import { Mcp } from "miniagents/serve"

const echo = Agent.make("Echo", { description: "Says it again" }, (ctx) => ctx.reply(ctx.messages))

Mcp.layerStdio([echo]).pipe(
  Layer.provide([Runs.layerMemory(), MiniAgents.layer(), NodeStdio.layer]),
  Layer.launch,
  NodeRuntime.runMain
)
