/** The module of a person that exports agents, and as `layer` what they require. */
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Agent from "../Agent.ts"
import * as Exported from "../inspector/watch/exported.ts"
import * as ModelChoice from "../models/ModelChoice.ts"
import { type Failed, misuse } from "./failed.ts"

/** An agent with the services that the file gives it. */
export type Served = Agent.Agent<{}, unknown, never>

export interface AgentsFile {
  readonly agents: ReadonlyArray<Served>
  /** What the agents require: from the file, on the model that the environment names. */
  readonly layer: Layer.Layer<never, unknown>
  /** All that it exports. */
  readonly exported: Exported.Module
}

/** Loads the module; `kept` is put around the model of the environment. */
export const load = (
  file: string,
  kept: (model: Layer.Layer<never, unknown>) => Layer.Layer<never, unknown> = (model) => model
): Effect.Effect<AgentsFile, unknown> =>
  Effect.gen(function* () {
    const exported = yield* Effect.tryPromise({
      try: () => import(pathToFileURL(path.resolve(file)).href) as Promise<Exported.Module>,
      catch: (cause) => misuse(`${file} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`)
    })
    const agents = yield* agentsOf(exported, file)
    const chosen = Option.getOrUndefined(yield* ModelChoice.choose())
    const models: Layer.Layer<never, unknown> = chosen === undefined ? Layer.empty : kept(ModelChoice.layer(chosen))
    return { agents, layer: Layer.provideMerge(Exported.layerIn(exported), models), exported }
  })

const agentsOf = (exported: Exported.Module, file: string): Effect.Effect<ReadonlyArray<Served>, Failed> =>
  Effect.suspend(() => {
    const agents = Exported.agentsIn(exported) as unknown as ReadonlyArray<Served> // their services are the file's to give
    if (agents.length === 0) return Effect.fail(misuse(`${file} exports no agent: export const assistant = …`))
    const paths = agents.map(({ name }) => pathOf(name))
    const twice = agents.find(({ name }, i) => paths.indexOf(pathOf(name)) < i)
    return twice === undefined
      ? Effect.succeed(agents)
      : Effect.fail(misuse(`${file} exports two agents of the name ${twice.name}: fork one of them under another name`))
  })

/** The name of an agent as a part of an address. */
export const pathOf = (name: string): string =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
