/** The agents that the file of a program exports, with the services that it gives them. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Agent from "../../Agent.ts"
import * as MiniAgents from "../../MiniAgents.ts"
import type { AnyAgent, Exported } from "./program.ts"

export type Module = Readonly<Record<string, unknown>>

/**
 * What a module exports, which is loaded already or about to be: agents under any names, and as `layer` what they
 * require. What can be chosen by the environment is their model.
 */
export const of = (load: () => Promise<Module>): Effect.Effect<Exported, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    let loaded: Module | undefined = undefined
    let loading: Promise<unknown> | undefined
    // a program that never comes to the end of its module exports nothing until then
    const look = Effect.sync((): Module => {
      loading ??= load().then(
        (module) => (loaded = module),
        () => {}
      )
      return loaded ?? {}
    })
    const context = Effect.gen(function* () {
      const given = layerIn(yield* look)
      const { choose, layer: modelOf } = yield* Effect.promise(() => import("../../models/ModelChoice.ts"))
      const model = Option.getOrUndefined(yield* Effect.orElseSucceed(choose(), Option.none))
      const models: Layer.Layer<never, unknown> = model === undefined ? Layer.empty : modelOf(model)
      const all = Layer.provideMerge(Layer.provideMerge(given, models), MiniAgents.layer())
      return yield* Effect.mapError(Layer.build(all), (error) => `The \`layer\` of the file failed: ${String(error)}`)
    })
    return {
      agents: Effect.map(look, agentsIn),
      context: yield* Effect.cached(Effect.provideService(context, Scope.Scope, scope))
    }
  })

/** The agents among what a module exports. */
export const agentsIn = (module: Module): ReadonlyArray<AnyAgent> =>
  [...new Set(Object.values(module))].filter(Agent.isAgent) as unknown as ReadonlyArray<AnyAgent>

/** What these agents require, as far as the module says it. */
export const layerIn = ({ layer }: Module): Layer.Layer<never, unknown> =>
  Layer.isLayer(layer) ? (layer as unknown as Layer.Layer<never, unknown>) : Layer.empty // it requires nothing, or it fails
