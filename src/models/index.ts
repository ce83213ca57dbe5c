export * as ModelChoice from "./ModelChoice.ts"
