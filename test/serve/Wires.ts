/** Every protocol that an agent is called by: how it is served, how it is asked, and how it says that something is wrong. */
import type { Agent } from "miniagents"
import { A2a, AgUi, AiSdk, Mcp, Native, OpenAiApi } from "miniagents/serve"
import type { Routes } from "./Server.ts"

export type Served = Agent.Agent<{}, unknown, never>

export interface Wire {
  readonly name: string
  readonly path: string
  readonly layer: (agent: Served) => Routes
  readonly body: object
  readonly headers: Readonly<Record<string, string>>
  /** The code of an error that is all there is of an answer. */
  readonly codeOf: (json: never) => unknown
}

const user = { role: "user", content: "x" }
const version = "2026-07-28"
const part = { text: "x" }
const message = { messageId: "m", role: "ROLE_USER", parts: [part] }
const meta = {
  "io.modelcontextprotocol/protocolVersion": version,
  "io.modelcontextprotocol/clientCapabilities": {}
}
const openAi = {
  layer: (agent: Served) => OpenAiApi.layer({ agent }),
  headers: {},
  codeOf: ({ error }: { error: { code: string; message: string; type: string } }) => error.type && error.code
}
const plain = ({ error }: { error: { code: string; message: string } }) => error.code
const rpc = ({ error, jsonrpc }: { jsonrpc: string; error: { code: number } }) => jsonrpc === "2.0" && error.code
const of = (wire: Wire): Wire => wire

export const wires = [
  of({
    name: "Native",
    path: "/native",
    layer: (agent) => Native.layer("/native", agent),
    body: { messages: "x" },
    headers: {},
    codeOf: plain
  }),
  of({
    name: "AiSdk",
    path: "/ai",
    layer: (agent) => AiSdk.layer("/ai", agent),
    body: { id: "c", messages: [{ id: "m", role: "user", parts: [{ type: "text", text: "x" }] }] },
    headers: {},
    codeOf: plain
  }),
  of({
    name: "AgUi",
    path: "/ag-ui",
    layer: (agent) => AgUi.layer("/ag-ui", agent),
    body: { threadId: "t", runId: "r", messages: [{ id: "m", ...user }] },
    headers: {},
    codeOf: plain
  }),
  of({ name: "OpenAiApi, chat", path: "/v1/chat/completions", body: { model: "agent", messages: [user] }, ...openAi }),
  of({
    name: "OpenAiApi, chat as it comes",
    path: "/v1/chat/completions",
    body: { model: "agent", messages: [user], stream: true },
    ...openAi
  }),
  of({
    name: "OpenAiApi, responses",
    path: "/v1/responses",
    body: { model: "agent", input: "x", stream: true },
    ...openAi
  }),
  of({
    name: "A2a, JSON-RPC",
    path: "/a2a",
    layer: (agent) => A2a.layer("/a2a", agent),
    body: { jsonrpc: "2.0", id: 1, method: "SendStreamingMessage", params: { message } },
    headers: { "a2a-version": "1.0" },
    codeOf: rpc
  }),
  of({
    name: "A2a, REST",
    path: "/a2a/message:send",
    layer: (agent) => A2a.layer("/a2a", agent),
    body: { message },
    headers: { "a2a-version": "1.0" },
    codeOf: ({ error }: { error: { status: string } }) => error.status
  }),
  of({
    name: "Mcp",
    path: "/mcp",
    layer: (agent) => Mcp.layer("/mcp", [agent]),
    body: {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "Asked", arguments: { message: "x" }, _meta: meta }
    },
    headers: {
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": version,
      "mcp-method": "tools/call",
      "mcp-name": "Asked"
    },
    codeOf: rpc
  })
]
