export * as Interleaving from "./Interleaving.ts"
export * as ScriptedModel from "./ScriptedModel.ts"
