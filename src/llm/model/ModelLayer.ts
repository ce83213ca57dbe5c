/**
 * Combinators for the Layers of language models, of any provider: retries, time-outs, limits, and fallback to other
 * models.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as ExecutionPlan from "effect/ExecutionPlan"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Growth from "../provider/growth.ts"
import { Continuation, Final } from "./continuation.ts"
import * as Lost from "./lost.ts"
import { CurrentTimeouts, silence } from "../provider/patience.ts"
import * as ModelWrapper from "./modelWrapper.ts"

/**
 * Options for how failed requests are repeated.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryOptions {
  /**
   * How often a request is repeated at most.
   *
   * @default 3
   */
  readonly times?: number
  /**
   * How long to wait before the first repetition. The delay doubles each time. A provider may ask for a longer one.
   *
   * @default "1 second"
   */
  readonly delay?: Duration.Input
  /**
   * The longest delay that a provider may ask for. If it asks for a longer one, the request fails at once, with the
   * error that says how long it would be.
   *
   * @default "2 minutes"
   */
  readonly maxWait?: Duration.Input
}

/**
 * Repeats requests that failed before their first token, for a reason that may pass (`AiError.isRetryable`). Each
 * repetition is a warning in the log, an event of the span, and a call in the budget.
 *
 * **When to use**
 *
 * Around every model that is reached over a network. To switch to another model use `fallback`.
 *
 * **Example**
 *
 * ```ts
 * import { ModelLayer } from "miniagents/llm"
 * import { ScriptedModel } from "miniagents/testing"
 *
 * const patient = ScriptedModel.layer([]).pipe(
 *   ModelLayer.timeouts({ firstToken: "30 seconds", betweenTokens: "10 seconds" }),
 *   ModelLayer.retry({ times: 5 }),
 *   ModelLayer.concurrency(8)
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const retry = ({ delay = "1 second", maxWait = "2 minutes", times = 3 }: RetryOptions = {}): (<A, E, R>(
  layer: Layer.Layer<A, E, R>
) => Layer.Layer<A, E, R>) => {
  const longest = Duration.fromInputUnsafe(maxWait)
  const asked = (error: AiError.AiError) => error.retryAfter ?? Duration.zero
  const schedule = Schedule.exponential(delay).pipe(
    Schedule.setInputType<AiError.AiError>(),
    Schedule.while(({ input }) =>
      Effect.map(
        Growth.isShown,
        (isShown) => !isShown && input.isRetryable && Duration.isLessThanOrEqualTo(asked(input), longest)
      )
    ),
    Schedule.modifyDelay(({ duration, input }) => Effect.succeed(Duration.max(duration, asked(input)))),
    Schedule.upTo({ times }),
    Schedule.tap(({ attempt, duration, input }) => {
      const when = `the request is made again in ${Duration.format(duration)} (${attempt} of ${times})`
      return Lost.notice("model.retry", when, input, Lost.nothing)
    })
  )
  return ModelWrapper.wrap(
    Effect.succeed({
      stream: (options, next) => {
        const first = Effect.flatMap(ModelWrapper.open(next(options)), (opened) =>
          Effect.onError(ModelWrapper.firstOf(opened), () => opened.close).pipe(
            Effect.map((chunk) => ModelWrapper.from(chunk, opened))
          )
        )
        return Stream.unwrap(Effect.retry(first, schedule))
      },
      whole: (options, next) => Effect.retry(next(options), schedule)
    })
  )
}

/**
 * The longest silences of a model that are waited for.
 *
 * @since 0.1.0
 * @category models
 */
export interface Timeouts {
  /** From the request to its first token, or to the end of a response that is not streamed. */
  readonly firstToken?: Duration.Input
  readonly betweenTokens?: Duration.Input
}

/**
 * Fails a request whose model is silent for too long, with an `AiError` that may be retried (`InternalProviderError`),
 * after the tokens so far. These limits replace those of the model's client, whether they are shorter or longer.
 *
 * **When to use**
 *
 * If a model may hang: without an answer, or in the middle of one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const timeouts = (timeouts: Timeouts): (<A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R>) => {
  const { betweenTokens, firstToken } = timeouts
  const within = <A, E, R>(effect: Effect.Effect<A, E, R>, limit: Duration.Input | undefined) =>
    limit === undefined
      ? effect
      : Effect.timeoutOrElse(effect, { duration: limit, orElse: () => Effect.fail(silent(limit)) })
  return ModelWrapper.wrap(
    Effect.succeed({
      stream: (options, next) =>
        Stream.transformPull(Stream.provideService(next(options), CurrentTimeouts, timeouts), (pull) =>
          Effect.sync(() => {
            const parts = ModelWrapper.held(pull)
            let waits = (): ModelWrapper.PartsPull => {
              waits = () => within(parts, betweenTokens)
              return within(parts, firstToken)
            }
            return Effect.suspend(() => waits())
          })
        ),
      whole: (options, next) => within(Effect.provideService(next(options), CurrentTimeouts, timeouts), firstToken)
    })
  )
}

/**
 * Lets at most this many requests run at the same time; further ones wait. The limit belongs to the Layer that this
 * returns: whatever uses that Layer shares it.
 *
 * **When to use**
 *
 * If a provider or a server of your own takes only some requests at a time.
 *
 * @since 0.1.0
 * @category combinators
 */
export const concurrency =
  (permits: number) =>
  <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> => {
    const semaphore = Semaphore.makeUnsafe(permits) // one for the Layer, however often it is built
    const turn = Effect.acquireRelease(semaphore.take(1), () => semaphore.release(1), { interruptible: true })
    return ModelWrapper.wrap(
      Effect.succeed({
        stream: (options, next) => Stream.unwrap(Effect.map(turn, () => next(options))),
        whole: (options, next) => semaphore.withPermit(next(options))
      })
    )(layer)
  }

/**
 * How many requests may be made in which time. Layers with the same `key` share the limit.
 *
 * @since 0.1.0
 * @category models
 */
export interface RateLimit {
  readonly key: string
  readonly limit: number
  readonly window: Duration.Input
}

/**
 * Delays requests that would exceed a rate limit. The `RateLimiter` of `effect/persistence` does the counting: in
 * memory, or in Redis for several processes.
 *
 * **When to use**
 *
 * If a provider takes only some requests per minute.
 *
 * @since 0.1.0
 * @category combinators
 */
export const rateLimit = (
  options: RateLimit
): (<A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R | RateLimiter.RateLimiter>) =>
  ModelWrapper.wrap(
    Effect.map(RateLimiter.makeWithRateLimiter, (withLimit) => {
      const turn = withLimit({ ...options, onExceeded: "delay" })(Effect.void).pipe(Effect.mapError(notCounted))
      return {
        stream: (options, next) => Stream.unwrap(Effect.as(turn, next(options))),
        whole: (options, next) => Effect.andThen(turn, next(options))
      }
    })
  )

/**
 * Options for how one model takes over from another.
 *
 * @since 0.1.0
 * @category models
 */
export interface FallbackOptions {
  /**
   * Whether the next model goes on in the middle of what the one before it was saying when it broke off. Otherwise a
   * failure after the first token is that of the request.
   *
   * @default true
   */
  readonly goesOn?: boolean
}

/**
 * Makes one model of several: if a model fails, the next one of the plan takes over. Each take-over is a warning in the
 * log, an event of the span, and a call in the budget.
 *
 * **When to use**
 *
 * If an answer of another model is better than none.
 *
 * **Details**
 *
 * If a model fails in the middle of its answer, the next model is given what was said so far as its own words and
 * continues from there in the same message, unless `goesOn` is `false`. After a tool call no model takes over, since
 * the call would be made twice.
 *
 * **Example**
 *
 * ```ts
 * import { ExecutionPlan } from "effect"
 * import { ModelLayer } from "miniagents/llm"
 * import { ScriptedModel } from "miniagents/testing"
 *
 * const model = ModelLayer.fallback(ExecutionPlan.make(
 *   { provide: ScriptedModel.layer([]), attempts: 2 },
 *   { provide: ScriptedModel.layer([]) }
 * ))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fallback = <Provides, Input, R>(
  plan: ExecutionPlan.ExecutionPlan<{ provides: Provides; input: Input; error: never; requirements: R }> &
    TakesErrors<Input>,
  { goesOn = true }: FallbackOptions = {}
): Layer.Layer<LanguageModel.LanguageModel, never, R> =>
  Layer.effect(
    LanguageModel.LanguageModel,
    Effect.map(plan.captureRequirements, (captured) => {
      const plan = captured as unknown as Plan // the errors it takes were checked
      const whole = (ask: (model: ModelWrapper.Plain) => ModelWrapper.Whole) =>
        Effect.suspend(() => {
          const before = new Lost.Before()
          const attempt = Effect.flatMap(current, (model) => Effect.andThen(before.takeOver, before.watch(ask(model))))
          // nobody takes over what somebody has seen a part of: it would be another object
          const isLast = Effect.catch(attempt, (error) =>
            Effect.flatMap(Growth.isShown, (isShown) =>
              isShown ? Effect.succeed(new Final(error)) : Effect.fail(error)
            )
          )
          const planned = Effect.withExecutionPlan(isLast, plan) as typeof isLast
          const ended = Effect.filterOrElse(planned, Predicate.not(isFinal), (end) => (end as Final).fail)
          return ended as ModelWrapper.Whole // the plan has the model
        })
      return ModelWrapper.fromPlain({
        streamText: (options) =>
          Stream.suspend(() => {
            const continuation = new Continuation(options, goesOn)
            const attempt = Stream.unwrap(
              Effect.map(current, (model) => continuation.attempt((options) => model.streamText(options)))
            )
            const planned = Stream.withExecutionPlan(attempt, plan) as typeof attempt
            return continuation.end(planned as Stream.Stream<never, AiError.AiError>) // the plan has the model
          }),
        generateText: (options) => whole((model) => model.generateText(options)),
        generateObject: (options) => whole((model) => model.generateObject(options))
      })
    })
  )

const isFinal = (end: unknown): end is Final => end instanceof Final

/** Refuses a plan that decides by errors which are not those of models. */
type TakesErrors<Input> = AiError.AiError extends Input ? unknown : { readonly "the plan must take": AiError.AiError }

type Plan = ExecutionPlan.ExecutionPlan<{
  provides: LanguageModel.LanguageModel
  input: AiError.AiError
  error: never
  requirements: never
}>

const current = Effect.map(LanguageModel.LanguageModel, ModelWrapper.toPlain)

const silent = (limit: Duration.Input): AiError.AiError =>
  AiError.make({ module: "ModelLayer", method: "timeouts", reason: silence(limit) })

const notCounted = (error: RateLimiter.RateLimiterError): AiError.AiError =>
  AiError.make({
    module: "ModelLayer",
    method: "rateLimit",
    reason: new AiError.UnknownError({ description: error.message })
  })
