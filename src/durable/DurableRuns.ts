/**
 * Runs that outlive their process: every answer that a run gets from outside is stored. A run that was cut off, by a
 * crash or for days, continues where it was, and nothing that was paid for is paid for again.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Agent from "../Agent.ts"
import type { Upstream } from "../InteractionContext.ts"
import type { MessageInput } from "../MessageInput.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Runs from "../runs/Runs.ts"
import * as Store from "../store/Store.ts"
import { fromCause, type StoreError } from "../store/storeError.ts"
import type * as Transcript from "../Transcript.ts"
import * as Compare from "./compare.ts"
import * as Engine from "./engine.ts"
import * as MemoryTables from "./memoryTables.ts"
import * as Retention from "./retention.ts"
import * as SqlTables from "./sqlTables.ts"

/**
 * Options for how durable runs are kept and taken over.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * How a response that was cut off is continued: it is asked for again from its start (`"restart"`), or the model is given
   * what it had said as its own words and goes on from there (`"continue"`), which not every model does well.
   *
   * @default "restart"
   */
  readonly partial?: "continue" | "restart"
  /**
   * How long a process may be silent before another one takes over its runs. It must be longer than the clocks of the
   * machines differ.
   *
   * @default "5 seconds"
   */
  readonly lease?: Duration.Input
  /**
   * How long the answers that a run got are kept after its end, for reruns; by default for ever. They are removed when
   * `Store.collect` is called in a process that has this Layer. The input, the replies and the calls of the run stay.
   */
  readonly keep?: Duration.Input | undefined
  /**
   * How long a run continues without a reader of its events before it is interrupted. By default it runs to its end.
   */
  readonly linger?: Duration.Input | undefined
  /** How many runs may run at once in this process. By default there is no limit. */
  readonly max?: number | undefined
}

/**
 * The operations of durable runs besides those of `Runs`.
 *
 * @since 0.1.0
 * @category services
 */
export interface Service {
  readonly serve: <P, E, R>(
    agent: Agent.Agent<P, E, R>,
    options: ServeOptions<unknown>
  ) => Effect.Effect<void, never, R | MiniAgents.MiniAgents | Scope.Scope>
  readonly rerun: <P, E, R>(
    id: string,
    options: RerunOptions<P, E, R>
  ) => Effect.Effect<Runs.Run<unknown>, Runs.RunsError, R | MiniAgents.MiniAgents>
  readonly report: (id: string) => Effect.Effect<Report, Runs.RunsError>
  readonly calls: (id: string) => Effect.Effect<ReadonlyArray<Call>, Runs.RunsError>
  readonly diff: (left: string, right: string) => Effect.Effect<Diff, Runs.RunsError>
  readonly delete: (id: string) => Effect.Effect<void, Runs.RunsError>
}

/** @internal The service, with what is kept of a run after a row of its log. */
export interface Internal extends Service {
  readonly log: (id: string, after: number) => Effect.Effect<Pick<Compare.Kept, "row" | "rows">, Runs.RunsError>
}

/**
 * The service that keeps durable runs. You need not use it directly: the functions of this module take it from the
 * context.
 *
 * Laws: **Paid once** (whatever is killed, whenever: what the journal holds is never asked for again; with a
 * deterministic model the end is that of a run without kills; what a reader was given is a prefix of it, or a `reset`
 * said from where not) and **Waits wait alone** (an approval, a signal or a timer holds up only what needs it).
 *
 * @since 0.1.0
 * @category services
 */
export class DurableRuns extends Context.Service<DurableRuns, Service>()("miniagents/DurableRuns") {}

/**
 * How an agent is served.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServeOptions<E = never> {
  /** The schema of what the agent can fail with, so that readers get such errors as they are. */
  readonly error?: Schema.Codec<E, unknown> | undefined
}

/**
 * Takes over runs of an agent whose process has ended, within seconds, for as long as the scope is open. Agents are
 * identified by their names.
 *
 * **When to use**
 *
 * In a server that should continue the runs of processes that have crashed.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Agent } from "miniagents"
 * import { DurableRuns } from "miniagents/durable"
 *
 * const research = Agent.make("Research", (ctx) => ctx.reply("done"))
 *
 * const server = Effect.gen(function*() {
 *   yield* DurableRuns.serve(research)
 *   return yield* Effect.never
 * }).pipe(Effect.scoped)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const serve = <P, E, R>(
  agent: Agent.Agent<P, E, R>,
  options: ServeOptions<E> = {}
): Effect.Effect<void, never, DurableRuns | MiniAgents.MiniAgents | Scope.Scope | R> =>
  DurableRuns.use((runs) => runs.serve(agent, options as ServeOptions<unknown>))

/**
 * Options of a rerun: what is different from the earlier run.
 *
 * @since 0.1.0
 * @category models
 */
export interface RerunOptions<P = never, E = unknown, R = never> {
  /** The id of the new run, one of its own by default. */
  readonly id?: string | undefined
  /** The agent as it is now; by default the one that is served under that name, here or in another process. */
  readonly agent?: Agent.Agent<P, E, R> | undefined
  readonly input?: MessageInput<unknown> | undefined
  readonly parameters?: P | undefined
  /** The schema of what the agent can fail with. */
  readonly error?: Schema.Codec<E, unknown> | undefined
}

/**
 * Starts a new run with the input of an earlier one. What it asks exactly as the earlier run did is answered from that
 * run, at no cost; everything else is asked. So a rerun costs only what was changed, and what follows from the change.
 *
 * **When to use**
 *
 * To try a changed agent, prompt or input without paying again for what stays the same.
 *
 * **Details**
 *
 * Two questions are the same if agents of the same name ask the same; the call of the same path is looked at first.
 * Questions that failed are asked again. Signals, approvals and times are reused like the answers of models. `report`
 * tells what was reused.
 *
 * **Example**
 *
 * ```ts
 * import { Effect } from "effect"
 * import { DurableRuns } from "miniagents/durable"
 * import { LlmAgent } from "miniagents/llm"
 *
 * const writer = LlmAgent.make("Writer", { system: "Be brief" }) // it was longer before
 *
 * const program = Effect.gen(function*() {
 *   const run = yield* DurableRuns.rerun("r-1", { id: "r-2", agent: writer })
 *   yield* (yield* run.replies).messages
 *   const { asked, reused, saved } = yield* DurableRuns.report("r-2")
 *   const { changed } = yield* DurableRuns.diff("r-1", "r-2")
 *   return { asked, reused, saved, changed }
 * })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const rerun = <P, E = never, R = never>(
  id: string,
  options: RerunOptions<P, E, R> = {}
): Effect.Effect<
  Runs.Run<Exclude<E, Upstream> | Transcript.TranscriptError>,
  Runs.RunsError,
  DurableRuns | MiniAgents.MiniAgents | R
> => DurableRuns.use((runs) => runs.rerun(id, options)) as never // what its replies can fail with, the agent says

/**
 * The answers that a run asked for and reused: how many answers came from outside, and how many from the run that it is a rerun of; the
 * tokens that models counted for both; and what nobody has asked for although it was answered: in the run that this is a
 * rerun of, or in this one before it was cut off, which is known at its end.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report extends Compare.Report {}

/**
 * Reports what a run asked, and what it reused of the run that it is a rerun of.
 *
 * @since 0.1.0
 * @category getters
 */
export const report = (id: string): Effect.Effect<Report, Runs.RunsError, DurableRuns> =>
  DurableRuns.use((runs) => runs.report(id))

/**
 * A call of a run that asked something of the outside or made a message of the replies: by its path, how much it asked
 * and reused, the tokens that models counted for both, and the last that it was answered or said.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call extends Compare.Call {}

/**
 * The calls of a run, also of one that goes on, in the order in which they were answered or said something.
 *
 * @since 0.1.0
 * @category getters
 */
export const calls = (id: string): Effect.Effect<ReadonlyArray<Call>, Runs.RunsError, DurableRuns> =>
  DurableRuns.use((runs) => runs.calls(id))

/**
 * How two runs differ, by the paths of their calls: those that are the same, those that changed, with the first text that
 * differs, and those that only one of them has. Calls are those that asked something of the outside, or made messages
 * of the run's replies.
 *
 * @since 0.1.0
 * @category models
 */
export interface Diff extends Compare.Diff {}

/**
 * Compares two runs, call by call.
 *
 * @since 0.1.0
 * @category getters
 */
export const diff = (left: string, right: string): Effect.Effect<Diff, Runs.RunsError, DurableRuns> =>
  DurableRuns.use((runs) => runs.diff(left, right))

const remove = (id: string): Effect.Effect<void, Runs.RunsError, DurableRuns> =>
  DurableRuns.use((runs) => runs.delete(id))

export {
  /**
   * Deletes a run that has ended, with all that is kept of it. One that has not is refused: interrupt it first.
   *
   * @since 0.1.0
   * @category combinators
   */
  remove as delete
}

/**
 * Runs that are kept in a `Store`: in SQLite, in Postgres, or in its memory, which lives as long as the store does. Any
 * number of processes can have the runs of one database.
 *
 * **When to use**
 *
 * Instead of `Runs.layerMemory`, if runs must survive the end of their process.
 *
 * **Details**
 *
 * A run belongs to the process that started it, until that ends or says nothing for as long as its lease. Then the next
 * process that starts a run of the same id, or serves its agent (`serve`), goes on with it: its agents run again from the
 * top, and whatever they ask that was answered before is answered as before (see `Durable`).
 *
 * Closing the Layer interrupts the runs here, and lets go of them: they have not ended.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { MiniAgents } from "miniagents"
 * import { Durable, DurableRuns } from "miniagents/durable"
 * import { LlmAgent } from "miniagents/llm"
 * import { OpenAi } from "miniagents/openai"
 * import { Runs } from "miniagents/runs"
 * import { SqliteClient } from "miniagents/sqlite"
 * import { Store } from "miniagents/store"
 *
 * const writer = LlmAgent.make("Writer")
 *
 * const program = Effect.gen(function*() {
 *   // started again after a crash, it goes on where it was
 *   const run = yield* Runs.start(writer, "A story", {}, { id: "story-1" })
 *   return yield* (yield* run.replies).text
 * }).pipe(
 *   Effect.provide([OpenAi.model("gpt-5.2").pipe(Durable.model), MiniAgents.layer(), DurableRuns.layer()]),
 *   Effect.provide([OpenAi.layerConfig(), Store.layer()]),
 *   Effect.provide(SqliteClient.layer({ filename: "runs.db" }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options = {}): Layer.Layer<Runs.Runs | DurableRuns, StoreError, Store.Store> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const store = (yield* Store.Store) as Store.Internal // all stores are made by that module
      const { tables } = store.engine
      const rows =
        tables.sql === undefined
          ? Effect.succeed(MemoryTables.of(tables))
          : Effect.mapError(SqlTables.make(tables, tables.sql), fromCause("open the tables of runs", tables.name))
      const { keep, lease = "5 seconds", linger, max, partial = "restart" } = options
      const kept = yield* rows
      if (keep !== undefined) {
        const collector = Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Retention.collect(kept, now - Duration.toMillis(keep))
        ).pipe(Effect.mapError(fromCause("collect the journals of runs", tables.name)))
        const { collectors } = store.engine
        yield* Effect.acquireRelease(
          Effect.sync(() => collectors.add(collector)),
          () => Effect.sync(() => collectors.delete(collector))
        )
      }
      const engine = yield* Engine.make(kept, { partial, linger, max, lease: Duration.fromInputUnsafe(lease) })
      const service: Internal = {
        log: (id, after) => engine.kept.log(id, after),
        serve: (agent, { error }) => engine.serve(agent, error),
        rerun: (id, options) => engine.rerun(id, options as never) as never, // their types are the agent's
        report: (id) => Effect.map(engine.kept.all(id), Compare.report),
        calls: (id) => Effect.map(engine.kept.all(id), Compare.calls),
        diff: (left, right) => Effect.zipWith(engine.kept.all(left), engine.kept.all(right), Compare.diff),
        delete: (id) => engine.kept.delete(id)
      }
      return Context.mergeAll(Context.make(Runs.Runs, engine), Context.make(DurableRuns, service))
    })
  )
