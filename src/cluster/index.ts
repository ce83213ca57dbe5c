export * as AgentCluster from "./AgentCluster.ts"
