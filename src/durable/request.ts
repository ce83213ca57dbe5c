/** What a run is started with, as it is kept and found again. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Agent from "../Agent.ts"
import * as InteractionContext from "../InteractionContext.ts"
import { inside } from "../internal/promise.ts"
import { readerOf, type Sequence } from "../internal/sequence.ts"
import { CurrentTask } from "../internal/task.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Runs from "../runs/Runs.ts"
import * as Transcript from "../Transcript.ts"

/** A request, whatever its types. */
export type Any = Runs.Request<unknown, unknown, MiniAgents.MiniAgents>

type AnyAgent = Agent.Agent<unknown, unknown, MiniAgents.MiniAgents>

/** What belongs to the call or the request that starts a run is not the run's. */
export const ownContext = (context: Context.Context<never>): Context.Context<never> =>
  Context.omit(
    CurrentTask,
    InteractionContext.InteractionContext
  )(context as Context.Context<InteractionContext.InteractionContext>)

export const lostInput: Transcript.Event = {
  _tag: "failed",
  failure: { error: "InputLost", reason: "the run was cut off before its input was whole", trace: [] }
}

/** Whether all of an input is there. */
export const isWhole = (input: Sequence): boolean => {
  const { reader } = readerOf(input.watched)
  return reader.read().every((promise) => inside(promise).whole !== undefined) && reader.exit !== undefined
}

/** What was sent, as it can be sent again. Looking at it starts nothing. */
export const eventsOf = (input: Sequence): Effect.Effect<ReadonlyArray<Transcript.Event>> =>
  Stream.runCollect(Transcript.encode(input.watched))

const parametersOf = (agent: AnyAgent): Schema.Codec<unknown, Schema.Json> =>
  Schema.toCodecJson(agent.parameters as unknown as Schema.Codec<unknown, unknown>) as unknown as Schema.Codec<
    unknown,
    Schema.Json
  >

export const encodeParameters = (agent: AnyAgent) => Schema.encodeUnknownEffect(parametersOf(agent))
export const decodeParameters = (agent: AnyAgent) => Schema.decodeUnknownEffect(parametersOf(agent))

export const refused = (reason: Runs.Reason): Runs.RunsError => new Runs.RunsError({ reason })
