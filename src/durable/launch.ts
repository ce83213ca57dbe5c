/** How the agent of a run is called, with what is kept of the run around it. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as AgentCall from "../AgentCall.ts"
import { CurrentArbiter } from "../internal/call.ts"
import { CurrentKeep } from "../llm/model/decided.ts"
import type * as MessageSequence from "../MessageSequence.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import { addTo as addApprovals } from "../runs/approvals.ts"
import * as Runs from "../runs/Runs.ts"
import type { Any } from "./request.ts"
import { CurrentRun, type DurableRun } from "./run.ts"

/** How runs of an agent are taken up here: with the services that were there when it was said. */
export interface Server {
  readonly agent: Any["agent"]
  readonly error: Schema.Codec<unknown, unknown> | undefined
  readonly context: Context.Context<never>
}

/** A run that is being opened, or is open. */
export interface Entry {
  readonly agent: string
  readonly given: Deferred.Deferred<Runs.Run<unknown>, Runs.RunsError>
  run: DurableRun | undefined
}

/** How an agent is called with all of its parameters, whatever they are. */
type Open = (parameters: unknown) => Effect.Effect<AgentCall.AgentCall<unknown, unknown>, never, MiniAgents.MiniAgents>

/** Does something with the services that a run is called with. */
export const within = <A, E>(
  { context }: Pick<Server, "context">,
  effect: Effect.Effect<A, E, MiniAgents.MiniAgents>
) => Effect.setContext(effect, context as Context.Context<MiniAgents.MiniAgents>) // it was started with a runtime

/** Calls the agent. */
export const launch = (
  run: DurableRun,
  entry: Entry,
  server: Server,
  parameters: unknown,
  input: MessageSequence.MessageSequence<unknown>
): Effect.Effect<void> => {
  const context = Context.mergeAll(
    addApprovals(server.context),
    Context.make(Runs.CurrentRun, run),
    Context.make(CurrentRun, run),
    Context.make(CurrentArbiter, run),
    Context.make(CurrentKeep, run.decided)
  )
  const opened = Effect.gen(function* () {
    const call = yield* (server.agent.call as Open)(parameters)
    yield* call.send(input as never)
    return { call, replies: yield* call.replies() }
  })
  return Effect.flatMap(within({ context }, opened), (opened) => {
    Deferred.doneUnsafe(run.opened, Effect.succeed(opened))
    Deferred.doneUnsafe(entry.given, Effect.succeed({ id: run.id, replies: Effect.succeed(opened.replies) }))
    return Effect.void
  })
}
