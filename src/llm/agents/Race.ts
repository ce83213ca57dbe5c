/**
 * Several agents or models with the same task: the first that produces a token wins, and the others are interrupted.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type * as Arr from "effect/Array"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import * as Agent from "../../Agent.ts"
import type * as AgentCall from "../../AgentCall.ts"
import { decided } from "../model/decided.ts"
import type { Upstream } from "../../InteractionContext.ts"
import type * as MessageSequence from "../../MessageSequence.ts"
import type * as MiniAgents from "../../MiniAgents.ts"
import * as Budget from "../model/Budget.ts"
import * as ModelWrapper from "../model/modelWrapper.ts"
import * as PromptLength from "../model/promptLength.ts"
import { CurrentGrowth } from "../provider/growth.ts"

/**
 * Makes an agent that sends its input to several agents and replies with the replies of the first that produces a
 * token. The others are interrupted; what they have spent stays charged to the budget. If all of them fail, it fails
 * with what the first in the list failed with.
 *
 * **When to use**
 *
 * If several agents can do the same and the fastest answer is the best one.
 *
 * **Example**
 *
 * ```ts
 * import { LlmAgent, Race } from "miniagents/llm"
 * import { ScriptedModel } from "miniagents/testing"
 *
 * const fast = LlmAgent.make("Fast", { model: ScriptedModel.layer([]) })
 * const good = LlmAgent.make("Good", { model: ScriptedModel.layer([]) })
 * const either = Race.agents("Either", [fast, good])
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const agents = <P, E, R>(
  name: string,
  racers: Arr.NonEmptyReadonlyArray<Agent.Agent<P, E, R>>
): Agent.Agent<{}, E | Upstream, R | MiniAgents.MiniAgents> =>
  Agent.make(name, (ctx) =>
    Effect.gen(function* () {
      let started: ReadonlyArray<Racer> = []
      const startAll = (isStarted: (i: number) => boolean) =>
        Effect.map(
          Effect.forEach(racers, (agent, i) => start(agent as never, ctx.messages, isStarted(i))),
          (all) => {
            started = all
          }
        )
      const race = Effect.gen(function* () {
        const winner = yield* Deferred.make<number>()
        yield* startAll(() => true)
        const heard = Effect.forEach(
          started,
          ({ replies }, i) => Effect.ignore(Effect.andThen(firstToken(replies), Deferred.succeed(winner, i))),
          { concurrency: "unbounded", discard: true }
        )
        // whoever is there when nobody has said anything has failed, or has nothing to say
        yield* Effect.raceFirst(Deferred.await(winner), Effect.andThen(heard, Deferred.succeed(winner, 0)))
        return yield* Deferred.await(winner)
      })
      const context = yield* Effect.context<MiniAgents.MiniAgents>()
      const winner = yield* decided("choice", name, Effect.provideContext(race, context))
      // where it was decided before, the others are not asked again
      if (started.length === 0) yield* startAll((i) => i === winner)
      const losers = started.filter((_, i) => i !== winner)
      yield* Effect.forEach(losers, ({ call }) => call.interrupt, { concurrency: "unbounded", discard: true })
      yield* ctx.reply(started[winner]!.replies as never)
    })
  ) as never // what it fails with and requires is what the racers do

interface Racer {
  readonly call: AgentCall.AgentCall<unknown, unknown>
  readonly replies: MessageSequence.MessageSequence<unknown>
}

const start = (
  agent: Agent.Agent<{}, unknown, MiniAgents.MiniAgents>,
  messages: MessageSequence.MessageSequence<Upstream>,
  startSoon: boolean
): Effect.Effect<Racer, never, MiniAgents.MiniAgents> =>
  Effect.gen(function* () {
    const call = (yield* agent.call({}, startSoon ? {} : { startSoon })) as unknown as AgentCall.AgentCall<
      unknown,
      unknown
    >
    yield* call.send(messages)
    return { call, replies: yield* call.replies() }
  })

/** Waits for a token; fails where there is none, for whatever reason. */
const firstToken = (replies: MessageSequence.MessageSequence<unknown>): Effect.Effect<string, unknown> =>
  replies.pipe(
    Stream.flatMap((promise) => promise),
    Stream.runHead,
    Effect.flatMap(Effect.fromOption)
  )

/**
 * Makes one model of several: each request goes to all of them, and the response is that of the first that produces a
 * token. The requests of the others are interrupted, and the budget is charged for their prompts.
 *
 * **When to use**
 *
 * To get an answer as fast as possible from several models or providers, at the price of asking all of them.
 *
 * **Example**
 *
 * ```ts
 * import { Race } from "miniagents/llm"
 * import { ScriptedModel } from "miniagents/testing"
 *
 * const model = Race.models([ScriptedModel.layer([]), ScriptedModel.layer([])])
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const models = <E, R>(
  layers: Arr.NonEmptyReadonlyArray<Layer.Layer<LanguageModel.LanguageModel, E, R>>
): Layer.Layer<LanguageModel.LanguageModel, E, R> =>
  Layer.effect(
    LanguageModel.LanguageModel,
    Effect.gen(function* () {
      const contexts = yield* Effect.forEach(layers, Layer.build)
      const racers = contexts.map((context) => ModelWrapper.toPlain(Context.get(context, LanguageModel.LanguageModel)))
      const whole = (prompt: Prompt.RawInput, ask: (model: ModelWrapper.Plain) => ModelWrapper.Whole) =>
        Effect.tap(Effect.raceAll(racers.map(ask)), chargeLosers(prompt, racers.length - 1))
      return ModelWrapper.fromPlain({
        streamText: (options) => raceStreams(options, racers),
        generateText: (options) => whole(options.prompt, (model) => model.generateText(options)),
        // which of the objects it will be is not known before one of them is whole
        generateObject: (options) =>
          Effect.provideService(
            whole(options.prompt, (model) => model.generateObject(options)),
            CurrentGrowth,
            undefined
          )
      })
    })
  )

const raceStreams = (options: ModelWrapper.Options, racers: ReadonlyArray<ModelWrapper.Plain>): ModelWrapper.Parts =>
  Stream.unwrap(
    Effect.gen(function* () {
      const started = yield* Effect.forEach(racers, (model) => ModelWrapper.open(model.streamText(options)))
      const heard = started.map((opened) =>
        Effect.map(ModelWrapper.firstOf(opened), (chunk) => [opened, chunk] as const)
      )
      const [first, chunk] = yield* Effect.raceAll(heard)
      const losers = started.filter((opened) => opened !== first)
      yield* Effect.forEach(losers, ({ close }) => close, { discard: true })
      yield* chargeLosers(options.prompt, racers.length - 1)
      return ModelWrapper.from(chunk, first)
    })
  )

const chargeLosers = (prompt: Prompt.RawInput, losers: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (losers === 0 || (yield* Budget.CurrentBudget) === undefined) return
    const charge = Budget.charge({ inputTokens: PromptLength.estimate(prompt) })
    for (let i = 0; i < losers; i++) yield* charge
  })
