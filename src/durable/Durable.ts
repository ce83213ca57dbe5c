/**
 * Keeps in a durable run what its agents get from outside: answers of models, results of tools, signals, times. When
 * the run continues after a crash, its agents get the same answers again without asking. Outside of a durable run these
 * functions change nothing.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as EmbeddingModel from "effect/ai/EmbeddingModel"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import { CurrentKept } from "../llm/model/decided.ts"
import { CurrentNumbering } from "../internal/place.ts"
import { calledBy } from "../llm/agents/AgentTool.ts"
import * as Runs from "../runs/Runs.ts"
import { Branch, choiceAt } from "./branch.ts"
import * as ModelJournal from "./modelJournal.ts"
import { asking, CurrentRun, type DurableRun, here } from "./run.ts"

/**
 * Keeps the responses of the language model and the embedding model of a Layer, whichever it has. It is the outermost of
 * a model's combinators: a response that was kept is no request, waits for nothing, and is charged to budgets as it was.
 *
 * **When to use**
 *
 * Around every model of agents that run in durable runs.
 *
 * **Details**
 *
 * Requests are told apart by the call that makes them, the provider, the model, the prompt, the tools and the schema. A
 * failure is kept like a response. One that was cut off is asked for again; `partial` of `DurableRuns.layer` says how.
 *
 * **Gotchas**
 *
 * Between the server's answer and our commit lies a moment in which a crash loses the answer: it is then paid again.
 *
 * **Example**
 *
 * ```ts
 * import { Durable } from "miniagents/durable"
 * import { ModelLayer } from "miniagents/llm"
 * import { OpenAi } from "miniagents/openai"
 *
 * const model = OpenAi.model("gpt-5.2").pipe(ModelLayer.retry(), Durable.model)
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const model = <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const built = yield* Layer.build(layer)
      const context = built as Context.Context<never>
      const language = Context.getOption(context, LanguageModel.LanguageModel)
      const embedding = Context.getOption(context, EmbeddingModel.EmbeddingModel)
      let kept: Context.Context<never> = context
      if (Option.isSome(language)) {
        const model = yield* ModelJournal.languageModel(language.value, context)
        kept = Context.add(Context.add(kept, LanguageModel.LanguageModel, model), CurrentKept, model) as never
      }
      if (Option.isSome(embedding)) {
        const model = yield* ModelJournal.embeddingModel(embedding.value, context)
        kept = Context.add(kept, EmbeddingModel.EmbeddingModel, model) as Context.Context<never>
      }
      return kept as Context.Context<A>
    })
  )

/**
 * Keeps the results of tools, by the ids of their calls. A tool whose result is kept does not run again. What it fails
 * with is not kept. Agents that are tools run again, and what they ask is answered as before.
 *
 * **When to use**
 *
 * Around tools that have effects outside, or that cost money or time.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Tool, Toolkit } from "effect/ai"
 * import { Durable } from "miniagents/durable"
 * import { LlmAgent } from "miniagents/llm"
 *
 * const SendMail = Tool.make("SendMail", { parameters: Schema.Struct({ to: Schema.String }), success: Schema.String })
 * const tools = Toolkit.make(SendMail)
 * const clerk = LlmAgent.make("Clerk", { toolkit: Durable.toolkit(tools) })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const toolkit = <Tools extends Record<string, Tool.Any>, E, R>(
  toolkit: Effect.Effect<Toolkit.WithHandler<Tools>, E, R>
): Effect.Effect<Toolkit.WithHandler<Tools>, E, R> =>
  Effect.map(toolkit, (handlers) => {
    const plain = handlers as unknown as Handlers // the types of the tools stay as they are
    const handle: Handlers["handle"] = (name, params, id, options) =>
      Effect.flatMap(CurrentRun, (run) => {
        const tool = plain.tools[name]
        const live = plain.handle(name, params, id, options)
        return run === undefined || tool === undefined || calledBy(tool) !== undefined
          ? live
          : keptResult(run, tool, { name, id: id ?? null, ...(id === undefined ? { params } : {}) }, live)
      })
    return { ...handlers, handle } as unknown as Toolkit.WithHandler<Tools>
  })

interface Handlers {
  readonly tools: Readonly<Record<string, Tool.Any>>
  readonly handle: (name: string, params: unknown, id?: string, options?: object) => Handling
}
type Handling = Effect.Effect<Stream.Stream<Result, unknown, unknown>, unknown, unknown>

interface Result {
  readonly result: unknown
  readonly encodedResult: unknown
  readonly isFailure: boolean
  readonly preliminary: boolean
}

const keptResult = (run: DurableRun, tool: Tool.Any, call: object, live: Handling): Handling =>
  Effect.gen(function* () {
    const asked = yield* asking(run, "tool", JSON.parse(JSON.stringify(call)) as Schema.Json)
    const answer = yield* run.answered(asked)
    if (answer !== undefined) {
      const kept = answer.value as unknown as Result
      const schema = kept.isFailure ? Tool.failureResultSchema(tool) : tool.successSchema
      const result = yield* Effect.exit(Schema.decodeUnknownEffect(schema as Schema.Codec<unknown>)(kept.encodedResult))
      if (Exit.isSuccess(result)) return Stream.make({ ...kept, result: result.value })
    }
    const keep = ({ result: _, ...given }: Result) =>
      given.preliminary ? Effect.void : run.keep(asked, JSON.parse(JSON.stringify(given)) as Schema.Json)
    return Stream.tap(yield* live, keep)
  })

/**
 * Runs an effect once and keeps its result. When the run continues after a crash, the same step of the same call gets
 * that result instead of running the effect again. `name` tells the steps of a call apart; using a name twice makes two
 * steps.
 *
 * **When to use**
 *
 * For everything in a durable run that may be different the next time, or that should not be
 * repeated: the current time, random numbers, requests, payments.
 *
 * **Gotchas**
 *
 * A step that fails or is cut off runs again. What it has done outside before it was cut off is then done twice, unless
 * the receiver recognizes it by an idempotency key.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Random, Schema } from "effect"
 * import { Agent } from "miniagents"
 * import { Durable } from "miniagents/durable"
 *
 * const dice = Agent.make("Dice", Effect.fnUntraced(function*(ctx) {
 *   const eyes = yield* Durable.step("roll", Schema.Int, Random.nextIntBetween(1, 7))
 *   yield* ctx.reply(`${eyes}`)
 * }))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const step = <A, E, R>(
  name: string,
  schema: Schema.Codec<A, unknown>,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(CurrentRun, (run) => (run === undefined ? effect : kept(run, "step", name, schema, effect)))

/** The kept value of an effect, where it still fits its schema. */
const kept = <A, E, R>(
  run: DurableRun,
  what: string,
  name: string,
  schema: Schema.Codec<A, unknown>,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const codec = Schema.toCodecJson(schema)
    const asked = yield* asking(run, what, name)
    const answer = yield* run.answered(asked)
    const before = answer === undefined ? undefined : Schema.decodeOption(codec)(answer.value)
    if (before !== undefined && Option.isSome(before)) return before.value
    const value = yield* effect
    const json = yield* Effect.orDie(Schema.encodeEffect(codec)(value))
    yield* run.keep(asked, json as Schema.Json)
    return value
  })

/**
 * Waits for a signal to the run, and returns its value, as `Runs.wait` does. The process may end meanwhile, and the
 * signal may be sent from another process. Dies outside of a run.
 *
 * **When to use**
 *
 * To ask a person, or to wait for another program, for as long as it takes.
 *
 * @since 0.1.0
 * @category combinators
 */
export const wait: typeof Runs.wait = Runs.wait

/**
 * Sleeps for a duration that counts from the first time it is called. Time during which no process had the run counts
 * too.
 *
 * **When to use**
 *
 * To wait for hours or days in a durable run.
 *
 * @since 0.1.0
 * @category combinators
 */
export const sleep = (name: string, duration: Duration.Input): Effect.Effect<void> =>
  Effect.flatMap(CurrentRun, (run) => {
    if (run === undefined) return Effect.sleep(duration)
    const later = Effect.map(Clock.currentTimeMillis, (now) => now + Duration.toMillis(duration))
    return Effect.flatMap(kept(run, "sleep", name, Schema.Finite, later), (until) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => (now < until ? Effect.sleep(until - now) : Effect.void))
    )
  })

/**
 * Returns the result of the first effect that succeeds, and interrupts the others. The winner is kept: when the run
 * continues after a crash, only that effect runs.
 *
 * **When to use**
 *
 * For races in durable runs, so that the same effect wins when the run is continued.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Durable } from "miniagents/durable"
 *
 * const answer = Durable.race("answer or deadline", [
 *   Durable.wait("approval", Schema.String),
 *   Effect.as(Durable.sleep("deadline", "2 days"), "nobody has answered")
 * ])
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const race = <const Effects extends ReadonlyArray<Effect.Effect<unknown, unknown, unknown>>>(
  name: string,
  effects: Effects
): Effect.Effect<Effect.Success<Effects[number]>, Effect.Error<Effects[number]>, Effect.Services<Effects[number]>> =>
  Effect.flatMap(CurrentRun, (run) =>
    run === undefined ? Effect.raceAll(effects) : raced(run, name, effects)
  ) as never // what the effects give

const raced = (
  run: DurableRun,
  name: string,
  effects: ReadonlyArray<Effect.Effect<unknown, unknown, unknown>>
): Effect.Effect<unknown, unknown, unknown> =>
  Effect.gen(function* () {
    const asked = yield* asking(run, "race", name)
    const { branch: around, place } = yield* here
    const choice = around?.nextChoice() ?? (place === undefined ? "" : choiceAt(place))
    const answer = yield* run.answered(asked)
    const branches = effects.map((effect, i) =>
      Effect.provideService(effect, CurrentNumbering, new Branch(place, choice, i))
    )
    const winner = branches[answer?.value as number]
    if (winner !== undefined) return yield* winner
    const [value, first] = yield* Effect.raceAll(branches.map((branch, i) => Effect.map(branch, (value) => [value, i])))
    yield* run.keep(asked, first as number)
    return value
  })
