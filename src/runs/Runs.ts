/**
 * Runs: calls of agents from outside, such as by a client of a server. Each run has an id, by which any number of
 * readers can read it from any position, send it signals, and interrupt it. A run does not end when its readers leave.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Agent from "../Agent.ts"
import * as InteractionContext from "../InteractionContext.ts"
import * as current from "../internal/currentRun.ts"
import { describe, fieldIssues } from "../internal/fieldIssues.ts"
import type { ErrorOf, MessageInput } from "../MessageInput.ts"
import type * as MessageSequence from "../MessageSequence.ts"
import type * as MiniAgents from "../MiniAgents.ts"
import type * as Transcript from "../Transcript.ts"
import * as memory from "./memoryRuns.ts"

/**
 * A signal that a run waits for: its name, the path of the call that waits (`Research/0:Writer`), and in `asks` the
 * question that is to be answered, if the call gave one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Wait: Schema.Struct<{
  readonly name: Schema.String
  readonly path: Schema.String
  readonly asks: Schema.optionalKey<Schema.Codec<Schema.Json>>
}> = Schema.Struct({
  name: Schema.String,
  path: Schema.String,
  asks: Schema.optionalKey(Schema.Json)
})

/**
 * A signal that a run waits for.
 *
 * @since 0.1.0
 * @category models
 */
export type Wait = typeof Wait.Type

/**
 * The known facts of a run: the agent that was called, when (in milliseconds since 1970), the status of the run, and
 * the signals that it waits for, by their names (`waiting`) and in detail (`waits`).
 *
 * @since 0.1.0
 * @category schemas
 */
export const Info: Schema.Struct<{
  readonly id: Schema.String
  readonly agent: Schema.String
  readonly status: Schema.Literals<readonly ["running", "succeeded", "failed", "interrupted"]>
  readonly startedAt: Schema.Finite
  readonly endedAt: Schema.optionalKey<Schema.Finite>
  readonly waiting: Schema.$Array<Schema.String>
  readonly waits: Schema.$Array<typeof Wait>
}> = Schema.Struct({
  id: Schema.String,
  agent: Schema.String,
  status: Schema.Literals(["running", "succeeded", "failed", "interrupted"]),
  startedAt: Schema.Finite,
  endedAt: Schema.optionalKey(Schema.Finite),
  waiting: Schema.Array(Schema.String),
  waits: Schema.Array(Wait)
})

/**
 * The facts of a run that are known from outside.
 *
 * @since 0.1.0
 * @category models
 */
export type Info = typeof Info.Type

/**
 * A run: its id, and the replies of its agent, from the start and live.
 *
 * @since 0.1.0
 * @category models
 */
export interface Run<out E = never> {
  readonly id: string
  readonly replies: Effect.Effect<MessageSequence.MessageSequence<E>>
}

/**
 * Why an operation on runs was refused. Nothing has changed then.
 *
 * **Details**
 *
 * - `NotFound`: there is no such run, or no longer.
 * - `OtherAgent`: the id is that of a run of another agent.
 * - `TooMany`: as many runs are going on as there may be.
 * - `InvalidSignal`: the run waits for a signal of this name, and the value is not of the shape that it waits for.
 * - `NotEnded`: the run goes on, and what was asked for is for runs that have ended.
 * - `Unavailable`: what keeps the runs could not do it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Reason: Schema.TaggedUnion<{
  readonly NotFound: Schema.TaggedStruct<"NotFound", { readonly id: Schema.String }>
  readonly OtherAgent: Schema.TaggedStruct<"OtherAgent", { readonly id: Schema.String; readonly agent: Schema.String }>
  readonly TooMany: Schema.TaggedStruct<"TooMany", { readonly max: Schema.Int }>
  readonly InvalidSignal: Schema.TaggedStruct<
    "InvalidSignal",
    { readonly id: Schema.String; readonly signal: Schema.String; readonly problem: Schema.String }
  >
  readonly NotEnded: Schema.TaggedStruct<"NotEnded", { readonly id: Schema.String }>
  readonly Unavailable: Schema.TaggedStruct<"Unavailable", { readonly problem: Schema.String }>
}> = Schema.TaggedUnion({
  NotFound: { id: Schema.String },
  OtherAgent: { id: Schema.String, agent: Schema.String },
  TooMany: { max: Schema.Int },
  InvalidSignal: { id: Schema.String, signal: Schema.String, problem: Schema.String },
  NotEnded: { id: Schema.String },
  Unavailable: { problem: Schema.String }
})

/**
 * Why an operation on runs was refused.
 *
 * @since 0.1.0
 * @category models
 */
export type Reason = typeof Reason.Type

/**
 * An operation on runs was refused; `reason` says why.
 *
 * @since 0.1.0
 * @category errors
 */
export class RunsError extends Schema.TaggedError<RunsError>()("RunsError", { reason: Reason }) {
  override get message(): string {
    return Reason.match(this.reason, {
      NotFound: ({ id }) => `There is no run \`${id}\``,
      OtherAgent: ({ agent, id }) => `\`${id}\` is a run of \`${agent}\`: take another id`,
      TooMany: ({ max }) => `${max} runs are going on, which is the most: try again when one of them has ended`,
      InvalidSignal: ({ id, problem, signal }) =>
        `The signal \`${signal}\` does not fit what \`${id}\` waits for: ${problem}`,
      NotEnded: ({ id }) => `\`${id}\` has not ended: interrupt it first`,
      Unavailable: ({ problem }) => problem
    })
  }
}

/**
 * Options of one run, such as its id.
 *
 * @since 0.1.0
 * @category models
 */
export interface StartOptions<E = never> {
  /**
   * The id of the run; by default a new one. If there is a run with this id already, that run is returned, and nothing
   * starts.
   */
  readonly id?: string | undefined
  /** The schema of what the agent can fail with, so that readers get such errors as they are. */
  readonly error?: Schema.Codec<E, unknown> | undefined
  /**
   * How long the run continues without a reader of its events before it is interrupted. The default is that of the
   * Layer.
   */
  readonly linger?: Duration.Input | undefined
}

/**
 * A call that is to become a run, as implementations of the service see it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request<P = never, E = unknown, R = never> {
  readonly agent: Agent.Agent<P, E, R>
  readonly input: MessageInput<unknown>
  readonly parameters: P
  readonly options: StartOptions<unknown>
}

/**
 * The operations of a store of runs. `Runs.layerMemory` keeps them in this process.
 *
 * @since 0.1.0
 * @category services
 */
export interface Service {
  readonly start: <P, E, R>(
    request: Request<P, E, R>
  ) => Effect.Effect<Run<unknown>, RunsError, R | MiniAgents.MiniAgents>
  readonly get: (id: string) => Effect.Effect<Info, RunsError>
  readonly list: Effect.Effect<ReadonlyArray<Info>>
  /**
   * The run of an agent that began last among those whose ids begin with a prefix that ends with their first slash. What
   * has no way to know it without looking at all runs leaves it out.
   */
  readonly last?: ((agent: string, prefix: string) => Effect.Effect<Info | undefined>) | undefined
  readonly read: (id: string, from: Transcript.Position | undefined) => Stream.Stream<Transcript.Event, RunsError>
  readonly interrupt: (id: string) => Effect.Effect<void, RunsError>
  readonly signal: (id: string, name: string, value: Schema.Json) => Effect.Effect<void, RunsError>
}

/**
 * The service that keeps runs and lets them go on: `Runs.layerMemory` in this process, `DurableRuns.layer` in a store.
 *
 * @since 0.1.0
 * @category services
 */
export class Runs extends Context.Service<Runs, Service>()("miniagents/Runs") {}

/**
 * Starts a run and returns it at once. Starting with an id that exists returns that run, whatever the input is.
 *
 * **When to use**
 *
 * To call an agent so that it can be read again, sent signals, and interrupted by its id. Inside a program
 * `agent.trigger` is simpler.
 *
 * **Details**
 *
 * The services that the agent requires, including the runtime, come from where the run is started. The run itself
 * belongs to the service, so it continues when the fiber that started it ends.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Agent, MiniAgents } from "miniagents"
 * import { Runs } from "miniagents/runs"
 *
 * const echo = Agent.make("Echo", (ctx) => ctx.reply(ctx.messages))
 *
 * const program = Effect.gen(function*() {
 *   const run = yield* Runs.start(echo, "hello", {}, { id: "r-1" })
 *   yield* (yield* run.replies).messages // one message
 *   return yield* Stream.runCollect(Runs.read("r-1", { from: "0.2" })) // what comes after "he"
 * }).pipe(Effect.provide([Runs.layerMemory(), MiniAgents.layer()]))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const start = <P, E, R, const I extends MessageInput<unknown> = never>(
  agent: Agent.Agent<P, E, R>,
  ...args: Arguments<P, I, Agent.RepliesError<E, ErrorOf<I>, {}>>
): Effect.Effect<Run<Agent.RepliesError<E, ErrorOf<I>, {}>>, RunsError, Runs | MiniAgents.MiniAgents | R> => {
  const [input, parameters, options = {}] = args
  const request = { agent, input: input ?? [], parameters: parameters ?? ({} as P), options } // `{}` where `P` allows it
  return Runs.use((runs) => runs.start(request as Request<P, E, R>)) as never // what its replies can fail with, the agent says
}

type Arguments<P, I, E> = {} extends P
  ? [input?: I, parameters?: P, options?: StartOptions<E>]
  : [input: I, parameters: P, options?: StartOptions<E>]

/**
 * Starts a run that is interrupted when the current scope closes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startScoped = <P, E, R, const I extends MessageInput<unknown> = never>(
  agent: Agent.Agent<P, E, R>,
  ...args: Arguments<P, I, Agent.RepliesError<E, ErrorOf<I>, {}>>
): Effect.Effect<
  Run<Agent.RepliesError<E, ErrorOf<I>, {}>>,
  RunsError,
  Runs | MiniAgents.MiniAgents | Scope.Scope | R
> =>
  Effect.flatMap(Runs, (runs) =>
    Effect.acquireRelease(start(agent, ...args), ({ id }) => Effect.ignore(runs.interrupt(id)))
  )

/**
 * Gets what is known about a run: its status, its agent, and what it waits for.
 *
 * @since 0.1.0
 * @category getters
 */
export const get = (id: string): Effect.Effect<Info, RunsError, Runs> => Runs.use((runs) => runs.get(id))

/**
 * Lists the runs that are running, and those that have ended and are still kept, in the order in which they began.
 *
 * @since 0.1.0
 * @category getters
 */
export const list: Effect.Effect<ReadonlyArray<Info>, never, Runs> = Runs.use((runs) => runs.list)

/**
 * Reads a run as the events of its transcript, live, from its start or from the position `from`. A reader that leaves
 * does not interrupt the run.
 *
 * **When to use**
 *
 * To serve a run to a reader that may lose its connection. In the same process, read `run.replies`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const read = (
  id: string,
  options: { readonly from?: Transcript.Position | undefined } = {}
): Stream.Stream<Transcript.Event, RunsError, Runs> =>
  Stream.unwrap(Effect.map(Runs, (runs) => runs.read(id, options.from)))

/**
 * Interrupts a run and everything below it, and waits until all of it has ended. A run that has ended stays as it is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const interrupt = (id: string): Effect.Effect<void, RunsError, Runs> => Runs.use((runs) => runs.interrupt(id))

/**
 * Sends a named value to a run. An agent in the run gets it from `Runs.wait`, even if it starts to wait later. If
 * several wait for the name, each signal goes to one of them, in the order in which they began to wait.
 *
 * @since 0.1.0
 * @category combinators
 */
export const signal = (id: string, name: string, value: Schema.Json): Effect.Effect<void, RunsError, Runs> =>
  Runs.use((runs) => runs.signal(id, name, value))

/**
 * The run that the current code belongs to, if any: its id, and how its signals are waited for.
 *
 * @since 0.1.0
 * @category services
 */
export const CurrentRun: Context.Reference<RunContext | undefined> = current.CurrentRun as never // whoever gives one gives all of it

/**
 * A run as seen from inside.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunContext {
  readonly id: string
  /**
   * Gives the next signal of that name that `check` finds nothing wrong with; what is wrong is for who sent it. The schema
   * is for those who have to say so without this code.
   */
  readonly wait: (
    wait: Wait,
    check: (value: Schema.Json) => string | undefined,
    schema: Schema.Codec<unknown, unknown>
  ) => Effect.Effect<Schema.Json>
}

/**
 * Waits for a signal to the run that the calling agent is part of, and returns its value. A value that does not fit the
 * schema is refused, and the sender is told; the agent goes on waiting. `asks` is the question that is shown to whoever
 * lists what the run waits for. Dies outside of a run, where nobody could send a signal.
 *
 * **When to use**
 *
 * If an agent needs an answer from outside while it runs, such as from a person. In durable runs use `Durable.wait`,
 * which is the same function.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Agent } from "miniagents"
 * import { Runs } from "miniagents/runs"
 *
 * const careful = Agent.make("Careful", Effect.fnUntraced(function*(ctx) {
 *   const { by } = yield* Runs.wait("approval", Schema.Struct({ by: Schema.String }))
 *   yield* ctx.reply(`approved by ${by}`)
 * }))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const wait = <A>(
  name: string,
  schema: Schema.Codec<A, unknown>,
  options: { readonly asks?: Schema.Json | undefined } = {}
): Effect.Effect<A> =>
  Effect.gen(function* () {
    const run = yield* CurrentRun
    if (run === undefined) {
      return yield* Effect.die(new Error(`\`Runs.wait\` for \`${name}\` is called outside of a run`))
    }
    const caller = Option.getOrUndefined(yield* Effect.serviceOption(InteractionContext.InteractionContext))
    const decode = Schema.decodeUnknownResult(Schema.toCodecJson(schema))
    const check = (value: Schema.Json) => {
      const result = decode(value)
      return Result.isSuccess(result) ? undefined : fieldIssues(result.failure.issue, value).map(describe).join("; ")
    }
    const asks = options.asks === undefined ? {} : { asks: options.asks }
    const value = yield* run.wait({ name, path: caller?.path ?? "", ...asks }, check, schema)
    return Result.getOrThrow(decode(value)) // it was checked
  })

/**
 * Keeps runs in the memory of this process.
 *
 * **When to use**
 *
 * For servers and tests, if runs may end with the process. To keep runs beyond that, use `DurableRuns.layer`.
 *
 * **Details**
 *
 * Closing the Layer interrupts all runs.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory = (options: MemoryOptions = {}): Layer.Layer<Runs> =>
  Layer.effect(
    Runs,
    memory.make(options, (reason) => new RunsError({ reason }), CurrentRun)
  )

/**
 * Options of runs in memory: how long they are kept, and how many may run at once.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoryOptions {
  /**
   * How long a run can still be read after it has ended.
   * @default "5 minutes"
   */
  readonly keep?: Duration.Input | undefined
  /**
   * How long a run continues without a reader of its events before it is interrupted. By default it runs to its end.
   */
  readonly linger?: Duration.Input | undefined
  /** How many runs may run at once. By default there is no limit. */
  readonly max?: number | undefined
}
