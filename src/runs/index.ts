export * as Runs from "./Runs.ts"
