/** What a run is begun with that takes what it asks from another one. */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { Sequence } from "../internal/sequence.ts"
import * as MessageSequence from "../MessageSequence.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import { type Any, encodeParameters, eventsOf } from "./request.ts"
import type * as Rows from "./tables.ts"

export interface Options {
  readonly id?: string | undefined
  readonly agent?: Any["agent"] | undefined
  readonly input?: unknown
  readonly parameters?: unknown
  readonly error?: Schema.Codec<unknown, unknown> | undefined
}

/** The input and the parameters of the new run as they are kept: those of the other one, unless they are given. */
export const sent = <E>(
  { input, parameters }: Options,
  found: Rows.Run,
  log: Effect.Effect<ReadonlyArray<Rows.LogRow>, E>,
  agent: Any["agent"] | undefined
): Effect.Effect<{ readonly parameters: string; readonly body: string | undefined }, E, MiniAgents.MiniAgents> =>
  Effect.gen(function* () {
    // where the agent is not here, they are checked by whoever takes the run up
    const encoded =
      parameters === undefined || agent === undefined
        ? parameters
        : yield* Effect.orDie(encodeParameters(agent)(parameters))
    const body =
      input === undefined
        ? (yield* log).at(0)?.body
        : JSON.stringify(yield* eventsOf((yield* MessageSequence.from(input as [])) as unknown as Sequence))
    return { parameters: encoded === undefined ? found.parameters : JSON.stringify(encoded), body }
  })
