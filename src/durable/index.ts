export * as Durable from "./Durable.ts"
export * as DurableRuns from "./DurableRuns.ts"
