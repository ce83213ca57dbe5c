export * as Cassette from "./Cassette.ts"
export * as Interleaving from "./Interleaving.ts"
export * as ScriptedModel from "./ScriptedModel.ts"
