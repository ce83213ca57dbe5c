/** The runs of conversations: of the wires on which a page names its conversation and comes back to the last run of it. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as MiniAgents from "../../MiniAgents.ts"
import * as approvals from "../../runs/approvals.ts"
import * as Runs from "../../runs/Runs.ts"
import type * as Transcript from "../../Transcript.ts"
import { refusal } from "./refusal.ts"
import * as server from "./server.ts"

/** Whether runs go on without a reader, and how long. */
export interface Options {
  readonly resumable?: boolean | undefined
  readonly linger?: Duration.Input | undefined
}

/** The answer to a request for approval. */
export interface Answer {
  readonly approvalId: string
  readonly approved: boolean
  readonly reason?: string
}

/** A run, and which of its requests for approval were answered by a reader: it has what came before those. */
export interface Answered {
  readonly id: string
  readonly answered: ReadonlySet<string>
}

interface Named {
  readonly name: string
}

/** Whether a client may name a conversation, or a run of one, so. */
export const isId = (id: unknown): id is string => typeof id === "string" && /^[^\p{Cs}]{1,128}$/u.test(id)

/** The id of a run in a conversation, which clients name by an id of their own. */
export const idOf = (conversation: string, run: string): string =>
  `${encodeURIComponent(conversation)}/${encodeURIComponent(run)}`

/** The name that its client gave a run. */
export const nameOf = (id: string): string => decodeURIComponent(id.slice(id.indexOf("/") + 1))

/** The run of an agent that was started last in a conversation. */
export const last = (agent: Named, conversation: string): Effect.Effect<Runs.Info | undefined, never, Runs.Runs> => {
  const prefix = idOf(conversation, "")
  return Effect.flatMap(Runs.Runs, ({ last, list }) =>
    last === undefined
      ? Effect.map(list, (all) => all.findLast((run) => run.agent === agent.name && run.id.startsWith(prefix)))
      : last(agent.name, prefix)
  )
}

/** Starts a run; who reads one that can be come back to is asked for approvals. */
export const start = <P, E, R>(
  call: Omit<Runs.Request<P, E, R>, "options">,
  id: string,
  { linger, resumable = true }: Options
): Effect.Effect<void, Runs.RunsError, R | MiniAgents.MiniAgents | Runs.Runs> =>
  Effect.flatMap(Runs.Runs, (runs) => {
    const started = Effect.asVoid(
      runs.start<P, E, R>({ ...call, options: { id, linger: resumable ? linger : server.abandoned } })
    )
    return resumable ? approvals.byReader(started) : started
  })

/** What a run says; one that is bound to its reader ends when that leaves. */
export const read = (
  id: string,
  { resumable = true }: Options
): Effect.Effect<Stream.Stream<Transcript.Event, Runs.RunsError>, never, Runs.Runs> =>
  Effect.map(Runs.Runs, (runs) => {
    const events = runs.read(id, undefined)
    return resumable ? events : server.bound(runs, id, events)
  })

/** Answers what the last run of a conversation waits for. */
export const answer = (
  agent: Named,
  conversation: string,
  answers: ReadonlyArray<Answer>
): Effect.Effect<Answered, server.Response | Runs.RunsError, Runs.Runs> =>
  Effect.gen(function* () {
    const run = yield* last(agent, conversation)
    if (run === undefined) return yield* Effect.flip(refusal(409, "gone", "The run that asked is no longer there"))
    for (const { approvalId, ...answer } of answers) {
      if (approvals.isPending(run, approvalId)) yield* Runs.signal(run.id, approvals.signalOf(approvalId), answer)
    }
    return { id: run.id, answered: new Set(answers.map(({ approvalId }) => approvalId)) }
  })

/** Interrupts the last run of a conversation, if it has one. */
export const stop = (agent: Named, conversation: string): Effect.Effect<server.Response, Runs.RunsError, Runs.Runs> =>
  Effect.gen(function* () {
    const run = yield* last(agent, conversation)
    if (run !== undefined) yield* Runs.interrupt(run.id)
    return HttpServerResponse.empty({ status: 204 })
  })
