/** Runs that are kept in a file of SQLite. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Agent from "../Agent.ts"
import * as Durable from "../durable/Durable.ts"
import * as DurableRuns from "../durable/DurableRuns.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Runs from "../runs/Runs.ts"
import * as SqliteClient from "../sqlite/SqliteClient.ts"
import * as Store from "../store/Store.ts"

export const layer = (filename: string): Layer.Layer<Runs.Runs | DurableRuns.DurableRuns, unknown> =>
  DurableRuns.layer().pipe(Layer.provide(Store.layer()), Layer.provide(SqliteClient.layer({ filename })))

/** Goes on with the runs that an earlier server has left; the services of the agents are taken from where it is built. */
export const again = (
  agents: ReadonlyArray<Agent.Agent<{}, unknown, never>>
): Layer.Layer<never, never, DurableRuns.DurableRuns | MiniAgents.MiniAgents> =>
  Layer.effectDiscard(Effect.forEach(agents, (agent) => DurableRuns.serve(agent), { discard: true }))

/** A model whose answers are kept with the runs. */
export const model: <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R> = Durable.model
