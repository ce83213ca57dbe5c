/**
 * Runs that outlive the process: what a run was answered is kept before anyone sees the end of it, so that a run that
 * was cut off, by a crash or for days, goes on where it was, and nothing that was paid is paid again.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Agent from "../Agent.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import * as Runs from "../runs/Runs.ts"
import * as Store from "../store/Store.ts"
import { fromCause, type StoreError } from "../store/storeError.ts"
import * as Engine from "./engine.ts"
import * as MemoryTables from "./memoryTables.ts"
import * as SqlTables from "./sqlTables.ts"

/**
 * How runs are kept and taken up.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * What becomes of a response that was cut off: it is asked for again from its start (`"restart"`), or the model is given
   * what it had said as its own words and goes on from there (`"continue"`), which not every model does well.
   *
   * @default "restart"
   */
  readonly partial?: "continue" | "restart"
  /**
   * How long a process that says nothing is waited for, before its runs are taken up by another one. It is longer than
   * the clocks of the machines differ.
   *
   * @default "5 seconds"
   */
  readonly lease?: Duration.Input
  /** How long a run goes on without a reader of its events before it is interrupted; to its end unless given. */
  readonly linger?: Duration.Input | undefined
  /** How many runs may go on at once in this process; any number unless given. */
  readonly max?: number | undefined
}

/**
 * What there is of durable runs besides `Runs`.
 *
 * @since 0.1.0
 * @category services
 */
export interface Service {
  readonly serve: <P, E, R>(
    agent: Agent.Agent<P, E, R>,
    options: ServeOptions<unknown>
  ) => Effect.Effect<void, never, R | MiniAgents.MiniAgents | Scope.Scope>
}

/**
 * The service that owns durable runs. Its functions are those of this module, which take it from the context.
 *
 * Laws: **Paid once** (whatever is killed, whenever: what the journal holds is never asked for again; with a
 * deterministic model the end is that of a run without kills; what a reader was given is a prefix of it, or a `reset` said
 * from where not) and **Waits wait alone** (an approval, a signal or a timer holds up only what needs it).
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
 * Takes up runs of an agent that nobody goes on with, because the process that had them has ended: for as long as the
 * scope is open, and within seconds. Agents are known by their names.
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
 * Runs that are kept in a `Store`: in SQLite, in Postgres, or in its memory, which lives as long as the store does. Any
 * number of processes can have the runs of one database.
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
      const { lease = "5 seconds", linger, max, partial = "restart" } = options
      const engine = yield* Engine.make(yield* rows, { partial, linger, max, lease: Duration.fromInputUnsafe(lease) })
      const service: Service = { serve: (agent, { error }) => engine.serve(agent, error) }
      return Context.mergeAll(Context.make(Runs.Runs, engine), Context.make(DurableRuns, service))
    })
  )
