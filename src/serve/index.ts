export * as Guard from "./Guard.ts"
export * as Mcp from "./Mcp.ts"
export * as Native from "./Native.ts"
export * as RemoteAgent from "./RemoteAgent.ts"
